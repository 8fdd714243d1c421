"""One door for HTTP, for the API and for the host of its files."""
