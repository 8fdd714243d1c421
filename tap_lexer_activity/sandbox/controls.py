"""The sandbox's controls below `/_sandbox/`: its clock, its faults, and what it has seen."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from flask import request

from tap_lexer_activity.sandbox.answers import error, json_answer
from tap_lexer_activity.sandbox.host import CONTROLS

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Flask, Response

    from tap_lexer_activity.sandbox.shared import Recorded, Shared


class Controls:
    """The routes of the controls. They need no token and use no quota."""

    def __init__(self, shared: Shared, add_fault: Callable[..., object]) -> None:
        """Controls of a sandbox.

        Args:
            shared: All that its hosts share.
            add_fault: Adds a fault, described by the names of its arguments.
        """
        self._shared = shared
        self._add_fault = add_fault

    def add_to(self, app: Flask) -> None:
        """Add the routes to an application."""
        app.add_url_rule(f"{CONTROLS}/state", "state", self._state)
        app.add_url_rule(f"{CONTROLS}/clock", "clock", self._clock, methods=["POST"])
        app.add_url_rule(f"{CONTROLS}/faults", "faults", self._faults, methods=["POST", "DELETE"])
        app.add_url_rule(f"{CONTROLS}/requests", "requests", self._requests)
        app.add_url_rule(f"{CONTROLS}/ledger", "ledger", self._ledger)

    def _state(self) -> Response:
        """The sandbox's clock, size and quota, and its counts so far."""
        shared, account = self._shared, self._shared.account
        return json_answer(
            {
                "clock": account.clock.isoformat(),
                "clock_runs": account.clock_runs,
                "timezone": account.timezone,
                "history_start": account.ledger.history_start.isoformat(),
                "messages_per_day": account.ledger.messages_per_day,
                "quota": [shared.quota.requests, shared.quota.seconds],
                "requests": len(shared.requests),
                "rate_limited": shared.rate_limited(),
                "leaks": len(shared.leaks),
                "faults": shared.faults.names(),
            }
        )

    def _clock(self) -> Response:
        """Set the clock, or move it."""
        body = request.get_json(force=True, silent=True) or {}
        try:
            if "clock" in body:
                self._shared.account.clock = str(body["clock"])
            else:
                self._shared.account.advance(float(body["advance_seconds"]))
        except (KeyError, TypeError, ValueError) as wrong:
            return error(400, f'send {{"clock": ISO 8601}} or {{"advance_seconds": number}}: {wrong}')
        return self._state()

    def _faults(self) -> Response:
        """Add a fault, or clear them all."""
        if request.method == "DELETE":
            self._shared.faults.clear()
            return self._state()
        try:
            self._add_fault(**(request.get_json(force=True, silent=True) or {}))
        except (TypeError, ValueError) as wrong:
            return error(400, str(wrong))
        return self._state()

    def _requests(self) -> Response:
        """Every request so far."""
        return json_answer([_plain(recorded) for recorded in self._shared.requests])

    def _ledger(self) -> Response:
        """The messages of a window as they really are."""
        # a plus sign that a client did not escape has become a space
        first, last = (request.args.get(name, "").replace(" ", "+") for name in ("date_from", "date_to"))
        try:
            return json_answer(self._shared.account.truth(first, last))
        except ValueError as wrong:
            return error(400, str(wrong))


def _plain(recorded: Recorded) -> dict[str, object]:
    return asdict(recorded) | {"wall": recorded.wall.isoformat()}
