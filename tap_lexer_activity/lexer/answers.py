"""Answers of Lexer's API: read as JSON, and quoted so that a log may have them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final

import requests
from singer_sdk.exceptions import RetriableAPIError

from tap_lexer_activity import turns
from tap_lexer_activity.errors import UnexpectedAnswerError, without_token
from tap_lexer_activity.http.transport import PIECE
from tap_lexer_activity.values import json_text, read_decimal, read_integer, storable_json

QUOTE: Final = 200
"""Most characters of an answer that are quoted in an error."""
NOT_SHOWN: Final = "(not shown: it may hold a link)"
"""The text in place of an answer about an export, which is never quoted."""
_LARGEST_ANSWER: Final = 1 << 28
"""Most bytes of an answer, decompressed: it has to fit into the memory, and a few bytes of gzip can stand for any number."""
_OF_A_JOB: Final = re.compile(r'"(token|url)"\s*:\s*"(?:[^"\\]|\\.)*"?')
_OF_RANGES: Final = re.compile(
    r"\b(?:ranges?|periods?|intervals?|spans?|windows?|dates?|days?|weeks?|months?)\b", re.IGNORECASE
)
_OF_LENGTHS: Final = re.compile(
    r"too (?:long|large|big|wide|many)|exceed|maximum|\bmax\b|at most|no more than|not be (?:more|longer|greater) than|"
    r"longer than|greater than|limited to|up to \d",
    re.IGNORECASE,
)
_OF_QUOTA: Final = re.compile(
    r"\brate.?limit|\bquota\b|too many (?:requests|calls)|throttl|(?:request|call|api) limit|slow down", re.IGNORECASE
)
_NO_WORD: Final = re.compile(
    r"""(?<!\S)(?!(?=\S{1,24}(?!\S))[("'\[]*[^\W\d_]+(?:[_'-][^\W\d_]+)*[.,:;!?)"'\]]*(?!\S))\S+"""
)
"""Parts between spaces that are more than one word, with the signs around them."""


def read_body(response: requests.Response, what: str) -> bytearray:
    """The body of an answer, decompressed, unless it is too long."""
    body = bytearray()
    for piece in response.iter_content(PIECE):
        turns.check_needed()
        body += piece
        if len(body) > _LARGEST_ANSWER:
            msg = f"{what}: the answer is longer than {_LARGEST_ANSWER >> 20} MiB [see: answer-too-long]"
            raise UnexpectedAnswerError(msg)
    return body


def is_nothing(response: requests.Response, body: bytearray) -> bool:
    """True if an answer has no body on purpose. One that ends with its connection may have been cut off."""
    if response.status_code in {HTTPStatus.NO_CONTENT, HTTPStatus.RESET_CONTENT}:
        return True
    is_bounded = "Content-Length" in response.headers or "Transfer-Encoding" in response.headers
    return is_bounded and not bytes(body).strip()


def text_of_body(body: bytearray, charset: str | None) -> tuple[str, bool]:
    """The text of an answer, and whether characters of it are lost.

    It is in Unicode, whatever its type says, if it can be; else as its type says, or with U+FFFD for what is no character.
    """
    try:
        return json_text(body), False
    except UnicodeDecodeError:
        pass
    try:
        return storable_json(body.decode(charset or "")), False
    except (LookupError, ValueError):
        text = storable_json(body.decode("utf-8-sig", "replace"))
        return text, "\ufffd" in text


def parse_json(text: str, what: str, *, quote: Callable[[str], str] | None) -> Any:
    """The JSON of an answer, its decimals as `Decimal` with all their digits.

    `NaN` and `Infinity`, which Python and others write, are read as that text. Errors show of the answer what `quote` makes fit for a log.

    Raises:
        RetriableAPIError: If it is not JSON: it may have been cut off.
        UnexpectedAnswerError: If a name stands twice in one object, so that nobody knows which value is right.
    """
    try:
        return json.loads(
            text,
            parse_float=read_decimal,
            parse_int=read_integer,
            parse_constant=str,
            object_pairs_hook=_reject_duplicate_keys,
        )
    except _DuplicateKeyError as error:
        name = f"the name {quote(str(error))}" if quote else "a name"
        msg = f"{what}: the answer has {name} twice in one object [see: answer-undocumented]"
        raise UnexpectedAnswerError(msg) from None  # its own text is the name
    except (ArithmeticError, ValueError, RecursionError):
        shown = quote(text) if quote else NOT_SHOWN
        msg = f"{what}: the answer is not JSON: {shown} [see: answer-not-json]"
        raise RetriableAPIError(msg) from None


def error_message(body: bytearray) -> str:
    """The message in an error's body. Its shape is not documented: JSON, text and HTML are all possible."""
    try:
        said = json.loads(json_text(body))
    except (ValueError, RecursionError):
        return body.decode(errors="replace")
    if isinstance(said, dict):
        said = next((said[name] for name in ("error", "message", "errors") if said.get(name)), said)
    return said if isinstance(said, str) else json.dumps(said, ensure_ascii=False)


def is_range_too_long(said: str) -> bool:
    """True if the words of a refusal are about the length of the range that was asked for."""
    return bool(_OF_RANGES.search(said) and _OF_LENGTHS.search(said))


def is_of_quota(said: str) -> bool:
    """True if the words of a refusal are about the quota."""
    return bool(_OF_QUOTA.search(said))


def quoted(text: str, token: str) -> str:
    """The beginning of an answer, fit for a log: on one line, and without secrets.

    These are the token and parts of it, if the server sent them back, and what gives access to the file of an export.
    """
    text = _OF_A_JOB.sub(r'"\1": "[...]"', text)
    return " ".join(without_token(text, token).split())[:QUOTE]


def plain_words(text: str) -> str:
    """A text with its words, and with nothing that could be a token or a part of an address."""
    return _NO_WORD.sub("[...]", text)


class _DuplicateKeyError(Exception):
    """A JSON object has the same name twice."""


def _reject_duplicate_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        names = [name for name, _ in pairs]
        raise _DuplicateKeyError(next(name for name in names if names.count(name) > 1))
    return result
