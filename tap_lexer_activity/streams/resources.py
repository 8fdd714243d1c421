"""Users, groups and forms: lists of objects, read whole each time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from singer_sdk.exceptions import ConfigValidationError, FatalAPIError, RetriableAPIError
from typing_extensions import override

from tap_lexer_activity.lexer.client import TRIES
from tap_lexer_activity.streams.base import LexerStream

if TYPE_CHECKING:
    from singer_sdk.helpers.types import Context, Record

    from tap_lexer_activity.tap import TapLexerActivity


class Resource(LexerStream):
    """A list of objects with an `id`. Lexer documents no pages, and shows one object where its text says a list."""

    keys = ("id",)

    def fetch(self, *, tries: int = TRIES) -> list[Record]:
        """All objects, by one request that is tried so many times."""
        with self.tap.progress.requests_of(self.name):
            answer = self.client.get(f"/{self.name}", tries=tries)
        what = f"the list of {self.name}"
        return self.distinct(self.checked([answer] if isinstance(answer, dict) else answer, what), what)

    @override
    def read_all(self, context: Context | None) -> list[Record]:
        return self.fetch()


class Users(Resource):
    """Agents and managers, archived ones included if Lexer sends them. Their time zones tell what `timezone` should be."""

    name = "users"

    @override
    def read_all(self, context: Context | None) -> list[Record]:
        users = super().read_all(context)
        self.tap.compare_zone(users)
        return users


class Groups(Resource):
    """Teams."""

    name = "groups"


class Forms(Resource):
    """Surveys and other forms. The NPS streams need the list too, so a run asks for it once."""

    name = "forms"

    def __init__(self, tap: TapLexerActivity) -> None:
        super().__init__(tap)
        self._outcome: list[Record] | Exception | None = None

    @override
    def fetch(self, *, tries: int = TRIES) -> list[Record]:
        if self._outcome is None:
            try:
                self._outcome = super().fetch(tries=tries)
            except (FatalAPIError, RetriableAPIError) as error:
                self._outcome = error
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return [dict(form) for form in self._outcome]

    def nps_ids(self) -> list[int]:
        """Ids of the NPS forms to read, ascending: those of the setting `form_ids`, or all.

        Raises:
            ConfigValidationError: If `form_ids` names a form that is not an NPS form of this account.
            FatalAPIError, RetriableAPIError: If the list of forms can't be read.
        """
        nps: dict[Any, Any] = {form["id"]: form.get("name") for form in self.fetch() if form.get("nps")}
        if self.settings.form_ids is None:
            return sorted(nps)
        if strangers := [form_id for form_id in self.settings.form_ids if form_id not in nps]:
            known = ", ".join(f"{form_id} ({name})" for form_id, name in sorted(nps.items())) or "none"
            msg = (
                f"form_ids: {', '.join(map(str, strangers))} is no NPS form of this account; its NPS forms are: {known}"
            )
            raise ConfigValidationError(msg, errors=[msg])
        return list(self.settings.form_ids)
