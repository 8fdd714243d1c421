"""The streams: one per endpoint and report type, named as Lexer names them."""
