"""What becomes of one request: each end in the class that does it, over a real socket, with a clock that takes no time."""

from __future__ import annotations

import gzip
import json
import logging
import re
import socket
import ssl
import tracemalloc
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from functools import cache, partial
from importlib.metadata import version
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
import requests
import trustme
from hypothesis import given
from hypothesis import strategies as st
from proof.surroundings import Gate
from singer_sdk.exceptions import FatalAPIError, RetriableAPIError
from support.hosts import JOB, PAUSE, Host, chunked, interim, kept, with_length
from urllib3 import HTTPConnectionPool
from urllib3.connection import HTTPConnection

from tap_lexer_activity.errors import (
    AccessDeniedError,
    NotFoundError,
    QuotaExceededError,
    RequestsSpentError,
    UnavailableError,
    UnexpectedAnswerError,
    UnreachableError,
    without_see,
)
from tap_lexer_activity.http import retry
from tap_lexer_activity.http.limiter import Limiter
from tap_lexer_activity.http.retry import retry_after
from tap_lexer_activity.lexer import answers
from tap_lexer_activity.lexer.answers import QUOTE, plain_words
from tap_lexer_activity.lexer.client import LexerClient, request_label
from tap_lexer_activity.settings.parse import parse_settings

if TYPE_CHECKING:
    from pathlib import Path

    from support.clocks import Clock

NOW = datetime(2026, 2, 1, tzinfo=UTC)
PERIOD = 300
TOKEN = "a-token-of-the-tests"
BODY = {"type": "summary", "date_from": "2026-01-05T00:00:00Z", "date_to": "2026-01-05T23:59:59Z"}
WHAT = "report 'summary' from 2026-01-05T00:00:00Z to 2026-01-05T23:59:59Z"
ANSWER = with_length(b'{"total_volume": 5}')
DEEP = [b"[" * depth + b"]" * depth for depth in (900, 1000, 100_000)]
AT_ONCE = [1, 2, 4, 8, 16, 32, 64, 128, 256]
"""Waits where Lexer asks for none, up to the period of its quota."""


def shown(value: bytes | str | type) -> str:
    """The name of a case, which has no room for the whole of it."""
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    return value.__name__ if isinstance(value, type) else re.sub(r"\W+", " ", value[:50], flags=re.ASCII).strip()


def refusal(status: bytes, body: bytes = b"", more: bytes = b"") -> bytes:
    return with_length(body, status=status, more=more)


def busy(after: bytes | None = None, body: bytes = b"") -> bytes:
    more = b"" if after is None else b"Retry-After: %s\r\n" % after
    return refusal(b"429 Too Many Requests", body, more)


def moved(location: str, status: bytes = b"307 Temporary Redirect") -> bytes:
    return refusal(status, more=b"Location: %s\r\n" % location.encode())


class Client(LexerClient):
    """A client of a host, with the quota that Lexer has, and with waits that take no time."""

    clock: ClassVar[Clock]

    def __init__(self, host: Host | None = None, **config: object) -> None:
        settings = parse_settings(
            (host.config() if host else {"start_date": "2026-01-05", "api_token": TOKEN}) | config, now=NOW
        )
        super().__init__(
            settings, Limiter(5000, 10), logging.getLogger("test.client"), clock=self.clock, sleep=self.clock.sleep
        )

    def summary(self, **more: Any) -> Any:
        return self.report(BODY, what=WHAT, **more)


client_of_no_host = cache(Client)


