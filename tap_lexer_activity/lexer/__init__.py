"""Lexer's API and its exports as a Python client. Knows nothing of streams."""
