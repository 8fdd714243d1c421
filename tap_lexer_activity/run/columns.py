"""The columns of a stream, as a catalog selects them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tap_lexer_activity.shapes import ADDITIONAL, stream_schema

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of one stream.

    Attributes:
        properties: JSON schema of each column that the catalog names.
        selected: The same, of those that are selected.
    """

    properties: Mapping[str, Any]
    selected: Mapping[str, Any]

    @classmethod
    def of_schema(cls, stream: str) -> Columns:
        """All columns of a stream's own schema: what there is without a catalog."""
        properties = stream_schema(stream)["properties"]
        return cls(properties, properties)

    @property
    def name_additional(self) -> bool:
        """Whether the catalog knows `additional_columns`; one of an earlier version may not."""
        return ADDITIONAL in self.properties

    @property
    def keep_additional(self) -> bool:
        """Whether `additional_columns` is loaded."""
        return ADDITIONAL in self.selected