@pytest.fixture(autouse=True)
def surroundings(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """No proxy and no CA of the tester's own, and a day that stands still."""
    for name in ("HTTP_PROXY", "ALL_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)

    class Today(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.fromtimestamp(NOW.timestamp(), tz)

    monkeypatch.setattr(retry, "datetime", Today)
    monkeypatch.setattr(Client, "clock", clock, raising=False)
    return clock


def failed(client: Client, error: type[Exception], **more: Any) -> str:
    """What is said when a report can't be had."""
    with pytest.raises(error) as raised:
        client.summary(**more)
    assert type(raised.value) is error
    assert raised.value.__cause__ is None, "it would have the whole address in its text"
    return without_see(str(raised.value))


# What is sent, and what is answered


def test_an_answer_comes_with_all_its_digits() -> None:
    sent = b'{"a": 0.10, "b": 12345678901234567890.5, "c": 1E-400, "d": 0, "e": [null, true, "\xc3\xa9"]}'
    with Host(starts=[with_length(sent)]) as host:
        answer = Client(host).summary()
    assert answer == {
        "a": Decimal("0.10"),
        "b": Decimal("12345678901234567890.5"),
        "c": Decimal("1E-400"),
        "d": 0,
        "e": [None, True, "é"],
    }
    assert str(answer["a"]) == "0.10"
    assert host.asked == ["start token"]
    assert [json.loads(body) for body in host.jobs] == [BODY]
    assert host.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_request_goes_to_its_address_with_the_token_and_the_name_of_the_tap(slash: str) -> None:
    with Host(with_length(b"[]"), starts=[ANSWER], statuses=[ANSWER]) as host:
        client = Client(host, api_url=f"{host.origin}/v1{slash}")
        assert client.get("/groups", tries=1) == []
        paths = [host.path]
        client.summary()
        paths.append(host.path)
        client.status("a token", what="the job")
        paths.append(host.path)
        assert (host.headers["Accept"], host.headers["Auth-Api-Token"]) == ("application/json", TOKEN)
        assert host.headers["User-Agent"] == f"tap-lexer-activity/{version('tap-lexer-activity')}"
    assert paths == ["/v1/groups", "/v1/activity/reports", "/status?token=a+token"]
    assert host.asked == ["file token", "start token", "status token"]


@pytest.mark.parametrize("tries", [1, 3])
def test_a_list_that_can_not_be_had_is_named_after_as_many_tries_as_were_asked_for(tries: int) -> None:
    with Host(refusal(b"500 Oops")) as host, pytest.raises(RetriableAPIError) as raised:
        Client(host).get("/groups", tries=tries)
    assert without_see(str(raised.value)) == "groups: 500 Oops"
    assert len(host.asked) == tries


def test_a_status_of_2xx_is_an_answer() -> None:
    with Host(starts=[refusal(b"202 Accepted", b'{"a": 1}')]) as host:
        assert Client(host).summary() == {"a": 1}


def test_no_log_of_urllib3_shows_an_address() -> None:
    for name in ("urllib3", "urllib3.connectionpool"):
        logging.getLogger(name).setLevel(logging.DEBUG)
    logging.getLogger("urllib3x").setLevel(logging.DEBUG)
    Client()
    levels = [logging.getLogger(name).level for name in ("urllib3", "urllib3.connectionpool", "urllib3x")]
    assert levels == [logging.ERROR, logging.ERROR, logging.DEBUG]


# 429


@pytest.mark.parametrize(
    ("header", "wait"),
    [
        (None, PERIOD),
        (b"17", 17),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True).encode(), 90),
        (format_datetime(NOW - timedelta(seconds=90), usegmt=True).encode(), 1),
        (b"0", 1),
        (b"soon", PERIOD),
        (b"-5", PERIOD),
        (b"", PERIOD),
    ],
)
def test_after_a_429_lexer_s_wish_is_waited_for_or_a_whole_period(
    clock: Clock, caplog: pytest.LogCaptureFixture, header: bytes | None, wait: float
) -> None:
    with Host(starts=[busy(header), ANSWER]) as host:
        client = Client(host)
        assert client.summary() == {"total_volume": 5}
    assert clock.sleeps == [wait]
    assert caplog.messages == [f"{WHAT}: 429 Too Many Requests; next try in {wait} s"]
    assert (host.asked, client.limiter.spent) == (["start token"] * 2, 2)


@pytest.mark.parametrize(
    ("header", "waits"),
    [
        (None, [PERIOD] * 6),
        (b"soon", [PERIOD] * 6),
        (b"0", [*AT_ONCE, *[PERIOD] * 4, 89]),
        (b"17", [*[17] * 5, 32, 64, 128, 256, *[PERIOD] * 4, 35]),
        (b"400", [400] * 4 + [200]),
        (b"86400", [6 * PERIOD]),
    ],
)
def test_a_quota_that_stays_used_up_is_waited_for_over_six_periods(
    clock: Clock, header: bytes | None, waits: list[float]
) -> None:
    with Host(starts=[busy(header, b'{"error": "slow down"}')]) as host:
        said = failed(Client(host), QuotaExceededError)
    assert said == f"{WHAT}: 429 Too Many Requests, Lexer says: slow down"
    assert clock.sleeps == waits
    assert sum(waits) == 6 * PERIOD
    assert len(host.asked) == len(waits) + 1


def test_the_period_is_the_one_of_the_settings(clock: Clock) -> None:
    with Host(starts=[busy()]) as host:
        failed(Client(host, rate_limit_seconds=10), QuotaExceededError)
    assert clock.sleeps == [10] * 6


def test_other_trouble_between_two_429_does_not_use_up_the_six_periods_at_once(clock: Clock) -> None:
    stumbles = refusal(b"500 Oops")
    with Host(starts=[busy(b"20"), *[stumbles] * 4, busy(b"20"), *[stumbles] * 4, ANSWER]) as host:
        assert Client(host).summary() == {"total_volume": 5}
    assert clock.sleeps == [20, 1.5, 2.5, 4.5, 8.5, 20, 1.5, 2.5, 4.5, 8.5]


def test_a_request_that_is_tried_once_does_not_wait_for_the_quota(clock: Clock) -> None:
    with Host(starts=[busy(b"17")]) as host:
        failed(Client(host), QuotaExceededError, tries=1)
    assert (len(host.asked), clock.sleeps) == (1, [])
    with Host(starts=[busy(b"17"), ANSWER]) as host:
        assert Client(host).summary(tries=2) == {"total_volume": 5}


def test_no_request_is_sent_when_all_are_spent() -> None:
    with Host(starts=[ANSWER]) as host:
        client = Client(host)
        client.limiter.max_calls = 1
        client.summary()
        assert failed(client, RequestsSpentError) == "max_requests (1) is used up"
    assert len(host.asked) == 1


# What is tried again

STUMBLES = [
    (refusal(b"500 Oops"), "500 Oops"),
    (
        refusal(b"503 Service Unavailable", b"<p>Back at\n nine</p>"),
        "503 Service Unavailable, Lexer says: <p>Back at nine</p>",
    ),
    (refusal(b"599 "), "599"),
    (refusal(b"408 Request Timeout"), "408 Request Timeout"),
    (refusal(b"421 Misdirected Request"), "421 Misdirected Request"),
    (refusal(b"425 Too Early"), "425 Too Early"),
    (b"", "the connection broke off (ConnectionError) (HOST)"),
    (interim(b"101 Switching Protocols"), "the connection broke off (ConnectionError) (HOST)"),
    (interim(b"100 Continue", b"") * 21 + ANSWER, "the connection broke off (ConnectionError) (HOST)"),
    (interim() * 21 + ANSWER, "the connection broke off (ConnectionError) (HOST)"),
    (with_length(b"[1]", more=b"Content-Length: 4\r\n"), "the answer's headers contradict each other (HOST)"),
    (with_length(b"[1,", 10), "the connection broke off (ChunkedEncodingError) (HOST)"),
    (with_length(b"no gzip", more=b"Content-Encoding: gzip\r\n"), "the answer can't be decompressed (HOST)"),
    (with_length(b"<html>"), "the answer is not JSON: <html>"),
    (with_length(DEEP[-1]), f"the answer is not JSON: {'[' * QUOTE}"),
]


@pytest.mark.parametrize(("sent", "said"), STUMBLES, ids=shown)
def test_what_stumbles_is_tried_five_times_with_growing_waits(
    clock: Clock, caplog: pytest.LogCaptureFixture, sent: bytes, said: str
) -> None:
    with Host(starts=[*[sent] * 4, ANSWER]) as host:
        client = Client(host)
        assert client.summary() == {"total_volume": 5}
        said = f"{WHAT}: {said.replace('HOST', host.origin.removeprefix('http://'))}"
    assert clock.sleeps == [1.5, 2.5, 4.5, 8.5]
    assert caplog.messages == [f"{said}; next try in {wait} s" for wait in (2, 2, 4, 8)]
    assert client.limiter.spent == len(host.asked) == 5
    has_a_status = re.match(r"\d{3}\b", said.removeprefix(f"{WHAT}: "))
    with Host(starts=[sent]) as host:
        failed(Client(host), UnavailableError if has_a_status else RetriableAPIError)
    assert len(host.asked) == 5


@pytest.mark.parametrize("status", [b"408 Request Timeout", b"425 Too Early", b"500 Oops", b"503 Service Unavailable"])
@pytest.mark.parametrize(
    ("header", "wait"),
    [
        (b"20", 20.5),
        (b"Mon, 01 Jan 2125 00:00:00 GMT", 6 * PERIOD + 0.5),
        (b"86400", 6 * PERIOD + 0.5),
        (b"0", 1.5),
        (b"-5", 1.5),
        (b"soon", 1.5),
    ],
)
def test_a_host_that_is_unavailable_is_left_alone_as_long_as_it_asks_for(
    clock: Clock, status: bytes, header: bytes, wait: float
) -> None:
    stumbles = refusal(status, more=b"Retry-After: %s\r\n" % header)
    with Host(starts=[stumbles, ANSWER]) as host:
        assert Client(host).summary() == {"total_volume": 5}
    assert clock.sleeps == [wait]


@pytest.mark.parametrize(
    "first", [interim(), interim(b"102 Processing", b""), interim(b"100 Continue", b""), interim() * 20]
)
def test_an_interim_answer_is_not_taken_for_the_answer(first: bytes) -> None:
    answers = [kept(with_length(b"%d" % number)) for number in range(3)]
    with Host(starts=[first + PAUSE + answers[0], first + answers[1], answers[2]]) as host:
        client = Client(host)
        assert [client.summary() for _ in answers] == [0, 1, 2]
    assert len(set(host.connections)) == 1


@pytest.mark.parametrize(
    "answer",
    [
        with_length(b"1") + b"\r\n",
        with_length(b"1")[:-1] + b"15",
        chunked(b"1") + b"\r\n",
        with_length(b"", status=b"204 No Content", more=b"X: y\r\n"),
        with_length(b"", status=b"304 Not Modified"),
    ],
    ids=shown,
)
def test_no_connection_is_used_again_after_an_answer_that_may_have_more_to_come(answer: bytes) -> None:
    late = with_length(b"666")
    with Host(starts=[kept(answer) + PAUSE + late, ANSWER]) as host:
        client = Client(host)
        with suppress(FatalAPIError, RetriableAPIError):
            client.summary(tries=1)
        assert client.summary() == {"total_volume": 5}
    assert len(set(host.connections)) == 2


@pytest.mark.parametrize("answer", [with_length(b"5"), chunked(b"5"), refusal(b"400 No", b"text")], ids=shown)
def test_a_connection_is_used_again_after_a_whole_answer(answer: bytes) -> None:
    with Host(starts=[kept(answer)]) as host:
        client = Client(host)
        for _ in range(2):
            with suppress(FatalAPIError):
                client.summary()
    assert len(set(host.connections)) == 1


@pytest.mark.thorough
def test_an_answer_that_does_not_come_is_given_up(clock: Clock) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host = f"127.0.0.1:{silent.getsockname()[1]}"
        said = failed(Client(api_url=f"http://{host}/v1", request_timeout=1), RetriableAPIError, tries=2)
    assert said == f"{WHAT}: no answer within 1 s (request_timeout) ({host})"
    assert clock.sleeps == [1.5]


def test_a_host_that_is_not_there_says_what_to_check(clock: Clock) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and not listening
        host = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(UnreachableError) as raised:
            Client(api_url=f"http://{host}/v1").summary()
    assert without_see(str(raised.value)) == (
        f"{WHAT}: the host refuses the connection ({host}). "
        "Check the setting api_url, this machine's network, and HTTPS_PROXY if there is a proxy"
    )
    assert clock.sleeps == [1.5, 2.5, 4.5, 8.5]


def test_a_host_of_statuses_that_is_not_there_is_named_and_does_not_end_the_run() -> None:
    with Host(starts=[ANSWER]) as host, pytest.raises(FatalAPIError) as raised:
        Client(host, export_status_url="http://127.0.0.1:9/status").status(JOB, what="the job")
    assert type(raised.value) is FatalAPIError, "the API answers, and so do its reports"
    assert without_see(str(raised.value)) == (
        "the job: the host refuses the connection (127.0.0.1:9). "
        "Check the setting export_status_url, this machine's network, and HTTPS_PROXY if there is a proxy"
    )
    with pytest.raises(UnreachableError, match="Check the setting export_status_url"):
        Client(api_url="http://127.0.0.1:9/v1", export_status_url="http://127.0.0.1:9/s").status(JOB, what="the job")


def test_a_certificate_of_the_host_of_statuses_does_not_end_the_run() -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(tls)
    with Host() as host, Gate(host.server_port, tls) as gate, pytest.raises(FatalAPIError) as raised:
        Client(host, export_status_url=f"https://{gate.address}/status").status(JOB, what="the job")
    gate.shutdown()
    assert type(raised.value) is FatalAPIError
    assert without_see(str(raised.value)) == (
        f"the job: the host's certificate is not valid ({gate.address}). Check the setting export_status_url. "
        "If your network has its own CA, set REQUESTS_CA_BUNDLE to its file"
    )


@pytest.mark.parametrize(
    "proxy",
    [
        "http://jo:Pa#ss@proxy.example:3128",
        "http://jo:Pa/ss@proxy.example:3128",
        "http://jo:Pa[ss@proxy.example:3128",
        "http://jo:Pa\N{EURO SIGN}ss@proxy.example:3128",
        "http://jo:Pass@proxy.example:99999",
        "http://jo:Pass@proxy..example:3128",
        "http://jo:Pass@proxy example",
        "ftp://jo:Pass@proxy.example",
        "http://jo:Pass@",
        "http://",
    ],
)
@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_a_proxy_that_is_no_address_is_named_by_its_variable_and_not_shown(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, proxy: str, name: str
) -> None:
    monkeypatch.setenv(name, proxy)
    with Host(starts=[ANSWER]) as host:
        said = failed(Client(host), UnreachableError)
        assert host.asked == []
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        assert Client(host).summary() == {"total_volume": 5}
    assert said == (
        f"{WHAT}: {name} is not the address of a proxy (not shown). It should be like http://proxy.example:3128; "
        "in a name or password write %23 for #, %2F for / and %40 for @"
    )
    assert clock.sleeps == []


def test_a_socks_proxy_without_its_package_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object, **__: object) -> None:
        raise requests.exceptions.InvalidSchema

    monkeypatch.setattr("requests.adapters.SOCKSProxyManager", missing)
    monkeypatch.setenv("HTTP_PROXY", "socks5h://jo:Pass@127.0.0.1:9")
    with Host(starts=[ANSWER]) as host:
        said = failed(Client(host), UnreachableError)
    assert said == f"{WHAT}: HTTP_PROXY names a SOCKS proxy: install the package PySocks beside the tap"


