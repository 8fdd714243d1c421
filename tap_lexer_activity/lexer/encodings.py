"""Encodings of files: any of them becomes UTF-8, and letters that can't be read are counted."""

from __future__ import annotations

import codecs
from typing import Final, TextIO

from tap_lexer_activity.csv_exports.rows import from_header, read_rows
from tap_lexer_activity.errors import UnexpectedAnswerError

_QUICKLY_DECODED: Final = 1 << 16  # bytes; three times as fast as a whole chunk
BYTE_ORDER_MARKS: Final = (  # (That of UTF-32 begins with that of UTF-16.)
    (codecs.BOM_UTF8, "UTF-8"),
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)
LONGEST_MARK: Final = 4
_BROKEN: Final = "\udcff"
"""Stands for a letter that can't be read. No encoding has it."""
AS_BROKEN: Final = "tap-lexer-activity: broken"
_FEW: Final = 3


def _as_broken(error: UnicodeError) -> tuple[str | bytes, int]:
    """The replacement of a letter that can't be read, in text and in UTF-8."""
    if isinstance(error, UnicodeDecodeError):
        return _BROKEN, error.end
    if isinstance(error, UnicodeEncodeError):
        return b"\xff" * (error.end - error.start), error.end  # Python hands over all that follow each other at once
    raise error


codecs.register_error(AS_BROKEN, _as_broken)


class Letters:
    """Makes UTF-8 of a file in any encoding, piece by piece, and notices if a letter can't be read."""

    def __init__(self, encoding: str) -> None:
        self.encoding = encoding
        self.are_broken = False
        self._decode = codecs.getincrementaldecoder(encoding)(AS_BROKEN).decode
        self._is_utf8 = codecs.lookup(encoding).name in {"utf-8", "utf-8-sig"}

    def in_utf8(self, piece: bytes | None) -> bytes:
        """A piece in UTF-8, or at the end (`None`) what is left."""
        if self._is_utf8 and piece is not None:
            for start in range(0, len(piece), _QUICKLY_DECODED):
                if _BROKEN in self._decode(piece[start : start + _QUICKLY_DECODED]):
                    self.are_broken = True
            return piece
        text = self._decode(piece or b"", piece is None)
        found = text.encode("utf-8", AS_BROKEN)
        self.are_broken = self.are_broken or b"\xff" in found
        return b"" if self._is_utf8 else found


def broken_cells(text: TextIO, what: str, encoding: str) -> int:
    """The number of cells with a letter that can't be read.

    Raises:
        UnexpectedAnswerError: If the file is in another encoding. It is if the header can't be read: its names would be wrong for ever.
            Or if all of this is true: there are more than three such cells (as many may be an accident in a file of English only), more
            than one row of a hundred has one, and more letters beyond ASCII are broken than whole (in another encoding, hardly any is
            whole by chance; where texts were cut off in the middle of a letter, most of the others are).
    """
    header, _, rows = from_header(read_rows(text, strict=False))
    count = broken_rows = cells = broken = whole = 0
    for row in rows:
        count += 1
        joined = "".join(row)
        found = joined.count(_BROKEN)
        broken += found
        whole += len(joined) - len(joined.encode("ascii", "ignore")) - found
        if found:
            broken_rows += 1
            cells += sum(_BROKEN in cell for cell in row)
    in_header = any(_BROKEN in cell for cell in header)
    if in_header or (cells > _FEW and 100 * broken_rows > count and broken > whole):
        said = "its header" if in_header else f"{broken_rows} of {count} rows"
        raise in_another_encoding(what, encoding, said)
    return cells


def in_another_encoding(what: str, encoding: str, said: str, such_as: str = "Windows-1252") -> UnexpectedAnswerError:
    """The error for a file that is not in the encoding it should be in: what of it can't be read."""
    return UnexpectedAnswerError(
        f"{what}: the file is not {encoding}: {said} can't be read. Set export_encoding to its encoding, such as {such_as} [see: file-encoding]"
    )
