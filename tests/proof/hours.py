"""Runs the tap again and again in one process, as a test asks for it.

In: a line of JSON for each run, with its config, catalog and state. Out: the run's messages, and after them a line of the type END.
"""

from __future__ import annotations

import gc
import json
import logging
import sys
from typing import TYPE_CHECKING, Any

from support.clocks import Clock
from typing_extensions import override

from tap_lexer_activity.tap import TapLexerActivity

if TYPE_CHECKING:
    from tap_lexer_activity.run.run import Run


class HurriedTap(TapLexerActivity):
    """The tap, but that it does not wait for export jobs: its other waits do not come up."""

    @override
    def new_run(self, **more: Any) -> Run:
        clock = Clock()
        return super().new_run(clock=clock, sleep=clock.sleep, **more)


def main() -> None:
    """Run until there is no more to read."""
    logging.disable(logging.INFO)
    gc.freeze()  # what has been imported stays, so there is no need to look at it after each run
    for line in sys.stdin:
        HurriedTap(**json.loads(line)).run()
        gc.collect()
        print(json.dumps({"type": "END"}), flush=True)  # noqa: T201 (its answer)


if __name__ == "__main__":
    main()
