"""Singer tap for Lexer's Activity API."""
