"""Check of stream maps: their expressions need keys of `stream_map_config`, and a package."""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterator, Mapping
from typing import Any


def _expressions(stream_maps: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Expressions of the setting `stream_maps`, each with its place in it, such as `users.email`."""
    for stream, columns in stream_maps.items():
        if isinstance(columns, dict):
            yield from (
                (f"{stream}.{column}", value)
                for column, value in columns.items()
                if isinstance(value, str) and (not column.startswith("__") or column == "__filter__")
            )


def flattening_errors(given: Mapping[str, Any]) -> Iterator[str]:
    """An error for flattening without a depth, or with one that is none."""
    if given.get("flattening_enabled") and given.get("flattening_max_depth", -1) < 0:
        yield (
            "flattening_max_depth: is missing; flattening_enabled needs a number such as 1, which makes text of objects and lists "
            "[see: setting-missing]"
        )


def map_errors(stream_maps: Mapping[str, Any], stream_map_config: Mapping[str, Any]) -> list[str]:
    """A line for each key and package that the expressions of stream maps need and don't have: they would fail at the first row."""
    keys: dict[str, list[str]] = {}
    fakes = []
    for place, expression in _expressions(stream_maps):
        try:
            nodes = list(ast.walk(ast.parse(expression)))
        except SyntaxError:  # reported where the maps are made
            continue
        for node in nodes:
            match node:
                case ast.Subscript(value=ast.Name(id="config"), slice=ast.Constant(value=str(key))):
                    keys.setdefault(key, []).append(place)
                # A key that is read by `get` may be missing; but a digest without a salt is soon guessed.
                case ast.Call(
                    func=ast.Attribute(value=ast.Name(id="config"), attr="get"),
                    args=[ast.Constant(value="hash_seed"), *_],
                ):
                    keys.setdefault("hash_seed", []).append(place)
                # (An expression may also write config.key.)
                case ast.Attribute(value=ast.Name(id="config"), attr=key) if not hasattr(dict, key):
                    keys.setdefault(key, []).append(place)
                case ast.Name(id="fake"):
                    fakes.append(place)
    found = [
        f"stream_map_config[{key}]: is missing, and the stream map {_first(places)} uses it; set it"
        + (" to a long random text of your own, such as openssl rand -hex 32 makes" if key == "hash_seed" else "")
        + " [see: stream-map-salt-missing]"
        for key, places in keys.items()
        if key not in stream_map_config or (key == "hash_seed" and stream_map_config[key] is None)
    ]
    if fakes and importlib.util.find_spec("faker") is None:
        found.append(
            f"stream_maps: {_first(fakes)} uses fake, and the package Faker is not installed; "
            "install the tap with its extra. In its clone: uv tool install '.[faker]' [see: stream-map-faker]"
        )
    return found


def _first(places: list[str]) -> str:
    others = len(dict.fromkeys(places)) - 1
    return places[0] + (f" (and {others} more)" if others else "")
