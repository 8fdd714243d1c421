"""The engine for others than Singer: for Python programs, and for Airbyte."""
