"""Why a request got no answer, in a person's words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import requests
from urllib3.exceptions import (
    ConnectTimeoutError,
    DecodeError,
    NameResolutionError,
    NewConnectionError,
    ProxyError,
    ReadTimeoutError,
)

from tap_lexer_activity.http.transport import ContradictionError

if TYPE_CHECKING:
    from collections.abc import Iterator


ANOTHER_AUTHORITY: Final = ". If your network has a CA of its own, name its file in REQUESTS_CA_BUNDLE"
"""What to do about a certificate that is not valid."""


_REASONS: Final = (
    (requests.exceptions.TooManyRedirects, "the host redirects in a circle"),
    (ContradictionError, "the headers of the answer contradict each other"),
    (DecodeError, "the answer can't be unpacked"),
    (ProxyError, "the proxy can't be reached or refuses"),
    (NameResolutionError, "the host's name is not known"),
    ((NewConnectionError, ConnectionRefusedError), "the host refuses the connection"),
)


def reason(error: requests.exceptions.RequestException, timeout: int) -> str:
    """Why a request got no answer, in a person's words. The library's own text has the whole URL in it."""
    for cause in _causes(error):
        for kind, said in _REASONS:
            if isinstance(cause, kind):
                return said
        if isinstance(cause, (ConnectTimeoutError, ReadTimeoutError)):
            return f"no answer within {timeout} s (request_timeout)"
    if is_distrusted(error):
        return "the host's certificate is not valid"
    return f"the connection broke off ({type(error).__name__})"


def is_distrusted(error: requests.exceptions.RequestException) -> bool:
    """Whether a host is not the one that its certificate says, or nobody known says so."""
    return "CERTIFICATE_VERIFY_FAILED" in str(error)


def _never_arrived(error: BaseException) -> bool:
    """Whether a request did not reach its host at all."""
    return any(isinstance(cause, (ConnectTimeoutError, ProxyError, NewConnectionError)) for cause in _causes(error))


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An exception and all that are wrapped in it, outermost first."""
    seen: list[BaseException] = [error]
    for cause in seen:
        wrapped = (*cause.args, getattr(cause, "reason", None), getattr(cause, "original_error", None), cause.__cause__)
        seen += [inner for inner in wrapped if isinstance(inner, BaseException) and inner not in seen]
    return iter(seen)
