"""Compressed files: gzip, and zip with one CSV in it."""

from __future__ import annotations

import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from typing import Final

from tap_lexer_activity.errors import TruncatedError, UnexpectedAnswerError

CHUNK: Final = 1 << 18
GZIP: Final = b"\x1f\x8b"
ZIP: Final = b"PK\x03\x04"
_FILES_OF_TABLES: Final = (".csv", ".tsv", ".txt")


def unpacked(chunks: Iterator[bytes], what: str) -> Iterator[bytes]:
    """The content of a gzip stream, in small pieces, however well they were compressed. A stream without an end is refused."""
    unpack = zlib.decompressobj(wbits=31)
    try:
        for chunk in chunks:
            data = chunk
            while data:
                yield unpack.decompress(data, CHUNK)
                data = unpack.unconsumed_tail or unpack.unused_data
                if unpack.eof and data:
                    unpack = zlib.decompressobj(wbits=31)  # another member of the same file
    except zlib.error as error:
        msg = f"{what}: the file is not valid gzip [see: file-cut-off]"
        raise TruncatedError(msg) from error
    if not unpack.eof:
        msg = f"{what}: the file was cut off [see: file-cut-off]"
        raise TruncatedError(msg)


def unzipped(chunks: Iterator[bytes], what: str) -> Iterator[bytes]:
    """The content of the one CSV in a zip, in pieces, with its checksum compared.

    Raises:
        TruncatedError: If the zip is not whole.
        UnexpectedAnswerError: If there is none or more than one in it, or if it needs a password.
    """
    with tempfile.TemporaryFile(prefix="tap-lexer-activity-") as spool:
        spool.writelines(chunks)
        try:
            with zipfile.ZipFile(spool) as archive:
                names = [
                    name for name in archive.namelist() if not name.endswith("/") and not name.startswith("__MACOSX/")
                ]
                tables = [name for name in names if name.lower().endswith(_FILES_OF_TABLES)]
                if len(tables) != 1:
                    msg = f"{what}: the file is a zip of {len(names)} files, {len(tables)} of them CSV; it should hold one CSV [see: file-zip]"
                    raise UnexpectedAnswerError(msg)
                with archive.open(tables[0]) as file:
                    while piece := file.read(CHUNK):
                        yield piece
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            msg = f"{what}: the zip was cut off, or is not valid [see: file-cut-off]"
            raise TruncatedError(msg) from error
        # (Of a password, and of a way to pack that Python does not know.)
        except (RuntimeError, NotImplementedError) as error:
            msg = f"{what}: the zip can't be unpacked: it needs a password or an unknown method [see: file-zip]"
            raise UnexpectedAnswerError(msg) from error
