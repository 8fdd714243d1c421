"""`python -m tap_lexer_activity` is the command `tap-lexer-activity`."""

from tap_lexer_activity.tap import TapLexerActivity

TapLexerActivity.cli()
