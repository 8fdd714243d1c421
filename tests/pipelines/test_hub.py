"""plugin.yaml, the definition for Meltano Hub: it says what the program says, and Meltano can use it with a Hub and without."""

from __future__ import annotations

import json
import os
import re
import subprocess
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from pipelines.conftest import BIN
from pipelines.programs import ROOT
from test_documents import as_meltano_has_it

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from conftest import Tap

    from tap_lexer_activity.sandbox import Sandbox

pytestmark = pytest.mark.pipelines

NAME = "tap-lexer-activity"
DEFINITION: dict[str, Any] = yaml.safe_load((ROOT / "plugin.yaml").read_text(encoding="utf-8"))
PROJECT = (
    "default_environment: prod\nenvironments: [{name: prod}]\nproject_id: own\nsend_anonymous_usage_stats: false\n"
)
KEYS = {
    *("name", "variant", "namespace", "label", "description", "executable", "pip_url", "repo", "docs", "logo_url"),
    *("hidden", "python", "settings", "settings_group_validation", "commands", "capabilities", "metadata", "schema"),
    *("select", "maintenance_status", "quality", "domain_url", "keywords", "requires", "definition", "next_steps"),
    *("settings_preamble", "usage", "prereq", "supported_python_versions", "log_parser"),
}
"""Those that the Hub's schema of an extractor allows."""


@pytest.fixture
def about(tap: Tap) -> dict[str, Any]:
    """What the program says of itself."""
    found: dict[str, Any] = json.loads(tap.run(None, "--about", "--format", "json").out)
    return found


def test_the_definition_has_the_form_of_the_hub() -> None:
    assert DEFINITION.keys() <= KEYS
    assert DEFINITION.keys() >= {"name", "variant", "namespace", "quality", "pip_url", "settings", "capabilities"}
    assert DEFINITION["maintenance_status"] in {"active", "beta", "development", "inactive", "unknown"}
    assert DEFINITION["quality"] in {"gold", "silver", "bronze", "unknown"}
    names = [setting["name"] for setting in DEFINITION["settings"]]
    for found in (
        list(DEFINITION),
        *(list(part) for part in DEFINITION["settings"]),
        names,
        DEFINITION["capabilities"],
    ):
        assert found == sorted(found), "the Hub's linter sorts"


def test_the_definition_says_what_the_program_says(about: dict[str, Any]) -> None:
    settings = [as_meltano_has_it(*setting) for setting in about["settings"]["properties"].items()]
    assert DEFINITION["settings"] == sorted(settings, key=lambda setting: setting["name"])
    assert DEFINITION["settings_group_validation"] == [sorted(about["settings"]["required"])]
    assert DEFINITION["capabilities"] == sorted(about["capabilities"])
    assert DEFINITION["supported_python_versions"] == about["supported_python_versions"]
    assert DEFINITION["name"] == DEFINITION["executable"] == DEFINITION["pip_url"] == about["name"]


def test_the_definition_says_what_the_project_says() -> None:
    (plugin,) = yaml.safe_load((ROOT / "meltano.yml").read_text(encoding="utf-8"))["plugins"]["extractors"]
    for key in ("namespace", "label", "description", "select"):
        assert DEFINITION[key] == plugin[key]


class Own:
    """Somebody's own project, with nothing in it yet."""

    def __init__(self, folder: Path, sandbox: Sandbox, hub: str) -> None:
        self.file = folder / "meltano.yml"
        self.file.write_text(PROJECT, encoding="utf-8")
        (folder / "plugin.yaml").write_bytes((ROOT / "plugin.yaml").read_bytes())
        config = sandbox.config(start_date="2026-04-13")
        self._env = {
            "PATH": os.pathsep.join([str(BIN), os.environ["PATH"]]),
            "HOME": str(folder),
            "TMPDIR": os.environ["TMPDIR"],
            "MELTANO_HUB_API_ROOT": hub,
            **{f"TAP_LEXER_ACTIVITY_{name.upper()}": str(value) for name, value in config.items()},
        }

    def run(self, commands: str) -> str:
        """Run commands as a shell does; what they printed."""
        done = subprocess.run(
            ["sh", "-ec", commands],
            capture_output=True,
            check=False,
            cwd=self.file.parent,
            env=self._env,
            text=True,
            encoding="utf-8",
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def streams(self) -> set[str]:
        """Let the plugin run, with the tap of the tests; the streams of its records."""
        project = yaml.safe_load(self.file.read_text(encoding="utf-8"))
        (plugin,) = project["plugins"]["extractors"]
        del plugin["pip_url"]  # the tests' own program needs no installation
        plugin["executable"] = str(BIN / NAME)
        self.file.write_text(yaml.safe_dump(project), encoding="utf-8")
        lines = self.run(f"meltano invoke --no-install {NAME}").splitlines()
        messages = [json.loads(line) for line in lines if line.startswith("{")]
        return {message["stream"] for message in messages if message["type"] == "RECORD"}


ALL = {path.stem for path in (ROOT / "schemas").glob("*.json")} - {"workflow_states"}


def test_meltano_takes_the_definition_from_the_file_and_asks_no_hub(
    tmp_path: Path, new_sandbox: Callable[..., Sandbox]
) -> None:
    own = Own(tmp_path, new_sandbox(), hub="http://127.0.0.1:9/nothing-listens-here")
    page = (ROOT / "docs" / "meltano.md").read_text(encoding="utf-8")
    (commands,) = re.findall(r"```sh\n([^`]*--from-ref[^`]*)```", page)
    own.run(commands)
    assert not (tmp_path / "plugins").exists(), (
        "there is no lock file: the definition is in meltano.yml, as the page says"
    )
    assert own.streams() == ALL


@pytest.fixture
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Hub that has the definition and nothing else, with the addresses of the real one."""
    folder = tmp_path_factory.mktemp("hub")
    (folder / "plugins" / "extractors").mkdir(parents=True)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(folder))) as server:
        root = f"http://127.0.0.1:{server.server_port}"
        variant = DEFINITION["variant"]
        address = f"plugins/extractors/{NAME}--{variant}"
        index = {
            NAME: {"logo_url": None, "default_variant": variant, "variants": {variant: {"ref": f"{root}/{address}"}}}
        }
        (folder / "plugins" / "extractors" / "index").write_text(json.dumps(index), encoding="utf-8")
        (folder / address).write_text(json.dumps(DEFINITION), encoding="utf-8")
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield root
        server.shutdown()
        thread.join()


def test_meltano_takes_the_definition_from_a_hub_and_locks_it(
    tmp_path: Path, new_sandbox: Callable[..., Sandbox], hub: str
) -> None:
    own = Own(tmp_path, new_sandbox(), hub)
    own.run(f"meltano add --no-install {NAME}")
    (lock,) = (tmp_path / "plugins" / "extractors").iterdir()
    assert lock.name == f"{NAME}--{DEFINITION['variant']}.lock"
    locked = json.loads(lock.read_text(encoding="utf-8"))
    names = {"settings", "select", "capabilities", "settings_group_validation", "executable", "pip_url", "namespace"}
    assert {name: locked[name] for name in names} == {name: DEFINITION[name] for name in names}
    assert own.streams() == ALL
