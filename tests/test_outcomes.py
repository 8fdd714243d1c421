"""How an export job can end: each end in the class that does it, over a real socket, with a clock that takes no time."""

from __future__ import annotations

import gzip
import io
import json
import logging
import re
import resource
import socket
import ssl
import tempfile
import threading
import tracemalloc
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from http.client import HTTPResponse
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st
from proof.surroundings import Gate
from singer_sdk.exceptions import FatalAPIError, RetriableAPIError
from support.hosts import COMPLETE, CUT, HEADER, JOB, PENDING, ROW, WHOLE, Host, status, with_length, without_length

from tap_lexer_activity.csv_exports.rows import read_rows
from tap_lexer_activity.errors import (
    ExportFailedError,
    ExportTimedOutError,
    LinkExpiredError,
    NotFoundError,
    TruncatedError,
    UnavailableError,
    UnexpectedAnswerError,
    without_see,
)
from tap_lexer_activity.http.limiter import Limiter
from tap_lexer_activity.lexer import archives
from tap_lexer_activity.lexer.client import LexerClient
from tap_lexer_activity.lexer.job_answers import Pending
from tap_lexer_activity.lexer.jobs import GRACE, Exporter
from tap_lexer_activity.notices import Notices
from tap_lexer_activity.settings.parse import parse_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support.clocks import Clock

BODY = {"type": "mention_sla_export", "date_from": "2026-01-05T00:00:00Z", "date_to": "2026-01-05T23:59:59Z"}
WHAT = "export 'mention_sla_export' from 2026-01-05T00:00:00Z to 2026-01-05T23:59:59Z"
FILE = with_length(HEADER + ROW)
WITHOUT_URL = status("complete")
TIMEOUT = 200
FAR_AWAY = b"Wed, 21 Oct 2099 07:28:00 GMT"


