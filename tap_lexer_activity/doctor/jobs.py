"""Export jobs of one day: started together, asked about in turn, and their files looked at."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from singer_sdk.exceptions import FatalAPIError, RetriableAPIError
from typing_extensions import override

from tap_lexer_activity.doctor.asking import NoAnswer
from tap_lexer_activity.doctor.files import FileFacts, look_at
from tap_lexer_activity.doctor.seen import is_plain_name
from tap_lexer_activity.errors import without_see
from tap_lexer_activity.lexer.download import Downloader
from tap_lexer_activity.lexer.job_answers import (
    Complete,
    CompleteWithoutUrl,
    Failed,
    drafts,
    opened,
    parse_status,
    token_of,
)
from tap_lexer_activity.settings.checks import is_this_machine
from tap_lexer_activity.shapes import stream_schema

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tap_lexer_activity.doctor.asking import Answer, Ask, Asker
    from tap_lexer_activity.lexer.job_answers import Status

EXPORTS: Final = ("mention_sla_export", "case_details", "nps_submissions")
WAITS: Final = (1.0, 4.0, 15.0, 40.0)
"""Seconds before each round of polls."""
_LARGEST: Final = 1 << 20
"""Bytes of a file that are looked at."""
_WORDS: Final = ("status", "state", "job_status")
_WORD: Final = re.compile(r"[A-Za-z][A-Za-z _-]{0,29}", re.ASCII)


@dataclass(kw_only=True)
class JobSeen:
    """All that was seen of a job.

    Attributes:
        started: The answer to its start.
        words: The words of its statuses, in order.
        shape: Names of the fields of answers about it.
        polls: Polls that were answered.
        seconds: Until it was complete; `None` if it is not.
        outcome: How it ended: `complete`, `no data`, `no link`, `failed`, `pending`, or empty if it was not started.
        why: Why there is no file, or why it can't be read; without a link.
        address: Where its status was found, if not at `export_status_url`.
        refused: Why a run does not read it; empty if it does.
    """

    kind: str
    started: Answer
    words: list[str] = field(default_factory=list)
    shape: tuple[str, ...] = ()
    token: str = field(default="", repr=False)
    polls: int = 0
    seconds: float | None = None
    outcome: str = ""
    why: str = ""
    address: str = ""
    file: FileFacts | None = None
    refused: str = ""


class Jobs:
    """Runs the jobs."""

    def __init__(self, asker: Asker) -> None:
        self._asker = asker
        self._settings = asker.settings
        self._downloader = Downloader(asker.client, asker.settings, _silent())
        # (A job may not be known at once: the first address is asked twice.)
        self._addresses: list[tuple[str, str] | None] = [None, *drafts(asker.settings.api_url)]
        self._begun = 0.0

    def run(self, asks: Sequence[Ask]) -> dict[str, JobSeen]:
        """All that is seen of a job, by question."""
        self._begun = self._asker.clock()
        seen: dict[str, JobSeen] = {}
        for ask in asks:
            answer = self._asker.start(ask)
            job = seen[ask.type] = JobSeen(kind=ask.type, started=answer)
            if content := self._read(job, answer, self._settings.api_url, "the answer to its start"):
                job.token = token_of(content) or ""
        for wait in WAITS:
            waiting = [job for job in seen.values() if job.outcome in {"pending", "no link"} and job.token]
            if not waiting or not self._asker.left:
                break
            self._asker.sleep(wait)
            for job in waiting:
                self._poll(job)
        return seen

    def _poll(self, job: JobSeen) -> None:
        address = self._addresses[max(0, job.polls - 1) % len(self._addresses)]
        answer = self._asker.poll(job.token, f"the status of {job.kind}", address)
        if not answer.was_asked:
            return
        job.polls += 1
        base = address[0] if address else self._settings.export_status_url
        if self._read(job, answer, base, "the answer to a poll") is None:
            job.words.append(f"({answer.status})")
            return
        self._addresses = [address]
        job.address = address[0] if address else ""

    def _read(self, job: JobSeen, answer: Answer, base: str, what: str) -> Mapping[str, Any] | None:
        """The content of an answer about a job, which is noted; `None` if it can't be read."""
        content = opened(answer.content) if answer.is_fine else None
        if content is None:
            job.why = f"{what} can't be read" if answer.is_fine else answer.why
        else:
            self._note(job, content, parse_status(content, base))
        return content

    def _note(self, job: JobSeen, content: Mapping[str, Any], found: Status) -> None:
        leaves = dict(leaves_of(content))
        job.shape = tuple(leaves)
        word = next((value for name, value in leaves.items() if name.rpartition(".")[2] in _WORDS and value), None)
        shown = word if isinstance(word, str) and _WORD.fullmatch(word) else "(none)" if word is None else "(not shown)"
        if not job.words or job.words[-1] != shown:
            job.words.append(shown)
        job.outcome, job.why = "pending", ""
        match found:
            case Complete(url):
                job.outcome, job.seconds = "complete", self._asker.clock() - self._begun
                self._fetch(job, url)
            case Failed():
                job.outcome = "failed"
            case CompleteWithoutUrl(has_no_data=True):
                job.outcome, job.seconds = "no data", self._asker.clock() - self._begun
            case CompleteWithoutUrl():
                job.outcome = "no link"

    def _fetch(self, job: JobSeen, url: str) -> None:
        """Look at the first bytes of a file."""
        try:
            host = urlsplit(url).hostname or ""
            if urlsplit(url).scheme == "http" and not is_this_machine(host):
                job.why = "the file would come unencrypted"
                return
            http = self._asker.door.without_token(headers={}, check_redirect=lambda _: None, logger=_silent())
            timeout = self._settings.request_timeout
            failures = _NoFile("no download: ", "the file host", timeout=timeout, quote=lambda _: "")
            with http.open("GET", url, failures) as response:
                if response.status_code != 200:  # noqa: PLR2004 (the file)
                    job.why = f"the file host answers {response.status_code}"
                    return
                body = bytearray()
                for piece in response.iter_content(1 << 16):
                    body += piece
                    if len(body) >= _LARGEST:
                        break
        except (FatalAPIError, RetriableAPIError) as error:
            job.why = without_see(str(error))
        except ValueError:
            job.why = "the link to the file is not a valid address"
        else:
            job.file = look_at(bytes(body), stream_schema(job.kind)["properties"])
            try:  # once more, as a run does
                self._downloader.fetch(url, f"the export {job.kind}").close()
            except (FatalAPIError, RetriableAPIError) as error:
                job.refused = without_see(str(error))
            if job.refused and not job.file.known:  # a sentence, perhaps: what looks like a header may be a text
                job.file = replace(job.file, header=())


def leaves_of(content: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """The values of an object and of those in it, by their names. What has no plain name is left out: it may be data."""
    for name, value in content.items():
        if not is_plain_name(name):
            continue
        if isinstance(value, dict):
            yield from leaves_of(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def _silent() -> logging.Logger:
    """A silent logger: the findings say what would be logged."""
    result = logging.getLogger(__name__)
    result.setLevel(logging.CRITICAL + 1)
    return result


class _NoFile(NoAnswer):
    """Errors for a file that does not come. They show no link."""

    @override
    def no_address(self, text: str) -> FatalAPIError:
        return FatalAPIError("the link to the file is not a valid address")