def test_connections_of_another_kind_are_used_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """The manager of a SOCKS proxy gives its pools a class of connections that takes more than others."""
    used = []

    class Connection(HTTPConnection):
        def __init__(self, *args: Any, _socks_options: str, **kwargs: Any) -> None:
            used.append(_socks_options)
            super().__init__(*args, **kwargs)

    class Pool(HTTPConnectionPool):
        ConnectionCls = Connection

    monkeypatch.setenv("HTTP_PROXY", "socks5h://127.0.0.1:9")
    with Host(starts=[interim() + PAUSE + kept(ANSWER), ANSWER]) as host:
        pool = Pool("127.0.0.1", host.server_port, _socks_options="a proxy")
        manager = SimpleNamespace(connection_from_host=lambda **_: pool)
        monkeypatch.setattr("requests.adapters.SOCKSProxyManager", lambda *_, **__: manager)
        client = Client(host)
        assert [client.summary(), client.summary()] == [{"total_volume": 5}] * 2
    assert used == ["a proxy"]


def test_a_proxy_that_is_not_there_is_named_as_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(UnreachableError, match=r": the proxy can't be reached or refuses \(127\.0\.0\.1:9\)"):
            Client(api_url="http://127.0.0.1:9/v1").summary(tries=1)


# What is final

