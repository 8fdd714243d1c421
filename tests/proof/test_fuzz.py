"""Any bytes into what reads files, answers, states and settings: made up by hypothesis, and sought by atheris.

Atheris is Google's fuzzer for Python. There are wheels of it for Linux on x86-64 alone; elsewhere hypothesis has to do.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pipelines.programs import environment
from proof.targets import TARGETS, seeds

import tap_lexer_activity

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.proof, pytest.mark.timeout(1200)]  # for the long run

HAS_ATHERIS = sys.platform == "linux" and platform.machine() == "x86_64"
TOKENS = [b"null", b"[]", b"{}", b"1e999", b"-1", b"NaN", b'"', b",", b"\r", b"\x00", b"\xff", b"99999999999999999999"]

FINDINGS = [
    ("download", b'\x05(,BJA\r1",2A\r\n'),
    ("download", b"\x00" + "\ufeffa,b\n\udc00\udc00x,1\n".encode("utf-16-le", "surrogatepass")),
    ("answer", b":9E8" + b"7" * 80),
    ("status_of_an_export", b'{"url":"//]"}'),
    ("pages", b'<//]>; rel=next\n[{"id": 1}]'),
    ("pages", b"items 0-1/" + b"9" * 4500 + b'\n[{"id": 1}]'),
    ("text_of_an_answer", b"\x00\n\xff"),
    ("retry_header", b"99999999999999999999 May 2 12:00"),
    ("state", b'{"bookmarks": {"summary": {"replication_key_value": "0073-03-01T00:00:00Z"}}}'),
]
"""What has once been too much for the tap."""


@st.composite
def inputs(draw: st.DrawFn, name: str) -> bytes:
    """A seed with some bytes changed, or anything."""
    data = draw(st.sampled_from(seeds(name)) | st.binary(max_size=100))
    places = st.tuples(st.integers(0, len(data)), st.integers(0, 9), st.sampled_from(TOKENS) | st.binary(max_size=6))
    for start, length, new in draw(st.lists(places, max_size=3)):
        data = data[:start] + new + data[start + length :]
    return data


@pytest.mark.parametrize("name", TARGETS)
def test_nothing_that_hypothesis_makes_up_is_too_much(name: str, is_long: bool) -> None:
    @settings(max_examples=5000 if is_long else 150, suppress_health_check=list(HealthCheck))
    @given(inputs(name))
    def check(data: bytes) -> None:
        TARGETS[name](data)

    for seed in seeds(name):
        TARGETS[name](seed)
    check()


@pytest.mark.parametrize(("name", "data"), FINDINGS)
def test_what_was_once_too_much_is_so_no_more(name: str, data: bytes) -> None:
    TARGETS[name](data)


@pytest.mark.parametrize("name", TARGETS if HAS_ATHERIS else ())
def test_nothing_that_atheris_finds_is_too_much(
    name: str, is_long: bool, tmp_path: Path, keep: Callable[..., None]
) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for number, seed in enumerate(seeds(name)):
        (corpus / str(number)).write_bytes(seed)
    # The fuzzer has an environment of its own; what is fuzzed, and what that needs, are those of this test.
    paths = [Path(__file__).parents[1], Path(tap_lexer_activity.__file__).parents[1], sysconfig.get_path("purelib")]
    done = subprocess.run(
        [
            environment("atheris", "atheris") / "python",
            Path(__file__).with_name("fuzz.py"),
            name,
            corpus,
            f"-max_total_time={200 if is_long else 1}",
            # The short run is the same each time, so that it fails for what was changed; the long one looks elsewhere each time.
            f"-seed={0 if is_long else 1}",
            f"-artifact_prefix={tmp_path}/",
            *("-timeout=20", "-rss_limit_mb=2048", "-max_len=4096", "-print_final_stats=1"),
        ],
        capture_output=True,
        check=False,
        cwd=tmp_path,
        env={
            "PATH": os.environ["PATH"],
            "TMPDIR": os.environ["TMPDIR"],
            "PYTHONPATH": os.pathsep.join(map(str, paths)),
        },
        timeout=1000,
    )
    log = done.stderr.decode(errors="replace")
    assert done.returncode == 0, log[-6000:]
    (count,) = re.findall(r"stat::number_of_executed_units: *(\d+)", log)
    assert int(count) > len(seeds(name))
    keep("fuzz", target=name, what=TARGETS[name].__doc__, inputs=int(count))