@pytest.fixture
def exporter_of(clock: Clock) -> Callable[..., Exporter]:
    """Makes one for a host."""

    def make(host: Host, while_waiting: Callable[[], float] = lambda: float("inf"), timeout: int = TIMEOUT) -> Exporter:
        settings = parse_settings(host.config(export_timeout=timeout), now=datetime(2026, 2, 1, tzinfo=UTC))
        client = LexerClient(settings, Limiter(5000, 10), logging.getLogger("test"), clock=clock, sleep=clock.sleep)
        logger = logging.getLogger("test.exports")
        return Exporter(
            client,
            settings,
            logger,
            notices=Notices(logging.getLogger("test.notices")),
            clock=clock,
            sleep=clock.sleep,
            while_waiting=while_waiting,
        )

    return make


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """This process can't make a file grow beyond so many bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def read(exporter: Exporter) -> str:
    file = exporter.fetch(exporter.start(BODY))
    assert file is not None, "Lexer says that there is no data"
    with file:
        return file.read()


def test_questions_come_after_waits_that_double_up_to_a_minute(
    exporter_of: Callable[..., Exporter], clock: Clock
) -> None:
    with Host(FILE, statuses=[PENDING] * 8 + [COMPLETE]) as host:
        assert read(exporter_of(host)) == (HEADER + ROW).decode()
    assert clock.sleeps == [1, 1, 2, 4, 8, 16, 32, 60, 60]
    assert host.asked == ["start token", *["status token"] * 9, "file"]


@pytest.mark.parametrize(
    ("last", "error", "said"),
    [
        (
            PENDING,
            ExportTimedOutError,
            f"not complete after {TIMEOUT} s (export_timeout)",
        ),
        (WITHOUT_URL, ExportFailedError, "Lexer says that it is complete, but names no file"),
    ],
)
def test_the_last_question_is_at_the_very_end_and_its_answer_says_how_the_job_ended(
    exporter_of: Callable[..., Exporter], clock: Clock, last: bytes, error: type[Exception], said: str
) -> None:
    with Host(FILE, statuses=[PENDING, last]) as host, pytest.raises(error, match="^" + WHAT) as raised:
        read(exporter_of(host))
    assert without_see(str(raised.value)) == f"{WHAT}: {said}"
    assert clock.now == 1000 + TIMEOUT
    assert clock.sleeps == [1, 1, 2, 4, 8, 16, 32, 60, 60, 16]
    assert host.asked == ["start token", *["status token"] * 10]


def test_a_job_without_a_file_may_still_get_one(exporter_of: Callable[..., Exporter]) -> None:
    with Host(FILE, statuses=[PENDING, WITHOUT_URL, WITHOUT_URL, COMPLETE]) as host:
        assert read(exporter_of(host)) == (HEADER + ROW).decode()


def test_a_job_may_be_complete_at_the_last_moment(exporter_of: Callable[..., Exporter]) -> None:
    with Host(FILE, statuses=[PENDING] * 9 + [COMPLETE]) as host:
        assert read(exporter_of(host)) == (HEADER + ROW).decode()


@pytest.mark.parametrize("word", ["failed", "error", "cancelled", "expired", "FAILED"])
def test_a_job_that_lexer_gives_up_fails_at_once(exporter_of: Callable[..., Exporter], word: str) -> None:
    with Host(FILE, statuses=[status(word)]) as host, pytest.raises(ExportFailedError) as raised:
        read(exporter_of(host))
    assert without_see(str(raised.value)) == f"{WHAT}: the job failed at Lexer: {word!r}"
    assert host.asked == ["start token", "status token"]


@pytest.mark.parametrize("word", ["thinking", "SUCCESS", "Ready", "", None])
def test_a_link_counts_for_more_than_a_word(exporter_of: Callable[..., Exporter], word: str | None) -> None:
    with Host(FILE, statuses=[status(word, "ORIGIN/file")]) as host:
        assert read(exporter_of(host)) == (HEADER + ROW).decode()


def test_a_status_of_no_document_is_waited_for_and_named_in_the_end(exporter_of: Callable[..., Exporter]) -> None:
    statuses = [status("thinking"), status(None), status("checking")]
    with Host(FILE, statuses=[*statuses, COMPLETE]) as host:
        assert read(exporter_of(host)) == (HEADER + ROW).decode()
    with Host(FILE, statuses=statuses) as host, pytest.raises(ExportTimedOutError) as raised:
        read(exporter_of(host))
    assert f"{WHAT}: not complete after {TIMEOUT} s (export_timeout). Its last status was 'checking'" in str(
        raised.value
    )


@pytest.mark.parametrize(
    "word",
    [
        f"failed: {JOB}",
        JOB,
        f"late {JOB[:9]}",
        "moved to files.example.com/x",
        "see https://files.example/x",
        "s" * 31,
        "",
        "gescheitert \N{EN DASH} leider",
    ],
)
def test_a_status_that_may_hold_a_secret_is_not_shown(
    exporter_of: Callable[..., Exporter], caplog: pytest.LogCaptureFixture, word: str
) -> None:
    with Host(FILE, statuses=[status(word)]) as host, pytest.raises(ExportTimedOutError) as raised:
        read(exporter_of(host, timeout=2))
    shown = "(not shown)" if word else "(none)"
    assert f"{WHAT}: not complete after 2 s (export_timeout). Its last status was {shown}" in without_see(
        str(raised.value)
    )
    assert not word or word not in caplog.text + without_see(str(raised.value))


@pytest.mark.parametrize("word", ["in review", "on-hold", "half_done2", "s" * 30])
def test_a_status_that_is_a_plain_word_is_shown(
    exporter_of: Callable[..., Exporter], caplog: pytest.LogCaptureFixture, word: str
) -> None:
    said = f"an unfinished export has the undocumented status '{word}'. It counts as pending"
    with Host(FILE, statuses=[status(word)]) as host, pytest.raises(ExportTimedOutError, match=f"'{word}'"):
        read(exporter_of(host, timeout=2))
    assert caplog.messages == [said], "once"


@pytest.mark.parametrize("is_redirect", [False, True])
def test_a_file_that_would_come_unencrypted_is_not_fetched(
    exporter_of: Callable[..., Exporter], clock: Clock, is_redirect: bool
) -> None:
    link = "http://files.example/file?X-Amz-Signature=SIGNATURE"
    moved = with_length(b"", more=f"Location: {link}\r\n".encode(), status=b"302 Found")
    statuses = [COMPLETE if is_redirect else status("complete", link)]
    with Host(moved, statuses=statuses) as host, pytest.raises(FatalAPIError) as raised:
        read(exporter_of(host))
    said = "the file would come unencrypted, by http:// from files.example (the link is not shown)"
    assert without_see(str(raised.value)) == f"{WHAT}: {said}"
    assert host.asked.count("file") == int(is_redirect)
    assert clock.sleeps == [1]


def test_a_file_on_this_machine_may_come_unencrypted_by_each_of_its_names(exporter_of: Callable[..., Exporter]) -> None:
    with Host(FILE) as files:
        moved = f"Location: http://localhost:{files.server_port}/file\r\n".encode()
        with Host(with_length(b"", more=moved, status=b"302 Found")) as host:
            assert read(exporter_of(host)) == (HEADER + ROW).decode()


def test_what_comes_along_with_a_redirect_of_a_file_is_not_read(exporter_of: Callable[..., Exporter]) -> None:
    huge = gzip.compress(bytes(32 << 20))
    packed = b"Location: /moved\r\nContent-Encoding: gzip\r\n"
    with Host(with_length(huge, more=packed, status=b"302 Found"), FILE) as host:
        exporter = exporter_of(host)
        tracemalloc.start()
        assert read(exporter) == (HEADER + ROW).decode()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 8 << 20


def test_a_file_whose_host_names_two_lengths_is_fetched_again(exporter_of: Callable[..., Exporter]) -> None:
    two = with_length(HEADER + ROW, more=b"Content-Length: 5\r\n")
    with Host(two, FILE) as host:
        assert read(exporter_of(host)) == (HEADER + ROW).decode()
    with Host(two) as host, pytest.raises(RetriableAPIError) as raised:
        read(exporter_of(host))
    assert (
        without_see(str(raised.value)) == f"{WHAT}: no download: the answer's headers contradict each other (127.0.0.1)"
    )


def test_a_proxy_for_the_file_host_that_is_no_address_is_named_and_not_shown(
    exporter_of: Callable[..., Exporter], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://jo:Pa#ss@proxy.example:3128")
    link = "https://files.example/file?X-Amz-Signature=SIGNATURE"
    with Host(FILE, statuses=[status("complete", link)]) as host, pytest.raises(FatalAPIError) as raised:
        read(exporter_of(host))
    assert without_see(str(raised.value)).startswith(
        f"{WHAT}: no download: HTTPS_PROXY is not the address of a proxy (not shown). "
    )
    assert clock.sleeps == [1]


@pytest.mark.parametrize(
    "refused",
    [
        *(with_length(b"SIGNATURE", status=code) for code in (b"403 Forbidden", b"404 Not Found", b"410 Gone")),
        *(
            with_length(b"<Error><Code>%s</Code><Key>SIGNATURE</Key></Error>" % said, status=code)
            for code, said in [
                (b"400 Bad Request", b"ExpiredToken"),
                (b"400 Bad Request", b"AccessDenied</Code><Message>Request has expired"),
                (b"400 Bad Request", b"InvalidToken"),
                (b"401 Unauthorized", b"AuthenticationFailed"),
            ]
        ),
        with_length(gzip.compress(b"Access denied"), more=b"Content-Encoding: gzip\r\n", status=b"400 Bad Request"),
    ],
)
def test_a_link_that_is_refused_is_asked_for_anew_and_then_the_whole_job(
    exporter_of: Callable[..., Exporter], refused: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with Host(*[refused] * 3, FILE) as host:
        assert read(exporter_of(host)) == (HEADER + ROW).decode()
    twice = ["status token", "file"] * 2
    assert host.asked == ["start token", *twice, "start token", *twice]
    assert caplog.messages == [f"{WHAT}: its links have expired, or Lexer has forgotten it; starting it again"]

    with Host(refused) as host, pytest.raises(LinkExpiredError) as raised:
        read(exporter_of(host))
    assert host.asked == ["start token", *twice, "start token", *twice]
    assert without_see(str(raised.value)) == f"{WHAT}: the file host 127.0.0.1 answers {refused[9:12].decode()}"


def test_a_job_that_lexer_has_forgotten_is_started_anew_once(exporter_of: Callable[..., Exporter]) -> None:
    with Host(FILE, statuses=[PENDING, *[UNKNOWN] * 5, COMPLETE]) as host:
        assert read(exporter_of(host)) == (HEADER + ROW).decode()
    polls = ["status token"] * 6  # after 1, 2, 4, 8, 16 and 32 s
    assert host.asked == ["start token", *polls, "start token", "status token", "file"]
    with Host(FILE, statuses=[PENDING, *[UNKNOWN]]) as host, pytest.raises(NotFoundError):
        read(exporter_of(host))
    assert host.asked == ["start token", *polls] * 2


UNKNOWN = with_length(b"", status=b"404 Not Found")


def test_a_job_that_lexer_does_not_know_yet_is_asked_for_again(
    exporter_of: Callable[..., Exporter], clock: Clock
) -> None:
    with Host(FILE, statuses=[UNKNOWN, UNKNOWN, COMPLETE]) as host:
        assert read(exporter_of(host)) == (HEADER + ROW).decode()
    assert clock.sleeps == [1, 1, 2]
    assert host.asked.count("start token") == 1
    with Host(FILE, statuses=[UNKNOWN]) as host:
        exporter = exporter_of(host)
        job = exporter.start(BODY)
        assert exporter.poll(job, tries=1) == Pending()
        clock.sleep(GRACE)
        with pytest.raises(NotFoundError):
            exporter.poll(job, tries=1)


@pytest.mark.parametrize("place", ["/v1/activity/reports/status?token=", "/v1/activity/reports?status="])
def test_a_status_is_sought_where_lexer_once_meant_it_to_be(
    exporter_of: Callable[..., Exporter], caplog: pytest.LogCaptureFixture, place: str
) -> None:
    with Host(FILE, statuses=[UNKNOWN]) as host:
        host.elsewhere = {place: COMPLETE}
        exporter = exporter_of(host)
        for _ in range(2):
            assert read(exporter) == (HEADER + ROW).decode()
    assert host.asked.count("status token") == 1, "never again where it is not"
    assert caplog.messages == [
        f"the status of exports is at {host.origin}{place.partition('?')[0]}, not at export_status_url"
    ]


@pytest.mark.parametrize(("sent", "said"), CUT)
def test_a_file_that_is_cut_off_is_fetched_three_times(
    exporter_of: Callable[..., Exporter], clock: Clock, caplog: pytest.LogCaptureFixture, sent: bytes, said: str
) -> None:
    with Host(sent, sent, FILE) as host:
        assert read(exporter_of(host)) == (HEADER + ROW).decode()
    assert [said in message and message.endswith(" s") for message in caplog.messages] == [True, True]
    assert all(message.startswith(f"{WHAT}: ") and "; next try in " in message for message in caplog.messages)
    assert clock.sleeps == [1, 1.5, 2.5], "the first question, and two more tries"
    with Host(sent) as host, pytest.raises(TruncatedError) as raised:
        read(exporter_of(host))
    assert host.asked.count("file") == 3
    assert without_see(str(raised.value)).startswith(f"{WHAT}: ")
    assert said in without_see(str(raised.value))
    assert without_see(str(raised.value)).endswith(
        ", 3 times. The next run starts this export again. If it fails each time, lower export_window_days"
    )


def body_of(answer: bytes) -> str:
    """The text that a response has in it, as Python's own client reads it."""
    response = HTTPResponse(SimpleNamespace(makefile=lambda _: io.BytesIO(answer)))  # type: ignore[arg-type]  # all of a socket that it uses
    response.begin()
    body = response.read()
    return (gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body).decode("utf-8-sig")


