"""Headers in which a server speaks of its quota. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from tap_lexer_activity.http.retry import retry_after

_PREFIXES: Final = ("X-RateLimit-", "X-Rate-Limit-", "RateLimit-", "X-RateLimit-Requests-")
_EPOCH: Final = 1e9
"""The smallest number of seconds that is a point in time and no wait; a thousand times as much is one in milliseconds."""
_LONGEST: Final = 86_400.0
"""Seconds of the longest wait that can be meant: the longest period of a quota."""


def wait_for_quota(headers: Mapping[str, str]) -> float | None:
    """Seconds until the quota has room again, as a refusal says: by `Retry-After`, or by what it says of the quota."""
    wait = retry_after(headers.get("Retry-After"))
    return until_reset(headers) if wait is None else wait


def wait_when_spent(headers: Mapping[str, str]) -> float | None:
    """Seconds until the quota has room again, if an answer says that it was the last one; else `None`."""
    left = _said(headers, "Remaining", "remaining", "r")
    return until_reset(headers) if left is not None and left <= 0 else None


def until_reset(headers: Mapping[str, str]) -> float | None:
    """Seconds until the quota starts again, by the server's own clock where it shows that."""
    reset = _said(headers, "Reset", "reset", "t")
    if reset is None:
        return None
    if reset >= _EPOCH:
        moment = reset / 1000 if reset >= 1000 * _EPOCH else reset
        reset = moment - _now(headers) + 1  # (both clocks show full seconds)
    return reset if 0 <= reset <= _LONGEST else None


def _said(headers: Mapping[str, str], name: str, *short: str) -> float | None:
    """A number of the quota: in a header of its own, or in one header for all of them."""
    texts = [headers.get(f"{prefix}{name}", "") for prefix in _PREFIXES]
    together = headers.get("RateLimit", "")
    texts += [found[1] for key in short if (found := re.search(rf"(?:^|[\s;,]){key}=(\d+(?:\.\d+)?)", together))]
    for text in texts:
        if found := re.match(r"\d+(?:\.\d+)?", text.strip(), re.ASCII):
            return float(found[0])
    return None


def _now(headers: Mapping[str, str]) -> float:
    try:
        return parsedate_to_datetime(headers.get("Date", "")).timestamp()
    except (ValueError, OverflowError):
        return datetime.now(UTC).timestamp()
