"""Personal data: every column classed, and the ready stream maps run, searched for every person of the sandbox, and joined."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
import subprocess
import sys
from functools import cache
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
import yaml
from conftest import SCHEMAS

from tap_lexer_activity.sandbox import people

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conftest import Run, Tap

    from tap_lexer_activity.sandbox import Sandbox

    Rows = dict[str, list[dict[str, Any]]]

pytestmark = [pytest.mark.proof, pytest.mark.hurried]

ROOT = Path(__file__).parents[2]
PROFILE = ROOT / "privacy" / "stream_maps.json"
MAPS: dict[str, dict[str, str | None]] = json.loads(PROFILE.read_text(encoding="utf-8"))["stream_maps"]
CLASSES: dict[str, dict[str, list[str]]] = yaml.safe_load(
    (ROOT / "privacy" / "columns.yml").read_text(encoding="utf-8")
)
DOCUMENT = (ROOT / "docs" / "privacy.md").read_text(encoding="utf-8")
SEED = "a salt of the tests"
START = "2026-04-06"
KEYS = {"case_details": ["record_id"], "mention_sla_export": ["record_id"], "nps_submissions": ["form_id", "record_id"]}


def digest(text: str) -> str:
    return hashlib.sha256((SEED + text).encode()).hexdigest()


@cache
def columns_of(stream: str) -> list[str]:
    return list(json.loads((SCHEMAS / f"{stream}.json").read_text(encoding="utf-8"))["properties"])


# What is written down


def test_every_column_of_every_stream_is_classed_once() -> None:
    assert {stream: sorted(chain(*classes.values())) for stream, classes in CLASSES.items()} == {
        path.stem: sorted(columns_of(path.stem)) for path in SCHEMAS.glob("*.json")
    }
    assert set(chain(*CLASSES.values())) == {"names", "belongs", "none"}


def test_every_column_with_names_is_hashed_or_dropped() -> None:
    for stream, classes in CLASSES.items():
        for name in classes.get("names", ()):
            maps = MAPS[stream]
            rule = maps.get(name, maps.get("__else__", name))
            assert rule is None or re.match(r"sha256\(config\['hash_seed'\] \+ ", rule), f"{stream}.{name}"


def test_no_column_is_forgotten_that_could_stay() -> None:
    for stream, maps in MAPS.items():
        if "__else__" in maps:
            kept = {name for name in maps if not name.startswith("__")}
            assert set(chain(*(CLASSES[stream].get(kind, []) for kind in ("belongs", "none")))) <= kept


@pytest.mark.parametrize("kind", ["names", "belongs"])
def test_the_document_lists_the_columns(kind: str) -> None:
    heading = {"names": "Names and words", "belongs": "What belongs to a person"}[kind]
    (section,) = re.findall(rf"^## {heading}\n(.*?)(?=^## )", DOCUMENT, re.MULTILINE | re.DOTALL)
    rows = [re.findall(r"`([^`]+)`", line) for line in section.splitlines() if line.startswith("| `")]
    assert {row[0]: row[1:] for row in rows} == {
        stream: classes[kind] for stream, classes in CLASSES.items() if kind in classes
    }


# What is emitted


def people_of_the_sandbox() -> Iterator[str]:
    """All that names a person, and all that one has said, or was said to or of them."""
    for agent in people.AGENTS:
        yield from (agent.email, agent.first_name, agent.last_name, agent.full_name)
    yield from chain(*people.CUSTOMERS, people.CUSTOMER_TEXTS, people.AGENT_TEXTS, people.AGENT_NOTES)
    yield from chain(people.CUSTOMER_NOTES, people.SURVEY_COMMENTS)
    yield from (answer for questions in people.QUESTIONS.values() for _, answers in questions for answer in answers)


PEOPLE = frozenset(filter(None, people_of_the_sandbox()))
LONG = {text for text in PEOPLE if len(text.encode()) > 4}
"""Those that can't be a part of something else by chance."""


