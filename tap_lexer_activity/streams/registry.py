"""All streams, by name."""

from __future__ import annotations

from typing import Final

from tap_lexer_activity.streams import exports, lists, nps_volume, reports, series
from tap_lexer_activity.streams.base import LexerStream, WindowedStream

STREAMS: Final[tuple[type[LexerStream], ...]] = (
    lists.Users,
    lists.Groups,
    lists.Forms,
    reports.Summary,
    reports.WorkflowStates,
    reports.Classifications,
    reports.UserSummary,
    reports.UserVolume,
    reports.CaseSummary,
    reports.CaseClassifications,
    reports.NpsSummary,
    series.StatesVolume,
    series.ResponseVolume,
    series.CaseVolume,
    nps_volume.NpsVolume,
    exports.CaseDetails,
    exports.NpsSubmissions,
    exports.MentionSlaExport,
)
"""In the order in which they are read, unless `max_requests` puts others first. The exports come last, so that Lexer can work on them
meanwhile."""

BY_NAME: Final[dict[str, type[LexerStream]]] = {stream.name: stream for stream in STREAMS}

REPORTS: Final = frozenset(name for name, stream in BY_NAME.items() if issubclass(stream, WindowedStream))
"""Names of the streams that are read in windows."""
