"""Writing the rows of an export, many at a time: as RECORD messages, or into the files of BATCH messages.

A row through the SDK's usual way costs several times what it costs here, nearly all of it for work that has nothing to do: casting values
that are of their type already, leaving out columns that are all wanted, mapping without a map, one write and flush per row. (The SDK's
batch writer, moreover, writes columns that are not selected.) What is written is the same in either way: both take it from a `Converter`.
"""

from __future__ import annotations

import zlib
from collections import defaultdict, deque
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, Protocol
from uuid import uuid4

import msgspec
from singer_sdk.helpers._batch import SDKBatchMessage
from singer_sdk.helpers._util import utc_now
from singer_sdk.singerlib.json import serialize_json

from tap_lexer_activity.errors import EndOfRun
from tap_lexer_activity.singer.encode import _encode_lines, _record_type

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from concurrent.futures import Future

    from singer_sdk.helpers._batch import BatchConfig
    from singer_sdk.singerlib.messages import Message, RecordMessage

    from tap_lexer_activity.singer.writer import MessageWriter


_PIECE = 1 << 21
_LONGEST_HOLD: Final = 60.0
"""Seconds after which the rows of whole windows are written, though a batch file would hold more: within the quota a file of 10,000
rows can take hours to fill, and what is held back is lost if the process is killed."""


class Sink(Protocol):
    """Where rows go."""

    def write(self, columns: Sequence[Iterable[Any]], count: int) -> None:
        """Take `count` rows, column by column."""

    def close(self) -> None:
        """Be done with the rows of a file: all of them are on their way to the target."""


class RecordSink:
    """Writes RECORD messages."""

    def __init__(self, writer: MessageWriter, stream: str, names: Sequence[str]) -> None:
        """Prepare.

        Args:
            writer: The tap's writer.
            stream: Name of the stream as targets see it.
            names: The rows' columns.
        """
        fields = [("stream", str), ("record", Any), ("time_extracted", str)]
        self._message = msgspec.defstruct("Record", fields, tag="RECORD", tag_field="type", gc=False)
        self._row = _record_type(names)
        self._writer = writer
        self._stream = stream

    def write(self, columns: Sequence[Iterable[Any]], count: int) -> None:  # noqa: ARG002 (the columns say it)
        """Take rows, column by column."""
        rows = map(self._row, *columns)
        messages = map(self._message, repeat(self._stream), rows, repeat(utc_now().isoformat()))
        self._writer.write_lines(_encode_lines(list(messages)))

    def close(self) -> None:
        """Nothing is held back."""


class BatchSink:
    """Writes the files of BATCH messages: JSON lines, gzipped at the level that costs least time."""

    def __init__(self, writer: MessageWriter, config: BatchConfig, stream: str, names: Sequence[str]) -> None:
        """Prepare.

        Args:
            writer: The tap's writer.
            config: The setting `batch_config`.
            stream: Name of the stream as targets see it.
            names: The rows' columns.
        """
        self._writer = writer
        self._config = config
        self._stream = stream
        self._row = _record_type(names)
        self._lines: deque[bytes] = deque()
        self._count = 0
        # Packing needs no interpreter, so a second core does it while the next rows are read.
        self._packer = ThreadPoolExecutor(max_workers=1)
        self._packed: Future[str] | None = None

    def write(self, columns: Sequence[Iterable[Any]], count: int) -> None:
        """Take rows, column by column."""
        self._lines.append(_encode_lines(list(map(self._row, *columns))))
        self._count += count
        if self._count >= self._config.batch_size:
            self._pack()

    def close(self) -> None:
        """Write the last file, and the messages that name all of them."""
        self._pack()
        self._announce()
        self._packer.shutdown()

    def _pack(self) -> None:
        """Begin to write a file, when the one before is written."""
        self._announce()
        if self._lines:
            # Nobody would tell a thread to end whose start was broken off by a signal, and the interpreter would wait for it for ever.
            with self._writer.whole():
                self._packed = self._packer.submit(write_batch_file, self._config, self._stream, self._lines)
        self._lines, self._count = deque(), 0

    def _announce(self) -> None:
        if self._packed is not None:
            url = self._packed.result()
            self._packed = None
            self._writer.write_message(
                SDKBatchMessage(stream=self._stream, encoding=self._config.encoding, manifest=[url])
            )


class HeldRows:
    """Rows that wait until there are enough of them for a BATCH message: those of a stream, and of the streams that maps make of it."""

    def __init__(self, write_message: Callable[[Message], None], config: BatchConfig) -> None:
        """Prepare.

        Args:
            write_message: Writes a message.
            config: The setting `batch_config`.
        """
        self._write_message = write_message
        self._config = config
        self._lines: dict[str, deque[bytes]] = defaultdict(deque)
        self._count = 0
        self._written_at = monotonic()

    def add(self, messages: Iterable[RecordMessage]) -> None:
        """Take what one record has become."""
        for message in messages:
            self._lines[message.stream].append(f"{serialize_json(message.record)}\n".encode())
        self._count += 1

    def are_enough(self) -> bool:
        """Whether they are as many as a file may hold."""
        return self._count >= self._config.batch_size

    def are_old(self) -> bool:
        """Whether they should not wait any longer than for the end of a window."""
        return monotonic() - self._written_at >= _LONGEST_HOLD

    def write(self) -> None:
        """Write them into files, and the messages that name these. Nothing is held any more, also if that fails."""
        lines, self._lines, self._count = self._lines, defaultdict(deque), 0
        for stream, content in lines.items():
            url = write_batch_file(self._config, stream, content)
            self._write_message(SDKBatchMessage(stream=stream, encoding=self._config.encoding, manifest=[url]))
        self._written_at = monotonic()


def write_batch_file(config: BatchConfig, stream: str, lines: deque[bytes]) -> str:
    """Write lines of JSON to a file of their own in the configured folder, gzipped unless that is turned off, and give its URL.

    Takes the lines away as it goes: when the next file's come together, these need no memory any more.
    """
    is_packed = config.encoding.compression != "none"
    name = f"{config.storage.prefix or ''}tap-lexer-activity--{stream}-{uuid4()}.json{'.gz' if is_packed else ''}"
    pack = zlib.compressobj(level=1, wbits=31)
    try:
        with config.storage.open(name, "wb") as file:
            for piece in _pieces(lines):
                file.write(pack.compress(piece) if is_packed else piece)
            if is_packed:
                file.write(pack.flush())
    except OSError as error:
        msg = f"batch_config: no file can be written to {config.storage.root} ({error.strerror or error})"
        raise EndOfRun(msg, exit_code=1) from error
    except (ImportError, ValueError) as error:  # a kind of storage that needs another package, or that nobody knows
        msg = f"batch_config: {config.storage.root} can't be used ({error}). Install what it needs beside the tap"
        raise EndOfRun(msg, exit_code=1) from error
    url: str = config.storage.get_url(name)
    return url


def _pieces(lines: deque[bytes]) -> Iterator[bytes]:
    """Lines in pieces of some megabytes: after each, the packing thread has to wait for the interpreter, which rows keep busy."""
    piece = bytearray()
    while lines:
        piece += lines.popleft()
        if len(piece) > _PIECE:
            yield bytes(piece)
            piece.clear()
    yield bytes(piece)
