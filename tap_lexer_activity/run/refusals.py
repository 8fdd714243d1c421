"""Advice about a stream that Lexer refuses with 401 or 403, after it had accepted the token."""

from __future__ import annotations

from http import HTTPStatus

from tap_lexer_activity.errors import NotAllowedError
from tap_lexer_activity.run.progress import Progress


class Refusals:
    """Tells a right that is missing from a token that was reset: a reset token is refused by one stream after the other."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._last: tuple[str, NotAllowedError] | None = None

    def advice(self, stream: str, error: Exception) -> str:
        """The end of the sentence that an error is: empty if it is no refusal."""
        if not isinstance(error, NotAllowedError):
            return ""
        other, before = self._last or (stream, error)
        self._last = stream, error
        # (The list of forms is asked for once, so the same error may come again.)
        is_in_a_row = other != stream and before is not error and before.status == error.status
        is_in_a_row = is_in_a_row and before.accepted == error.accepted  # nothing was, in between
        if error.status == HTTPStatus.UNAUTHORIZED and (is_in_a_row or self._progress.has_read(stream)):
            return ", and may have been reset since: if so, put the new one into api_token [see: token-reset]"
        return f", but not for this stream: deselect {stream}, or ask for access [see: stream-not-allowed]"
