"""The sandbox over real sockets, and its command as a real process."""

from __future__ import annotations

import csv
import http.client
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tap_lexer_activity.sandbox import Sandbox
from tap_lexer_activity.sandbox.faults import FAULTS, LONG_NUMBER, parse

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMAND = (sys.executable, "-c", "from tap_lexer_activity.sandbox.cli import main; main()")
APRIL = {"date_from": "2026-04-01T00:00:00+11:00", "date_to": "2026-04-30T23:59:59+10:00"}
OPTIONS = ("--clock", "2026-05-01T10:00:00+10:00", "--messages-per-day", "5")


@pytest.fixture(scope="module")
def shared() -> Iterator[Sandbox]:
    with Sandbox(clock="2026-05-01T10:00:00+10:00", messages_per_day=5, quota=(100_000, 10), export_seconds=0) as box:
        yield box


@pytest.fixture
def box(shared: Sandbox) -> Iterator[Sandbox]:
    shared.requests.clear()
    shared.leaks.clear()
    yield shared
    shared.clear_faults()
    shared.clock = "2026-05-01T10:00:00+10:00"


def get(box: Sandbox, name: str, token: str | None = None) -> requests.Response:
    return requests.get(f"{box.api_url}/{name}", headers={"Auth-Api-Token": token or box.token}, timeout=10)


def post(box: Sandbox, body: Any, timeout: float = 10) -> requests.Response:
    headers = {"Auth-Api-Token": box.token}
    return requests.post(f"{box.api_url}/activity/reports", json=body, headers=headers, timeout=timeout)


def summary(box: Sandbox, timeout: float = 10) -> requests.Response:
    return post(box, {"type": "summary", **APRIL}, timeout)


def link(box: Sandbox, kind: str = "mention_sla_export") -> dict[str, Any]:
    """Start an export and ask for its status once."""
    job = post(box, {"type": kind, "form": 55, **APRIL}).json()
    assert (job["status"], job["url"]) == ("pending", None)
    return status(box, job["token"])


def status(box: Sandbox, token: str) -> dict[str, Any]:
    headers = {"Auth-Api-Token": box.token}
    answer = requests.get(box.export_status_url, params={"token": token}, headers=headers, timeout=10)
    content: dict[str, Any] = answer.json()
    return content


def rows(text: str) -> list[tuple[str, ...]]:
    return [tuple(row) for row in csv.reader(io.StringIO(text, newline=""))]


def test_every_report_is_served_as_it_is_counted(box: Sandbox) -> None:
    for kind in ("summary", "states_volume", "user_volume", "user_summary", "nps_volume", "case_volume"):
        assert post(box, {"type": kind, "form": 56, **APRIL}).json() == box.report(kind, **APRIL, form=56)
    assert [request.status for request in box.requests] == [200] * 6
    assert box.requests[0].body == {"type": "summary", "form": 56, **APRIL}
    assert box.requests[0].origin == "api"
    assert box.requests[0].had_token


def test_users_groups_and_forms_have_the_documented_properties(box: Sandbox) -> None:
    users, groups, forms = (get(box, name).json() for name in ("users", "groups", "forms"))
    assert " ".join(users[0]) == (
        "id email first_name last_name timezone gmtoffset sign_in_count last_sign_in_at archived groups"
    )
    assert " ".join(groups[0]) == "id name comment"
    assert " ".join(forms[0]) == "id name title archived created_at groups nps form_url"
    assert [form["nps"] for form in forms] == [True, True, False]
    assert None in {group["comment"] for group in groups}
    assert None in {user["last_sign_in_at"] for user in users}
    assert {user["archived"] for user in users} == {True, False}
    assert 9.5 in {user["gmtoffset"] for user in users}


def test_a_connection_serves_many_requests(box: Sandbox) -> None:
    connection = http.client.HTTPConnection(box.origin.removeprefix("http://"), timeout=10)
    sockets = set()
    for path in ("/v1/groups", "/v1/users", "/v1/groups"):
        connection.request("GET", path, headers={"Auth-Api-Token": box.token})
        assert connection.getresponse().read()
        sockets.add(connection.sock)
    connection.close()
    assert len(sockets) == 1


