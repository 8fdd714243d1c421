"""Rows on their way out, many at a time: as RECORD messages, or in the files of BATCH messages.

A block of an export's rows through the SDK's usual way costs several times what it costs here, nearly all of it for work that has nothing to
do: casting values that are of their type already, leaving out columns that are all wanted, mapping without a map, one write and flush per
row. (The SDK's batch writer, moreover, writes columns that are not selected.)
"""

from __future__ import annotations

import importlib
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import repeat
from time import monotonic
from typing import Any, Final
from uuid import uuid4

import msgspec
from singer_sdk.helpers._batch import BatchConfig, SDKBatchMessage
from singer_sdk.helpers._util import utc_now

from tap_lexer_activity.csv_exports.cells import Numbers
from tap_lexer_activity.errors import EndOfRun
from tap_lexer_activity.run.events import Block, Row
from tap_lexer_activity.singer.encode import as_lines, encode_lines, row_type
from tap_lexer_activity.singer.writer import MessageWriter

_LONGEST_HOLD: Final = 60.0
"""Seconds after which the rows of whole windows are written, though a batch file would hold more: within the quota a file of 10,000
rows can take hours to fill, and what is held back is lost if the process is killed."""


class BlockEncoder:
    """Turns blocks with the same columns into lines of JSON."""

    def __init__(self, stream: str, names: Sequence[str]) -> None:
        fields = [("stream", str), ("record", Any), ("time_extracted", str)]
        self._message = msgspec.defstruct("Record", fields, tag="RECORD", tag_field="type", gc=False)
        self._row = row_type(names)
        self._stream = stream

    def messages(self, block: Block) -> bytes:
        """The rows as RECORD messages."""
        rows = self._rows(block)
        return encode_lines(list(map(self._message, repeat(self._stream), rows, repeat(utc_now().isoformat()))))

    def rows(self, block: Block) -> bytes:
        """The rows alone, as batch files have them."""
        return encode_lines(list(self._rows(block)))

    def _rows(self, block: Block) -> Iterator[Any]:
        return map(self._row, *map(_as_written, block.columns))


def _as_written(column: Iterable[Any]) -> Iterable[Any]:
    """A column whose numbers are written as they came."""
    if type(column) is Numbers:  # (to ask an abstract class costs more than all else here)
        return [msgspec.Raw(text) if text else None for text in column.texts]
    return column


class BatchBuffer:
    """Rows that wait until there are enough of them for a BATCH message: those of a stream, and of the streams that maps make of it."""

    def __init__(self, writer: MessageWriter, config: BatchConfig) -> None:
        self._writer = writer
        self._config = config
        self._files: dict[str, _Content] = {}
        self._count = 0
        self._written_at = monotonic()

    def add(self, records: Iterable[tuple[str, Row]], count: int) -> None:
        """Take what so many rows have become, each with the name of its stream."""
        found: dict[str, list[Row]] = {}
        for stream, record in records:
            found.setdefault(stream, []).append(record)
        self.add_lines({stream: as_lines(rows) for stream, rows in found.items()}, count)

    def add_lines(self, lines: Mapping[str, bytes], count: int) -> None:
        """Take so many rows that are lines of JSON already, by the stream's name."""
        with self._writer.uninterrupted():  # half of what the packer gives would break the file
            for stream, content in lines.items():
                self._content_of(stream).add(content)
            self._count += count

    def is_full(self) -> bool:
        """Tell whether the rows are as many as a file may hold."""
        return self._count >= self._config.batch_size

    def is_old(self) -> bool:
        """Tell whether the rows should not wait any longer than for the end of a window."""
        return monotonic() - self._written_at >= _LONGEST_HOLD

    def write(self) -> None:
        """Write the rows into files, and the messages that name these. Nothing is held any more, also if that fails."""
        files, self._files, self._count = self._files, {}, 0
        for stream, content in files.items():
            url = write_batch_file(self._config, stream, content)
            self._writer.write_message(SDKBatchMessage(stream=stream, encoding=self._config.encoding, manifest=[url]))
        self._written_at = monotonic()

    def _content_of(self, stream: str) -> _Content:
        if stream not in self._files:
            self._files[stream] = _Content(is_packed=self._config.encoding.compression != "none")
        return self._files[stream]


def _packer() -> Any:
    """A new packer of gzip: of isal, if it is installed, which takes a fifth of zlib's time. Either level is the one that costs least."""
    with suppress(ImportError):
        return importlib.import_module("isal.isal_zlib").compressobj(level=1, wbits=31)
    return zlib.compressobj(level=1, wbits=31)


class _Content:
    """The content of one batch file, packed as it comes: that needs a fraction of the memory."""

    def __init__(self, *, is_packed: bool) -> None:
        self._packer = _packer() if is_packed else None
        self._pieces: list[bytes] = []
        self.suffix = ".json.gz" if is_packed else ".json"

    def add(self, lines: bytes) -> None:
        """Add some lines of JSON."""
        self._pieces.append(self._packer.compress(lines) if self._packer else lines)

    def whole(self) -> list[bytes]:
        """The pieces of the whole file. Nothing can be added then."""
        return [*self._pieces, self._packer.flush()] if self._packer else self._pieces


def write_batch_file(config: BatchConfig, stream: str, content: _Content) -> str:
    """Write a file of its own in the configured folder, gzipped unless that is turned off, and give its URL."""
    name = f"{config.storage.prefix or ''}tap-lexer-activity--{stream}-{uuid4()}{content.suffix}"
    try:
        with config.storage.open(name, "wb") as file:
            file.writelines(content.whole())
    except OSError as error:
        msg = f"batch_config: no file can be written to {config.storage.root} ({error.strerror or error}) [see: batch-folder]"
        raise EndOfRun(msg, exit_code=1) from error
    except (ImportError, ValueError) as error:  # a kind of storage that needs another package, or that nobody knows
        msg = f"batch_config: {config.storage.root} can't be used ({error}). Install the package for it beside the tap [see: batch-storage]"
        raise EndOfRun(msg, exit_code=1) from error
    url: str = config.storage.get_url(name)
    return url
