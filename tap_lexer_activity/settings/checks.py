"""Checks of single settings. Each gives a line for everything that is wrong: the setting, its value, and what would be right."""

from __future__ import annotations

import codecs
import difflib
import ipaddress
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from decimal import Decimal
from typing import Any, Final
from urllib.parse import urlsplit

from jsonschema import ValidationError

from tap_lexer_activity.settings.schema import SETTINGS
from tap_lexer_activity.shapes import answer_validator

SANDBOX: Final = "sandbox"
"""Meltano's environment for invented data."""
SANDBOX_TOKEN: Final = "sandbox-"  # noqa: S105 (how a token begins)
"""The beginning of tokens that open a sandbox only."""

_OWN: Final = frozenset(SETTINGS["properties"])
"""Names of the tap's own settings. The SDK adds its settings to `SETTINGS` later."""
_SHARED_TYPE: Final = frozenset({"user_volume", "workflow_states"})
"""Report streams that may have the type of each other."""
_WINDOW_PARAMETERS: Final = frozenset({"date_from", "date_to", "form"})


def whole(value: Any) -> Any:
    """`100.0`, which JSON Schema takes for an integer, as `100`."""
    return int(value) if isinstance(value, (float, Decimal)) else value


def schema_errors(given: Mapping[str, Any], schema: Mapping[str, Any]) -> list[str]:
    """Errors for settings that are missing, unknown, or of the wrong type or size."""
    properties = schema["properties"]
    errors = []
    for name in given.keys() - properties.keys():
        close = difflib.get_close_matches(name, properties, n=1)
        hint = f"did you mean {close[0]}?" if close else f"the settings are {', '.join(sorted(_OWN))}"
        errors.append(f"{name}: there is no such setting; {hint} [see: unknown-setting]")
    found = list(answer_validator(schema).iter_errors(given))  # (the numbers of a file are decimals, too)
    out_of_bounds = [error.absolute_path for error in found if error.validator in {"minimum", "maximum"}]
    for error in found:
        if error.validator == "type" and error.absolute_path in out_of_bounds:  # an integer of more than 64 bits
            continue
        if error.validator == "required" and not error.absolute_path:
            errors += [
                f"{name}: is missing; {properties[name]['description']} [see: setting-missing]"
                for name in schema["required"]
                if name not in given
            ]
        else:
            errors.append(_schema_error(error, properties))
    return sorted(set(errors))


def _schema_error(error: ValidationError, properties: Mapping[str, Any]) -> str:
    name, *inner = map(str, error.absolute_path)
    wanted: Any = error.validator_value
    path = "".join([name, *(f"[{step}]" for step in inner)])
    if properties[name].get("secret") or name == "stream_map_config":  # salts of stream maps are in it
        return f"{name}: should be {'text' if name in _OWN else 'an object'} (its value is not shown here) [see: setting-value]"
    match error.validator:
        case "enum":
            wanted = "one of " + ", ".join(str(choice) for choice in wanted if choice is not None)
        case "type":
            wanted = " or ".join(kind for kind in (wanted if isinstance(wanted, list) else [wanted]) if kind != "null")
        case "minimum":
            wanted = f"{wanted} or more"
        case "maximum":
            wanted = f"{wanted} or less"
        case _:
            return f"{path}: {error.message} [see: setting-value]"
    return f"{path}: {_shown(error.instance)} should be {wanted} [see: setting-value]"


def _shown(value: Any) -> str:
    """A value as the user gave it: numbers of a file are decimals here."""
    if isinstance(value, list):
        return f"[{', '.join(map(_shown, value))}]"
    return str(value) if isinstance(value, Decimal) else repr(value)


def token_errors(token: str) -> Iterator[str]:
    """An error for a text that can't be a token."""
    if not token.strip():
        yield "api_token: is empty; make a token of the type Activity API in Lexer's Hub [see: token-malformed]"
    elif not token.isascii() or not token.isprintable() or " " in token:
        yield "api_token: has a line break, a space or another character that no token has; copy it again [see: token-malformed]"