def test_errors_are_the_documented_ones(box: Sandbox) -> None:
    answers = [
        get(box, "users", "wrong"),
        requests.get(f"{box.api_url}/users", timeout=10),
        post(box, {"type": "nonsense", **APRIL}),
        post(box, ["no object"]),
        get(box, "elsewhere"),
        get(box, "activity/reports"),
    ]
    assert [(answer.status_code, answer.json()["error"]) for answer in answers] == [
        (401, "Unauthorized - api token not matching"),
        (401, "Unauthorized"),
        (400, "Invalid report - invalid type"),
        (404, "Not found"),
        (404, "Not found"),
        (404, "Not found"),
    ]


def test_an_export_has_the_rows_of_its_report(box: Sandbox) -> None:
    for kind in ("case_details", "mention_sla_export", "nps_submissions"):
        job = link(box, kind)
        assert job["status"] == "complete"
        answer = requests.get(job["url"], timeout=10)
        assert rows(answer.content.decode()) == box.report(kind, **APRIL, form=55)
    assert len(box.report("mention_sla_export", **APRIL)) - 1 == summary(box).json()["total_volume"]
    assert {request.origin for request in box.requests} == {"api", "status", "download"}


def test_an_export_is_pending_for_a_while() -> None:
    with Sandbox(clock="2026-05-01T10:00:00+10:00", messages_per_day=5, export_seconds=0.3) as box:
        job = link(box)
        assert (job["status"], job["url"]) == ("pending", None)
        time.sleep(0.35)
        assert status(box, job["token"])["status"] == "complete"


def test_the_file_host_refuses_the_token_and_a_bad_signature(box: Sandbox) -> None:
    job = link(box)
    assert not job["url"].startswith(box.origin)
    assert requests.get(job["url"], headers={"Auth-Api-Token": "any"}, timeout=10).status_code == 400
    assert [leak.path for leak in box.leaks] == [f"/downloads/activity_{job['token']}"]
    assert requests.get(job["url"] + "0", timeout=10).status_code == 403
    assert requests.get(job["url"].split("?")[0], timeout=10).status_code == 403
    assert requests.get(job["url"], timeout=10).status_code == 200


def test_the_quota_is_exact_and_its_window_slides() -> None:
    with Sandbox(messages_per_day=5, quota=(3, 0.6), retry_after="seconds") as box:
        assert [get(box, "wrong" if n == 0 else "groups").status_code for n in range(4)] == [404, 200, 200, 429]
        assert get(box, "groups").headers["Retry-After"] == "1"
        assert (box.rate_limited, get(box, "groups", "wrong").status_code) == (2, 401)
        time.sleep(0.6)
        assert [get(box, "groups").status_code for _ in range(4)] == [200, 200, 200, 429]
        box.reset_quota()
        assert get(box, "groups").status_code == 200


def test_a_refusal_names_the_wait_only_if_told_to() -> None:
    for retry_after in (None, "date"):
        with Sandbox(messages_per_day=5, quota=(1, 100), retry_after=retry_after) as box:
            get(box, "groups")
            found = get(box, "groups").headers.get("Retry-After")
            assert (found is None) == (retry_after is None)
            if found:
                assert 95 < parsedate_to_datetime(found).timestamp() - time.time() <= 101