def texts_in(value: Any) -> Iterator[str]:
    """All texts in a JSON value, names of columns included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        yield from chain.from_iterable(map(texts_in, chain(*value.items()) if isinstance(value, dict) else value))


def recognised(*values: Any) -> set[str]:
    """The people in JSON values: a short name as a whole text, a long one in any."""
    texts = set(texts_in(list(values)))
    return {*PEOPLE & texts} | {person for person in LONG for text in texts if person in text}


def named_in(*outputs: str) -> set[str]:
    """The people in anything else, however it writes them."""
    forms = {
        person: {person, json.dumps(person)[1:-1], json.dumps(person, ensure_ascii=False)[1:-1]} for person in LONG
    }
    return {
        person for person, written in forms.items() if any(form in output for form in written for output in outputs)
    }


@pytest.fixture
def sandbox(new_sandbox: Callable[..., Sandbox]) -> Sandbox:
    return new_sandbox(messages_per_day=20, export_seconds=0)


@pytest.fixture
def load(tap: Tap, sandbox: Sandbox, tmp_path: Path) -> Callable[..., tuple[Run, Rows]]:
    """Runs the tap, and gives the rows with those of its batch files."""

    def run(*options: str, code: int = 0, **settings: Any) -> tuple[Run, Rows]:
        config = sandbox.config(start_date=START, report_interval="week", **settings)
        done = tap.run(config, *options, env={"TAP_LEXER_ACTIVITY_LOGLEVEL": "DEBUG"})
        assert done.code == code, done.log
        rows = dict(done.records)
        for message in done.messages:
            for url in message.get("manifest", ()):
                packed = (tmp_path / url.rpartition("/")[2]).read_bytes()
                rows.setdefault(message["stream"], []).extend(map(json.loads, gzip.decompress(packed).splitlines()))
        return done, rows

    return run


def test_the_search_finds_people(load: Callable[..., tuple[Run, Rows]]) -> None:
    done, rows = load()
    assert len(recognised(rows)) > len(PEOPLE) * 0.9
    assert len(named_in(done.out)) > len(LONG) * 0.9


BATCHES = {"encoding": {"format": "jsonl", "compression": "gzip"}}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """All ways to emit rows, or a sample."""
    if "way" in metafunc.fixturenames:
        ways = ["records", "discovered columns", "batch files", "flattened", "other columns"]
        metafunc.parametrize("way", ways if metafunc.config.getoption("long") else ways[:2])


def test_nobody_is_recognised_and_all_joins_hold(
    load: Callable[..., tuple[Run, Rows]], sandbox: Sandbox, tmp_path: Path, keep: Callable[..., None], way: str
) -> None:
    settings: dict[str, dict[str, Any]] = {
        "batch files": {"batch_config": BATCHES | {"storage": {"root": tmp_path.as_uri()}}},
        "discovered columns": {"discover_export_columns": True},
        "flattened": {"flattening_enabled": True, "flattening_max_depth": 1},
    }
    _, plain = load()
    if way == "other columns":
        sandbox.fault("export_extra_columns", times=None)
    done, private = load("--config", str(PROFILE), **settings.get(way, {}), stream_map_config={"hash_seed": SEED})

    rest = [message for message in done.messages if message["type"] != "RECORD"]
    assert "stream_maps: " not in done.log, "nothing in the profile is without an effect"
    seen = recognised(*private.values(), *rest) | named_in(done.out, done.log)
    assert seen == set()
    assert {name: len(rows) for name, rows in private.items()} == {name: len(rows) for name, rows in plain.items()}

    for stream, key in KEYS.items():
        ids = [tuple(row[name] for name in key) for row in private[stream]]
        assert len(set(ids)) == len(ids)
        if stream != "nps_submissions" or way != "other columns":  # whose id is made of all its columns
            assert {row["record_id"] for row in private[stream]} == {digest(row["record_id"]) for row in plain[stream]}
    by_id = {row["record_id"]: row for row in private["mention_sla_export"]}
    kept = [*CLASSES["mention_sla_export"]["belongs"], *CLASSES["mention_sla_export"]["none"]]
    for row in plain["mention_sla_export"]:
        its_own = by_id[digest(row["record_id"])]
        assert [its_own[name] for name in kept if name != "record_id"] == [
            row[name] for name in kept if name != "record_id"
        ]
        assert its_own["customer_username"] == (digest(row["customer_username"]) if row["customer_username"] else None)

    users = {row["id"]: row for row in private["users"]}
    assert users.keys() == {row["id"] for row in plain["users"]}
    assert {row["id"]: row["email"] for row in users.values()} == {
        row["id"]: digest(row["email"]) for row in plain["users"]
    }
    for stream in ("user_summary", "user_volume"):
        for row in private[stream]:
            assert (row["first_name"], row["last_name"]) == tuple(
                users[row["user_id"]][n] for n in ("first_name", "last_name")
            )
    agents = {row["name_hash"] for row in users.values()}
    assert len(agents) == len(users)
    for stream, column in (
        ("mention_sla_export", "agent_name_hash"),
        ("case_details", "last_agent"),
        ("nps_submissions", "agent"),
    ):
        found = {row[column] for row in private[stream] if row[column]}
        assert found
        assert found <= agents
    customers = {row["customer_fullname"] for row in private["mention_sla_export"]}
    answered = {row["customer_fullname"] for row in private["nps_submissions"]}
    assert len(answered - {None}) > 1
    assert answered <= customers, "who answered a survey is known by the messages"
    keep("privacy", way=way, rows=sum(map(len, private.values())), people=len(PEOPLE), recognised=len(seen))


def test_without_a_salt_nothing_of_a_person_is_emitted(load: Callable[..., tuple[Run, Rows]]) -> None:
    for settings in ({}, {"stream_map_config": {"salt": SEED}}):
        done, rows = load("--config", str(PROFILE), code=1, **settings)
        assert done.errors[-1].startswith("stream_map_config[hash_seed]: is missing")
        assert named_in(done.out, done.log) | recognised(rows) == set()


def test_with_a_blank_salt_nothing_is_read(load: Callable[..., tuple[Run, Rows]], sandbox: Sandbox) -> None:
    done, rows = load("--config", str(PROFILE), code=1, stream_map_config={"hash_seed": " "})
    assert done.errors[-1].startswith("stream_map_config[hash_seed]: is empty")
    assert not rows
    assert not sandbox.requests


def test_the_maps_work_in_meltano(sandbox: Sandbox, tmp_path: Path) -> None:
    tools = Path(sys.executable).parent
    project = (ROOT / "meltano.yml").read_text(encoding="utf-8")
    for command in ("tap-lexer-activity", "target-duckdb-exact"):
        project = project.replace(f"executable: {command}\n", f"executable: {tools / command}\n")
    (tmp_path / "meltano.yml").write_text(
        re.sub(r"^ +pip_url: .*\n", "", project, flags=re.MULTILINE), encoding="utf-8"
    )
    config = sandbox.config(start_date=START, export_window_days=360, stream_map_config={"hash_seed": SEED})
    env = {
        "PATH": os.pathsep.join([str(tools), os.environ["PATH"]]),
        "HOME": str(tmp_path),
        "TMPDIR": os.environ["TMPDIR"],
    }
    for name, value in config.items():
        env[f"TAP_LEXER_ACTIVITY_{name.upper()}"] = value if isinstance(value, str) else json.dumps(value)
    line = ["meltano", "--environment=private", "run", "lexer-to-duckdb"]
    done = subprocess.run(line, capture_output=True, check=False, cwd=tmp_path, env=env, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr

    with duckdb.connect(str(tmp_path / "warehouse.duckdb"), read_only=True) as connection:
        names = [name for (name,) in connection.execute("select table_name from information_schema.tables").fetchall()]
        found = {
            name: connection.sql(f"select to_json(rows)::varchar from lexer.{name} as rows").fetchall()  # noqa: S608 (its own tables)
            for name in names
        }
    rows = {name: [json.loads(row) for (row,) in texts] for name, texts in found.items()}
    assert rows.keys() >= {"users", *KEYS}
    assert recognised(rows) == set()
    assert {row["email"] for row in rows["users"]} == {digest(agent.email) for agent in people.AGENTS}
    kept = [
        path for path in tmp_path.rglob("*") if path.is_file() and path.name not in {"warehouse.duckdb", "meltano.yml"}
    ]
    assert named_in(done.stdout, done.stderr, *(path.read_bytes().decode(errors="replace") for path in kept)) == set()
