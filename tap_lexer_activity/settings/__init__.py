"""Settings: their schema, where they come from, and which make sense."""
