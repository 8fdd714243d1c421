"""The settings: what they are, and what makes sense."""

from __future__ import annotations

import codecs
import difflib
import ipaddress
import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from tap_lexer_activity import zones
from tap_lexer_activity.settings.schema import SETTINGS
from tap_lexer_activity.shapes import answer_validator
from tap_lexer_activity.windows import Window, resolve, start_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Set as AbstractSet
    from zoneinfo import ZoneInfo

    from jsonschema import ValidationError


_DATE_FORMS: Final = "a date (2026-03-01) or a date-time (2026-03-01T00:00:00+11:00)"
_DATE_OR_TIME: Final = re.compile(
    r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?[0-5]\d)?)?", re.ASCII | re.IGNORECASE
)
EARLIEST: Final = datetime(1999, 12, 31, 10, tzinfo=UTC)
"""No window begins before this, when the first zone came to the year 2000: Lexer has no data that old."""

SANDBOX: Final = "sandbox"
"""Meltano's environment for invented data."""
SANDBOX_TOKEN: Final = "sandbox-"  # noqa: S105 (how a token begins)
"""How a token begins that opens a sandbox only."""

_OWN: Final = frozenset(SETTINGS["properties"])
_SHARED_TYPE: Final = frozenset({"user_volume", "workflow_states"})
_WINDOW_PARAMETERS: Final = frozenset({"date_from", "date_to", "form"})


def _whole(value: Any) -> Any:
    """`100.0`, which JSON Schema takes for an integer, as `100`."""
    return int(value) if isinstance(value, (float, Decimal)) else value


_PARSED: Final = frozenset({"export_lookback_days", "form_ids", "include_partial", "report_parameters", "max_requests"})
_SUMMARY: Final = "The configuration can't be used"


def _form_errors(given: Mapping[str, Any], schema: Mapping[str, Any]) -> list[str]:
    """Settings that are missing, unknown, or of the wrong type or size."""
    properties = schema["properties"]
    errors = []
    for name in given.keys() - properties.keys():
        close = difflib.get_close_matches(name, properties, n=1)
        hint = f"did you mean {close[0]}?" if close else f"the settings are {', '.join(sorted(_OWN))}"
        errors.append(f"{name}: there is no such setting; {hint}")
    found = list(answer_validator(schema).iter_errors(given))  # (the numbers of a file are decimals, too)
    out_of_bounds = [error.absolute_path for error in found if error.validator in {"minimum", "maximum"}]
    for error in found:
        if error.validator == "type" and error.absolute_path in out_of_bounds:  # an integer of more than 64 bits
            continue
        if error.validator == "required" and not error.absolute_path:
            errors += [
                f"{name}: is missing; {properties[name]['description']}"
                for name in schema["required"]
                if name not in given
            ]
        else:
            errors.append(_form_error(error, properties))
    return sorted(set(errors))


def _form_error(error: ValidationError, properties: Mapping[str, Any]) -> str:
    name, *inner = map(str, error.absolute_path)
    wanted: Any = error.validator_value
    path = "".join([name, *(f"[{step}]" for step in inner)])
    if properties[name].get("secret") or name == "stream_map_config":  # salts of stream maps are in it
        return f"{name}: should be {'text' if name in _OWN else 'an object'} (its value is not shown here)"
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
            return f"{path}: {error.message}"
    return f"{path}: {_shown(error.instance)} should be {wanted}"


def _shown(value: Any) -> str:
    """A value as the user gave it: numbers of a file are decimals here."""
    if isinstance(value, list):
        return f"[{', '.join(map(_shown, value))}]"
    return str(value) if isinstance(value, Decimal) else repr(value)


def _token_errors(token: str) -> list[str]:
    if not token.strip():
        return ["api_token: is empty; make a token of the type Activity API in Lexer's Hub"]
    if not token.isascii() or not token.isprintable() or " " in token:
        return ["api_token: has a line break, a blank or another character that no token has; copy it again"]
    return []