WRONG_TOKEN = (
    "The api_token is wrong, has been reset, is not of the type Activity API, or is not allowed from this machine's address. "
    "Someone with the permission Edit Team makes tokens in Lexer's Hub (Integrate)"
)


@pytest.mark.parametrize(
    ("sent", "error", "said"),
    [
        (
            refusal(b"401 Unauthorized", b'{"error": "who are you"}'),
            AccessDeniedError,
            f"401 Unauthorized, Lexer says: who are you. {WRONG_TOKEN}",
        ),
        (
            refusal(b"403 Forbidden"),
            AccessDeniedError,
            f"403 Forbidden. {WRONG_TOKEN}",
        ),
        (
            refusal(b"404 Not Found", b'{"message": "no"}'),
            NotFoundError,
            "404 Not Found, Lexer says: no. The request is malformed, or the address does not exist",
        ),
        (refusal(b"400 Bad Request", b'{"errors": ["a", 1]}'), FatalAPIError, '400 Bad Request, Lexer says: ["a", 1]'),
        (refusal(b"422 \xc3\x84h", b'{"code": "\xc3\xa4"}'), FatalAPIError, '422 Ã\x84h, Lexer says: {"code": "ä"}'),
        (refusal(b"410 Gone", b'{"error": "", "message": "gone"}'), FatalAPIError, "410 Gone, Lexer says: gone"),
        (
            refusal(b"409 Conflict", b"\xff text\n of  lines "),
            FatalAPIError,
            "409 Conflict, Lexer says: � text of lines",
        ),
        (refusal(b"499 "), FatalAPIError, "499"),
        (refusal(b"300 Multiple Choices", b"[]"), FatalAPIError, "300 Multiple Choices, Lexer says: []"),
        (refusal(b"304 Not Modified"), FatalAPIError, "304 Not Modified"),
        *(
            (refusal(b"400 Bad Request", deep), FatalAPIError, f"400 Bad Request, Lexer says: {'[' * QUOTE}")
            for deep in DEEP
        ),
    ],
    ids=shown,
)
def test_a_refusal_is_final_and_says_what_lexer_says(
    clock: Clock, sent: bytes, error: type[Exception], said: str
) -> None:
    with Host(starts=[sent]) as host:
        assert failed(Client(host), error) == f"{WHAT}: {said}"
    assert (len(host.asked), clock.sleeps) == (1, [])


