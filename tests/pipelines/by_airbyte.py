"""What runs in the environment of PyAirbyte: the source there, and Airbyte's own models of its messages.

python by_airbyte.py hold < MESSAGES
python by_airbyte.py load CACHE STREAM… < CONFIG
"""

from __future__ import annotations

import json
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any


def hold() -> None:
    """Hold each message against its model, and print how many there are. A member that the model does not know is an error."""
    from airbyte_protocol.models import AirbyteMessage  # noqa: PLC0415 (the other program has no use for it)

    count = 0
    for line in sys.stdin:
        message = AirbyteMessage.model_validate_json(line)
        refuse_unknown(message)
        assert json.loads(message.model_dump_json(by_alias=True, exclude_unset=True)) == json.loads(line)
        count += 1
    print(count)


def refuse_unknown(part: Any) -> None:
    """Look through a message and all within it."""
    if not hasattr(part, "model_extra"):
        return
    if part.model_extra and type(part).__name__ != "AirbyteStateBlob":
        message = f"{type(part).__name__} has no {', '.join(part.model_extra)}"
        raise ValueError(message)
    for name in part.model_fields_set:
        refuse_unknown(getattr(part, name, None))


def load(cache: str, *streams: str) -> None:
    """Check, discover and read as often as there are configurations, and print all rows of the cache."""
    import airbyte  # noqa: PLC0415 (as above)
    from airbyte.caches import DuckDBCache  # noqa: PLC0415

    tables = DuckDBCache(db_path=Path(cache))
    for config in json.load(sys.stdin):
        source = airbyte.get_source("source-lexer-activity", config=config, local_executable="source-lexer-activity")
        source.check()
        missing = set(streams) - set(source.get_available_streams())
        assert not missing, missing
        source.select_streams(list(streams))
        result = source.read(cache=tables)
    rows = {name: [dict(row) for row in result[name]] for name in streams}
    print("ROWS", json.dumps(rows, default=lambda value: float(value) if isinstance(value, Decimal) else str(value)))


if __name__ == "__main__":
    _, command, *arguments = sys.argv
    hold() if command == "hold" else load(*arguments)