def test_many_clients_are_served_at_once() -> None:
    with Sandbox(messages_per_day=5, quota=(20, 60)) as box:
        found: list[int] = []
        threads = [threading.Thread(target=lambda: found.append(get(box, "forms").status_code)) for _ in range(30)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(found) == [200] * 20 + [429] * 10
        assert len(box.requests) == 30


def test_the_clock_moves_and_history_is_restated(box: Sandbox) -> None:
    series = {"type": "states_volume", **APRIL}
    before, whole = post(box, series).json(), summary(box).json()
    answer = requests.post(f"{box.origin}/_sandbox/clock", json={"advance_seconds": 2 * 86_400}, timeout=10)
    assert answer.json()["clock"] == "2026-05-03T10:00:00+10:00" == box.clock.isoformat()
    assert post(box, series).json() != before
    assert summary(box).json()["total_volume"] == whole["total_volume"]
    requests.post(f"{box.origin}/_sandbox/clock", json={"clock": "2026-05-01T00:00:00Z"}, timeout=10)
    assert post(box, series).json() == before
    assert requests.post(f"{box.origin}/_sandbox/clock", json={"clock": "soon"}, timeout=10).status_code == 400


def test_the_controls_need_no_token_and_do_not_count(box: Sandbox) -> None:
    truth = requests.get(f"{box.origin}/_sandbox/ledger", params=APRIL, timeout=10).json()
    assert len(truth) == box.report("summary", **APRIL)["total_volume"]
    fault = {"name": "server_error", "match": "groups", "times": 1, "value": 503}
    assert requests.post(f"{box.origin}/_sandbox/faults", json=fault, timeout=10).json()["faults"] == ["server_error"]
    assert requests.delete(f"{box.origin}/_sandbox/faults", timeout=10).json()["faults"] == []
    unknown = requests.post(f"{box.origin}/_sandbox/faults", json={"name": "gremlins"}, timeout=10)
    assert unknown.status_code == 400
    assert "rate_limited" in unknown.json()["error"]
    assert requests.get(f"{box.origin}/_sandbox/state", timeout=10).json()["requests"] == 0
    get(box, "groups")
    [seen] = requests.get(f"{box.origin}/_sandbox/requests", timeout=10).json()
    assert (seen["path"], seen["status"], seen["had_token"]) == ("/v1/groups", 200, True)


def test_a_running_clock_keeps_up_with_the_real_one() -> None:
    with Sandbox(messages_per_day=5) as box:
        assert abs(box.clock.timestamp() - time.time()) < 5
        assert box.end_date is None
        box.advance(3600)
        assert abs(box.clock.timestamp() - time.time() - 3600) < 5
        assert (box.clock.date().toordinal() - box.ledger.history_start.toordinal()) > 13 * 30


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("rate_limited", 7, 429),
        ("server_error", None, 500),
        ("server_error", 503, 503),
        ("html_error", None, 502),
        ("unauthorized", None, 401),
        ("forbidden", None, 403),
        ("bad_request", "Invalid report - no", 400),
        ("not_found", None, 404),
        ("not_json", None, requests.exceptions.JSONDecodeError),
        ("truncated_json", None, requests.exceptions.JSONDecodeError),
        ("reset", None, requests.exceptions.ConnectionError),
        ("timeout", 2, requests.exceptions.ReadTimeout),
        ("cut_body", None, requests.exceptions.ChunkedEncodingError),
        ("cut_chunked", None, requests.exceptions.ChunkedEncodingError),
        ("redirect_loop", None, requests.exceptions.TooManyRedirects),
        ("redirect", None, 200),
        ("redirect_foreign", None, 400),
        ("slow", 0.2, 200),
        ("slow_loris", 0.001, 200),
        ("slow_headers", 0.001, 200),
        ("early_hints", 0.01, 103),  # which requests takes for the answer
        ("idle_reset", 0, 200),
        ("long_body", None, requests.exceptions.JSONDecodeError),
        ("gzip_garbage", None, requests.exceptions.ContentDecodingError),
        ("gzip_bomb", 1, requests.exceptions.JSONDecodeError),
        ("duplicate_names", None, 200),
        ("echo_token", None, 400),
    ],
)
def test_a_fault_strikes_once_and_then_all_is_well(box: Sandbox, name: str, value: object, expected: Any) -> None:
    right = box.report("summary", **APRIL)
    box.fault(name, "summary", value=value)
    assert get(box, "users").status_code == 200  # not of that type
    if isinstance(expected, int):
        answer = summary(box)
        assert answer.status_code == expected
        assert (expected != 200) or answer.json() == right
        assert (name == "rate_limited") == (answer.headers.get("Retry-After") == "7")
        assert (name == "echo_token") == (box.token in answer.text)
        assert (name == "redirect_foreign") == bool(box.leaks)  # requests takes the header along
    else:
        with pytest.raises(expected):
            summary(box, timeout=0.3 if name == "timeout" else 10).json()
    assert summary(box).json() == right
    if name == "reset":
        assert [request.status for request in box.requests] == [200, 0, 200]