def test_a_name_that_stands_twice_is_final() -> None:
    with (
        Host(starts=[with_length(b'[{"x": 0, "a": 1, "b": 1, "b": 2, "a": 2}]')]) as host,
        pytest.raises(UnexpectedAnswerError) as raised,
    ):
        Client(host).summary()
    assert without_see(str(raised.value)) == f"{WHAT}: the answer has the name a twice in one object"
    assert len(host.asked) == 1


def test_an_answer_without_end_is_refused_before_it_fills_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "_LARGEST_ANSWER", limit := 1 << 20)
    longest, longer, huge = (gzip.compress(b"1".ljust(size)) for size in (limit, limit + 1, 32 * limit))
    with Host(
        starts=[with_length(body, more=b"Content-Encoding: gzip\r\n") for body in (longest, longer, huge)]
    ) as host:
        client = Client(host)
        assert client.summary() == 1
        tracemalloc.start()
        for _ in (longer, huge):
            assert failed(client, UnexpectedAnswerError) == f"{WHAT}: the answer is longer than 1 MiB"
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 8 * limit
    assert len(host.asked) == 3


# Redirects

ELSEWHERE = "Set api_url (or export_status_url) to the address that Lexer uses now"


@pytest.mark.parametrize("status", [b"307 Temporary Redirect", b"308 Permanent Redirect"])
def test_a_redirect_within_the_host_is_followed_with_all_that_was_asked_for(status: bytes) -> None:
    with Host(starts=[moved("/v2", status), ANSWER]) as host:
        client = Client(host)
        assert client.summary() == {"total_volume": 5}
    assert [json.loads(body) for body in host.jobs] == [BODY] * 2
    assert host.asked == ["start token"] * 2
    assert client.limiter.spent == 2, "a redirect costs a request, too"


