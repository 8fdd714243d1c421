"""target-duckdb 0.8.0, loading every row and the types that the schema names.

It hands rows to DuckDB as a CSV file without a header and lets DuckDB guess the file's form. Since 1.1 DuckDB mistakes the first
row for a header, and the row is lost without a word (jwills/target-duckdb#58 mends it, in no release so far). Calendar dates become
text there, and integers HUGEINT, which few tools read.

This module says what the file is like and which type a date and an integer have. Nothing else differs, and it can go once a
release has both.
"""

from __future__ import annotations

from typing import Any

import target_duckdb  # type: ignore[import-not-found] # it ships no types, and is not installed for mypy
from target_duckdb import db_sync

_GUESSED = "WITH (new_line '\\r\\n')"
_EXACT = "WITH (header false, delimiter ',', quote '\"', escape '\"', new_line '\\r\\n')"

_connect = target_duckdb.duckdb_connect
_column_type = db_sync.column_type


class _Connection:
    """A DuckDB connection that is told how the files are written."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def execute(self, query: str, *parameters: Any) -> Any:
        """Run a query."""
        return self._connection.execute(query.replace(_GUESSED, _EXACT), *parameters)


def _exact_type(schema: dict[str, Any]) -> str:
    """The type of the column for a JSON schema."""
    if schema.get("format") == "date":
        return "date"
    kind: str = _column_type(schema)
    return "bigint" if kind == "hugeint" else kind


def main() -> None:
    """Load what comes on stdin, as `target-duckdb` does."""
    target_duckdb.duckdb_connect = lambda config: _Connection(_connect(config))
    db_sync.column_type = _exact_type
    target_duckdb.main()
