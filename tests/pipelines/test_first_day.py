"""The first day of someone with an account: README.md and docs/ as they are printed, from an empty folder, on real servers.

Commands, settings and files are taken out of the text. What is filled in is what the text says: token, dates, names, passwords. The one
thing that differs is the Lexer at the other end, which is the sandbox.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pytest
import trustme
import yaml
from pipelines.programs import ROOT, Postgres
from pipelines.tables import Emitted, table_of

from tap_lexer_activity.sandbox import Sandbox
from tap_lexer_activity.sandbox.people import AGENTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.tables import Tables

pytestmark = pytest.mark.pipelines

START_PAGE = "docs/getting-started.md"
GETTING_STARTED = (ROOT / START_PAGE).read_text(encoding="utf-8")
START = "2026-04-27"
PASSWORD = "p@ss: w%rd/"
BY_PASSWORD = "all all 127.0.0.1/32 scram-sha-256"
BY_CERTIFICATE = "hostssl all by_certificate 127.0.0.1/32 cert"
NOT_CLONED = shutil.ignore_patterns(
    *(
        ".git",
        ".venv",
        ".nox",
        ".pipelines",
        ".proof",
        ".meltano",
        ".*_cache",
        ".hypothesis",
        "__pycache__",
        "*.duckdb",
    ),
    *("output", "mutants", "dist", ".env", "config.json", "salt.json", "target.json", "state.json", "state.log"),
)
"""What git ignores, and may lie here."""
VERSIONS = {"target-postgres": "target-postgres", "target-snowflake": "snowflake"}
"""What a printed line installs → the file with the versions that the tests run with."""


def printed(document: str, language: str, phrase: str) -> str:
    """The one block of a document in which this stands."""
    text = (ROOT / document).read_text(encoding="utf-8")
    (found,) = (block for block in re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL) if phrase in block)
    return str(found)


class Clone:
    """A clone of this repository in which someone types what they read.

    Attributes:
        folder: Where it is.
        env: The environment variables of what is typed.
    """

    def __init__(self, folder: Path, sandbox: Sandbox) -> None:
        self.folder = folder / "tap-lexer-activity"
        shutil.copytree(ROOT, self.folder, ignore=NOT_CLONED)
        self._sandbox = sandbox
        uv = shutil.which("uv")
        assert uv
        bin_dir = folder / "bin"
        ours = ("PYTHON", "VIRTUAL_ENV", "PG", "TAP_LEXER_", "TARGET_", "MELTANO_", "DBT_", "LEXER_")
        self.env = {name: value for name, value in os.environ.items() if not name.startswith(ours)} | {
            "PATH": os.pathsep.join([str(bin_dir), str(Path(uv).parent), "/usr/local/bin", "/usr/bin", "/bin"]),
            "UV_TOOL_DIR": str(folder / "tools"),
            "UV_TOOL_BIN_DIR": str(bin_dir),
            "UV_PYTHON": sys.executable,
        }

    def file(self, name: str) -> Path:
        return self.folder / name

    def try_(self, commands: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Type commands; how they ended."""
        return subprocess.run(
            ["bash", "-O", "expand_aliases", "-ec", commands],
            capture_output=True,
            check=False,
            cwd=self.folder,
            env=self.env | env,
            text=True,
            encoding="utf-8",
            timeout=400,
        )

    def run(self, commands: str, **env: str) -> str:
        """Type commands that have to end well; what they printed."""
        for name, versions in VERSIONS.items():
            if f"tool install 'meltanolabs-{name}" in commands:
                env["UV_CONSTRAINT"] = str(ROOT / "tests" / "pipelines" / f"constraints-{versions}.txt")
        done = self.try_(commands, **({"UV_CONSTRAINT": "constraints.txt"} if "tool install" in commands else {}) | env)
        assert done.returncode == 0, f"{commands}\n{done.stdout}{done.stderr}"
        return done.stdout

    @property
    def account(self) -> dict[str, object]:
        """What the one who types knows of the account."""
        return {name: value for name, value in self._lexer.items() if name in ("api_token", "start_date", "timezone")}

    @property
    def elsewhere(self) -> dict[str, object]:
        """Where the sandbox is, and what it allows: of this the text says nothing."""
        return {name: value for name, value in self._lexer.items() if name not in self.account}

    @property
    def _lexer(self) -> dict[str, object]:
        return self._sandbox.config(start_date=START)

    def fill_in_json(self, name: str, **values: object) -> None:
        """Edit values of a file that are there already."""
        content = json.loads(self.file(name).read_text(encoding="utf-8"))
        assert values.keys() <= content.keys()
        self.file(name).write_text(json.dumps(content | values), encoding="utf-8")

    def fill_in_env(self, **values: object) -> None:
        """Edit .env as it says itself: give values to lines that are there already, and take the # away in front."""
        path = self.file(".env")
        text = path.read_text(encoding="utf-8")
        for name, value in values.items():
            text, found = re.subn(rf"^#?{name}=.*$", lambda _, n=name, v=value: f"{n}='{v}'", text, flags=re.MULTILINE)  # type: ignore[misc]
            assert found == 1, name
        path.write_text(text, encoding="utf-8")

    def meltano(self, commands: str) -> subprocess.CompletedProcess[str]:
        """Type commands of Meltano's; how they ended."""
        there = {f"TAP_LEXER_ACTIVITY_{name.upper()}": str(value) for name, value in self.elsewhere.items()}
        return self.try_(commands, **there)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(clock="2026-05-01T10:00:00+10:00", messages_per_day=12, quota=(5000, 10)) as found:
        yield found