@pytest.mark.parametrize(("sent", "rows"), WHOLE)
def test_a_whole_file_is_taken_at_once(exporter_of: Callable[..., Exporter], sent: bytes, rows: int) -> None:
    with Host(sent) as host:
        text = read(exporter_of(host))
    assert host.asked.count("file") == 1
    assert max(0, len(list(read_rows(text.splitlines(keepends=True)))) - 1) == rows
    assert text == body_of(sent)


def test_what_decides_is_the_file_and_not_how_it_is_chunked(exporter_of: Callable[..., Exporter]) -> None:
    big = HEADER + b'Acme,Email,,jo,"%s",closed\r\n' % (b'""x\r\n' * 200_000)
    with Host(with_length(big)) as host:
        assert read(exporter_of(host)) == big.decode()
    for end in (-9, big.rindex(b"\n", 0, -2) + 1):  # in the middle of a line, and of a cell at the end of a line
        with Host(with_length(big[:end])) as host, pytest.raises(TruncatedError, match="in the middle of a row"):
            read(exporter_of(host))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_file_in_any_encoding_is_whole_or_not(
    exporter_of: Callable[..., Exporter], encoding: str, pack: Callable[[bytes], bytes]
) -> None:
    long = (HEADER + ROW * 5000).decode() + 'Acme,"サポート ""so"",\r\nso"\r\n'
    sent = long.encode(encoding)
    with Host(with_length(pack(sent))) as host:
        assert read(exporter_of(host)) == long
    width = len("\n".encode(encoding)) - len("".encode(encoding))
    for end in (3 * width, 2 * width + 1, 9 * width):  # the last quote, some of a line break, the middle of the cell
        with Host(with_length(pack(sent[:-end]))) as host, pytest.raises(TruncatedError, match="the middle of a row"):
            read(exporter_of(host))
    with Host(without_length(sent[: -2 * width])) as host, pytest.raises(TruncatedError, match="the middle of a line"):
        read(exporter_of(host))


