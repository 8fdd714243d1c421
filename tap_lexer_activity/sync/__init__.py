"""The engine: what a run reads, in which order, and how it ends. Knows nothing of Singer."""
