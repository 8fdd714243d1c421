"""Users, groups and forms: lists of objects, read whole each time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from tap_lexer_activity import zones
from tap_lexer_activity.lexer.client import TRIES
from tap_lexer_activity.run.lists import fetch_list
from tap_lexer_activity.streams.base import LexerStream
from tap_lexer_activity.windows import Window

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping
    from typing import Any

    from tap_lexer_activity.lexer.lookahead import Ask
    from tap_lexer_activity.run.events import Event, Row


class ListStream(LexerStream):
    """A list of objects with an `id`."""

    keys = ("id",)

    def fetch(self, *, tries: int = TRIES) -> list[Row]:
        """All objects, by one request."""
        return fetch_list(self.name, self.run.client, self.run.progress, self.answers, tries=tries)

    @override
    def sample(self) -> list[Row]:
        return self.fetch()

    @override
    def asks(self, form_id: int | None) -> Iterable[Ask]:
        return [self.run.client.ask_of_list(f"/{self.name}")]

    @override
    def events(self, form_id: int | None) -> Generator[Event]:
        yield from map(self.columns.placed, self.fetch())


class Users(ListStream):
    """Agents and managers, archived ones included if Lexer sends them. Their time zones tell what `timezone` should be."""

    name = "users"

    @override
    def events(self, form_id: int | None) -> Generator[Event]:
        users = self.fetch()
        if not users:
            said = "the list of users is empty, though whoever made the token is a user. No rows come of it"
            self.run.notices.accept(self.name, "nothing", said)
        self.compare_zone(users)
        yield from map(self.columns.placed, users)

    def compare_zone(self, users: Iterable[Mapping[str, Any]]) -> None:
        """Warn if most users have another time zone than the configured one."""
        settings = self.settings
        within = settings.backfill or Window(settings.start, settings.present)
        if caution := zones.caution(users, settings.zone, within, is_set=settings.zone_is_set):
            self.run.logger.warning("%s", caution)


class Groups(ListStream):
    """Teams."""

    name = "groups"


class Forms(ListStream):
    """Surveys and other forms."""

    name = "forms"

    @override
    def asks(self, form_id: int | None) -> Iterable[Ask]:
        return ()  # they have been asked for before the first stream is read

    @override
    def fetch(self, *, tries: int = TRIES) -> list[Row]:
        return self.run.forms.all(tries=tries)
