"""Files in any encoding: each letter becomes what Python's own decoder makes of it, however the file arrives."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tap_lexer_activity.lexer.encodings import Letters

ENCODINGS = ["utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "cp1252", "shift_jis", "gb18030"]


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(
    pieces=st.lists(st.binary(max_size=12) | st.text(max_size=4).map(lambda text: text.encode("utf-16-le", "replace")))
)
@example(pieces=[b"\x00\xdc\x00\xdc", b"\x00\xdc"])
@example(pieces=[b"\x81\x81", b"\xff\xff\xff"])
def test_each_letter_is_kept_or_is_one_sign_for_what_is_missing(encoding: str, pieces: list[bytes]) -> None:
    letters = Letters(encoding)
    found = b"".join(letters.in_utf8(piece) for piece in [*pieces, None])
    expected = b"".join(pieces).decode(encoding, "replace")
    assert found.decode("utf-8", "replace") == expected
    assert letters.are_broken == (expected != b"".join(pieces).decode(encoding, "ignore"))