def _stray_token_errors(given: Mapping[str, Any], environment: str | None) -> list[str]:
    """What is wrong if a token for real data is about to go, in clear, to whatever listens where a sandbox should."""
    local = [url for url in (given["api_url"], given["export_status_url"]) if url.lower().startswith("http://")]
    if environment != SANDBOX or not local or given["api_token"].startswith(SANDBOX_TOKEN):
        return []
    wrong = (
        f"api_token: is no token of a sandbox (they begin with {SANDBOX_TOKEN}), and Meltano's environment {SANDBOX!r} would send it to "
        f"{local[0]!r}. For your own data: meltano --environment=prod …; for invented data: lexer-activity-sandbox run -- meltano …"
    )
    return [wrong]


def _url_errors(name: str, url: str) -> list[str]:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        parts, host = urlsplit(""), ""
    if parts.scheme not in {"http", "https"} or not host:
        return [f"{name}: {url!r} should be an address such as {SETTINGS['properties'][name]['default']}"]
    if parts.query or parts.fragment:
        return [f"{name}: {url!r} should have no ? or # in it"]
    if parts.username or parts.password:
        return [f"{name}: should have no user name or password in it"]
    if not host.isascii():  # what is sent is another text, and so another host to whoever compares them
        return [f"{name}: {url!r} should have its host in the ASCII form, which begins with xn-- or has such a part"]
    if parts.scheme == "http" and not is_this_machine(host):
        return [
            f"{name}: {url!r} would send the token unencrypted; use https:// (http:// is for a sandbox on this machine)"
        ]
    return []


