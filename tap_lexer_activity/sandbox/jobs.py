"""Export jobs, and the signed links to their files."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tap_lexer_activity.sandbox.query import Query


@dataclass(frozen=True)
class Job:
    """An export job.

    Attributes:
        kind: The report type.
        query: The window that it exports, and the clock of its start.
        ready: The time at which it is complete, in seconds of the monotonic clock.
        lasting_status: A status that it keeps for ever, by a fault; None: it is pending, then complete.
    """

    kind: str
    query: Query
    ready: float
    lasting_status: str | None

    @property
    def status(self) -> str:
        """Its status now."""
        return self.lasting_status or ("complete" if time.monotonic() >= self.ready else "pending")


class Jobs:
    """The export jobs that were started.

    Attributes:
        secrets: The tokens of jobs and the signatures of links so far: no log may have them.
    """

    def __init__(self, *, export_seconds: float, link_seconds: float) -> None:
        self.secrets: list[str] = []
        self._export_seconds = export_seconds
        self._link_seconds = link_seconds
        self._key = secrets.token_bytes(32)
        self._jobs: dict[str, Job] = {}

    def start(self, kind: str, query: Query, lasting_status: str | None = None) -> str:
        """Start a job, and return its token."""
        token = str(uuid.uuid4())
        self.secrets.append(token)
        self._jobs[token] = Job(kind, query, time.monotonic() + self._export_seconds, lasting_status)
        return token

    def find(self, token: str) -> Job | None:
        """The job of a token; None: there is none."""
        return self._jobs.get(token)

    def link(self, token: str, file_host: str, seconds: float | None = None) -> str:
        """Sign a link to a job's file.

        Args:
            token: The job's.
            file_host: The origin of the downloads.
            seconds: How long the link lives; None: as long as links do.
        """
        expires = int(time.time() + (self._link_seconds if seconds is None else seconds))
        signature = self._sign(token, expires)
        self.secrets.append(signature)
        return f"{file_host}/downloads/activity_{token}?X-Amz-Expires={expires}&X-Amz-Signature={signature}"

    def is_valid(self, token: str, expires: int, signature: str) -> bool:
        """True for a link that was signed here and has not expired."""
        signed = hmac.compare_digest(signature.encode(), self._sign(token, expires).encode())
        return signed and expires >= time.time()

    def _sign(self, token: str, expires: int) -> str:
        return hmac.new(self._key, f"{token}:{expires}".encode(), hashlib.sha256).hexdigest()