def test_lines_may_end_as_they_did_on_old_machines(exporter_of: Callable[..., Exporter]) -> None:
    old = (HEADER + ROW).replace(b"\r\n", b"\r")
    with Host(without_length(old)) as host:
        assert read(exporter_of(host)) == old.decode()


@pytest.mark.parametrize("code", [408, 421, 425, 500, 503])
def test_a_file_host_that_stumbles_is_asked_five_times(
    exporter_of: Callable[..., Exporter], clock: Clock, caplog: pytest.LogCaptureFixture, code: int
) -> None:
    broken = with_length(b"", status=b"%d It Stumbles" % code)
    with Host(*[broken] * 4, FILE) as host:
        assert read(exporter_of(host)) == (HEADER + ROW).decode()
    assert clock.sleeps == [1, 1.5, 2.5, 4.5, 8.5]
    assert caplog.messages[0] == f"{WHAT}: the file host 127.0.0.1 answers {code}; next try in 2 s"
    with Host(broken) as host, pytest.raises(RetriableAPIError) as raised:
        read(exporter_of(host))
    assert host.asked.count("file") == 5
    assert without_see(str(raised.value)) == f"{WHAT}: the file host 127.0.0.1 answers {code}"


def test_a_file_host_that_stumbles_in_between_does_not_use_up_the_three_downloads(
    exporter_of: Callable[..., Exporter], clock: Clock
) -> None:
    cut, broken = with_length(HEADER + ROW, 1000), with_length(b"", status=b"503 It Stumbles")
    with Host(cut, cut, broken, cut, cut, broken, cut, FILE) as host:
        assert read(exporter_of(host)) == (HEADER + ROW).decode()
    assert clock.sleeps == [1, 1.5, 2.5, 1.5, 1.5, 2.5, 2.5, 1.5]
    with Host(cut, broken, cut, broken, cut, broken, cut, broken, cut, broken) as host, pytest.raises(UnavailableError):
        read(exporter_of(host))
    assert host.asked.count("file") == 10


