"""Names of the SDK that the package uses: private ones in `singer/` alone, each of them in a table here, and few public ones elsewhere.

A private name may go with any release of the SDK. If one is missing from the installed SDK, or the package comes to use another, it is seen
here first, and `singer/` is the only place to mend. Names that the package gives to methods and attributes of its own are seen, too, if the
SDK's class has come to have the same: one would take the place of the other.
"""

from __future__ import annotations

import ast
import inspect
import pkgutil
from functools import cache
from importlib import import_module
from pathlib import Path
from textwrap import dedent

import pytest

import tap_lexer_activity

PACKAGE = Path(tap_lexer_activity.__file__).parent
FILES = {file.relative_to(PACKAGE).as_posix(): ast.parse(file.read_bytes()) for file in PACKAGE.rglob("*.py")}
SDK = "singer_sdk"

IMPORTED = {
    "singer/command.py": {"singer_sdk.plugin_base._ConfigInput"},
    "singer/mapper.py": {"singer_sdk.helpers._catalog.get_selected_schema"},
    "singer/sinks.py": {
        "singer_sdk.helpers._batch.BatchConfig",
        "singer_sdk.helpers._batch.SDKBatchMessage",
        "singer_sdk.helpers._util.utc_now",
    },
    "singer/state.py": {"singer_sdk.helpers._state.StateWriter"},
    "singer/stream.py": {"singer_sdk.helpers._batch.BatchConfig", "singer_sdk.helpers._state.get_state_if_exists"},
}
"""Private modules, and private names of public ones, by the file that imports them."""

ATTRIBUTES = {
    "singer/mapper.py": {"singer_sdk.mapper.CustomStreamMap": {"_eval"}},
    "singer/plugin.py": {
        "singer_sdk.Tap": {
            "_config",
            "_env_var_prefix",
            "_handle_termination",
            "_mapper",
            "_state_writer",
            "_streams",
            "_validate_config",
        }
    },
    "singer/stream.py": {
        "singer_sdk.streams.Stream": {
            "_generate_record_messages",
            "_schema",
            "_sync_batches",
            "_sync_records",
            "_write_schema_message",
            "_write_state_message",
        }
    },
}
"""Private methods and attributes of the SDK's classes that are called, set or overridden: by the file, and the class that has them."""

PUBLIC = {
    "settings/schema.py": {"singer_sdk.typing"},
    "shapes.py": {"singer_sdk.singerlib.json.serialize_json"},
    "tap.py": {  # which is the SDK's tap
        "singer_sdk.singerlib.messages.StateMessage",
        "singer_sdk.tap_base.CliTestOptionValue",
    },
}
"""What files outside `singer/` import from the SDK, beside its exceptions."""


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def is_of_sdk(module: str) -> bool:
    return module.partition(".")[0] == SDK


def imports(tree: ast.Module) -> set[str]:
    """Dotted names of what a file imports from the SDK, for the type checker too."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {name for name in found if is_of_sdk(name)}


def uses_in(tree: ast.AST) -> set[tuple[str, bool]]:
    """Private names of methods and attributes, and of each whether it is a class's own: defined in it, or of `self`."""
    found: set[tuple[str, bool]] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(attr=name, value=ast.Name(id="self" | "cls")):
                found.add((name, True))
            case ast.Attribute(attr=name, value=ast.Call(func=ast.Name(id="super"))):
                found.add((name, True))
            case ast.Attribute(attr=name):
                found.add((name, False))
            case ast.Call(func=ast.Name(id="getattr" | "setattr"), args=[_, ast.Constant(value=str() as name), *_]):
                found.add((name, False))
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                found.add((name, True))
            case ast.ClassDef(body=body):
                found |= {
                    (target.id, True)
                    for line in body
                    if isinstance(line, ast.Assign | ast.AnnAssign)
                    for target in (line.targets if isinstance(line, ast.Assign) else [line.target])
                    if isinstance(target, ast.Name)
                }
    return {(name, is_own) for name, is_own in found if is_private(name)}


@cache
def private_names_of(kind: type) -> set[str]:
    """Private names that a class has from the SDK."""
    theirs = [base for base in kind.__mro__ if is_of_sdk(base.__module__)]
    trees = [ast.parse(dedent(inspect.getsource(base))) for base in theirs]
    return {name for tree in trees for name, is_own in uses_in(tree) if is_own}


@cache
def all_private_names() -> set[str]:
    """Private names of all classes of the SDK."""
    root = Path(inspect.getfile(import_module(SDK))).parent
    classes = [
        node
        for file in root.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_bytes()))
        if isinstance(node, ast.ClassDef)
    ]
    return {name for node in classes for name, is_own in uses_in(node) if is_own}


def used_attributes(file: str) -> set[str]:
    """Private names of the SDK's objects that a file uses: of classes that its own are made from, and of objects that it is given."""
    found = {name for name, is_own in uses_in(FILES[file]) if not is_own} & all_private_names()
    classes = [node for node in FILES[file].body if isinstance(node, ast.ClassDef)]
    module = import_module(f"tap_lexer_activity.{file.removesuffix('.py').removesuffix('/__init__').replace('/', '.')}")
    for node in classes:
        kind = getattr(module, node.name)
        found |= {name for name, is_own in uses_in(node) if is_own} & private_names_of(kind)
    return found


def test_private_names_that_are_imported_are_those_of_the_table() -> None:
    found = {
        file: {name for name in imports(tree) if any(is_private(part) for part in name.split("."))}
        for file, tree in FILES.items()
    }
    assert {file: names for file, names in found.items() if names} == IMPORTED


def test_private_attributes_that_are_used_are_those_of_the_table() -> None:
    skipped = {"__main__.py"}  # has no class, and to load it is to run it
    found = {file: used_attributes(file) for file in FILES.keys() - skipped}
    expected = {file: set().union(*classes.values()) for file, classes in ATTRIBUTES.items()}
    assert {file: names for file, names in found.items() if names} == expected


def test_private_names_stand_on_the_floor_of_singer_alone() -> None:
    assert [file for file in IMPORTED.keys() | ATTRIBUTES.keys() if not file.startswith("singer/")] == []


@pytest.mark.parametrize("path", sorted(set().union(*IMPORTED.values())))
def test_an_imported_private_name_is_in_the_installed_sdk(path: str) -> None:
    assert pkgutil.resolve_name(path)


@pytest.mark.parametrize(
    ("path", "name"),
    sorted((path, name) for classes in ATTRIBUTES.values() for path, names in classes.items() for name in names),
)
def test_a_private_attribute_is_in_the_installed_sdk(path: str, name: str) -> None:
    assert name in private_names_of(pkgutil.resolve_name(path))


def test_below_and_above_the_floor_of_singer_little_of_the_sdk_is_known() -> None:
    found = {
        file: {name for name in imports(tree) if not name.startswith("singer_sdk.exceptions.")}
        for file, tree in FILES.items()
        if not file.startswith("singer/")
    }
    assert {file: names for file, names in found.items() if names} == PUBLIC