@pytest.mark.parametrize("status", [301, 302, 303])
def test_a_redirect_that_drops_what_was_asked_for_is_refused(clock: Clock, status: int) -> None:
    with Host(ANSWER, starts=[moved("/v2", b"%d Moved" % status)]) as host:
        said = failed(Client(host), FatalAPIError)
    dropped = f"redirects a POST with {status}, which drops the request's body"
    assert said == f"{WHAT}: {host.origin.removeprefix('http://')} {dropped}. {ELSEWHERE}"
    assert (host.asked, clock.sleeps) == (["start token"], [])


@pytest.mark.parametrize("status", [301, 302, 303, 307])
def test_a_redirect_of_a_list_is_followed(status: int) -> None:
    with Host(moved("/v2/groups", b"%d Moved" % status), with_length(b"[]")) as host:
        assert Client(host).get("/groups", tries=1) == []
    assert host.asked == ["file token"] * 2


@pytest.mark.parametrize("status", [302, 307])
def test_a_redirect_to_another_host_is_refused_and_never_followed(status: int) -> None:
    with Host(ANSWER, starts=[ANSWER]) as other:
        there = f"{other.origin}/v1?{TOKEN}"
        with Host(starts=[moved(there, b"%d Moved" % status)]) as host:
            said = failed(Client(host), FatalAPIError)
    redirects = "redirects to another host, 127.0.0.1"
    assert said == f"{WHAT}: {host.origin.removeprefix('http://')} {redirects}. {ELSEWHERE}"
    assert other.asked == []


