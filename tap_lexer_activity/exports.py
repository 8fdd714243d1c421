"""Export jobs: start one, wait for its file, fetch it, and be sure that it is whole.

Every way in which a job can end has a name of its own here. Only one of them gives a file; none of the others is ever "no data".
"""

from __future__ import annotations

import codecs
import io
import math
import os
import re
import tempfile
import time
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from itertools import chain
from typing import IO, TYPE_CHECKING, Any, Final, TextIO
from urllib.parse import urlsplit

import backoff
import requests
from singer_sdk.exceptions import FatalAPIError, RetriableAPIError
from typing_extensions import override
from urllib3.exceptions import HTTPError

from tap_lexer_activity.client import (
    ANOTHER_AUTHORITY,
    NOT_SHOWN,
    TRIES,
    described,
    is_distrusted,
    reason,
)
from tap_lexer_activity.columns import is_cut_off, read_rows
from tap_lexer_activity.errors import (
    ExportFailedError,
    ExportTimedOutError,
    LinkExpiredError,
    NotFoundError,
    QuotaExceededError,
    TruncatedError,
    UnavailableError,
    UnexpectedAnswerError,
    without_token,
)
from tap_lexer_activity.retry import is_transient, retry_after, waits
from tap_lexer_activity.settings import is_this_machine
from tap_lexer_activity.shapes import answer_validator, check
from tap_lexer_activity.transport import ProxyVariableError, TimedSession

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterator, Mapping

    from backoff.types import Details

    from tap_lexer_activity.client import LexerClient
    from tap_lexer_activity.settings import Settings

FIRST_WAIT: Final = 1.0
LONGEST_WAIT: Final = 60.0
DOWNLOADS: Final = 3
"""Times that a file is fetched before it counts as cut off for good."""
LINKS: Final = 2
"""Links that are tried for one job: the first, and a fresh one. After that a new job is started, once."""
_CHUNK: Final = 1 << 18
_QUICKLY_DECODED: Final = 1 << 16  # bytes; three times as fast as a whole chunk
_LONGEST_HEADER: Final = 1 << 16
_LONGEST_ERROR: Final = 1 << 14
_GZIP: Final = b"\x1f\x8b"
_MARKS: Final = (  # (That of UTF-32 begins with that of UTF-16.)
    (codecs.BOM_UTF8, "UTF-8"),
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)
_LONGEST_MARK: Final = 4
_BROKEN: Final = "\udcff"
"""Stands for a letter that can't be read. No encoding has it."""
_AS_BROKEN: Final = "tap-lexer-activity: broken"
_FEW: Final = 3
_NO_CSV: Final = re.compile(r'[<{]|\[\s*[\[{"\]]')
_LINK_REFUSED: Final = re.compile(
    rb"expired|access ?denied|invalid ?(?:token|signature)|signature ?does ?not ?match|authentication ?failed",
    re.IGNORECASE,
)
"""What the file hosts of the large clouds say of a link that is too old."""
_OTHER_SEPARATORS: Final = ";\t|"
_PLAIN_WORD: Final = re.compile(r"[\w -]{1,30}", re.ASCII)
_NOT_ASKED_FOR: Final = frozenset({"br", "compress", "deflate", "zstd"})

_ANSWER: Final = answer_validator(
    {
        "type": "object",
        "properties": {
            "status": {"type": "string"},
            "url": {"type": ["string", "null"]},
            "token": {"type": ["string", "null"]},
        },
        "required": ["status"],
    }
)


# How a job stands: one type for each answer that there can be


@dataclass(frozen=True, slots=True)
class Pending:
    """Lexer is still at work."""


@dataclass(frozen=True, slots=True)
class Complete:
    """The file lies at `url`, which is a secret: whoever has it can read the file."""

    url: str


@dataclass(frozen=True, slots=True)
class CompleteWithoutUrl:
    """Complete, says Lexer, and not where: to be asked again, as if it were pending."""


@dataclass(frozen=True, slots=True)
class Failed:
    """Lexer gave up, or says something that no document names."""

    status: str
    is_known: bool


