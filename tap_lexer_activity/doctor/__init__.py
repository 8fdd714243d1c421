"""What nobody knows of Lexer's API, asked of the real account."""
