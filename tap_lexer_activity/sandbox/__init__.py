"""A local stand-in for Lexer's Activity API, for trying, testing and developing without a token.

The tap never imports it, and it imports nothing of the tap: each is a check on the other. From below:

- the contact centre: `people`, `conversations`, `days`, `ledger`, in the time of `instants`
- its reports: `query`, `measures`, `reports`, `series`, `exports`, and `report_types` with all their names
- the account, with its clock: `account`
- what goes wrong: `faults` with all their names, `fault_answers`, `fault_contents`, `fault_exports`
- HTTP: `answers`, `connections`, `quota`, `jobs`; the hosts `api` and `file_host` on `host`, the `controls`, what they
  share (`shared`)
- the whole: `server`, and the command, `cli`
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_lexer_activity.sandbox.ledger import Ledger

if TYPE_CHECKING:
    from tap_lexer_activity.sandbox.server import Sandbox

__all__ = ["Ledger", "Sandbox"]


def __getattr__(name: str) -> object:
    """Import the server only when it is needed: the command must be able to say that Flask is missing."""
    if name == "Sandbox":
        from tap_lexer_activity.sandbox.server import Sandbox  # noqa: PLC0415 see above

        return Sandbox
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