def standing(answer: Mapping[str, Any]) -> Pending | Complete | CompleteWithoutUrl | Failed:
    """What an answer about a job means. Lexer documents only `pending` and `complete`."""
    match answer["status"].lower():
        case "pending":
            return Pending()
        case "complete":
            return Complete(answer["url"]) if answer.get("url") else CompleteWithoutUrl()
        case "failed" | "error" | "cancelled" | "expired":
            return Failed(answer["status"], is_known=True)
        case _:
            return Failed(answer["status"], is_known=False)


@dataclass(slots=True)
class Job:
    """An export that has been asked for.

    Attributes:
        what: What was asked for, for people.
        body: The request.
        token: Lexer's name for the job, which is a secret: whoever has it can ask for the file.
        due: When to ask for the first or next time, in seconds of the clock.
        wait: Seconds between the last question and the next.
        url: Where the file lies, if that is known and has not been tried.
        is_tended: Whether it is asked for ahead of its turn; not any more after an error.
    """

    what: str
    body: Mapping[str, Any]
    token: str
    due: float
    wait: float = FIRST_WAIT
    url: str | None = None
    is_tended: bool = True


class Exporter:
    """Runs export jobs. One for the whole tap."""

    def __init__(  # noqa: PLR0913 (what it works with)
        self,
        client: LexerClient,
        settings: Settings,
        logger: logging.Logger,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        meanwhile: Callable[[], float] = lambda: math.inf,
    ) -> None:
        """Make one.

        Args:
            client: Talks to Lexer.
            settings: The tap's.
            logger: For warnings.
            clock: Seconds that never run backwards.
            sleep: Waits that many seconds.
            meanwhile: Does other work before a wait, and says when it wants to be called again, in seconds of the clock.
        """
        self._client = client
        self._settings = settings
        self._logger = logger
        self._clock = clock
        self._sleep = sleep
        self._meanwhile = meanwhile
        self._session = _download_session(client)

    def start(self, body: Mapping[str, Any], *, tries: int = TRIES) -> Job:
        """Ask for an export with this request body, by one request that is tried so many times."""
        what = f"export {described(body)}"
        answer = self._client.report(body, what=what, is_secret=True, tries=tries)
        self._check(answer, what)
        if not answer.get("token"):
            msg = f"{what}: Lexer named no token to ask for the file by"
            raise UnexpectedAnswerError(msg)
        return Job(what, body, answer["token"], due=self._clock() + FIRST_WAIT)

    def is_due(self, job: Job) -> bool:
        """Whether it is time to ask for a job that is not known to be complete."""
        return job.url is None and job.due <= self._clock()

    def ask(self, job: Job, *, tries: int = TRIES, until: float = math.inf) -> Pending | Complete | CompleteWithoutUrl:
        """Ask how a job stands, and set when to ask for the next time.

        Args:
            job: The job.
            tries: Tries of the request.
            until: When the last question is due, whatever the growing waits say, in seconds of the clock.

        Raises:
            ExportFailedError: If Lexer gave it up, or answers with an unknown status.
        """
        answer = self._client.status(job.token, what=f"the status of {job.what}", tries=tries)
        self._check(answer, f"the status of {job.what}")
        job.due = min(self._clock() + job.wait, until)
        job.wait = min(2 * job.wait, LONGEST_WAIT)
        match found := standing(answer):
            case Failed(status, is_known=known):
                said = "Lexer gave it up" if known else "its status is one that no document names"
                msg = f"{job.what}: {said}: {self._shown(status, job)}"
                raise ExportFailedError(msg)
            case Complete(url):
                job.url = url
        return found

    def _shown(self, status: str, job: Job) -> str:
        """A status, if it is a plain word and no part of it is the job's token; all else may hold a secret."""
        is_plain = _PLAIN_WORD.fullmatch(status) and without_token(status, job.token) == status
        return repr(self._client.quote(status)) if is_plain else "(not shown)"

    def file(self, job: Job) -> TextIO:
        """Wait for a job and fetch its file, whole and unpacked, into a temporary file that has no name and vanishes when closed.

        Its lines keep the line breaks that they have in the file, for these may be in the middle of a cell.

        Raises:
            ExportTimedOutError: If it is not complete within `export_timeout`.
            ExportFailedError: If Lexer gave up, answers with an unknown status, or names no file.
            LinkExpiredError: If the file host refuses every link, also those of a new job.
            NotFoundError: If Lexer does not know the job, nor a new one.
            TruncatedError: If the file comes cut off every time.
            FatalAPIError: If the file can't be kept on this machine.
        """
        try:
            spool = self._file_of(job)
        except (LinkExpiredError, NotFoundError):
            self._logger.warning("%s: its links have expired, or Lexer has forgotten it; starting it again", job.what)
            spool = self._file_of(self.start(job.body))
        return io.TextIOWrapper(spool, encoding="utf-8-sig", errors="replace", newline="")

    def _file_of(self, job: Job) -> IO[bytes]:
        for link in range(1, LINKS + 1):
            url = self._url(job)
            try:
                return self._download(url, job.what)
            except LinkExpiredError:
                if link == LINKS:
                    raise
        raise AssertionError  # the loop ends by one of the two

    def _url(self, job: Job) -> str:
        """Where the file lies, as soon as Lexer says so."""
        # From now on, and not from its start: other streams may have been read for hours since then.
        end = self._clock() + self._settings.export_timeout
        found: object = None
        while job.url is None:
            if isinstance(found, (Pending, CompleteWithoutUrl)) and self._clock() >= end:
                raise self._late(job, found)
            self._wait_until(min(job.due, end))
            found = self.ask(job, until=end)
        url, job.url = job.url, None
        return url

    def _wait_until(self, moment: float) -> None:
        while moment > self._clock():
            wanted = self._meanwhile()
            self._sleep(max(0.0, min(moment, wanted) - self._clock()))

    def _late(self, job: Job, found: Pending | CompleteWithoutUrl) -> FatalAPIError:
        if isinstance(found, CompleteWithoutUrl):
            return ExportFailedError(f"{job.what}: Lexer says that it is complete, and names no file")
        msg = (
            f"{job.what}: not complete after {self._settings.export_timeout} s (export_timeout). "
            "Allow it more time, or ask for less with a smaller export_window_days"
        )
        return ExportTimedOutError(msg)

    def _check(self, answer: Any, what: str) -> None:
        # The answer is not quoted: a link and a token are in it.
        check(answer, _ANSWER, what=what, quote=lambda _: NOT_SHOWN)

    def _download(self, url: str, what: str) -> IO[bytes]:
        fetch = backoff.on_exception(
            backoff.expo,
            TruncatedError,
            max_tries=DOWNLOADS,
            jitter=backoff.random_jitter,
            on_backoff=self._log_retry,
            logger=None,
        )(self._download_once)
        fetch = backoff.on_exception(
            waits,
            RetriableAPIError,
            giveup=lambda error: isinstance(error, TruncatedError),
            longest=self._settings.export_timeout,
            max_tries=TRIES,
            jitter=backoff.random_jitter,
            on_backoff=self._log_retry,
            logger=None,
        )(fetch)
        try:
            return fetch(url, what)
        except TruncatedError as error:
            msg = (
                f"{error}, {DOWNLOADS} times. The next run starts this export again. "
                "If it ends so each time, ask for less with a smaller export_window_days"
            )
            raise TruncatedError(msg) from error

    def _log_retry(self, details: Details) -> None:
        self._logger.warning("%s; next try in %.0f s", details.get("exception"), details["wait"])

    def _download_once(self, url: str, what: str) -> IO[bytes]:
        try:
            parts = urlsplit(url)
        except ValueError:
            parts = urlsplit("")
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            msg = f"{what}: what Lexer names as the file's address is none (it is not shown)"
            raise UnexpectedAnswerError(msg)
        host = parts.hostname
        try:
            _check_encrypted(url)
            with self._session.get(url, stream=True, timeout=self._settings.request_timeout) as response:
                _verdict(response, what, host)
                timeout, encoding = self._settings.request_timeout, self._settings.export_encoding
                return _spooled(response, what, timeout, encoding, say=self._logger.warning)
        except ValueError:  # of requests, urllib3 and the interpreter
            msg = f"{what}: what the file host {host} is named, or redirects to, is no address (it is not shown)"
            raise UnexpectedAnswerError(msg) from None
        except _UnencryptedError as error:
            msg = f"{what}: the file would come unencrypted, by http:// from {error} (the link is not shown)"
            raise FatalAPIError(msg) from None
        except ProxyVariableError as error:
            msg = f"{what}: no download: {error}"
            raise FatalAPIError(msg) from None
        except requests.exceptions.RequestException as error:
            msg = f"{what}: no download: {reason(error, self._settings.request_timeout)} ({host})"
            if is_distrusted(error):
                raise FatalAPIError(msg + ANOTHER_AUTHORITY) from None
            raise RetriableAPIError(msg) from None  # its text has the signed link in it