def test_a_host_in_a_redirect_does_not_show_the_token() -> None:
    with Host(starts=[moved(f"http://{TOKEN}.example/")]) as host:
        assert "redirects to another host, [api_token].example." in failed(Client(host), FatalAPIError)


def test_what_comes_along_with_a_redirect_is_not_read() -> None:
    huge = gzip.compress(bytes(32 << 20))
    packed = b"Location: /v2\r\nContent-Encoding: gzip\r\n"
    with Host(starts=[refusal(b"307 Temporary Redirect", huge, packed), ANSWER]) as host:
        client = Client(host)
        tracemalloc.start()
        assert client.summary() == {"total_volume": 5}
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 8 << 20


def test_redirects_in_a_circle_end() -> None:
    with Host(starts=[moved("/v1/activity/reports")]) as host:
        said = failed(Client(host), FatalAPIError)
    assert said == f"{WHAT}: {host.origin.removeprefix('http://')} redirects in a circle. {ELSEWHERE}"
    assert len(host.asked) == 31


def test_the_other_host_of_the_settings_may_be_redirected_to() -> None:
    with Host(with_length(b"[]")) as other, Host(moved(f"{other.origin}/groups")) as host:
        client = Client(host, export_status_url=f"{other.origin}/status")
        assert client.get("/groups", tries=1) == []
    assert other.asked == ["file token"]


# Certificates


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
def test_a_ca_file_is_used_and_one_that_does_not_exist_is_said(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    authority, tls = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    mark = tmp_path / "authority.pem"
    with Host(starts=[ANSWER]) as behind, Gate(behind.server_port, tls) as gate:
        ask = partial(Client, api_url=f"https://{gate.address}/v1")
        distrusted = failed(ask(), UnreachableError)
        assert distrusted == (
            f"{WHAT}: the host's certificate is not valid ({gate.address}). Check the setting api_url. "
            "If your network has its own CA, set REQUESTS_CA_BUNDLE to its file"
        )
        monkeypatch.setenv(name, str(mark))
        with pytest.raises(FatalAPIError) as raised:
            ask().summary()
        assert without_see(str(raised.value)).startswith(f"{WHAT}: ")
        assert str(mark) in without_see(str(raised.value))
        authority.cert_pem.write_to_path(mark)
        assert ask().summary() == {"total_volume": 5}
        gate.shutdown()
    assert clock.sleeps == []


# Secrets


@given(
    before=st.text(max_size=300),
    start=st.integers(0, len(TOKEN) - 8),
    length=st.integers(8, len(TOKEN)),
    after=st.text(max_size=300),
)
def test_what_is_quoted_is_short_on_one_line_and_without_any_part_of_the_token(
    before: str, start: int, length: int, after: str
) -> None:
    part = TOKEN[start : start + length]
    quoted = client_of_no_host().quote(before + part + after)
    assert len(quoted) <= QUOTE
    assert quoted.rstrip() == " ".join(quoted.split())
    assert not any(part[place : place + 8] in quoted for place in range(len(part) - 7))


@pytest.mark.parametrize("status", [b"400 No %s", b"500 No %s", b"429 No %s", b"401 No %s"])
def test_a_refusal_does_not_show_the_token(status: bytes) -> None:
    text = ("x" * (QUOTE - 6) + TOKEN).encode()
    with (
        Host(starts=[refusal(status % TOKEN.encode(), text)]) as host,
        pytest.raises((FatalAPIError, RetriableAPIError)) as raised,
    ):
        Client(host).summary(tries=1)
    assert f": {status[:3].decode()} No [api_token], Lexer says: {'x' * (QUOTE - 6)}[api_t" in without_see(
        str(raised.value)
    )
    assert "a-token" not in without_see(str(raised.value))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("'mention_sla_export' is an unknown type, (sorry).", "'mention_sla_export' is an unknown type, (sorry)."),
        ("It's a well-known date_to: 2026-03-01", "It's a well-known date_to: [...]"),
        ("see https://a.example/x?y=Z now", "see [...] now"),
        ("JOB0123 abc.def ab/cd ab+cd= %2Fab", "[...] [...] [...] [...] [...]"),
        ("f" * 24 + " " + "f" * 25, "f" * 24 + " [...]"),
        ("Größe, bitte!", "Größe, bitte!"),
        ("", ""),
    ],
)
def test_plain_words_are_no_secrets(text: str, shown: str) -> None:
    assert plain_words(text) == shown