@pytest.mark.parametrize(
    ("name", "kind", "check"),
    [
        ("unknown_shape", "summary", lambda answer: list(answer) == ["data"]),
        ("empty", "states_volume", lambda answer: answer == {}),
        ("empty", "user_summary", lambda answer: answer == []),
        ("nan", "nps_volume", lambda answer: answer[0]["timestamp"] != answer[0]["timestamp"]),
        ("duplicate_rows", "case_volume", lambda answer: answer["open"][0] == answer["open"][1]),
        ("duplicate_rows", "user_summary", lambda answer: answer[0] == answer[1]),
        ("long_number", "user_volume", lambda answer: LONG_NUMBER in str(answer[-1]["states"])),
        ("list_for_object", "nps_summary", lambda answer: isinstance(answer, list)),
        ("list_for_object", "user_summary", lambda answer: isinstance(answer[0], list)),
        ("nameless_user", "user_volume", lambda answer: answer[0]["last_name"] is None),
        ("many_classifications", "case_classifications", lambda answer: len(answer) == 100_000),
        ("form_gone", "nps_summary", lambda answer: answer == {"error": "Not found"}),
        ("other_shape", "user_volume", lambda answer: list(answer[0]) == ["state", "volume"]),
        ("hourly_buckets", "case_volume", lambda answer: len(answer["open"]) == 721),
        ("other_window", "case_volume", lambda answer: "2026-03-04 00:00" in str(answer)),
    ],
)
def test_a_fault_changes_what_a_report_says(box: Sandbox, name: str, kind: str, check: Any) -> None:
    right = box.report(kind, **APRIL, form=55)
    assert not check(right)
    box.fault(name, kind, times=None, after=1)
    assert [check(json.loads(post(box, {"type": kind, "form": 55, **APRIL}).text)) for _ in range(3)] == [
        False,
        True,
        True,
    ]


def test_faults_of_an_export_job(box: Sandbox) -> None:
    expected = {"export_slow": "pending", "export_failed": "failed", "export_unknown_status": "archived"}
    for name, found in expected.items():
        box.fault(name, "mention_sla_export")
        job = link(box)
        assert (job["status"], job["url"]) == (found, None)
        assert status(box, job["token"])["status"] == found
    box.fault("export_null_url")
    job = link(box)
    assert (job["status"], job["url"]) == ("complete", None)
    box.fault("export_expired_link")
    expired = status(box, job["token"])["url"]
    assert requests.get(expired, timeout=10).status_code == 403
    assert requests.get(status(box, job["token"])["url"], timeout=10).status_code == 200
    box.fault("export_foreign_host")
    assert "//localhost:" in status(box, job["token"])["url"]
    box.fault("export_unknown_host")
    assert "//files.invalid:" in status(box, job["token"])["url"]


def test_faults_of_an_export_file(box: Sandbox) -> None:
    right = box.report("mention_sla_export", **APRIL)
    url = link(box)["url"]
    box.fault("export_cut")
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        requests.get(url, timeout=10)
    box.fault("export_cut_silent", "download")
    cut = requests.get(url, timeout=10)
    assert "Content-Length" not in cut.headers
    assert cut.content.count(b'"') % 2 == 1
    for name in ("export_redirect", "export_gzip"):
        box.fault(name)
        whole = requests.get(url, timeout=10)
        assert rows(whole.content.decode()) == right
        assert (name == "export_gzip") == ("Content-Encoding" in whole.headers)
    box.fault("export_extra_columns")
    extra = rows(requests.get(url, timeout=10).content.decode())
    assert [row[: len(right[0])] for row in extra] == right
    assert len(extra[0]) > len(right[0])
    box.fault("export_renamed_columns", value={"State": "Zustand"})
    renamed = rows(requests.get(url, timeout=10).content.decode())
    assert "Zustand" in renamed[0]
    assert renamed[1:] == right[1:]


def test_an_unknown_fault_is_refused_with_the_names_of_all() -> None:
    with pytest.raises(ValueError, match=r"gremlins.*rate_limited.*export_renamed_columns"):
        Sandbox().fault("gremlins")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("reset", ("reset", None, 1, None)),
        ("rate_limited:summary*2=30", ("rate_limited", "summary", 2, 30)),
        ("bad_request*all=Invalid report", ("bad_request", None, None, "Invalid report")),
    ],
)
def test_a_fault_on_the_command_line(text: str, found: tuple[object, ...]) -> None:
    fault = parse(text)
    assert (fault.name, fault.match, fault.times, fault.value) == found
    assert fault.name in FAULTS


def test_the_configuration_is_ready_for_the_tap(box: Sandbox) -> None:
    assert box.config(lookback_days=3) == {
        "api_token": "sandbox-token-0000",
        "api_url": box.api_url,
        "export_status_url": box.export_status_url,
        "timezone": "Australia/Sydney",
        "start_date": "2026-03-02",
        "end_date": "2026-05-01T10:00:00+10:00",
        "rate_limit_requests": 100_000,
        "rate_limit_seconds": 10,
        "lookback_days": 3,
    }


