"""Settings in environment variables: those that can't be read, that are misspelt, or that nothing reads.

Pure functions of the JSON schema of all settings, the prefix of their variables, and the environment.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tap_lexer_activity.errors import without_token

_BOOLEANS: Final = dict.fromkeys(("true", "1", "yes", "on"), True) | dict.fromkeys(("false", "0", "no", "off"), False)
"""The words of the SDK, which takes any other word for a no."""
_READERS: Final[Mapping[str, Callable[[str], Any]]] = {
    "integer": int,
    "array": json.loads,
    "object": json.loads,
    "boolean": lambda text: _BOOLEANS[text.lower()],
}
_EXAMPLES: Final = {"integer": "7", "array": "[55, 56]", "object": "{}", "boolean": "true or false"}
_TEXTS: Final = '["%d/%m/%Y %H:%M"]'
"""An example of a list of texts."""
_LIKE_SETTINGS: Final = re.compile(r"""[{}"'\n]|^\s*\[|: |api_token""")
"""Found in settings, and hardly ever in the path of a file."""


def unreadable_variable(schema: Mapping[str, Any], prefix: str, environment: Mapping[str, str]) -> str | None:
    """A sentence about the first variable that can't be read, which the SDK does not name; `None` if all can be."""
    for name, definition in schema["properties"].items():
        kind = next((kind for kind in _READERS if kind in definition.get("type", ())), None)
        text = environment.get(f"{prefix}{name.upper()}")
        if kind is None or text is None:
            continue
        try:
            _READERS[kind](text)
        except (KeyError, ValueError):
            shown = "not JSON" if name == "stream_map_config" else repr(text)  # salts of stream maps are in it
            is_of_texts = "string" in definition.get("items", {}).get("type", ())
            wanted = _TEXTS if is_of_texts else _EXAMPLES[kind]
            return f"The environment variable {prefix}{name.upper()} is {shown} and should be like {wanted} [see: variable-value]"
    return None


def misspelt_variables(schema: Mapping[str, Any], prefix: str, environment: Mapping[str, str]) -> list[str]:
    """A sentence about each variable whose name is nearly that of a setting."""
    names = [name.upper() for name in schema["properties"]]
    others = sorted(name.removeprefix(prefix) for name in environment if name.startswith(prefix))
    close = {name: _meant(name, names) for name in others if name not in names}
    return [
        f"The environment variable {prefix}{name} is not a setting; did you mean {prefix}{meant}? [see: variable-unknown]"
        for name, meant in close.items()
        if meant
    ]


def _meant(name: str, names: Sequence[str]) -> str | None:
    """The setting that a variable was probably meant for, if it is not one of Meltano's.

    Meltano passes on extras, such as `_SELECT`, and the settings of extractors whose names begin like this tap's: `EMEA_API_TOKEN`
    is that of `tap-lexer-activity-emea`.
    """
    of_another = {setting for setting in names if name.endswith(f"_{setting}")}
    others = [setting for setting in names if setting not in of_another]
    found = difflib.get_close_matches(name, others, n=1, cutoff=0.9 if of_another else 0.6)
    return found[0] if found and not name.startswith("_") else None


def unused_variables(
    schema: Mapping[str, Any], prefix: str, environment: Mapping[str, str], config: Mapping[str, Any]
) -> list[str]:
    """Names of the variables whose settings the configuration does not have, or has with another value.

    Meltano sets a variable for each setting beside the file that it writes: those say nothing that the file doesn't.
    """
    given = {name: environment.get(f"{prefix}{name.upper()}") for name in schema["properties"]}
    return [
        f"{prefix}{name.upper()}"
        for name, text in given.items()
        if text and not _says(text, config.get(name), schema["properties"][name].get("type", ()))
    ]


def _says(text: str, value: object, kinds: Sequence[str]) -> bool:
    """True if a variable's text says the same as a setting's value."""
    kind = next((kind for kind in _READERS if kind in kinds), None)
    try:
        return text == value or bool(kind and _READERS[kind](text) == value)
    except (KeyError, ValueError):
        return False


def without_tokens(text: str, config: object, prefix: str, environment: Mapping[str, str]) -> str:
    """A text without the configuration's token and without the environment's: either may have been pasted into another setting."""
    given = config.get("api_token") if isinstance(config, Mapping) else None
    for token in (given, environment.get(f"{prefix}API_TOKEN")):
        text = without_token(text, str(token or ""))
    return text


def is_pasted(text: str) -> bool:
    """True if a text that should be the path of a file looks like the settings themselves, and no file is named so."""
    return bool(_LIKE_SETTINGS.search(text)) and not _is_file(text)


def _is_file(path: str) -> bool:
    try:
        return Path(path).is_file()
    except (OSError, ValueError):  # too long for a path, or with a NUL in it
        return False
