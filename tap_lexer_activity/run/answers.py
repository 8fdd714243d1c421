"""The answers to one stream's requests: held against their documented shape, and made fit for targets."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from tap_lexer_activity.errors import UnexpectedAnswerError
from tap_lexer_activity.shapes import ADDITIONAL, answer_validator, check, fitted

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from jsonschema.protocols import Validator

    from tap_lexer_activity.run.columns import Columns
    from tap_lexer_activity.run.events import Row


class Answers:
    """Checks the answers to one stream's requests."""

    def __init__(
        self,
        schema: Mapping[str, Any],
        keys: Sequence[str],
        columns: Columns,
        *,
        quote: Callable[[str], str],
        logger: logging.Logger,
    ) -> None:
        """Prepare.

        Args:
            schema: JSON schema of an answer.
            keys: Primary key of the rows.
            columns: The stream's columns.
            quote: Makes the beginning of an answer fit for a log.
            logger: For warnings, each of which comes once.
        """
        self._schema = schema
        self._keys = keys
        self._columns = columns
        self._quote = quote
        self._logger = logger
        self._warned: set[str] = set()

    @cached_property
    def _validator(self) -> Validator:
        return answer_validator(self._schema)

    def checked(self, answer: Any, label: str) -> Any:
        """The answer, with values that targets can store.

        Raises:
            UnexpectedAnswerError: If it does not have the documented shape.
        """
        answer, odd = fitted(answer, self._schema)
        check(answer, self._validator, what=label, quote=self._quote)
        is_kept = self._columns.keep_additional
        fate = "kept as they came in additional_columns" if is_kept else "lost: additional_columns is not selected"
        for column in odd.keys() - self._warned:
            said = "%s: a value of the column %r is not %s; such values are null, and %s"
            self._logger.warning(said, label, column, odd[column], fate)
        self._warned |= odd.keys()
        return answer

    def distinct(self, rows: Iterable[Row], label: str) -> list[Row]:
        """The rows with all their columns.

        Raises:
            UnexpectedAnswerError: If two of them have one key: a target would keep only one.
        """
        result: dict[tuple[Any, ...], Row] = {}
        for given in rows:
            row = {name: value for name, value in given.items() if name != ADDITIONAL}
            if self._columns.name_additional:
                row[ADDITIONAL] = given.get(ADDITIONAL)
            key = tuple(row[name] for name in self._keys)
            if key in result:
                named = ", ".join(f"{name} {value}" for name, value in zip(self._keys, key, strict=True))
                msg = f"{label}: the answer has two rows for {named}"
                raise UnexpectedAnswerError(msg)
            result[key] = row
        return list(result.values())