@pytest.mark.parametrize("status", [b"429 Too Many Requests", b"408 Request Timeout", b"503 Service Unavailable"])
@pytest.mark.parametrize(
    ("asked", "wait"), [(b"30", 30.5), (b"100000", TIMEOUT + 0.5), (b"soon", 1.5), (FAR_AWAY, TIMEOUT + 0.5)]
)
def test_a_file_host_that_asks_for_patience_gets_it_within_bounds(
    exporter_of: Callable[..., Exporter], clock: Clock, status: bytes, asked: bytes, wait: float
) -> None:
    busy = with_length(b"", more=b"Retry-After: %s\r\n" % asked, status=status)
    with Host(busy, FILE) as host:
        assert read(exporter_of(host)) == (HEADER + ROW).decode()
    assert clock.sleeps == [1, wait]
    with Host(busy) as host, pytest.raises(UnavailableError, match=f"answers {status[:3].decode()}"):
        read(exporter_of(host))
    assert host.asked.count("file") == 5


def test_another_status_of_the_file_host_is_final(exporter_of: Callable[..., Exporter]) -> None:
    for refused in (
        with_length(b"InvalidArgument SIGNATURE", status=b"400 Bad Request"),
        with_length(b"", 1000, status=b"400 Bad Request"),  # one that breaks off
        with_length(b"x" * (1 << 17) + b"expired", status=b"400 Bad Request"),  # no error of a file host is so long
    ):
        with Host(refused) as host, pytest.raises(FatalAPIError) as raised:
            read(exporter_of(host))
        assert without_see(str(raised.value)) == f"{WHAT}: the file host 127.0.0.1 answers 400"
        assert host.asked.count("file") == 1


