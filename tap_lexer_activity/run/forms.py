"""The list of forms, which the NPS streams need as well as the stream of forms: a run asks for it once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from singer_sdk.exceptions import ConfigValidationError, FatalAPIError, RetriableAPIError

from tap_lexer_activity.lexer.client import TRIES
from tap_lexer_activity.run.lists import fetch_list

if TYPE_CHECKING:
    from tap_lexer_activity.lexer.client import LexerClient
    from tap_lexer_activity.run.answers import Answers
    from tap_lexer_activity.run.events import Row
    from tap_lexer_activity.run.progress import Progress

NAME: Final = "forms"


class Forms:
    """The account's forms. An error is met again by everyone who asks."""

    def __init__(
        self, client: LexerClient, progress: Progress, answers: Answers, wanted: tuple[int, ...] | None
    ) -> None:
        """Prepare.

        Args:
            client: Talks to Lexer.
            progress: Counts the request.
            answers: Checks the answer.
            wanted: The setting `form_ids`.
        """
        self._client = client
        self._progress = progress
        self._answers = answers
        self._wanted = wanted
        self._outcome: list[Row] | Exception | None = None

    def all(self, *, tries: int = TRIES) -> list[Row]:
        """All forms.

        Raises:
            FatalAPIError, RetriableAPIError: If the list can't be read.
        """
        if self._outcome is None:
            try:
                self._outcome = fetch_list(NAME, self._client, self._progress, self._answers, tries=tries)
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
        nps: dict[Any, Any] = {form["id"]: form.get("name") for form in self.all() if form.get("nps")}
        if self._wanted is None:
            return sorted(nps)
        if strangers := [form_id for form_id in self._wanted if form_id not in nps]:
            known = ", ".join(f"{form_id} ({name})" for form_id, name in sorted(nps.items())) or "none"
            msg = (
                f"form_ids: {', '.join(map(str, strangers))} is no NPS form of this account; its NPS forms are: {known}"
            )
            raise ConfigValidationError(msg, errors=[msg])
        return list(self._wanted)
