"""The sandbox as a whole: an account that is served by an API, a file host and controls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self

from tap_lexer_activity.sandbox.account import Account
from tap_lexer_activity.sandbox.api import STATUS_PATH, ApiHost
from tap_lexer_activity.sandbox.connections import HOST, Server
from tap_lexer_activity.sandbox.controls import Controls
from tap_lexer_activity.sandbox.differences.book import DifferenceBook
from tap_lexer_activity.sandbox.faults import Fault
from tap_lexer_activity.sandbox.file_host import FileHost
from tap_lexer_activity.sandbox.jobs import Jobs
from tap_lexer_activity.sandbox.query import Options
from tap_lexer_activity.sandbox.quota import Quota
from tap_lexer_activity.sandbox.shared import Shared

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date, datetime
    from types import TracebackType


class Sandbox(Account):
    """Lexer's Activity API on this machine.

    It serves from `start` to `close`, or inside a `with` statement.

    Attributes:
        ledger: Everything that really happened.
        token: The only token that is accepted.
        requests: Every request but those of the controls, in order.
        leaks: The requests to the file host that carried a token.
        secrets: The tokens of export jobs and the signatures of links so far: no log may have them.
        timezone: The account's zone, by name.
        on_request: Called when a request has arrived, before anything is done about it.
    """

    def __init__(  # noqa: PLR0913 every option has a name and a default
        self,
        *,
        clock: str | datetime | None = None,
        timezone: str = "Australia/Sydney",
        messages_per_day: int = 40,
        seed: str = "lexer",
        history_start: str | date | None = None,
        quota: tuple[int, float] = (100, 300),
        retry_after: Literal["seconds", "date"] | None = None,
        labels: Literal["zone", "offset"] = "zone",
        nps_labels: Literal["end", "start"] = "end",
        case_volume_hours: bool = True,
        user_volume_shape: Literal["agents", "states"] = "agents",
        workflow_states_type: str | None = None,
        export_seconds: float = 1.0,
        link_seconds: float = 3600,
        differences: Sequence[str] = (),
        token: str = "sandbox-token-0000",  # noqa: S107 it opens nothing but this
        port: int = 0,
    ) -> None:
        """A sandbox that does not serve yet.

        Args:
            clock: Its time, which stands still until it is moved; None: the real time, which runs.
            timezone: The account's IANA zone.
            messages_per_day: The size of the contact centre.
            seed: The same seed gives the same contact centre.
            history_start: The first date with customers; None: the first of the month 14 months before the clock.
            quota: The number of requests that are admitted, and the length of the window in seconds.
            retry_after: The form in which a 429 names the wait: in `seconds`, as a `date`, or None: not at all.
            labels: See `query.Options`.
            nps_labels: See `query.Options`.
            case_volume_hours: See `query.Options`.
            user_volume_shape: See `query.Options`.
            workflow_states_type: See `query.Options`.
            export_seconds: The time that an export job takes.
            link_seconds: The life of a link to a file.
            differences: Names in `differences.DIFFERENCES`.
            token: The only token that is accepted.
            port: The API's port; 0: a free one. The file host always takes a free one.

        Raises:
            ValueError: An option makes no sense.
        """
        super().__init__(
            clock=clock,
            timezone=timezone,
            messages_per_day=messages_per_day,
            seed=seed,
            history_start=history_start,
            options=Options(labels, nps_labels, case_volume_hours, user_volume_shape, workflow_states_type),
        )
        self.token = token
        self.on_request: Callable[[], None] = lambda: None
        self._shared = Shared(
            account=self,
            quota=Quota(*quota),
            retry_after=retry_after,
            jobs=Jobs(export_seconds=export_seconds, link_seconds=link_seconds),
            token=lambda: self.token,
            file_host=lambda: self.download_url,
            on_request=lambda: self.on_request(),  # noqa: PLW0108 it may be replaced while the hosts serve
            differences=DifferenceBook(differences),
        )
        self.requests = self._shared.requests
        self.leaks = self._shared.leaks
        self.secrets = self._shared.jobs.secrets
        self._port = port
        self._servers: list[Server] = []

    def start(self) -> Self:
        """Listen on 127.0.0.1.

        Raises:
            OSError: The port is taken.
        """
        api = ApiHost(self._shared).app
        Controls(self._shared, self.fault).add_to(api)
        self._servers = [Server(api, self._port)]
        self._servers.append(Server(FileHost(self._shared).app, 0))
        return self

    def close(self) -> None:
        """Stop listening and end all connections."""
        self._shared.stopping.set()
        while self._servers:
            self._servers.pop().close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    @property
    def origin(self) -> str:
        """Scheme, host and port of the API."""
        return f"http://{HOST}:{self._servers[0].port}"

    @property
    def api_url(self) -> str:
        """The tap's setting `api_url`."""
        return f"{self.origin}/v1"

    @property
    def export_status_url(self) -> str:
        """The tap's setting `export_status_url`."""
        return f"{self.origin}{STATUS_PATH}"

    @property
    def download_url(self) -> str:
        """Scheme, host and port of the file host."""
        return f"http://{HOST}:{self._servers[1].port}"

    @property
    def rate_limited(self) -> int:
        """The number of 429s sent."""
        return self._shared.rate_limited()

    def fault(
        self, name: str, match: str | None = None, times: int | None = 1, value: object = None, after: int = 0
    ) -> Fault:
        """Add a fault.

        Args:
            name: Its name in `faults.FAULTS`.
            match: A report type, `users`, `groups`, `forms`, `status` or `download`; None: any.
            times: The number of matching requests that it strikes; None: all.
            value: What `FAULTS` says of it.
            after: The number of matching requests that pass first.

        Returns:
            The fault, which counts what it strikes.

        Raises:
            ValueError: There is no such fault.
        """
        fault = Fault(name, match, times, value, after)
        self._shared.faults.add(fault)
        return fault

    def clear_faults(self) -> None:
        """Remove all faults."""
        self._shared.faults.clear()

    def reset_quota(self) -> None:
        """Give the whole quota again."""
        self._shared.quota.reset()

    def config(self, **extra: object) -> dict[str, object]:
        """A configuration for the tap.

        Args:
            extra: Settings to add or replace.
        """
        config: dict[str, object] = {
            "api_token": self.token,
            "api_url": self.api_url,
            "export_status_url": self.export_status_url,
            "timezone": self.timezone,
            "start_date": self.start_date,
            "rate_limit_requests": self._shared.quota.requests,
            "rate_limit_seconds": self._shared.quota.seconds,
        }
        if self.end_date:
            config["end_date"] = self.end_date
        return config | extra
