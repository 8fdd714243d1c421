"""Locks in a process that forks, as Python programs do for work in parallel. A child has none of the threads that held them."""

from __future__ import annotations

import os
import threading
import weakref
from threading import RLock
from typing import Final, TypeVar

_PATIENCE: Final = 5.0
"""Seconds that a fork waits for a lock at most."""
_Lock = TypeVar("_Lock", bound="RLock")

_known: weakref.WeakSet[RLock] = weakref.WeakSet()
_taken: list[RLock] = []


def free_in_children(lock: _Lock) -> _Lock:
    """A lock that no other thread holds at the moment of a fork. So it is free in the child, and what it guards is whole."""
    _known.add(lock)
    return lock


def _take() -> None:
    _taken.extend(lock for lock in list(_known) if lock.acquire(timeout=_PATIENCE))


def _give_back() -> None:
    while _taken:
        _taken.pop().release()


if hasattr(os, "register_at_fork"):  # not on Windows, where nothing forks
    os.register_at_fork(before=_take, after_in_parent=_give_back, after_in_child=_give_back)


def new_condition() -> threading.Condition:
    """A condition whose lock is free in children."""
    return threading.Condition(free_in_children(threading.RLock()))