@pytest.mark.parametrize("packed", [b"br", b"Deflate", b"zstd"])
def test_a_file_that_is_packed_in_another_way_is_an_error_that_says_so(
    exporter_of: Callable[..., Exporter], packed: bytes
) -> None:
    with (
        Host(with_length(b"??", more=b"Content-Encoding: %s\r\n" % packed)) as host,
        pytest.raises(UnexpectedAnswerError) as raised,
    ):
        read(exporter_of(host))
    said = f"the file host 127.0.0.1 sends the file compressed as {packed.decode().lower()}, which was not asked for"
    assert without_see(str(raised.value)) == f"{WHAT}: {said}"


@pytest.mark.parametrize(
    "location",
    [b"http://[::1?sig=SIGNATURE", b"\xff\xfe", b"https://%s.example/SIGNATURE" % (b"a" * 70), b"ftp://127.0.0.1/"],
)
def test_a_redirect_to_what_is_no_address_is_an_error_at_once(
    exporter_of: Callable[..., Exporter], location: bytes
) -> None:
    moved = with_length(b"", more=b"Location: %s\r\n" % location, status=b"302 Found")
    with Host(moved) as host, pytest.raises(UnexpectedAnswerError) as raised:
        read(exporter_of(host))
    said = "the file host 127.0.0.1 has an invalid address, or redirects to one (not shown)"
    assert without_see(str(raised.value)) == f"{WHAT}: {said}"
    assert host.asked.count("file") == 1


def test_a_file_host_that_redirects_in_a_circle_is_asked_five_times(exporter_of: Callable[..., Exporter]) -> None:
    moved = with_length(b"", more=b"Location: /file\r\n", status=b"302 Found")
    with Host(moved) as host, pytest.raises(RetriableAPIError) as raised:
        read(exporter_of(host))
    assert without_see(str(raised.value)) == f"{WHAT}: no download: the host redirects in a circle (127.0.0.1)"
    assert host.asked.count("file") == 5 * 31


@pytest.mark.parametrize("url", ["http://[bad/file", "ftp://127.0.0.1/file", "http:///file"])
def test_an_address_that_is_none_is_an_error_and_not_shown(exporter_of: Callable[..., Exporter], url: str) -> None:
    with Host(FILE, statuses=[status("complete", url)]) as host, pytest.raises(UnexpectedAnswerError) as raised:
        read(exporter_of(host))
    assert without_see(str(raised.value)) == f"{WHAT}: Lexer's link to the file is not a valid address (not shown)"


@pytest.mark.parametrize("url", ["/file", "//HOST/file"])
def test_an_address_without_a_host_is_one_of_the_host_that_names_it(
    exporter_of: Callable[..., Exporter], url: str
) -> None:
    with Host(FILE) as host:
        host.answers["status"] = [status("complete", url.replace("HOST", host.origin[7:]))]
        assert read(exporter_of(host)) == (HEADER + ROW).decode()


@pytest.mark.parametrize(
    "answer",
    [
        {"status": "complete", "file_url": "ORIGIN/file"},
        {"status": "complete", "url": None, "links": {"download": "ORIGIN/file"}},
        {"data": {"state": "Done", "location": "ORIGIN/file"}},
        [{"status": "complete", "url": "ORIGIN/file"}],
        {"state": "complete", "url": "ORIGIN/file"},
    ],
)
def test_a_link_is_found_under_another_name_and_in_an_envelope(
    exporter_of: Callable[..., Exporter], answer: object
) -> None:
    with Host(FILE, statuses=[with_length(json.dumps(answer).encode())]) as host:
        assert read(exporter_of(host)) == (HEADER + ROW).decode()


@pytest.mark.parametrize("more", [{"message": "No data for this range"}, {"rows": 0}, {"meta": {"total": 0}}])
def test_complete_without_a_file_and_with_the_word_that_there_is_no_data_is_no_data(
    exporter_of: Callable[..., Exporter], caplog: pytest.LogCaptureFixture, more: dict[str, object]
) -> None:
    answer = {"status": "complete", "url": None, "token": JOB, **more}
    with Host(FILE, statuses=[PENDING, with_length(json.dumps(answer).encode())]) as host:
        exporter = exporter_of(host)
        assert exporter.fetch(exporter.start(BODY)) is None
    assert caplog.messages == [
        f"{WHAT}: an export is complete, has no file, and Lexer says that there is no data: it is read as one without rows"
    ]


