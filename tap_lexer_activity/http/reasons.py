"""Reasons why a request got no answer, in a person's words, and the error for each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import requests
from singer_sdk.exceptions import FatalAPIError, RetriableAPIError
from urllib3.exceptions import (
    ConnectTimeoutError,
    DecodeError,
    NameResolutionError,
    NewConnectionError,
    ProxyError,
    ReadTimeoutError,
)

from tap_lexer_activity.http.transport import ContradictionError, ProxyVariableError

CA_HINT: Final = ". If your network has its own CA, set REQUESTS_CA_BUNDLE to its file [see: ca-file]"
"""Advice for a certificate that is not valid."""


_REASONS: Final = (
    (ContradictionError, "the answer's headers contradict each other [see: answer-headers]"),
    (DecodeError, "the answer can't be decompressed [see: answer-packed]"),
    (ProxyError, "the proxy can't be reached or refuses"),
    (NameResolutionError, "the host's name is not known"),
    ((NewConnectionError, ConnectionRefusedError), "the host refuses the connection"),
)


class RefusedRedirectError(requests.exceptions.RequestException):
    """A redirect that is not followed. Its text continues after the host's name: "redirects to …"."""


class NoConnectionError(RetriableAPIError):
    """A request did not reach its host."""


class Failures:
    """Errors for a request that got no answer. Those of a host say what its user can do about it.

    The libraries' own errors have the whole address in their text, and so would every stack trace that shows them as a cause.
    """

    certificate_advice = ""
    """The setting to check where the certificate is not valid, beside the CA."""

    def __init__(self, prefix: str, host: str, *, timeout: int, quote: Callable[[str], str]) -> None:
        """Errors begin with `prefix`: what is asked for, and a colon. `quote` makes a library's text fit for a log."""
        self.prefix = prefix
        self.host = host
        self.quote = quote
        self._timeout = timeout

    def error_for(self, error: ValueError | OSError) -> Exception:
        """The tap's own error for one of requests, urllib3 or the interpreter.

        Returns:
            A `RetriableAPIError` if another try may help, `NoConnectionError` if the host was not reached, or else a `FatalAPIError`.
        """
        match error:
            case ValueError():  # some of the libraries' errors are both
                return self.no_address(str(error))
            case ProxyVariableError():
                return self.unreachable(f"{self.prefix}{error}")
            case requests.exceptions.TooManyRedirects():
                return self.redirected("redirects in a circle")
            case RefusedRedirectError():
                return self.redirected(self.quote(str(error)))
            case requests.exceptions.RequestException():
                return self._no_answer(error)
            case _:  # a CA file that is not there
                return FatalAPIError(f"{self.prefix}{self.quote(str(error))} [see: ca-file]")

    def no_address(self, text: str) -> Exception:
        """The host is an invalid address, or redirects to one. The library's text may hold the address."""
        raise NotImplementedError

    def redirected(self, said: str) -> Exception:
        """A redirect that is not followed: the host "redirects …"."""
        raise NotImplementedError

    def unreachable(self, msg: str) -> Exception:
        """The host can't be reached at all before something has been set right."""
        return FatalAPIError(msg)

    def _no_answer(self, error: requests.exceptions.RequestException) -> Exception:
        msg = f"{self.prefix}{reason(error, self._timeout)} ({self.host})"
        if _is_distrusted(error):
            return self.unreachable(msg + self.certificate_advice + CA_HINT)
        return NoConnectionError(msg) if _never_arrived(error) else RetriableAPIError(msg)


def reason(error: requests.exceptions.RequestException, timeout: int) -> str:
    """The reason why a request got no answer, in a person's words. The library's own text has the whole URL in it."""
    for cause in _causes(error):
        for kind, said in _REASONS:
            if isinstance(cause, kind):
                return said
        if isinstance(cause, (ConnectTimeoutError, ReadTimeoutError)):
            return f"no answer within {timeout} s (request_timeout) [see: request-timeout]"
    if _is_distrusted(error):
        return "the host's certificate is not valid"
    return f"the connection broke off ({type(error).__name__}) [see: connection-broken]"


def _is_distrusted(error: requests.exceptions.RequestException) -> bool:
    """True if TLS verification failed."""
    return "CERTIFICATE_VERIFY_FAILED" in str(error)


def _never_arrived(error: BaseException) -> bool:
    """True if a request did not reach its host at all."""
    return any(isinstance(cause, (ConnectTimeoutError, ProxyError, NewConnectionError)) for cause in _causes(error))


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An exception and all that are wrapped in it, outermost first."""
    seen: list[BaseException] = [error]
    for cause in seen:
        wrapped = (*cause.args, getattr(cause, "reason", None), getattr(cause, "original_error", None), cause.__cause__)
        seen += [inner for inner in wrapped if isinstance(inner, BaseException) and inner not in seen]
    return iter(seen)
