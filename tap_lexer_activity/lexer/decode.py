"""The file of an export: from bytes as they arrive to whole UTF-8 text."""

from __future__ import annotations

import io
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import IO, Final, TextIO

import requests
from singer_sdk.exceptions import FatalAPIError
from urllib3.exceptions import HTTPError

from tap_lexer_activity import turns
from tap_lexer_activity.csv_exports.rows import from_header, is_cut_off, read_rows
from tap_lexer_activity.errors import NoRoomError, TruncatedError
from tap_lexer_activity.http.reasons import reason
from tap_lexer_activity.lexer.archives import CHUNK, GZIP, ZIP, unpacked, unzipped
from tap_lexer_activity.lexer.encodings import (
    AS_BROKEN,
    BYTE_ORDER_MARKS,
    LONGEST_MARK,
    Letters,
    broken_cells,
    in_another_encoding,
)

_LONGEST_HEADER: Final = 1 << 16
_NO_CSV: Final = re.compile(r'[<{]|\[\s*[\[{"\]]')
_ENDS_OF_LINES: Final = frozenset({b"\n", b"\r"})


def spooled(
    response: requests.Response,
    what: str,
    timeout: int,
    encoding: str = "UTF-8",
    *,
    say: Callable[[str], None] = lambda _: None,
) -> IO[bytes]:
    """The body, which is not read yet, in a temporary file, decompressed and in UTF-8, if it is whole.

    It is in `encoding` if it does not begin with a byte order mark. Where a letter could not be read, the file has a byte that no UTF-8 has,
    and `say` is told how many cells have one.

    Raises:
        TruncatedError: If it is shorter than announced, if what it is packed as has no end, or, where its length was not announced, if
            it does not end with a line break.
        UnexpectedAnswerError: If it is in another encoding, or a zip with anything but one CSV in it.
        FatalAPIError: If there is no folder for it; `NoRoomError` if there is no room in it.
    """
    try:
        spool = tempfile.TemporaryFile(prefix="tap-lexer-activity-")  # noqa: SIM115 (the reader closes it)
    except OSError as error:
        msg = f"{what}: no temporary folder is writable ({error}). Set TMPDIR to one that is [see: no-temporary-folder]"
        raise FatalAPIError(msg) from error
    try:
        write_and_verify(spool, response, what, encoding, say)
    except requests.exceptions.RequestException as error:
        spool.close()
        msg = f"{what}: the file was cut off: {reason(error, timeout)} [see: file-cut-off]"
        raise TruncatedError(msg) from None  # the text of a cause may have a piece of the file in it
    except OSError as error:
        spool.close()
        msg = (
            f"{what}: the export can't be written to {tempfile.gettempdir()} ({error.strerror}). "
            "Set TMPDIR to a folder with room [see: temporary-folder-full]"
        )
        raise NoRoomError(msg) from error
    except BaseException:
        spool.close()
        raise
    return spool


def write_and_verify(
    spool: IO[bytes], response: requests.Response, what: str, encoding: str, say: Callable[[str], None]
) -> None:
    """Write the body to a file, see that it is whole, and go back to its beginning. Raises what `spooled` does."""
    seen = _write(spool, response, what, encoding)
    spool.flush()
    spool.seek(0)
    _check_beginning(spool.read(_LONGEST_HEADER), what, seen.letters.encoding)
    if not (_has_known_length(response) or seen.is_packed or seen.ends_a_line):
        msg = f"{what}: the file host did not say how long the file is, and it ends in the middle of a line [see: file-cut-off]"
        raise TruncatedError(msg)
    spool.seek(0)
    _check_last_row(spool, what, seen)
    if seen.letters.are_broken:
        _check_letters(spool, what, seen.letters.encoding, say)


@dataclass(frozen=True, slots=True)
class _Seen:
    """Facts about a file, seen while it was written: whether it came packed, and so with an end of its own; its quotes; its last byte, if any."""

    is_packed: bool
    quotes: int
    last: bytes
    letters: Letters

    @property
    def ends_a_line(self) -> bool:
        return self.last in _ENDS_OF_LINES