@pytest.mark.parametrize("token", [None, ""])
def test_a_job_without_a_token_is_an_error(exporter_of: Callable[..., Exporter], token: str | None) -> None:
    with Host(FILE, starts=[status("pending", token=token)]) as host, pytest.raises(UnexpectedAnswerError) as raised:
        exporter_of(host).start(BODY)
    assert without_see(str(raised.value)) == f"{WHAT}: Lexer's answer has no token to poll with"
    with Host(FILE, starts=[status("complete", "ORIGIN/file", token=token)]) as host:
        assert read(exporter_of(host)) == (HEADER + ROW).decode(), "it needs none if it is complete at once"
    assert host.asked == ["start token", "file"]


@pytest.mark.parametrize(
    "answer", [{"token": 77}, {"id": "77"}, {"report_token": 77}, [{"status": "x", "token": "77"}]]
)
def test_a_token_may_be_a_number_and_have_another_name(exporter_of: Callable[..., Exporter], answer: object) -> None:
    with Host(FILE, starts=[with_length(json.dumps(answer).encode())]) as host:
        assert read(exporter_of(host)) == (HEADER + ROW).decode()
    assert host.jobs[1] == "token=77"


def test_a_job_is_asked_for_by_the_name_that_lexer_gave_it(exporter_of: Callable[..., Exporter]) -> None:
    with Host(FILE, statuses=[PENDING, COMPLETE]) as host:
        read(exporter_of(host))
    assert host.jobs == [json.dumps(BODY), *[f"token={JOB}"] * 2]


@pytest.mark.parametrize(
    ("sent", "error", "said", "count"),
    [
        (b'{"status": "%s",' % JOB.encode(), RetriableAPIError, "the answer is not JSON", 2),
    ],
)
def test_an_answer_that_makes_no_sense_is_an_error_that_does_not_show_it(
    exporter_of: Callable[..., Exporter], sent: bytes, error: type[Exception], said: str, count: int
) -> None:
    odd = with_length(sent)
    with Host(FILE, statuses=[odd], starts=[PENDING, odd]) as host:
        exporter = exporter_of(host)
        job = exporter.start(BODY)
        for what, again in (
            (f"the status of {WHAT}", lambda: exporter.poll(job, tries=2)),
            (WHAT, lambda: exporter.start(BODY, tries=2)),
        ):
            before = len(host.asked)
            with pytest.raises(error, match=f"^{re.escape(what)}: {said}") as raised:
                again()
            assert without_see(str(raised.value)).endswith(" (not shown: it may hold a link)")
            assert len(host.asked) == before + count