class _UnencryptedError(requests.exceptions.RequestException):
    """A file that anyone on the way could read. Its text is the host."""


def _check_encrypted(url: str) -> None:
    """Refuse `http://` but to this machine: customers' words are in the file."""
    parts = urlsplit(url)
    if parts.scheme == "http" and not is_this_machine(parts.hostname or ""):
        raise _UnencryptedError(parts.hostname)


class _DownloadSession(TimedSession):
    """A session that sends no host a password of the machine's `.netrc`, and follows redirects without one."""

    def __init__(self) -> None:
        super().__init__()
        self.auth = lambda request: request

    @override
    def rebuild_auth(self, prepared_request: requests.PreparedRequest, response: requests.Response) -> None:
        """Add nothing, and follow it only if it is safe."""
        _check_encrypted(prepared_request.url or "")


def _download_session(client: LexerClient) -> requests.Session:
    """A session that has never seen the token. Requests to the API's own hosts count against the quota all the same."""
    session = _DownloadSession()
    client.throttle(session)
    session.headers["Accept-Encoding"] = "gzip, identity"
    session.verify = os.environ.get("SSL_CERT_FILE") or True
    return session


def _verdict(response: requests.Response, what: str, host: str) -> None:
    """Raise what an error status of the file host means. Its body is not quoted: file hosts repeat signed links there."""
    status = response.status_code
    if status == HTTPStatus.OK:
        if (packed := response.headers.get("Content-Encoding", "").lower()) in _NOT_ASKED_FOR:
            msg = f"{what}: the file host {host} sends the file packed as {packed}, which was not asked for"
            raise UnexpectedAnswerError(msg)
        return
    said = f"{what}: the file host {host} answers {status}"
    if status in {HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.GONE} or _refuses_the_link(response):
        raise LinkExpiredError(said)
    wait = retry_after(response.headers.get("Retry-After"), now=datetime.now(UTC)) or 0.0
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        raise QuotaExceededError(said, wait)
    if is_transient(status):
        raise UnavailableError(said, wait)
    raise FatalAPIError(said)


