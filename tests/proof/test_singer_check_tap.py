"""`singer-check-tap` of singer-tools, as users install it: in an environment of its own.

It holds each record against the schema that came before, by JSON Schema's draft 4, and counts.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from conftest import BIN, ENVIRONMENT
from pipelines.programs import environment
from proof.account import NOW
from support.states import bookmarks

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Run
    from proof.account import Account

pytestmark = pytest.mark.proof

Check = subprocess.CompletedProcess[str]


@pytest.fixture(scope="session")
def program() -> Path:
    return environment("singer-tools", "singer-tools") / "singer-check-tap"


@pytest.fixture
def check(program: Path, tmp_path: Path) -> Callable[..., Check]:
    """Runs the program with these options, and this on its standard input."""

    def run(*options: str, text: str = "") -> Check:
        command = [str(program), *options]
        return subprocess.run(
            command, input=text, capture_output=True, check=False, text=True, cwd=tmp_path, env=ENVIRONMENT, timeout=120
        )

    return run


def counted(run: Run) -> Counter[str]:
    return Counter(message["type"] for message in run.messages)


def verdicts(said: str) -> list[dict[str, Any]]:
    """What it says of each run: its messages by type, and records and schemas by stream."""
    found = []
    for part in said.split("The output is valid.")[1:]:
        types = {kind.upper(): int(number) for number, kind in re.findall(r"(\d+) (\w+) messages\n", part)}
        rows = re.findall(r"\| (\w+) +\| (\d+) +\| (\d+) +\|", part)
        found.append(
            {"types": types, "streams": {name: (int(records), int(schemas)) for name, records, schemas in rows}}
        )
    return found


def test_the_output_of_all_streams_is_valid_and_counted_alike(account: Account, check: Callable[..., Check]) -> None:
    done = check(text=account.first.out)
    assert done.returncode == 0, done.stderr
    (verdict,) = verdicts(done.stdout)
    assert verdict["types"] == counted(account.first)
    assert verdict["streams"] == {name: (len(records), 1) for name, records in account.first.records.items()}
    assert verdict["streams"].keys() == account.streams.keys()


def test_the_output_of_a_run_with_a_state_is_valid(account: Account, check: Callable[..., Check]) -> None:
    run = account.read(state=account.first.state)
    done = check(text=run.out)
    assert done.returncode == 0, done.stderr
    assert [verdict["types"] for verdict in verdicts(done.stdout)] == [counted(run)]


@pytest.mark.parametrize("stream", ["users", "nps_volume", "mention_sla_export"])
def test_a_record_that_does_not_fit_its_schema_is_not_valid(
    account: Account, check: Callable[..., Check], stream: str
) -> None:
    """The verdict means something."""
    column = "email" if stream == "users" else "date_from"
    lines = account.first.messages
    record = next(line["record"] for line in lines if line["type"] == "RECORD" and line["stream"] == stream)
    record[column] = 5
    done = check(text="".join(f"{json.dumps(line)}\n" for line in lines))
    assert done.returncode == 1
    assert "The output is valid" not in done.stdout
    assert column in done.stderr


# The program reads the tap's output in a thread, waits for the tap's process alone, and breaks down if the thread has not ended by then.
PATIENT = """#!/bin/sh
"{tap}" "$@"
code=$?
exec >&-
while [ "$(ls /proc/$PPID/task | wc -l)" -gt 1 ]; do sleep 0.1; done
exit $code
"""


def test_it_runs_the_tap_and_then_again_from_its_state(
    account: Account, check: Callable[..., Check], tmp_path: Path
) -> None:
    """With `--tap`, the program gives the configuration, and the last state of the first run to the second."""
    account.sandbox.clock = NOW
    tap = tmp_path / "tap"
    tap.write_text(PATIENT.format(tap=BIN / "tap-lexer-activity"), encoding="utf-8")
    tap.chmod(0o755)
    config = account.tap.file(account.config(start_date="2026-04-29", lookback_days=1))
    done = check("--tap", str(tap), "--config", str(config))
    assert done.returncode == 0, done.stdout + done.stderr
    first, second = verdicts(done.stdout)
    assert first["streams"].keys() == second["streams"].keys() == account.streams.keys() - {"workflow_states"}
    fewer = {name for name, counts in second["streams"].items() if counts < first["streams"][name]}
    assert fewer == account.incremental - {"workflow_states"}
    state = json.loads((tmp_path / "singer-check-tap-data" / "state.json").read_text(encoding="utf-8"))
    assert {stream for stream, _ in bookmarks(state)} == fewer


def test_it_tells_of_a_tap_that_fails(account: Account, check: Callable[..., Check]) -> None:
    config = account.tap.file(account.config(api_token="a-wrong-token-1234"))
    done = check("--tap", str(BIN / "tap-lexer-activity"), "--config", str(config))
    assert (done.returncode, done.stdout.splitlines()[-1]) == (1, "ERROR: tap exited with status 1")