def _write(spool: IO[bytes], response: requests.Response, what: str, encoding: str) -> _Seen:
    """Write the body to a file, decompressed and in UTF-8."""
    quotes = 0
    last = b""
    first, body = _begun(_raw(response), len(ZIP))
    is_gzip = first.startswith(GZIP)  # whatever the headers say: no CSV begins so
    is_zip = first.startswith(ZIP)
    body = unpacked(body, what) if is_gzip else unzipped(body, what) if is_zip else body
    first, body = _begun(body, LONGEST_MARK)
    letters = Letters(next((name for mark, name in BYTE_ORDER_MARKS if first.startswith(mark)), encoding))
    for piece in chain(body, [None]):
        turns.check_needed()
        try:
            chunk = letters.in_utf8(piece)
        except UnicodeError:  # (`UTF-16`, of which a file has to say in which order its bytes come)
            raise in_another_encoding(what, letters.encoding, "its first bytes", such_as="UTF-16-LE") from None
        spool.write(chunk)
        quotes += chunk.count(b'"')
        last = chunk[-1:] or last
    return _Seen(is_gzip or is_zip, quotes, last, letters)


def _has_known_length(response: requests.Response) -> bool:
    """True if the file host says how long the file is, so that the library notices where it breaks off."""
    headers = response.headers
    return headers.get("Content-Length", "").isdecimal() or "chunked" in headers.get("Transfer-Encoding", "").lower()


def _check_beginning(beginning: bytes, what: str, encoding: str) -> None:
    """Refuse a file that does not begin with the header of an export, by its first bytes."""
    if b"\x00" in beginning[:LONGEST_MARK]:  # no name has one: each of these bytes is half a letter
        raise in_another_encoding(what, encoding, "its header", such_as="UTF-16-LE")
    if said := why_not_csv(beginning):
        msg = f"{what}: {said}"
        raise TruncatedError(msg)


def _check_last_row(spool: IO[bytes], what: str, seen: _Seen) -> None:
    """Refuse a file that ends in the middle of a row."""
    # A quoted cell has an even number of quotes, and files end with a line break: most need not be read twice.
    ends_a_line = seen.ends_a_line or not seen.last
    if seen.quotes % 2 or not ends_a_line:
        with _as_text(spool, encoding="utf-8", errors="replace") as text:
            is_cut = is_cut_off(text, ends_a_line=ends_a_line)
        if is_cut:
            msg = f"{what}: the file ends in the middle of a row [see: file-row-cut]"
            raise TruncatedError(msg)


def _check_letters(spool: IO[bytes], what: str, encoding: str, say: Callable[[str], None]) -> None:
    """Refuse a file in another encoding, and say how many cells are broken in one that is not."""
    with _as_text(spool, encoding="utf-8-sig", errors=AS_BROKEN) as text:
        cells = broken_cells(text, what, encoding)
    say(
        f"{what}: cells with an unreadable letter, which is now U+FFFD: {cells}. "
        f"If the file is not {encoding}, set export_encoding [see: cells-unreadable]"
    )


@contextmanager
def _as_text(spool: IO[bytes], *, encoding: str, errors: str) -> Iterator[TextIO]:
    """The text of a file, which is at its beginning before and after."""
    text = io.TextIOWrapper(spool, encoding=encoding, errors=errors, newline="")
    try:
        yield text
    finally:
        text.detach()
    spool.seek(0)


def _begun(pieces: Iterator[bytes], count: int) -> tuple[bytes, Iterator[bytes]]:
    """The first bytes, so many if there are as many, and all pieces."""
    first = b""
    while len(first) < count and (more := next(pieces, None)) is not None:
        first += more
    return first, chain([first], pieces)


def why_not_csv(beginning: bytes) -> str | None:
    """The reason why a file is no CSV of an export, by its first bytes; `None` if it may be one.

    No export has a single column, and a header whose names begin with blanks is a sentence, if nothing follows.
    """
    text = beginning.decode("utf-8-sig", errors="replace").lstrip()
    header, above, rows = from_header(read_rows(io.StringIO(text, newline=""), strict=False))
    is_sentence = any(cell.startswith(" ") for cell in header[1:]) and next(rows, None) is None
    if _NO_CSV.match(text) or is_sentence or (len(header) == 1 and not above):
        return "the file host sent a web page, JSON or a sentence instead of a CSV [see: file-not-csv]"
    return None


def _raw(response: requests.Response) -> Iterator[bytes]:
    """The body as sent: requests unpacks gzip by itself, and does not notice when a stream has no end."""
    try:
        yield from response.raw.stream(CHUNK, decode_content=False)
    except HTTPError as error:
        raise requests.exceptions.ChunkedEncodingError(error) from error