def _refuses_the_link(response: requests.Response) -> bool:
    """Whether an error that might be about anything is about the link: S3 answers 400 where the key that signed it has expired."""
    if response.status_code not in {HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED}:
        return False
    try:
        body = response.raw.read(_LONGEST_ERROR, decode_content=True)
    except (HTTPError, OSError):
        return False
    return _LINK_REFUSED.search(body) is not None


def _spooled(
    response: requests.Response,
    what: str,
    timeout: int,
    encoding: str = "UTF-8",
    *,
    say: Callable[[str], None] = lambda _: None,
) -> IO[bytes]:
    """The body in a temporary file, unpacked and in UTF-8, if it is whole.

    Where a letter could not be read, the file has a byte that no UTF-8 has.

    Raises:
        TruncatedError: If it is shorter than announced, if its gzip stream has no end, or, where its length was not announced, if
            it does not end with a line break.
        UnexpectedAnswerError: If it is in another encoding, or does not begin with its header.
        FatalAPIError: If there is no room for it.
    """
    try:
        spool = tempfile.TemporaryFile(prefix="tap-lexer-activity-")  # noqa: SIM115 (the reader closes it)
    except OSError as error:
        msg = f"{what}: no temporary folder can be written ({error}). Name one that can in the environment variable TMPDIR"
        raise FatalAPIError(msg) from error
    try:
        _fill(spool, response, what, encoding, say)
    except requests.exceptions.RequestException as error:
        spool.close()
        msg = f"{what}: the file was cut off: {reason(error, timeout)}"
        raise TruncatedError(msg) from None  # the text of a cause may have a piece of the file in it
    except OSError as error:
        spool.close()
        msg = (
            f"{what}: the export can't be kept in {tempfile.gettempdir()} ({error.strerror}). "
            "Name a folder with room in the environment variable TMPDIR"
        )
        raise FatalAPIError(msg) from error
    except BaseException:
        spool.close()
        raise
    return spool


