"""The base of the API and the file host: each records its requests, and lets faults strike them."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from flask import Flask, g, request

from tap_lexer_activity.sandbox.answers import Broken
from tap_lexer_activity.sandbox.fault_answers import strike
from tap_lexer_activity.sandbox.faults import ANSWER
from tap_lexer_activity.sandbox.shared import Recorded

if TYPE_CHECKING:
    from flask import Response

    from tap_lexer_activity.sandbox.shared import Origin, Shared

CONTROLS = "/_sandbox"
"""Requests below this path are for the sandbox itself: they are not recorded, and nothing strikes them."""


class Host(ABC):
    """One host of Lexer, as a Flask application.

    Attributes:
        shared: All that the hosts share.
        app: The application.
    """

    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        self.app = Flask(__name__, static_folder=None)
        self.app.before_request(self._arrive)
        self.app.after_request(self._record)

    @property
    @abstractmethod
    def origin(self) -> Origin:
        """The part of Lexer that this request is for."""

    @abstractmethod
    def enter(self) -> Response | None:
        """Refuse the present request, or let a fault strike it; None: answer it."""

    def strike(self, target: str) -> Response | None:
        """The answer under a fault of the place `ANSWER`; None: none strikes.

        Args:
            target: The target of the present request, as a fault's `match` names it.
        """
        fault = self.shared.faults.take(ANSWER, target)
        if fault is None:
            return None

        def answer() -> Response:
            return self.app.make_response(self.app.dispatch_request())

        return strike(fault, answer, self.shared.file_host(), self.shared.stopping)

    def _arrive(self) -> Response | None:
        g.arrived = time.monotonic(), datetime.now(UTC)
        return self.enter()

    def _record(self, response: Response) -> Response:
        if is_for_controls():
            return response
        body = request.get_json(force=True, silent=True) if request.content_length else None
        monotonic, wall = g.arrived
        recorded = Recorded(
            monotonic=monotonic,
            wall=wall,
            method=request.method,
            path=request.path,
            query=request.query_string.decode(),
            headers=dict(request.headers),
            body=body if isinstance(body, dict) else None,
            status=response.sent if isinstance(response, Broken) else response.status_code,
            had_token="Auth-Api-Token" in request.headers,
            origin=self.origin,
            user_agent=request.headers.get("User-Agent", ""),
        )
        self.shared.requests.append(recorded)
        if recorded.origin == "download" and recorded.had_token:
            self.shared.leaks.append(recorded)
        return response


def is_for_controls() -> bool:
    """True for a request to the sandbox itself."""
    return request.path.startswith(f"{CONTROLS}/")
