"""Questions that Lexer's documents leave open, asked of the real account."""