def _fill(spool: IO[bytes], response: requests.Response, what: str, encoding: str, say: Callable[[str], None]) -> None:
    """Write the body to a file, and see that it is whole."""
    quotes = 0
    last = b""
    first, body = _begun(_raw(response), len(_GZIP))
    is_gzip = first.startswith(_GZIP)  # whatever the headers say: no CSV begins so
    first, body = _begun(unpacked(body, what) if is_gzip else body, _LONGEST_MARK)
    letters = Letters(next((name for mark, name in _MARKS if first.startswith(mark)), encoding))
    for piece in chain(body, [None]):
        try:
            chunk = letters.in_utf8(piece)
        except UnicodeError:  # (`UTF-16`, of which a file has to say in which order its bytes come)
            raise _in_another_encoding(what, letters.encoding, "its first bytes", such_as="UTF-16-LE") from None
        spool.write(chunk)
        quotes += chunk.count(b'"')
        last = chunk[-1:] or last
    spool.flush()
    spool.seek(0)
    is_whole = (
        response.headers.get("Content-Length", "").isdecimal()
        or "chunked" in response.headers.get("Transfer-Encoding", "").lower()
    )
    beginning = spool.read(_LONGEST_HEADER)
    if b"\x00" in beginning[:_LONGEST_MARK]:  # no name has one: each of these bytes is half a letter
        raise _in_another_encoding(what, letters.encoding, "its header", such_as="UTF-16-LE")
    if is_title_of_one_cell(beginning):
        msg = f"{what}: {NOT_THE_HEADER}"
        raise UnexpectedAnswerError(msg)
    if said := in_place_of_a_csv(beginning):
        msg = f"{what}: {said}"
        raise TruncatedError(msg)
    spool.seek(0)
    if not is_whole and not (is_gzip or last in {b"\n", b"\r"}):
        msg = f"{what}: the file host did not say how long the file is, and it ends in the middle of a line"
        raise TruncatedError(msg)
    # A quoted cell has an even number of quotes, and files end with a line break: most need not be read twice.
    ends_a_line = last in {b"\n", b"\r", b""}
    if quotes % 2 or not ends_a_line:
        text = io.TextIOWrapper(spool, encoding="utf-8", errors="replace", newline="")
        cut = is_cut_off(text, ends_a_line=ends_a_line)
        text.detach()
        spool.seek(0)
        if cut:
            msg = f"{what}: the file ends in the middle of a row"
            raise TruncatedError(msg)
    if letters.are_broken:
        text = io.TextIOWrapper(spool, encoding="utf-8-sig", errors=_AS_BROKEN, newline="")
        cells = _broken_cells(text, what, letters.encoding)
        text.detach()
        spool.seek(0)
        say(
            f"{what}: cells with a letter that can't be read, in place of which U+FFFD stands now: {cells}. "
            f"If the file is not {letters.encoding}, name its encoding in export_encoding"
        )


def _begun(pieces: Iterator[bytes], count: int) -> tuple[bytes, Iterator[bytes]]:
    """The first bytes, so many if there are as many, and all pieces."""
    first = b""
    while len(first) < count and (more := next(pieces, None)) is not None:
        first += more
    return first, chain([first], pieces)


def _as_broken(error: UnicodeError) -> tuple[str | bytes, int]:
    """What stands for a letter that can't be read, in text and in UTF-8."""
    if isinstance(error, UnicodeDecodeError):
        return _BROKEN, error.end
    if isinstance(error, UnicodeEncodeError):
        return b"\xff", error.end
    raise error


codecs.register_error(_AS_BROKEN, _as_broken)


class Letters:
    """Makes UTF-8 of a file in any encoding, piece by piece.

    Attributes:
        encoding: Of the file.
        are_broken: Whether one of the letters so far could not be read.
    """

    def __init__(self, encoding: str) -> None:
        self.encoding = encoding
        self.are_broken = False
        self._decode = codecs.getincrementaldecoder(encoding)(_AS_BROKEN).decode
        self._is_utf8 = codecs.lookup(encoding).name in {"utf-8", "utf-8-sig"}

    def in_utf8(self, piece: bytes | None) -> bytes:
        """A piece in UTF-8, or at the end (`None`) what is left."""
        if self._is_utf8 and piece is not None:
            for start in range(0, len(piece), _QUICKLY_DECODED):
                if _BROKEN in self._decode(piece[start : start + _QUICKLY_DECODED]):
                    self.are_broken = True
            return piece
        text = self._decode(piece or b"", piece is None)
        found = text.encode("utf-8", _AS_BROKEN)
        self.are_broken = self.are_broken or b"\xff" in found
        return b"" if self._is_utf8 else found