@pytest.mark.parametrize("code", [400, 404, 429, 503])
def test_of_an_answer_about_an_export_nothing_is_quoted_that_may_be_a_secret(code: int) -> None:
    text = b'{"error": "no job r3p0rt.T0k3n/ab+c= at files.example.com/x?sig=abc%2Fdef"}'
    refused = refusal(b"%d No r3p0rt.T0k3n/ab+c=" % code, text)
    with Host(statuses=[refused], starts=[refused]) as host:
        client = Client(host)
        for ask, said in (
            (partial(client.status, "r3p0rt.T0k3n/ab+c="), " (Lexer's words are not shown: a link may be in them)"),
            (partial(client.report, BODY, is_secret=True), " No [...], Lexer says: no job [...] at [...]"),
        ):
            with pytest.raises((FatalAPIError, RetriableAPIError)) as raised:
                ask(what="the job", tries=1)
            assert without_see(str(raised.value)).startswith(f"the job: {code}{said}")
            assert not re.search("r3p0rt|sig=", without_see(str(raised.value)))
    assert host.jobs[0] == "token=r3p0rt.T0k3n%2Fab%2Bc%3D"


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (
            with_length(b'{"%s": 1, "%s": 2}' % (JOB.encode(), JOB.encode())),
            "the answer has a name twice in one object",
        ),
        (
            moved(f"http://127.0.0.1:{JOB}/"),
            "HOST is an invalid address, or redirects to one (not shown: it may hold",
        ),
    ],
    ids=shown,
)
def test_other_errors_about_an_export_show_nothing_of_its_answer_either(sent: bytes, said: str) -> None:
    with Host(statuses=[sent]) as host, pytest.raises(FatalAPIError) as raised:
        Client(host).status(JOB, what="the job")
    assert said.replace("HOST", host.origin.removeprefix("http://")) in without_see(str(raised.value))
    assert JOB not in without_see(str(raised.value))


def test_a_name_that_stands_twice_is_shown_without_the_token() -> None:
    with Host(starts=[with_length(b'{"%s": 1, "%s": 2}' % (TOKEN.encode(), TOKEN.encode()))]) as host:
        assert failed(Client(host), UnexpectedAnswerError).endswith("the name [api_token] twice in one object")


# Others


def test_other_sessions_count_against_the_quota_on_lexer_s_own_hosts_only() -> None:
    with (
        Host(with_length(b"[]")) as host,
        Host(with_length(b"[]")) as host_of_statuses,
        Host(with_length(b"[]")) as other,
        requests.Session() as session,
    ):
        client = Client(host, export_status_url=f"{host_of_statuses.origin}/status")
        client.http.throttle(session)
        spent = []
        for each in (host, host_of_statuses, other):
            for url in (each.origin, each.origin.replace("http://", "HTTP://jo:password@")):
                session.get(f"{url}/file", timeout=30)
                spent.append(client.limiter.spent)
    assert spent == [1, 2, 3, 4, 4, 4]


def test_a_port_that_a_link_need_not_name_makes_no_difference_to_the_quota() -> None:
    with requests.Session() as session:
        client = Client(api_url="https://lexer.invalid/v1", export_status_url="https://status.invalid:443/status")
        client.http.throttle(session)
        for url in ("https://lexer.invalid:443/file", "https://status.invalid/file", "https://files.invalid/file"):
            with pytest.raises(requests.exceptions.ConnectionError):
                session.get(url, timeout=30)
    assert client.limiter.spent == 2


def test_a_request_is_described_by_its_type_its_range_and_its_form() -> None:
    assert request_label(BODY | {"form": 55}) == "'summary' from 2026-01-05T00:00:00Z to 2026-01-05T23:59:59Z, form 55"


def test_a_date_without_a_zone_is_in_utc() -> None:
    assert retry_after("Sun, 01 Feb 2026 00:01:00", now=NOW) == 60
