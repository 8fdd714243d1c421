"""The SDK's own suite, with all that it has for taps, over every record of the sandbox's days. What it can't catch is in the other files."""

from __future__ import annotations

import atexit
from typing import TYPE_CHECKING

import pytest
from singer_sdk.testing import SuiteConfig, get_tap_test_class

from tap_lexer_activity.sandbox import Sandbox
from tap_lexer_activity.tap import TapLexerActivity

if TYPE_CHECKING:
    from singer_sdk.testing.factory import BaseTestClass

pytestmark = [
    pytest.mark.proof,
    # Said of `additional_columns`, which the sandbox has nothing for in most streams. (tests/test_sync.py holds that all else is filled.)
    pytest.mark.filterwarnings("ignore:No records were available to test:UserWarning"),
]

# The suite is made when this file is read, and asks the tap for its streams then.
_SANDBOX = Sandbox(clock="2026-05-01T10:00:00+10:00", quota=(5000, 10), workflow_states_type="states").start()
atexit.register(_SANDBOX.close)

_CONFIG = _SANDBOX.config(start_date="2026-04-24", report_parameters={"workflow_states": {"type": "states"}})
_CATALOG = TapLexerActivity(config=_CONFIG).catalog
for _entry in _CATALOG.streams:
    _entry.metadata.root.selected = True  # workflow_states, too

TestTap: type[BaseTestClass] = get_tap_test_class(
    TapLexerActivity,
    config=_CONFIG,
    suite_config=SuiteConfig(max_records_limit=None),  # all of them, where it would read 150
    catalog=_CATALOG.to_dict(),
    parse_env_config=False,
)
