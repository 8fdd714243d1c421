"""What users of the tap depend on (settings, streams, keys, columns), and which changes of it would break something of theirs.

public.json is the reviewed state of it. After a change that is meant, it is written anew:

    python tests/proof/public.py
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("public.json")
COMMAND = Path(sys.executable).with_name("tap-lexer-activity")

Public = dict[str, Any]


def outlined(about: dict[str, Any], catalog: dict[str, Any]) -> Public:
    """What is public of the answers to `--about` and `--discover`."""
    settings, required = about["settings"]["properties"], about["settings"]["required"]
    kept = ("type", "default", "enum", "minimum", "maximum", "secret")
    return {
        "settings": {
            name: {"required": name in required, **{word: schema[word] for word in kept if word in schema}}
            for name, schema in settings.items()
        },
        "streams": {entry["tap_stream_id"]: _stream(entry) for entry in catalog["streams"]},
    }


def _stream(entry: dict[str, Any]) -> Public:
    root = next(item["metadata"] for item in entry["metadata"] if not item["breadcrumb"])
    return {
        "selected": root["selected"],
        "key": entry["key_properties"],
        "replication_key": entry.get("replication_key"),
        "columns": {name: _shape(column) for name, column in entry["schema"]["properties"].items()},
    }


def _shape(schema: Any) -> Any:
    """A column's schema without its texts."""
    if not isinstance(schema, dict):
        return schema
    return {word: _shape(value) for word, value in schema.items() if word not in {"title", "description"}}


def breaks(before: Public, now: Public) -> list[str]:
    """What of the changes would break a configuration, a state or a table, one sentence each. Additions do not."""
    old, new = before["settings"], now["settings"]
    found = [f"setting {name}: removed" for name in old.keys() - new.keys()]
    found += [f"setting {name}: new, and required" for name in new.keys() - old.keys() if new[name]["required"]]
    for name in old.keys() & new.keys():
        found += [f"setting {name}: {change}" for change in _narrowed(old[name], new[name])]
    old, new = before["streams"], now["streams"]
    found += [f"stream {name}: removed" for name in old.keys() - new.keys()]
    for name in old.keys() & new.keys():
        found += [
            f"stream {name}: another {part}"
            for part in ("selected", "key", "replication_key")
            if old[name][part] != new[name][part]
        ]
        columns = new[name]["columns"]
        for column, shape in old[name]["columns"].items():
            if column not in columns:
                found.append(f"column {name}.{column}: removed")
            elif columns[column] != shape:
                found.append(f"column {name}.{column}: another type")
    return sorted(found)


def _narrowed(old: Public, new: Public) -> list[str]:
    """How a setting takes less than before, or means something else where it is not given."""
    found = ["made required"] if new["required"] and not old["required"] else []
    found += ["another default"] if old.get("default") != new.get("default") else []
    found += ["no secret any more"] if old.get("secret") and not new.get("secret") else []
    lost = set(old["type"]) - set(new["type"])
    if "enum" in old and "enum" in new:
        lost |= set(old["enum"]) - set(new["enum"])
    found += [f"no longer takes {value}" for value in sorted(lost)]
    found += ["made one of a list"] if "enum" in new and "enum" not in old else []
    low, high = float("-inf"), float("inf")
    found += ["a higher minimum"] if new.get("minimum", low) > old.get("minimum", low) else []
    found += ["a lower maximum"] if new.get("maximum", high) < old.get("maximum", high) else []
    return found


def kept() -> Public:
    """The reviewed state."""
    found: Public = json.loads(FILE.read_text(encoding="utf-8"))
    return found


def _answer(*options: str) -> Any:
    return json.loads(subprocess.run([str(COMMAND), *options], check=True, capture_output=True).stdout)


def written(public: Public) -> str:
    """JSON that is good to review: a setting or a column is a line."""
    text = json.dumps(public, indent=1)
    for innermost in (r"\[[^\[\]]*\]", r"\{[^{}]*\}"):
        text = re.sub(innermost, lambda found: re.sub(r"\n\s*", " ", found[0]), text)
    return text + "\n"


if __name__ == "__main__":
    FILE.write_text(written(outlined(_answer("--about", "--format=json"), _answer("--discover"))), encoding="utf-8")
