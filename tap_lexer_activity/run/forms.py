"""The list of forms, which the NPS streams need as well as the stream of forms: a run asks for it once."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from singer_sdk.exceptions import ConfigValidationError, FatalAPIError, RetriableAPIError

from tap_lexer_activity.errors import AccessDeniedError, RequestsSpentError, UnexpectedAnswerError, UnreachableError
from tap_lexer_activity.lexer.client import TRIES, LexerClient
from tap_lexer_activity.notices import Notices
from tap_lexer_activity.run.answers import Answers
from tap_lexer_activity.run.events import Row
from tap_lexer_activity.run.lists import fetch_list
from tap_lexer_activity.run.progress import Progress
from tap_lexer_activity.shapes import ADDITIONAL

NAME: Final = "forms"

_KINDS: Final = ("nps", "type", "kind", "form_type", "category", "form_kind", "survey_type")
"""Fields that may say what a form is, where `nps` is neither true nor false."""
_WORDS: Final = re.compile(r"[^\W_]+")
_MOST_SHOWN: Final = 20
"""Most forms that an error names."""


class Forms:
    """The account's forms. An error is met again by everyone who asks."""

    def __init__(
        self,
        client: LexerClient,
        progress: Progress,
        answers: Answers,
        wanted: tuple[int, ...] | None,
        *,
        notices: Notices,
    ) -> None:
        self._client = client
        self._progress = progress
        self._answers = answers
        self._wanted = wanted
        self._notices = notices
        self._outcome: list[Row] | Exception | None = None

    def all(self, *, tries: int = TRIES) -> list[Row]:
        """All forms."""
        # (A token that was refused may be accepted by others since: then it is the list that it is not allowed.)
        if self._outcome is None or (isinstance(self._outcome, AccessDeniedError) and self._client.is_token_accepted):
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
            FatalAPIError, RetriableAPIError: If the list of forms can't be read, or does not say which ones are NPS forms.
        """
        if self._wanted is not None:
            return self._checked(self._wanted)
        forms = self.all()
        found = {form["id"]: is_of_nps(form) for form in forms}
        unsaid = sorted(form_id for form_id, is_nps in found.items() if is_nps is None)
        if unsaid and len(unsaid) == len(found):
            names = {form["id"]: form.get("name") for form in forms}
            msg = (
                "no form says whether it is an NPS form. "
                f"Set form_ids to those that are, out of: {_named(names, unsaid)} [see: forms-no-nps]"
            )
            raise UnexpectedAnswerError(msg)
        if unsaid:
            said = f"{_count(unsaid)} not say whether they are NPS forms, and are not read as such. If one is, set form_ids to all NPS forms"
            self._notices.accept(NAME, "forms that do not say what they are", said)
        if any(is_nps and form.get("nps") is None for form, is_nps in zip(forms, found.values(), strict=True)):
            said = "nps is empty, but another field calls these NPS forms; they are read as such"
            self._notices.accept(NAME, "forms by their type", said)
        return sorted(form_id for form_id, is_nps in found.items() if is_nps)

    def _checked(self, wanted: tuple[int, ...]) -> list[int]:
        """The setting `form_ids`, checked against the list of forms if it can be read."""
        try:
            forms = self.all()
        except (UnreachableError, RequestsSpentError):
            raise
        except (FatalAPIError, RetriableAPIError) as error:
            said = f"the list of forms can't be read ({error}); form_ids is used unchecked"
            self._notices.accept(NAME, "no list of forms", said)
            return list(wanted)
        nps = {form["id"]: form.get("name") for form in forms if is_of_nps(form) is not False}
        if strangers := [form_id for form_id in wanted if form_id not in nps]:
            msg = (
                f"form_ids: {', '.join(map(str, strangers))} is not an NPS form of this account; "
                f"its NPS forms are: {_named(nps, sorted(nps)) or 'none'} [see: form-unknown]"
            )
            raise ConfigValidationError(msg, errors=[msg])
        return list(wanted)


def is_of_nps(form: Row) -> bool | None:
    """True if a form is an NPS form; `None` if nothing says so."""
    if form.get("nps") is not None:
        return bool(form["nps"])
    fields = {**form, **(form.get(ADDITIONAL) or {})}
    kinds = [fields[name] for name in _KINDS if isinstance(fields.get(name), str)]
    return any("nps" in _WORDS.findall(kind.casefold()) for kind in kinds) if kinds else None


def _named(names: Mapping[Any, Any], ids: Sequence[int]) -> str:
    shown = ", ".join(f"{form_id} ({names[form_id]})" for form_id in ids[:_MOST_SHOWN])
    return f"{shown}, and {len(ids) - _MOST_SHOWN} more" if len(ids) > _MOST_SHOWN else shown


def _count(ids: Sequence[int]) -> str:
    return f"forms {', '.join(map(str, ids[:_MOST_SHOWN]))}{' and more' if len(ids) > _MOST_SHOWN else ''} do"