def _broken_cells(text: TextIO, what: str, encoding: str) -> int:
    """The number of cells with a letter that can't be read.

    Raises:
        UnexpectedAnswerError: If the file is in another encoding. It is if the header can't be read: its names would be wrong for ever.
            Or if all of this is true: there are more than three such cells (as many may be an accident in a file of English only), more
            than one row of a hundred has one, and more letters beyond ASCII are broken than whole (in another encoding, hardly any is
            whole by chance; where texts were cut off in the middle of a letter, most of the others are).
    """
    rows = read_rows(text, strict=False)
    header = next(rows, [])
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
        raise _in_another_encoding(what, encoding, said)
    return cells


def _in_another_encoding(what: str, encoding: str, said: str, such_as: str = "Windows-1252") -> UnexpectedAnswerError:
    return UnexpectedAnswerError(
        f"{what}: the file is not {encoding}: {said} can't be read. Name its encoding in export_encoding, such as {such_as}"
    )


NOT_THE_HEADER: Final = (
    "the file does not begin with its header: there is another line above it. Ask Lexer for files without that line"
)


def is_title_of_one_cell(beginning: bytes) -> bool:
    """Whether a file begins with a line of one cell, and goes on with columns, by its first bytes."""
    text = beginning.decode("utf-8-sig", errors="replace").lstrip()
    rows = read_rows(io.StringIO(text, newline=""), strict=False)
    header = next(rows, [])
    if len(header) != 1 or _NO_CSV.match(text) or any(sign in header[0] for sign in _OTHER_SEPARATORS):
        return False
    # A cell that begins with a blank is a part of a sentence.
    return any(len(row) > 1 and not any(cell.startswith(" ") for cell in row) for row in rows)


def in_place_of_a_csv(beginning: bytes) -> str | None:
    """What a file is that is no CSV of an export, by its first bytes; `None` if it may be one.

    No export has a single column, and a header whose names begin with blanks is a sentence, if nothing follows.
    """
    text = beginning.decode("utf-8-sig", errors="replace").lstrip()
    rows = read_rows(io.StringIO(text, newline=""), strict=False)
    header = next(rows, [])
    is_sentence = any(cell.startswith(" ") for cell in header[1:]) and next(rows, None) is None
    if _NO_CSV.match(text) or is_sentence:
        return "the file host sent a page, an object or a sentence in place of a CSV"
    if len(header) != 1:
        return None
    separator = next((sign for sign in _OTHER_SEPARATORS if sign in header[0]), None)
    if separator is None:
        return "the file host sent a page, an object or a sentence in place of a CSV"
    return f"the columns of the file are separated by {separator!r}, and should be by commas"


def unpacked(chunks: Iterator[bytes], what: str) -> Iterator[bytes]:
    """The content of a gzip stream that has to have an end, in pieces that are small whatever they were packed to."""
    unpack = zlib.decompressobj(wbits=31)
    try:
        for chunk in chunks:
            data = chunk
            while data:
                yield unpack.decompress(data, _CHUNK)
                data = unpack.unconsumed_tail or unpack.unused_data
                if unpack.eof and data:
                    unpack = zlib.decompressobj(wbits=31)  # another member of the same file
    except zlib.error as error:
        msg = f"{what}: the file is not valid gzip"
        raise TruncatedError(msg) from error
    if not unpack.eof:
        msg = f"{what}: the file was cut off"
        raise TruncatedError(msg)


def _raw(response: requests.Response) -> Iterator[bytes]:
    """The body as sent: requests unpacks gzip by itself, and does not notice when a stream has no end."""
    try:
        yield from response.raw.stream(_CHUNK, decode_content=False)
    except HTTPError as error:
        raise requests.exceptions.ChunkedEncodingError(error) from error
