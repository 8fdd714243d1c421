"""From the header and the cells of a CSV export to columns and values. Pure functions: no HTTP, no Singer."""