@pytest.fixture(scope="module")
def clone(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A clone where the tap is installed and config.json is filled in."""
    clone = Clone(tmp_path_factory.mktemp("first-day"), sandbox)
    install, copy, check = printed(START_PAGE, "sh", "cp sample_config.json").splitlines()
    clone.run(install)
    clone.run(copy)
    clone.fill_in_json("config.json", **clone.account)
    config = json.loads(clone.file("config.json").read_text(encoding="utf-8"))
    clone.file("config.json").write_text(json.dumps(config | clone.elsewhere), encoding="utf-8")
    assert "The token works" in clone.try_(check).stderr
    return clone


@pytest.fixture(scope="module")
def meltano(clone: Clone) -> Clone:
    """The same, where Meltano is installed, and its plugins in the versions that the tests run with."""
    install, *_ = printed(START_PAGE, "sh", "cp .env.example").splitlines()
    clone.run(install)
    versions = {"UV_CONSTRAINT": str(ROOT / "tests" / "pipelines" / "constraints-target-postgres.txt")}
    done = clone.try_("meltano install loader target-postgres", **versions)
    assert done.returncode == 0, done.stdout + done.stderr
    return clone


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def with_tls(authority: trustme.CA) -> Iterator[Postgres]:
    """A server with a certificate, as a cloud has it: who comes without TLS is sent away."""
    certificate = authority.issue_cert("localhost").private_key_and_cert_chain_pem.bytes()
    entrances = (BY_CERTIFICATE, f"hostssl {BY_PASSWORD}")
    with Postgres(*entrances, certificate=certificate, clients=authority.cert_pem.bytes()) as server:
        server.execute(f"create role lexer login password '{PASSWORD}'; create role by_certificate login")
        yield server


@pytest.fixture(scope="module")
def without_tls() -> Iterator[Postgres]:
    with Postgres(f"host {BY_PASSWORD}") as server:
        server.execute(f"create role lexer login password '{PASSWORD}'")
        yield server


def login(server: Postgres) -> dict[str, object]:
    """A new, empty database, and how to get in."""
    server.execute("drop database if exists warehouse")
    server.execute("create database warehouse owner lexer; grant all on database warehouse to public")
    return {"host": "localhost", "port": server.port, "user": "lexer", "password": PASSWORD, "database": "warehouse"}


def load_of(clone: Clone) -> Emitted:
    """What the tap writes by itself."""
    return Emitted(clone.run("tap-lexer-activity --config config.json"))


def in_postgres(server: Postgres, emitted: Emitted) -> Tables:
    """The tables of the schema that the text names, and no others."""
    found = server.rows("select table_name from information_schema.tables where table_schema = 'lexer'", "warehouse")
    names = {row["table_name"] for row in found}
    return {
        name: table_of(name, emitted.keys[name], server.rows(f"table lexer.{name}", "warehouse"))
        for name in sorted(names)
    }


# Without Meltano

PIPE = printed(START_PAGE, "sh", "set -o pipefail")


def target_json(clone: Clone, phrase: str, **values: object) -> None:
    """Write target.json as docs/getting-started.md has it, and fill it in."""
    clone.file("target.json").write_text(printed(START_PAGE, "json", phrase), encoding="utf-8")
    clone.fill_in_json("target.json", **values)


def test_the_plain_tap_loads_postgres_by_tls(clone: Clone, with_tls: Postgres) -> None:
    clone.run(printed(START_PAGE, "sh", "meltanolabs-target-postgres"))
    target_json(clone, '"host"', **login(with_tls))
    clone.run(PIPE)
    emitted = load_of(clone)
    assert len(emitted.tables) > 15
    assert in_postgres(with_tls, emitted) == emitted.tables
    bookmarks = json.loads(clone.file("state.json").read_text(encoding="utf-8"))["bookmarks"]
    assert bookmarks["case_volume"]["replication_key_value"] == "2026-04-30T14:00:00Z"


def test_the_plain_tap_loads_no_postgres_without_tls(clone: Clone, without_tls: Postgres) -> None:
    clone.run(printed(START_PAGE, "sh", "meltanolabs-target-postgres"))
    target_json(clone, '"host"', **login(without_tls))
    done = clone.try_(PIPE)
    assert done.returncode
    assert "server does not support SSL, but SSL was required" in done.stderr
    told, instead = re.findall(r"PGSSLMODE=(\w+).*`(\w+)` for a server", PIPE)[0]
    clone.run(PIPE.replace(f"PGSSLMODE={told}", f"PGSSLMODE={instead}"))
    emitted = load_of(clone)
    assert in_postgres(without_tls, emitted) == emitted.tables


@pytest.fixture(scope="module")
def warehouse(clone: Clone) -> Path:
    """The DuckDB file that the plain tap has loaded."""
    clone.run(printed(START_PAGE, "sh", "constraints.txt ./demo/loader"))
    target_json(clone, '"path"')
    (program,) = re.findall(r"^For DuckDB, .*?, put `(\S+)` into the pipe", GETTING_STARTED, re.MULTILINE)
    clone.run(PIPE.replace("| target-postgres", f"| {program}"))
    return clone.file("warehouse.duckdb")


def test_the_plain_tap_loads_duckdb(clone: Clone, warehouse: Path) -> None:
    emitted = load_of(clone)
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        counts = {name: connection.table(f"lexer.{name}").count("*").fetchall()[0][0] for name in emitted.tables}
    assert counts == {name: len(table) for name, table in emitted.tables.items()}


def test_the_cases_of_last_month_become_a_csv(clone: Clone) -> None:
    """In a file of its own, because other tests count what is in the page's. Discovery asks for the real yesterday."""
    end = datetime.now(UTC).date().replace(day=1)
    start = (end - timedelta(days=1)).replace(day=1)
    commands = printed(START_PAGE, "sh", "cases.csv").replace("warehouse.duckdb", "month.duckdb")
    printed_start, printed_end = re.findall(r"BACKFILL_(?:START|END)=(\S+)", commands)
    with Sandbox(messages_per_day=12) as of_today:
        there = {
            f"TAP_LEXER_ACTIVITY_{name.upper()}": str(value)
            for name, value in of_today.config(end_date=str(end)).items()
        }
        clone.run(commands.replace(printed_start, str(start)).replace(printed_end, str(end)), **there)
    with clone.file("cases.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["local_date"][:7] for row in rows} == {f"{start:%Y-%m}"}
    assert all(row["sent_survey"] for row in rows), "a header that no schema has is a column"


def test_the_page_is_made_of_the_models_in_duckdb(clone: Clone, warehouse: Path) -> None:
    alias, models, _ = printed("docs/questions.md", "sh", "alias dbt").splitlines()
    assert warehouse.name in models
    page = printed("docs/questions.md", "sh", "demo/page.py")
    clone.run(f"{alias}\n{models}")
    clone.run(page)
    assert "<svg" in clone.file(page.split()[-1]).read_text(encoding="utf-8")


def test_the_plain_tap_loads_snowflakes_target_with_settings_that_it_knows(clone: Clone) -> None:
    clone.run(printed(START_PAGE, "sh", "meltanolabs-target-snowflake"))
    about = json.loads(clone.run("target-snowflake --about --format json"))
    settings = json.loads(printed(START_PAGE, "json", '"private_key_path"'))
    assert settings.keys() <= about["settings"]["properties"].keys()


def digests(server: Postgres) -> set[str]:
    """The mail addresses of users, as they were loaded."""
    return {row["email"] for row in server.rows("select email from lexer.users", "warehouse")}


def hashed(seed: str) -> set[str]:
    return {hashlib.sha256((seed + agent.email).encode()).hexdigest() for agent in AGENTS}


def test_the_privacy_profile_hashes_names_without_meltano(clone: Clone, with_tls: Postgres) -> None:
    clone.run(printed(START_PAGE, "sh", "meltanolabs-target-postgres"))
    target_json(clone, '"host"', **login(with_tls))
    clone.file("salt.json").unlink(missing_ok=True)
    commands = printed("docs/privacy.md", "sh", "privacy/stream_maps.json")
    for _ in range(2):  # with the same salt
        clone.run(commands)
    salt = json.loads(clone.file("salt.json").read_text(encoding="utf-8"))["stream_map_config"]["hash_seed"]
    assert len(salt) == 64
    assert digests(with_tls) == hashed(salt)


# With Meltano


def fill_in(clone: Clone, **postgres: object) -> None:
    """Make .env as docs/getting-started.md and the file itself say."""
    _, copy, _, _ = printed(START_PAGE, "sh", "cp .env.example").splitlines()
    clone.run(copy)
    values = {f"TAP_LEXER_ACTIVITY_{name.upper()}": value for name, value in clone.account.items()}
    clone.fill_in_env(**values, **{f"TARGET_POSTGRES_{name.upper()}": value for name, value in postgres.items()})


def command(environment: str) -> str:
    """The command that loads Postgres in this environment."""
    document, phrase = {
        "prod": (START_PAGE, "prod run lexer-to-postgres"),
        "private": ("docs/privacy.md", "--environment=private"),
    }[environment]
    text = (ROOT / document).read_text(encoding="utf-8")
    return str(next(block for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) if phrase in block))


def verified(folder: Path, authority: trustme.CA) -> dict[str, object]:
    """What .env has to say to check a server of this authority, in a file with others."""
    (file := folder / "ca.pem").write_bytes(trustme.CA().cert_pem.bytes() + authority.cert_pem.bytes())
    return {"ssl_mode": "verify-full", "ssl_certificate_authority": file}


def forget(clone: Clone) -> None:
    """Let the next run be the first."""
    clone.file(".meltano/meltano.db").unlink(missing_ok=True)


@pytest.mark.parametrize(
    ("environment", "checked"),
    [("prod", False), ("prod", True), ("private", False)],
    ids=["prod", "checked", "private"],
)
def test_meltano_loads_a_server_with_tls(
    environment: str, checked: bool, meltano: Clone, with_tls: Postgres, authority: trustme.CA, tmp_path: Path
) -> None:
    fill_in(meltano, **login(with_tls), **(verified(tmp_path, authority) if checked else {}))
    forget(meltano)
    _, _, *look = printed(START_PAGE, "sh", "cp .env.example").splitlines()
    for line in [*look, command(environment)]:
        done = meltano.meltano(line)
        assert done.returncode == 0, done.stdout + done.stderr
    emitted = load_of(meltano)
    loaded = in_postgres(with_tls, emitted)
    assert loaded.keys() == emitted.tables.keys()
    if environment == "prod":
        assert loaded == emitted.tables
    else:
        (salt,) = re.findall(r'"hash_seed": "(\w+)"', meltano.file(".env").read_text(encoding="utf-8"))
        assert digests(with_tls) == hashed(salt)
    assert not meltano.file(".secrets").exists(), "no file is written"
    if checked:  # dbt reads the same variables
        questions = (ROOT / "docs" / "questions.md").read_text(encoding="utf-8")
        (variables,) = re.findall(r"`(set -a; [^`]*)`", questions)
        alias, _, models = printed("docs/questions.md", "sh", "alias dbt").splitlines()
        meltano.run(f"{variables}\n{alias}\n{models}")
        assert with_tls.rows("table lexer_models.messages", "warehouse")


@pytest.mark.parametrize("environment", ["prod", "private"])
def test_meltano_sends_nothing_to_a_server_without_tls_and_says_it_in_a_line(
    environment: str, meltano: Clone, without_tls: Postgres
) -> None:
    fill_in(meltano, **login(without_tls))
    done = meltano.meltano(command(environment))
    assert done.returncode
    (said,) = re.findall(r"`(server does not support SSL[^`]*)`", GETTING_STARTED)
    (line,) = (line for line in (done.stdout + done.stderr).splitlines() if "[error" in line and said in line)
    assert f'"127.0.0.1", port {without_tls.port}' in line
    assert in_postgres(without_tls, load_of(meltano)) == {}

    (way_round,) = re.findall(r"`TARGET_POSTGRES_SSL_MODE=(disable)`", GETTING_STARTED)
    fill_in(meltano, **login(without_tls), ssl_mode=way_round)
    done = meltano.meltano(command(environment))
    assert done.returncode == 0, done.stdout + done.stderr


def test_meltano_sends_nothing_to_a_server_that_another_authority_vouches_for(
    meltano: Clone, with_tls: Postgres, tmp_path: Path
) -> None:
    fill_in(meltano, **login(with_tls), **verified(tmp_path, trustme.CA()))
    done = meltano.meltano(command("prod"))
    assert done.returncode
    assert "certificate verify failed" in done.stdout + done.stderr


def test_meltano_says_which_file_is_missing(meltano: Clone, with_tls: Postgres) -> None:
    fill_in(meltano, **login(with_tls), ssl_mode="verify-full", ssl_certificate_authority="no-such.pem")
    done = meltano.meltano(command("prod"))
    assert done.returncode
    assert 'root certificate file "no-such.pem" does not exist' in done.stdout + done.stderr


def test_meltano_logs_in_by_a_certificate(
    meltano: Clone, with_tls: Postgres, authority: trustme.CA, tmp_path: Path
) -> None:
    client = authority.issue_cert("client.example", common_name="by_certificate")
    client.cert_chain_pems[0].write_to_path(tmp_path / "client.pem")
    (key := tmp_path / "client.key").touch(mode=0o600)
    client.private_key_pem.write_to_path(key)
    fill_in(meltano, **login(with_tls) | {"user": "by_certificate"})
    with meltano.file(".env").open("a", encoding="utf-8") as env:
        env.write(f"TARGET_POSTGRES_SSL_CLIENT_CERTIFICATE={tmp_path / 'client.pem'}\n")
        env.write(f"TARGET_POSTGRES_SSL_CLIENT_PRIVATE_KEY={key}\n")
    forget(meltano)
    done = meltano.meltano(command("prod"))
    assert done.returncode == 0, done.stdout + done.stderr
    emitted = load_of(meltano)
    assert in_postgres(with_tls, emitted) == emitted.tables


def test_every_environment_for_real_data_asks_for_tls() -> None:
    documents = [ROOT / "meltano.yml", ROOT / "orchestrate" / "accounts.meltano.yml"]
    environments = [
        each for path in documents for each in yaml.safe_load(path.read_text(encoding="utf-8"))["environments"]
    ]
    modes = {
        each["name"]: loader["config"].get("ssl_mode")
        for each in environments
        for loader in each["config"]["plugins"]["loaders"]
        if loader["name"] == "target-postgres"
    }
    assert modes == {"sandbox": None, "prod": "require", "private": "require", "accounts": "require"}
