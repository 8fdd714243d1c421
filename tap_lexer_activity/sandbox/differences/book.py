"""The differences of one sandbox, and what they remember of earlier requests."""

from __future__ import annotations

import json
import threading
from collections import Counter
from typing import TYPE_CHECKING

from flask import Response, request

from tap_lexer_activity.sandbox.differences import Answer, Asked, find

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from tap_lexer_activity.sandbox.account import Account
    from tap_lexer_activity.sandbox.query import Query


class DifferenceBook:
    """The differences of one sandbox, applied in the order of `DIFFERENCES`."""

    def __init__(self, names: Sequence[str]) -> None:
        """The differences with these names.

        Raises:
            ValueError: There is no difference of a name.
        """
        self._differences = [find(name) for name in names]
        self._counts: Counter[tuple[str, ...]] = Counter()
        self._lock = threading.Lock()

    def apply(  # noqa: PLR0913 all that is known of a request
        self,
        content: Any,
        *,
        target: str,
        kind: str,
        account: Account,
        file_host: str,
        query: Query | None = None,
        status: int = 200,
    ) -> Response:
        """The answer to the present request, with all differences that concern its target."""
        body = request.get_json(force=True, silent=True) if request.content_length else None
        token = request.args.get("token", "")
        with self._lock:
            self._counts.update([(target, kind), (target, kind, token)])
            count, polls = self._counts[target, kind], self._counts[target, kind, token]
        asked = Asked(
            target=target,
            kind=kind,
            query=query,
            body=body if isinstance(body, dict) else {},
            args=request.args.to_dict(),
            url=request.base_url,
            count=count,
            polls=polls if target == "status" else 0,
            account=account,
            file_host=file_host,
        )
        answer = Answer(content, status)
        for difference in self._differences:
            if target in difference.targets:
                difference.change(asked, answer)
        return _response(answer)


def _response(answer: Answer) -> Response:
    is_file = isinstance(answer.content, bytes)
    body = answer.content if is_file else json.dumps(answer.content).encode()
    media_type = answer.media_type or ("text/csv" if is_file else "application/json")
    return Response(
        body if answer.body is None else answer.body, answer.status, answer.headers, content_type=media_type
    )