def is_this_machine(host: str) -> bool:
    """Whether a host is the machine that this runs on, and what is sent to it leaves it for nobody to read."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _encoding_errors(name: str) -> list[str]:
    try:
        codecs.getincrementaldecoder(name)
        "a".encode(name)  # which no codec does that is for other things than text
    except (LookupError, UnicodeError, ValueError):
        return [
            f"export_encoding: {name!r} is no encoding that is known; it should be one such as UTF-8, UTF-16 or Windows-1252"
        ]
    return []


def _parameter_errors(parameters: Mapping[str, Any], report_streams: AbstractSet[str]) -> list[str]:
    errors = []
    for stream, body in parameters.items():
        if stream not in report_streams:
            known = ", ".join(sorted(report_streams))
            errors.append(f"report_parameters: there is no report stream {stream!r}; it may name {known}")
        kind = body.get("type", stream)
        if not isinstance(kind, str) or not kind.strip():
            errors.append(f"report_parameters[{stream!r}]: the type is {kind!r} and should be text")
        elif kind in report_streams - {stream, *(_SHARED_TYPE if stream in _SHARED_TYPE else ())}:
            errors.append(
                f"report_parameters['{stream}']: {kind!r} is the type of another stream, and its rows would be taken for {stream}"
            )
        if taken := sorted(body.keys() & _WINDOW_PARAMETERS):
            errors.append(
                f"report_parameters[{stream!r}]: {', '.join(taken)} is set by the tap for each window, and can't be set here"
            )
    return errors


def _salt_errors(stream_map_config: Mapping[str, Any]) -> list[str]:
    salt = stream_map_config.get("hash_seed", "a salt")
    if isinstance(salt, str) and not salt.strip():
        return [
            "stream_map_config[hash_seed]: is blank, and digests without a salt are soon guessed; make one with openssl rand -hex 32"
        ]
    return []


def _map_errors(stream_maps: Mapping[str, Any], stream_map_config: Mapping[str, Any]) -> list[str]:
    if not stream_maps:
        return []
    from tap_lexer_activity.settings.maps import lacks  # noqa: PLC0415 (most runs have no maps)

    return lacks(stream_maps, stream_map_config)


def _form_id_errors(form_ids: list[int] | None) -> list[str]:
    if form_ids is None or (form_ids and len(set(form_ids)) == len(form_ids)):
        return []
    return [
        f"form_ids: {_shown(form_ids)} should name at least one form, and each once; leave it out to read every NPS form"
    ]


def _range_errors(given: Mapping[str, Any], start: datetime, end: datetime, now: datetime) -> list[str]:
    if start < EARLIEST:
        return [f"start_date: {given['start_date']!r} is before the year 2000; Lexer has no data that old"]
    if start > now:
        return [f"start_date: {given['start_date']!r} is in the future; it should be the first day to read"]
    if end <= start:
        given_end, given_start = given.get("end_date"), given["start_date"]
        return [
            f"end_date: {given_end!r} is not after start_date ({given_start!r}); it is exclusive, so the day after the last one to read"
        ]
    return []


def _starts(
    given: Mapping[str, Any], zone: ZoneInfo, report_streams: AbstractSet[str], end: datetime, now: datetime
) -> tuple[dict[str, datetime], list[str]]:
    """The setting `start_dates`, and what is wrong with it."""
    starts: dict[str, datetime] = {}
    errors = []
    for stream, text in given.get("start_dates", {}).items():
        name = f"start_dates[{stream}]"
        start = _instant(name, text, zone)
        if stream not in report_streams:
            close = difflib.get_close_matches(stream, report_streams, n=1)
            hint = f"did you mean {close[0]}?" if close else f"it may name {', '.join(sorted(report_streams))}"
            errors.append(f"{name}: there is no stream {stream!r} that is read in windows; {hint}")
        elif isinstance(start, str):
            errors.append(start)
        elif start < EARLIEST:
            errors.append(f"{name}: {text!r} is before the year 2000; Lexer has no data that old")
        elif start > now:
            errors.append(f"{name}: {text!r} is in the future; it should be the first day to read")
        elif start >= end:
            errors.append(
                f"{name}: {text!r} is not before end_date ({given.get('end_date')!r}), so nothing would be read"
            )
        else:
            starts[stream] = start
    return starts, errors


def _backfill(given: Mapping[str, Any], zone: ZoneInfo, present: datetime, now: datetime) -> Window | str | None:
    """The range to read again, `None` if there is none, or what is wrong with it."""
    if "backfill_start" not in given:
        return None if "backfill_end" not in given else "backfill_end: needs backfill_start, where the range begins"
    start = _instant("backfill_start", given["backfill_start"], zone)
    end = _instant("backfill_end", given["backfill_end"], zone) if "backfill_end" in given else present
    if isinstance(start, str):
        return start
    if isinstance(end, str):
        return end
    if not EARLIEST <= start <= now:
        return (
            f"backfill_start: {given['backfill_start']!r} should be a day from the year 2000 on, and not in the future"
        )
    if end <= start:
        given_end = given.get("backfill_end", given.get("end_date"))
        return f"backfill_end: {given_end!r} is not after backfill_start ({given['backfill_start']!r}); it is exclusive"
    return Window(start, min(end, now))


def _zone(name: str, now: datetime) -> ZoneInfo | str:
    """The zone, or what is wrong with its name."""
    if found := zones.of_abbreviation(name, now):
        return (
            f"timezone: {name!r} is an abbreviation of {', '.join(found)}; set the one of your account. "
            "Without one, --check says which its users have"
        )
    if zone := zones.named(name):
        return zone
    close = difflib.get_close_matches(name, available_timezones(), n=1)
    hint = f"did you mean {close[0]}?" if close else "it should be one like Australia/Sydney"
    return f"timezone: {name!r} is no IANA time zone; {hint}"


def _instant(name: str, text: str, zone: ZoneInfo) -> datetime | str:
    """The instant that a date or date-time stands for, or what is wrong with it."""
    try:
        moment = datetime.fromisoformat(text) if _DATE_OR_TIME.fullmatch(text) else None
    except ValueError:
        moment = None
    if moment is None:
        return f"{name}: {text!r} should be {_DATE_FORMS}"
    try:
        return _in_utc(moment, text, zone)
    except OverflowError:
        return f"{name}: {text!r} is no year that has windows"


def _in_utc(moment: datetime, text: str, zone: ZoneInfo) -> datetime:
    if moment.tzinfo:
        return moment.astimezone(UTC)
    return start_of(moment.date(), zone) if len(text) == len("2026-03-01") else resolve(moment, zone)
