"""What fixtures give, for annotations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tap_lexer_activity.sandbox import Sandbox

NewSandbox = Callable[..., Sandbox]
"""Starts a sandbox with options of its own."""

CatalogOf = Callable[..., dict[str, Any]]
"""A catalog that selects the named streams and no other."""
