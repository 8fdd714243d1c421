"""The settings are written down in four places: the program, meltano.yml, sample_config.json and .env.example. They agree word for word.

So do the ready stream maps, in two places. And what the changelog calls fixed has a test.
"""

from __future__ import annotations

import ast
import json
import re
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tap_lexer_activity.settings.parse import parse_settings
from tap_lexer_activity.tap import TapLexerActivity

if TYPE_CHECKING:
    from conftest import Tap

ROOT = Path(__file__).parents[1]
NAME = "tap-lexer-activity"
DATES = ("start_date", "end_date", "backfill_start", "backfill_end")
"""Text in JSON; Meltano has a kind for it, which also takes dates without quotes."""


@pytest.fixture
def about(tap: Tap) -> dict[str, Any]:
    """What the program says of itself."""
    run = tap.run(None, "--about", "--format", "json")
    assert run.code == 0, run.log
    result: dict[str, Any] = json.loads(run.out)
    return result


def plugins(project: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {plugin["name"]: plugin for kind in project["plugins"].values() for plugin in kind}


def variables(project: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The settings of all plugins, by the environment variable that Meltano reads."""
    return {
        f"{name}_{setting['name']}".upper().replace("-", "_"): setting
        for name, plugin in plugins(project).items()
        for setting in plugin["settings"]
    }


def env_example() -> dict[str, tuple[str, str]]:
    """Variables of .env.example, those that are commented out included: the value, and the line above it."""
    lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    found = {}
    for above, line in pairwise(lines):
        name, equals, value = line.removeprefix("#").partition("=")
        if equals and name.isupper():
            found[name] = (value, above.removeprefix("# "))
    return found


def as_meltano_has_it(name: str, setting: dict[str, Any]) -> dict[str, Any]:
    """A setting of `--about` in the form of meltano.yml."""
    kind = next(kind for kind in setting["type"] if kind != "null")
    if name in DATES:
        kind = "date_iso8601"
    written = {"name": name, "label": setting["title"], "kind": kind, "description": setting["description"]}
    if "enum" in setting:
        options = [{"label": value.capitalize(), "value": value} for value in setting["enum"]]
        written |= {"kind": "options", "options": options}
    if "default" in setting:
        written["value"] = setting["default"]
    if setting.get("secret"):
        written["sensitive"] = True
    return written


def test_meltano_has_every_setting_as_the_program_describes_it(about: dict[str, Any], project: dict[str, Any]) -> None:
    settings = about["settings"]["properties"]
    assert plugins(project)[NAME]["settings"] == [as_meltano_has_it(*setting) for setting in settings.items()]


def test_meltano_asks_for_what_the_program_requires(about: dict[str, Any], project: dict[str, Any]) -> None:
    assert plugins(project)[NAME]["settings_group_validation"] == [about["settings"]["required"]]


def test_meltano_knows_what_the_program_can_do(about: dict[str, Any], project: dict[str, Any]) -> None:
    assert sorted(plugins(project)[NAME]["capabilities"]) == sorted(about["capabilities"])


def test_the_commands_of_meltano_have_options_of_the_program_in_its_words(project: dict[str, Any]) -> None:
    options = {option: each for each in TapLexerActivity.get_singer_command().params for option in each.opts}
    commands = plugins(project)[NAME]["commands"]
    assert commands.keys() == {"check", "plan", "doctor"}
    for name, command in commands.items():
        its_own = options[f"--{name}"]
        assert command["description"] == getattr(its_own, "help", None)
        assert {word for word in command["args"].split() if word.startswith("--")} <= options.keys()
        assert command["args"].endswith(f" --{name}")


def test_every_setting_that_a_plugin_is_given_exists(project: dict[str, Any]) -> None:
    known = {name: {setting["name"] for setting in plugin["settings"]} for name, plugin in plugins(project).items()}
    given = [plugin for environment in project["environments"] for plugin in plugins(environment["config"]).values()]
    for plugin in [*plugins(project).values(), *given]:
        assert plugin.get("config", {}).keys() <= known[plugin["name"]], plugin["name"]


def test_the_private_environment_is_prod_with_the_ready_stream_maps(project: dict[str, Any]) -> None:
    profile = json.loads((ROOT / "privacy" / "stream_maps.json").read_text(encoding="utf-8"))
    environments = {environment["name"]: environment["config"] for environment in project["environments"]}
    (extractor,) = environments["private"]["plugins"]["extractors"]
    assert profile.keys() == {"stream_maps"}
    assert extractor["config"].pop("stream_maps") == {
        stream: {name: "__NULL__" if rule is None else rule for name, rule in maps.items()}  # (both drop the column)
        for stream, maps in profile["stream_maps"].items()
    }
    assert environments["private"] == environments["prod"]


def test_the_sample_is_a_configuration_that_works(about: dict[str, Any]) -> None:
    sample = json.loads((ROOT / "sample_config.json").read_text(encoding="utf-8"))
    settings = parse_settings(sample, now=datetime(2026, 6, 1, tzinfo=UTC), schema=about["settings"])
    assert settings.cautions() == []
    assert sample.keys() >= set(about["settings"]["required"])


def test_the_variables_of_the_example_are_settings_in_the_same_words(project: dict[str, Any]) -> None:
    known = variables(project)
    example = env_example()
    assert {name: above for name, (_, above) in example.items()} == {
        name: known[name]["description"] for name in example
    }
    required = {f"{NAME}_{name}".upper().replace("-", "_") for name in ("api_token", "start_date", "timezone")}
    assert required <= example.keys()


def test_the_example_sets_nothing_that_is_for_one_run_only() -> None:
    lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    for_one_run = [line for line in lines if "_BACKFILL_" in line]
    assert len(for_one_run) == 2
    assert all(line.startswith("#") for line in for_one_run)


def test_no_document_has_a_secret(about: dict[str, Any], project: dict[str, Any]) -> None:
    sensitive = {name for name, setting in variables(project).items() if setting.get("sensitive")}
    secret = {name for name, setting in about["settings"]["properties"].items() if setting.get("secret")}
    assert {f"{NAME}_{name}".upper().replace("-", "_") for name in secret} <= sensitive
    assert [name for name in sensitive if "value" in variables(project)[name]] == []
    assert [name for name, (value, _) in env_example().items() if name in sensitive and value] == []
    given = [plugins(project), *(plugins(environment["config"]) for environment in project["environments"])]
    set_here = {
        f"{name}_{setting}".upper().replace("-", "_")
        for group in given
        for name, plugin in group.items()
        for setting in plugin.get("config", {})
    }
    assert set_here & sensitive == set()


def functions_in(file: Path) -> set[str]:
    """The names of all functions of a file."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_the_first_version_has_fixed_nothing_and_later_entries_link_to_tests_that_exist() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    *later, first = re.split(r"^## ", changelog, flags=re.MULTILINE)[1:]
    assert "\n### Fixed\n" not in first, "nobody ever had those defects"
    sections = [
        part
        for version in later
        for part in re.findall(r"^### Fixed\n(.*?)(?=^##|\Z)", version, re.MULTILINE | re.DOTALL)
    ]
    entries = [entry for section in sections for entry in re.findall(r"^- .*", section, re.MULTILINE)]
    links = {entry: re.findall(r'\[test\]\((tests/\S+\.py) "(test_\w+)"\)', entry) for entry in entries}
    assert [entry for entry, found in links.items() if not 0 < len(found) == entry.count("[test]")] == []
    proofs = {link for found in links.values() for link in found}
    known = {file: functions_in(ROOT / file) for file, _ in proofs if (ROOT / file).exists()}
    assert [(file, name) for file, name in proofs if name not in known.get(file, ())] == []
