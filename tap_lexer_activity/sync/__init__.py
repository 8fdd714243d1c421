"""The engine: reads the streams of a run in their order, and says how it ended. Knows nothing of Singer."""
