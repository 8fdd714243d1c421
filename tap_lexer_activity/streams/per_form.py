"""Streams that are read once for each NPS form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk.exceptions import FatalAPIError, RetriableAPIError
from typing_extensions import override

from tap_lexer_activity.run.plan import Plan
from tap_lexer_activity.streams.base import NEVER, WindowedStream

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from tap_lexer_activity.run.events import Event


class PerFormStream(WindowedStream):
    """A stream that is read once for each NPS form."""

    is_per_form = True
    report_parameters: ClassVar[Mapping[str, Any]] = {"nps_category": "all"}

    @override
    def parts(self) -> Sequence[int | None]:
        try:
            found = self.run.forms.nps_ids()
        except (FatalAPIError, RetriableAPIError):
            return []  # whoever reads the stream meets the error
        if self.settings.max_requests is None:
            return found
        return sorted(found, key=lambda form_id: self.bookmark(form_id) or NEVER)  # those behind first

    @override
    def plans(self) -> list[Plan]:
        return super().plans() or [Plan(stream=self.name, reason="there is no NPS form", count=0)]

    @override
    def events(self, form_id: int | None) -> Generator[Event]:
        if form_id is None:
            self.run.forms.nps_ids()
            self.logger.info("This account has no NPS form, so there is nothing to read [see: no-nps-form]")
            return
        yield from super().events(form_id)