def sandbox_command(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=30, check=False, **options)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_prints_a_configuration_serves_and_ends_tidily(number: signal.Signals) -> None:
    arguments = [*COMMAND, "serve", "--port", "0", *OPTIONS, "--fault", "server_error:groups=503"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        lines: list[str] = []
        while not lines or lines[-1] != "}\n":
            lines.append(process.stdout.readline())
            assert lines[-1], process.communicate()
        config = json.loads("".join(lines))
        headers = {"Auth-Api-Token": config["api_token"]}
        found = [requests.get(f"{config['api_url']}/groups", headers=headers, timeout=10).status_code for _ in range(2)]
        assert found == [503, 200]
        process.send_signal(number)
        out, err = process.communicate(timeout=10)
    assert (process.returncode, out) == (0, "")
    assert "2 requests served" in err
    assert "Traceback" not in err


def test_run_gives_a_command_the_environment_and_takes_its_exit_code() -> None:
    script = (
        "import json, os, requests, sys;"
        "env = {k.removeprefix('TAP_LEXER_ACTIVITY_'): v for k, v in os.environ.items() if k.startswith('TAP_LEXER')};"
        "requests.get(env['API_URL'] + '/forms', headers={'Auth-Api-Token': env['API_TOKEN']}).raise_for_status();"
        "print(json.dumps(env)); sys.exit(7)"
    )
    found = sandbox_command("run", *OPTIONS, "--quota", "50/60", "--", sys.executable, "-c", script)
    assert found.returncode == 7, found.stderr
    env = json.loads(found.stdout)
    assert env["EXPORT_STATUS_URL"].endswith("/api/public/v1/activity/reports/status")
    assert (env["TIMEZONE"], env["RATE_LIMIT_REQUESTS"], env["RATE_LIMIT_SECONDS"]) == ("Australia/Sydney", "50", "60")
    assert (env["START_DATE"], env["END_DATE"]) == ("2026-03-02", "2026-05-01T10:00:00+10:00")
    assert len(found.stderr.splitlines()) == 2
    assert "1 requests served, 0 answers of 429" in found.stderr
    kept = os.environ | {"TAP_LEXER_ACTIVITY_START_DATE": "2026-04-01"}
    assert (
        '"START_DATE": "2026-04-01"'
        in sandbox_command(*("run", *OPTIONS, "--", sys.executable, "-c", script), env=kept).stdout
    )


def test_run_forwards_a_signal_and_says_how_the_command_ended() -> None:
    waits = "import sys, time; print('ready', flush=True); time.sleep(30)"
    arguments = [*COMMAND, "run", *OPTIONS, "--", sys.executable, "-c", waits]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=10)
    assert process.returncode == 128 + signal.SIGTERM


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (("run", "--timezone", "Mars/Olympus", "--", "true"), 1, "unknown timezone 'Mars/Olympus'"),
        (("run", "--fault", "gremlins", "--", "true"), 1, "unknown fault 'gremlins'"),
        (("run", "--fault", "a b", "--", "true"), 1, "NAME[:MATCH][*TIMES][=VALUE]"),
        (("run", "--quota", "many", "--", "true"), 1, "REQUESTS/SECONDS"),
        (("run", "--clock", "soon", "--", "true"), 1, "ISO 8601"),
        (("run", "--history-start", "long ago", "--", "true"), 1, "long ago"),
        (("run", "--token", "0123456789", "--", "true"), 1, "--token should begin with sandbox-"),
        (("run", "--", "no-such-command-anywhere"), 127, "no-such-command-anywhere can't be run"),
        (("serve", "--host", "0.0.0.0"), 2, "127.0.0.1"),  # noqa: S104 refused, which is the point
    ],
)
def test_bad_input_gets_one_clear_line(arguments: tuple[str, ...], code: int, text: str) -> None:
    found = sandbox_command(*arguments)
    assert (found.returncode, found.stdout) == (code, "")
    assert text in found.stderr
    assert "Traceback" not in found.stderr


def test_a_port_in_use_and_a_missing_flask_are_clear_errors(box: Sandbox, tmp_path: Any) -> None:
    found = sandbox_command("serve", "--port", box.origin.rsplit(":", 1)[1])
    assert found.returncode == 1
    assert "choose another --port" in found.stderr
    (tmp_path / "flask.py").write_text("raise ModuleNotFoundError('No module named flask', name='flask')")
    path = os.pathsep.join(filter(None, (str(tmp_path), os.environ.get("PYTHONPATH"))))
    missing = sandbox_command("serve", env=os.environ | {"PYTHONPATH": path})
    assert missing.returncode == 1
    assert "uv tool install '.[sandbox]'" in missing.stderr
