"""Exports that differ: what is said of jobs, and their files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tap_lexer_activity.sandbox.differences.base import Difference, of_content

if TYPE_CHECKING:
    from typing import Any


def _done(content: Any) -> Any:
    return {**content, "status": "SUCCESS"} if content["url"] else content


DIFFERENCES: Final = {
    "complete_is_success": Difference("a complete job is SUCCESS", frozenset({"status"}), of_content(_done)),
}
