"""Differences of exports: answers about jobs, and files."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from datetime import datetime
from typing import TYPE_CHECKING, Final

from tap_lexer_activity.sandbox.differences.base import Difference, of_content
from tap_lexer_activity.sandbox.instants import DAY

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from tap_lexer_activity.sandbox.differences.base import Answer, Asked

    Rows = list[list[str]]

_START, _STATUS, _FILE = frozenset({"start"}), frozenset({"status"}), frozenset({"download"})
_LONGEST_DAYS: Final = 7
_MOST_ROWS: Final = 50
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")


# Jobs


def _done(content: Any) -> Any:
    return {**content, "status": "SUCCESS"} if content["url"] else content


def _while_at_work(word: str | None) -> Callable[[Asked, Answer], None]:
    """The first answers about a job have another word for `pending`, and no link."""

    def change(asked: Asked, answer: Answer) -> None:
        if answer.status == 200 and asked.polls == 1:  # noqa: PLR2004 the statuses of HTTP
            answer.content = {**answer.content, "status": word, "url": None}

    return change


def _unknown_at_first(asked: Asked, answer: Answer) -> None:
    if asked.polls == 1:
        answer.status, answer.content = 404, {"error": "Not found"}


def _renamed(content: Any) -> Any:
    return {"job": {"state": content["status"], "file_url": content["url"]}}


def _relative(content: Any) -> Any:
    return {**content, "url": content["url"].replace("http:", "", 1)} if content["url"] else content


def _token_under_id(content: Any) -> Any:
    return {"status": content["status"], "id": content["token"]}


def _no_data(content: Any) -> Any:
    return {**content, "url": None, "message": "No data for this range"} if content["url"] else content


def _without_link(content: Any) -> Any:
    return {**content, "url": None}


def _failed_if_long(asked: Asked, answer: Answer) -> None:
    """Jobs for more than a week fail."""
    if answer.status == 200 and asked.query and _days(asked) > _LONGEST_DAYS:  # noqa: PLR2004 the statuses of HTTP
        answer.content = {**answer.content, "status": "Cancelled", "url": None}


def _refused_if_long(asked: Asked, answer: Answer) -> None:
    """Jobs for more than a week are not started."""
    if _days(asked) > _LONGEST_DAYS:
        answer.status, answer.content = 400, {"error": "The date range is too long"}


def _days(asked: Asked) -> float:
    query = asked.query
    return 0 if query is None else (query.end - query.start) / DAY


# Files


def _of_bytes(change: Callable[[bytes], bytes]) -> Callable[[Asked, Answer], None]:
    def in_place(_: Asked, answer: Answer) -> None:
        if isinstance(answer.content, bytes):
            answer.content = change(answer.content)

    return in_place


def _of_rows(change: Callable[[Rows], Rows], **form: Any) -> Callable[[Asked, Answer], None]:
    """A change of the rows of a file, header included, and of their form."""

    def of_bytes(content: bytes) -> bytes:
        rows = change(list(csv.reader(io.StringIO(content.decode(), newline=""))))
        text = io.StringIO()
        csv.writer(text, **form).writerows(rows)
        return text.getvalue().encode()

    return _of_bytes(of_bytes)


def _of_cells(change: Callable[[str, str], str]) -> Callable[[Asked, Answer], None]:
    """A change of each cell, by its header."""
    return _of_rows(
        lambda rows: [rows[0], *([change(*pair) for pair in zip(rows[0], row, strict=True)] for row in rows[1:])]
    )


def _same(rows: Rows) -> Rows:
    return rows


def _zipped(content: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("export.csv", content)
    return packed.getvalue()


def _joined(rows: Rows) -> Rows:
    """The second half of the rows has its own header, with the columns in reverse order."""
    middle = len(rows) // 2
    return [*rows[:middle], *(row[::-1] for row in [rows[0], *rows[middle:]])]


def _under_a_title(rows: Rows) -> Rows:
    return [["Export of Acme", "with all its columns"], *rows]


def _with_a_sum(rows: Rows) -> Rows:
    return [*rows, [f"Total: {len(rows) - 1} rows"]]


def _without_header(rows: Rows) -> Rows:
    return rows[1:]


def _in_days_first(_: str, cell: str) -> str:
    return f"{datetime.fromisoformat(cell):%d/%m/%Y %H:%M:%S}" if _TIME.fullmatch(cell) else cell


def _in_words(_: str, cell: str) -> str:
    return f"{datetime.fromisoformat(cell):%b %d, %Y %I:%M:%S %p}" if _TIME.fullmatch(cell) else cell


def _with_thousands(header: str, cell: str) -> str:
    return f"{float(cell):,.4f}" if cell and header.endswith("(min)") else cell


DIFFERENCES: Final = {  # (in this order: what changes rows comes before what changes how they are written, and that before bytes)
    "complete_is_success": Difference("a complete job is SUCCESS", _STATUS, of_content(_done), is_contrary=True),
    "pending_is_processing": Difference(
        "an unfinished job is `processing`", _STATUS, _while_at_work("processing"), is_contrary=True
    ),
    "pending_is_null": Difference("an unfinished job has no status", _STATUS, _while_at_work(None)),
    "unknown_at_first": Difference("a new job is not known at first (404)", _STATUS, _unknown_at_first),
    "relative_link": Difference("the link to a file has no scheme", _STATUS, of_content(_relative), is_contrary=True),
    "no_data_in_words": Difference(
        'a complete job has no link, and says "No data for this range"', _STATUS, of_content(_no_data)
    ),
    "complete_without_link": Difference("a complete job never has a link", _STATUS, of_content(_without_link)),
    "long_exports_fail": Difference("exports of more than a week are cancelled", _STATUS, _failed_if_long),
    "long_exports_refused": Difference("exports of more than a week are refused", _START, _refused_if_long),
    "status_renamed": Difference(
        'the status of a job comes as {"job": {"state": ..., "file_url": ...}}',
        _STATUS,
        of_content(_renamed),
        is_contrary=True,
    ),
    "token_under_id": Difference(
        "the token of a job is called `id`", _START, of_content(_token_under_id), is_contrary=True
    ),
    "file_days_first": Difference("times in files are 15/06/2019 10:22:00", _FILE, _of_cells(_in_days_first)),
    "file_times_in_words": Difference("times in files are Jun 15, 2019 10:22:00 AM", _FILE, _of_cells(_in_words)),
    "file_thousands": Difference("numbers in files are 1,234.5", _FILE, _of_cells(_with_thousands), is_contrary=True),
    "file_capped": Difference("files have at most 1,000 rows", _FILE, _of_rows(lambda rows: rows[:1001])),
    "file_joined": Difference(
        "files have a second header, with the columns in another order", _FILE, _of_rows(_joined)
    ),
    "file_without_header": Difference("files have no header", _FILE, _of_rows(_without_header)),
    "file_title": Difference("files have a line above their header", _FILE, _of_rows(_under_a_title), is_contrary=True),
    "file_sum": Difference("files have a total below their rows", _FILE, _of_rows(_with_a_sum), is_contrary=True),
    "file_semicolons": Difference(
        "columns of files are separated by semicolons", _FILE, _of_rows(_same, delimiter=";"), is_contrary=True
    ),
    "file_tabs": Difference("columns of files are separated by tabs", _FILE, _of_rows(_same, delimiter="\t")),
    "file_cr": Difference("lines of files end in CR alone", _FILE, _of_rows(_same, lineterminator="\r")),
    "file_utf16": Difference(
        "files are in UTF-16", _FILE, _of_bytes(lambda content: content.decode().encode("utf-16"))
    ),
    "file_not_utf8": Difference(
        "files are in an encoding that is not UTF-8, and do not say so",
        _FILE,
        _of_bytes(lambda content: content.decode().encode("gb18030")),
    ),
    "file_zip": Difference("files are zipped", _FILE, _of_bytes(_zipped), is_contrary=True),
}
