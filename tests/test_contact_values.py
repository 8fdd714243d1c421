"""First contact: values that differ from Lexer's documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from support.contact import Case, check

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Tap

    from tap_lexer_activity.sandbox import Sandbox

CASES: Final[list[Case]] = []


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_difference_is_dealt_with_as_the_table_says(
    case: Case, tap: Tap, new_sandbox: Callable[..., Sandbox]
) -> None:
    check(case, tap, new_sandbox)
