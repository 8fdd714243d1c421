"""What the proofs share: whether they run at full length, and where they keep what they count."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest
from conftest import FIGURES
from proof.account import Account

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(scope="session")
def is_long(request: pytest.FixtureRequest) -> bool:
    """True if to try every case (`--long`), and not a sample."""
    return bool(request.config.getoption("long"))


@pytest.fixture(scope="session")
def keep(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Keeps a row of one of the tables in docs/proof.md (`--long --figures`), which `tests/proof/report.py` writes.

    A row is what it has in each column. Its first column is its name: of a row that is kept again, what is not empty replaces what
    was there before.
    """

    def add(table: str, **row: object) -> None:
        if request.config.getoption("figures"):
            FIGURES.mkdir(exist_ok=True)
            with (FIGURES / f"{table}.{os.getpid()}.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")

    return add


@pytest.fixture(scope="session")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """An account that answers all 18 streams. Its clock stands still, and runs that tests share are made once."""
    found = Account(tmp_path_factory.mktemp("account"))
    with found.sandbox:
        yield found