def stray_token_errors(given: Mapping[str, Any], environment: str | None) -> Iterator[str]:
    """An error if a token for real data would go, unencrypted, to whatever listens where a sandbox should."""
    local = [url for url in (given["api_url"], given["export_status_url"]) if url.lower().startswith("http://")]
    if environment == SANDBOX and local and not given["api_token"].startswith(SANDBOX_TOKEN):
        yield (
            f"api_token: is not a sandbox token (they begin with {SANDBOX_TOKEN}), and Meltano's environment {SANDBOX!r} would send it to "
            f"{local[0]!r}. For your own data: meltano --environment=prod …; "
            "for invented data: lexer-activity-sandbox run -- meltano … [see: token-for-sandbox]"
        )


def url_errors(name: str, url: str) -> Iterator[str]:
    """An error for an address that the token can't be sent to, or should not."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        parts, host = urlsplit(""), ""
    if parts.scheme not in {"http", "https"} or not host:
        example = SETTINGS["properties"][name]["default"]
        yield f"{name}: {url!r} should be an address such as {example} [see: setting-value]"
    elif parts.query or parts.fragment:
        yield f"{name}: {url!r} should have no ? or # in it [see: address-with-query]"
    elif parts.username or parts.password:
        yield f"{name}: should have no user name or password in it [see: setting-value]"
    elif not host.isascii():  # what is sent is another text, so whoever compares the two sees another host
        yield f"{name}: {url!r} should name its host in ASCII, with xn-- in it [see: address-not-ascii]"
    elif parts.scheme == "http" and not is_this_machine(host):
        yield f"{name}: {url!r} would send the token unencrypted; use https:// (http:// is for a sandbox on this machine) [see: address-unencrypted]"


def is_this_machine(host: str) -> bool:
    """True if a host is this machine, so that nobody can read on the way what is sent to it."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def encoding_errors(name: str) -> Iterator[str]:
    """An error for an encoding that Python does not know, or that is not one of text."""
    try:
        codecs.getincrementaldecoder(name)
        "a".encode(name)  # a codec that is not for text refuses this
    except (LookupError, UnicodeError, ValueError):
        yield f"export_encoding: {name!r} is not a known encoding; use one such as UTF-8, UTF-16 or Windows-1252 [see: setting-value]"


def parameter_errors(parameters: Mapping[str, Any], report_streams: AbstractSet[str]) -> Iterator[str]:
    """Errors for parameters of reports that don't exist, or that would be taken for those of another stream or window."""
    for stream, body in parameters.items():
        if stream not in report_streams:
            known = ", ".join(sorted(report_streams))
            yield f"report_parameters: there is no report stream {stream!r}; choose from {known} [see: no-such-stream]"
        kind = body.get("type", stream)
        if not isinstance(kind, str) or not kind.strip():
            yield f"report_parameters[{stream!r}]: the type is {kind!r} and should be text [see: setting-value]"
        elif kind in report_streams - {stream, *(_SHARED_TYPE if stream in _SHARED_TYPE else ())}:
            wrong = f"{kind!r} is another stream's type, and its rows would land in {stream}"
            yield f"report_parameters['{stream}']: {wrong} [see: type-of-another-stream]"
        if taken := sorted(body.keys() & _WINDOW_PARAMETERS):
            names = ", ".join(taken)
            yield f"report_parameters[{stream!r}]: {names} is set by the tap for each window, and can't be set here [see: setting-value]"


def salt_errors(stream_map_config: Mapping[str, Any]) -> Iterator[str]:
    """An error for a salt of stream maps that is blank."""
    salt = stream_map_config.get("hash_seed", "a salt")
    if isinstance(salt, str) and not salt.strip():
        yield "stream_map_config[hash_seed]: is empty, so digests are soon guessed; make one with openssl rand -hex 32 [see: salt-blank]"


def form_id_errors(form_ids: list[int] | None) -> Iterator[str]:
    """An error for a list that names no form, or one twice."""
    if form_ids is not None and (not form_ids or len(set(form_ids)) < len(form_ids)):
        shown = _shown(form_ids)
        yield f"form_ids: {shown} should name at least one form, and each once; leave it out to read every NPS form [see: setting-value]"
