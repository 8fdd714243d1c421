"""Singer tap for Lexer's Activity API, and its streams for Python programs: `from tap_lexer_activity import Lexer`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tap_lexer_activity.fronts.python import Lexer, LexerError

__all__ = ["Lexer", "LexerError"]


def __getattr__(name: str) -> Any:
    """The names that a Python program uses, loaded when they are asked for: the command needs none, and starts sooner."""
    if name not in __all__:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    from tap_lexer_activity.fronts import python  # noqa: PLC0415 (see above)

    return getattr(python, name)
