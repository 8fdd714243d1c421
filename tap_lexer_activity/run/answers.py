"""The answers to one stream's requests: checked against their documented shape, and made fit for targets."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tap_lexer_activity.errors import UnexpectedAnswerError
from tap_lexer_activity.fitting import Findings, fitted
from tap_lexer_activity.notices import Notices
from tap_lexer_activity.readings import KINDS
from tap_lexer_activity.run.columns import Columns
from tap_lexer_activity.run.events import Row
from tap_lexer_activity.shapes import ADDITIONAL, answer_validator, check

if TYPE_CHECKING:
    from jsonschema.protocols import Validator


class Answers:
    """Checks the answers to one stream's requests."""

    def __init__(  # noqa: PLR0913 (what it works with)
        self,
        schema: Mapping[str, Any],
        keys: Sequence[str],
        columns: Columns,
        *,
        stream: str,
        notices: Notices,
        quote: Callable[[str], str],
        accepted: Container[str] = (),
    ) -> None:
        self._schema = schema
        self._keys = keys
        self._columns = columns
        self._stream = stream
        self._notices = notices
        self._quote = quote
        self._accepted = accepted
        self._kinds: dict[str, str] = {}

    @cached_property
    def _validator(self) -> Validator:
        return answer_validator(self._schema)

    def checked(self, answer: Any, label: str) -> Any:
        """The answer, if it has the documented shape: with values that targets can store, and `additional_columns` for what has no column."""
        answer, found = fitted(answer, self._schema, utc_times="utc_times" in self._accepted)
        check(answer, self._validator, what=label, quote=self._quote)
        self._say(found, label)
        return answer

    def _say(self, found: Findings, label: str) -> None:
        """Take note of what differs."""
        is_kept = self._columns.keep_additional
        fate = "kept as they came in additional_columns" if is_kept else "lost: additional_columns is not selected"
        for column, expected in found.odd.items():
            wanted = expected
            said = f"{label}: a value of the column {column!r} is not {wanted}; such values are null, and {fate} [see: value-of-other-type]"
            if column in found.zoneless:
                said += f'. If times without a zone are in UTC, set accept to {{"{self._stream}": ["utc_times"]}}'
                wanted += ", for it names no zone"
            self._notices.accept(self._stream, f"{column}: not {wanted}", said)
        for kind, columns in found.read.items():
            said = f"{label}: {KINDS[kind]} (in {', '.join(columns)})"
            self._notices.accept(self._stream, kind, said)
        # One line names them all, if all have come with the first answer that has any.
        if names := [name for name in found.new if name not in self._kinds]:
            shown = self._quote(", ".join(names))
            self._kinds |= dict.fromkeys(names, f"new fields: {shown}")
        for kind in dict.fromkeys(self._kinds[name] for name in found.new):
            said = f"{label}: undocumented fields came, and are {fate}: {kind.partition(': ')[2]}"
            self._notices.accept(self._stream, kind, said)

    def distinct(self, rows: Iterable[Row], label: str) -> list[Row]:
        """The rows with all their columns. One that came twice, and was alike, is one.

        Raises:
            UnexpectedAnswerError: If two of them have one key and differ: a target would keep only one.
        """
        result: dict[tuple[Any, ...], Row] = {}
        for given in rows:
            row = {name: value for name, value in given.items() if name != ADDITIONAL}
            if self._columns.name_additional:
                row[ADDITIONAL] = given.get(ADDITIONAL)
            key = tuple(row[name] for name in self._keys)
            if key in result:
                self._take_double(result[key], row, label)
            else:
                result[key] = row
        return list(result.values())

    def _take_double(self, first: Row, row: Row, label: str) -> None:
        """Leave out a row whose key another row has, if nothing is lost by it."""
        named = ", ".join(f"{name} {row[name]}" for name in self._keys)
        # (A clock shows an hour twice a year: the numbers of two hours may be the same.)
        if row == first and row.get("interval") != "hour":
            said = f"{label}: a row came twice, and is kept once: {self._quote(named)}"
            self._notices.accept(self._stream, "rows that came twice", said)
            return
        if "merge_doubles" in self._accepted:
            said = f"{label}: two rows that differ came for {self._quote(named)}; the first is kept, as the setting accept says"
            self._notices.accept(self._stream, "rows that differ", said)
            return
        msg = f"{label}: the answer has two rows for {named}. To take the first of such rows, set accept to "
        msg += f'{{"{self._stream}": ["merge_doubles"]}} [see: answer-row-twice]'
        if day := row.get("local_date"):
            msg += f'; to skip this window, set skip_windows to {{"{self._stream}": ["{day}"]}}'
        raise UnexpectedAnswerError(msg)