def test_a_folder_that_is_not_there_is_an_error_that_names_the_variable(
    exporter_of: Callable[..., Exporter], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    with Host(FILE) as host, pytest.raises(FatalAPIError, match=r"no temporary folder is writable .* TMPDIR"):
        read(exporter_of(host))


def test_a_disk_without_room_is_an_error_that_names_the_variable(exporter_of: Callable[..., Exporter]) -> None:
    with Host(with_length(HEADER + ROW * 1000)) as host, files_of_at_most(1000), pytest.raises(FatalAPIError) as raised:
        read(exporter_of(host))
    assert without_see(str(raised.value)) == (
        f"{WHAT}: the export can't be written to {tempfile.gettempdir()} (File too large). "
        "Set TMPDIR to a folder with room"
    )


def test_a_job_that_was_asked_for_ahead_is_not_asked_for_again(
    exporter_of: Callable[..., Exporter], clock: Clock
) -> None:
    with Host(FILE, statuses=[PENDING, COMPLETE]) as host:
        exporter = exporter_of(host)
        job = exporter.start(BODY)
        assert not exporter.is_due(job)
        clock.sleep(1)
        assert exporter.is_due(job)
        exporter.poll(job)
        assert (job.due, exporter.is_due(job)) == (clock.now + 1, False)
        clock.sleep(1)
        exporter.poll(job)
        assert not exporter.is_due(job), "its file is known"
        file = exporter.fetch(job)
        assert file is not None
        with file:
            assert file.read() == (HEADER + ROW).decode()
    assert host.asked == ["start token", "status token", "status token", "file"]


def test_other_work_is_done_before_each_wait_and_shortens_it(
    exporter_of: Callable[..., Exporter], clock: Clock
) -> None:
    with Host(FILE, statuses=[PENDING, PENDING, COMPLETE]) as host:
        exporter = exporter_of(host, while_waiting=lambda: clock.now + 0.75)
        assert read(exporter) == (HEADER + ROW).decode()
    assert clock.sleeps == [0.75, 0.25, 0.75, 0.25, 0.75, 0.75, 0.5]


def test_an_odd_wish_for_the_past_never_sleeps_backwards(exporter_of: Callable[..., Exporter], clock: Clock) -> None:
    calls = iter([900.0])
    with Host(FILE) as host:
        exporter = exporter_of(host, while_waiting=lambda: next(calls, float("inf")))
        assert read(exporter) == (HEADER + ROW).decode()
    assert clock.sleeps == [0, 1]


def test_a_host_of_files_with_a_certificate_that_nobody_knows_is_tried_once(
    exporter_of: Callable[..., Exporter], clock: Clock
) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(tls)
    with Host(FILE) as behind, Gate(behind.server_port, tls) as gate:
        complete = status("complete", f"https://{gate.address}/file?X-Amz-Signature=SIGNATURE")
        with Host(FILE, statuses=[complete]) as host, pytest.raises(FatalAPIError) as raised:
            read(exporter_of(host))
        gate.shutdown()
    said = "no download: the host's certificate is not valid (127.0.0.1). If your network has its own CA, set REQUESTS_CA_BUNDLE"
    assert without_see(str(raised.value)) == f"{WHAT}: {said} to its file"
    assert clock.sleeps == [1]


def test_a_ca_file_that_does_not_exist_is_said_for_the_host_of_files_too(
    exporter_of: Callable[..., Exporter], clock: Clock, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", missing := str(tmp_path / "authority.pem"))
    link = "https://127.0.0.1:9/file?X-Amz-Signature=SIGNATURE"
    with Host(FILE, statuses=[status("complete", link)]) as host, pytest.raises(FatalAPIError) as raised:
        read(exporter_of(host))
    assert without_see(str(raised.value)).startswith(f"{WHAT}: no download: ")
    assert missing in without_see(str(raised.value))
    assert "SIGNATURE" not in without_see(str(raised.value))
    assert clock.sleeps == [1]


@given(lengths=st.lists(st.integers(0, 2000), min_size=1, max_size=3), sent=st.integers(1, 50))
def test_what_is_packed_is_unpacked_whole_in_small_pieces(lengths: list[int], sent: int) -> None:
    content = [b"a row\n" * (length // 6) + b"a" * (length % 6) for length in lengths]
    packed = b"".join(map(gzip.compress, content))
    chunks = (packed[start : start + sent] for start in range(0, len(packed), sent))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(archives, "CHUNK", small := 64)
        pieces = list(archives.unpacked(chunks, WHAT))
    assert b"".join(pieces) == b"".join(content)
    assert max(map(len, pieces)) <= small


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("is_silent", "why"),
    [(False, "the connection broke off (ChunkedEncodingError)"), (True, "no answer within 1 s (request_timeout)")],
)
def test_a_file_that_is_cut_off_says_why(clock: Clock, is_silent: bool, why: str) -> None:
    sent = with_length(HEADER + ROW, 1000)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        threading.Thread(target=sends_no_more, args=(silent, sent), daemon=True).start()
        there = status("complete", f"http://127.0.0.1:{silent.getsockname()[1]}/file")
        with Host(sent, statuses=[there if is_silent else COMPLETE]) as host:
            settings = parse_settings(host.config(request_timeout=1), now=datetime(2026, 2, 1, tzinfo=UTC))
            client = LexerClient(settings, Limiter(5000, 10), logging.getLogger("test"), clock=clock, sleep=clock.sleep)
            logger = logging.getLogger("test")
            exporter = Exporter(client, settings, logger, notices=Notices(logger), clock=clock, sleep=clock.sleep)
            with pytest.raises(TruncatedError) as raised:
                read(exporter)
        silent.shutdown(socket.SHUT_RDWR)
    assert without_see(str(raised.value)).startswith(f"{WHAT}: the file was cut off: {why}, 3 times. ")


def sends_no_more(listener: socket.socket, sent: bytes) -> None:
    """Send this to each client, and keep it waiting for more."""
    with ExitStack() as stack, suppress(OSError):  # of a listener that has been shut down
        while True:
            connection, _ = listener.accept()
            stack.enter_context(connection).sendall(sent)
