"""The quota, on a clock that the test turns."""

from __future__ import annotations

import gc
import sqlite3
from bisect import bisect_left, bisect_right
from contextlib import closing
from functools import partial
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import clocks
from typing_extensions import override

from tap_lexer_activity.errors import RequestsSpentError
from tap_lexer_activity.http.limiter import Limiter, shared_file
from tap_lexer_activity.settings.schema import SETTINGS


class Clock(clocks.Clock):
    """A clock on which nobody sleeps for no time at all."""

    @override
    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        super().sleep(seconds)


def test_a_burst_goes_at_once_and_the_next_call_waits_a_whole_period() -> None:
    clock = Clock()
    waits: list[float] = []
    limiter = Limiter(3, 300, clock=clock, sleep=clock.sleep, on_wait=waits.append)
    for _ in range(3):
        with limiter.call():
            clock.now += 1
    assert clock.sleeps == []
    with limiter.call():
        clock.now += 0.25
    # The first of them ended a second after it began, and it is the end that counts.
    assert clock.now == 1301.25
    assert waits == [298]
    assert limiter.spent == 4


def test_a_call_that_fails_counts_too() -> None:
    clock = Clock()
    limiter = Limiter(1, 10, clock=clock, sleep=clock.sleep)
    with pytest.raises(OSError, match="reset"), limiter.call():
        raise OSError("reset")  # noqa: EM101
    with limiter.call():
        assert clock.sleeps == [10]
    assert limiter.spent == 2


def test_a_sleep_that_ends_early_is_slept_on() -> None:
    clock = Clock()
    limiter = Limiter(1, 10, clock=clock, sleep=lambda seconds: clock.sleep(max(seconds / 2, 0.5)))
    for _ in range(2):
        with limiter.call():
            clock.now += 1
    assert clock.now >= 1012


# Times in quarters of a second, so that sums are exact.
quarters = st.integers(0, 80).map(lambda n: n / 4)


@given(
    st.integers(1, 6),
    st.integers(1, 40).map(lambda n: n / 4),
    st.lists(st.tuples(quarters, quarters, quarters), min_size=1, max_size=60),
)
def test_no_period_has_more_calls_wherever_the_other_side_counts_them(
    calls: int, seconds: float, steps: list[tuple[float, float, float]]
) -> None:
    clock = Clock()
    limiter = Limiter(calls, seconds, clock=clock, sleep=clock.sleep)
    arrived = []
    for pause, there, back in steps:
        clock.now += pause
        with limiter.call():
            clock.now += there
            arrived.append(clock.now)
            clock.now += back
    for start in arrived:
        within = bisect_left(arrived, start + seconds) - bisect_left(arrived, start)
        assert within <= calls
    assert limiter.spent == len(steps)
    assert bisect_right(arrived, clock.now) == len(steps)


@given(st.integers(1, 5), st.integers(1, 50))
def test_the_quota_is_used_to_the_full(calls: int, total: int) -> None:
    clock = Clock()
    limiter = Limiter(calls, 300, clock=clock, sleep=clock.sleep)
    begun = []
    for _ in range(total):
        with limiter.call():
            begun.append(clock.now)
    assert clock.now - 1000 == (total - 1) // calls * 300
    assert all(a <= b for a, b in pairwise(begun))


# Shared by several processes


def limiter_of(clock: Clock, file: Path | None, **more: Any) -> Limiter:
    options: dict[str, Any] = {"clock": clock, "sleep": clock.sleep}
    return Limiter(3, 10, file=file, **(options | more))


def test_limiters_of_one_file_share_the_quota(tmp_path: Path) -> None:
    clock = Clock()
    one, two = (limiter_of(clock, tmp_path / "quota") for _ in range(2))
    begun = []
    for limiter in (one, two, two, one, two, one, one):
        with limiter.call():
            begun.append(clock.now)
    assert begun == [1000, 1000, 1000, 1010, 1010, 1010, 1020]
    assert (one.spent, two.spent) == (4, 3)
    assert one.available() == two.available() == 2


def test_the_time_of_a_call_is_known_of_those_of_other_limiters_too(tmp_path: Path) -> None:
    clock = Clock()
    one, two = (limiter_of(clock, tmp_path / "quota") for _ in range(2))
    assert one.seconds_per_call() is None
    for seconds in (1, 3):
        with one.call():
            assert two.seconds_per_call() == (1 if seconds == 3 else None), "one that goes on says nothing"
            clock.now += seconds
    assert two.seconds_per_call() == 2
    clock.now += 2 * 86_400
    assert two.seconds_per_call() is None, "though nothing has cleared the old ones away yet"
    with two.call():
        clock.now += 5
    assert one.seconds_per_call() == 5


def test_a_limiter_of_another_size_counts_the_same_calls(tmp_path: Path) -> None:
    clock = Clock()
    small, large = limiter_of(clock, tmp_path / "quota"), Limiter(5, 10, file=tmp_path / "quota", clock=clock)
    for _ in range(3):
        with large.call():
            clock.now += 1
    assert small.available() == 0
    assert large.available() == 2
    assert small.next_free_at() == 1011


def test_a_process_that_died_in_a_call_keeps_its_place_for_two_periods_at_most(tmp_path: Path) -> None:
    clock = Clock()
    dead, alive = (limiter_of(clock, tmp_path / "quota") for _ in range(2))
    calls = [dead.call() for _ in range(3)]
    for call in calls:
        call.__enter__()
    assert alive.available() == 0
    clock.now += 19
    assert alive.available() == 0
    clock.now += 1
    assert alive.available() == 3


def test_a_call_after_one_whose_process_died_waits_no_longer_than_two_periods(tmp_path: Path) -> None:
    clock = Clock()
    dead, alive = (Limiter(1, 10, file=tmp_path / "quota", clock=clock, sleep=clock.sleep) for _ in range(2))
    call = dead.call()
    call.__enter__()
    clock.now += 15
    with alive.call():
        assert clock.now == 1020


def test_calls_are_kept_for_two_periods_however_long_these_are(tmp_path: Path) -> None:
    clock = Clock()
    limiter = Limiter(2, 4000, file=tmp_path / "quota", clock=clock)
    call = limiter.call()
    call.__enter__()
    clock.now += 5000
    with limiter.call():
        assert limiter.available() == 0


def test_a_clock_that_began_anew_leaves_nothing_of_the_time_before(tmp_path: Path) -> None:
    before = Clock()
    for _ in range(3):
        with limiter_of(before, tmp_path / "quota").call():
            before.now += 1
    after = Clock()
    after.now = 5.0
    limiter = limiter_of(after, tmp_path / "quota")
    for _ in range(3):
        with limiter.call():
            assert after.now == 5
    after.now = 1002.5
    assert limiter.available() == 3


@pytest.mark.parametrize("broken", ["from the start", "in the middle"])
def test_a_file_that_can_not_be_used_is_told_of_once_and_costs_a_period_at_most(tmp_path: Path, broken: str) -> None:
    clock, file, troubles, waits = Clock(), tmp_path / "quota", list[str](), list[float]()
    if broken == "from the start":
        file.mkdir()
    limiter = limiter_of(clock, file, on_trouble=troubles.append, on_wait=waits.append)
    for number in range(5):
        if number == 2 and broken == "in the middle":
            with closing(sqlite3.connect(file)) as database:
                database.execute("DROP TABLE calls")
        with limiter.call():
            clock.now += 1
    assert troubles == ["unable to open database file" if broken == "from the start" else "no such table: calls"]
    assert limiter.spent == 5
    assert clock.sleeps == waits == [8 if broken == "from the start" else 10]


def test_a_limiter_of_the_longest_period_counts_what_one_of_a_short_period_left_long_ago(tmp_path: Path) -> None:
    longest = SETTINGS["properties"]["rate_limit_seconds"]["maximum"]
    clock = Clock()
    short, long = limiter_of(clock, tmp_path / "quota"), Limiter(5, longest, file=tmp_path / "quota", clock=clock)
    with long.call():
        clock.now += longest
    for _ in range(2):
        with short.call():
            clock.now += longest / 2 - 1
    assert long.available() == 5 - 3


def test_calls_of_the_last_two_days_are_kept_and_no_others(tmp_path: Path) -> None:
    clock = Clock()
    limiter = limiter_of(clock, tmp_path / "quota")
    for _ in range(3):
        with limiter.call():
            clock.now += 86_400
    with closing(sqlite3.connect(tmp_path / "quota")) as database:
        assert database.execute("SELECT begun FROM calls").fetchall() == [(1000,), (87_400,), (173_800,)]
    clock.now += 1
    with limiter.call(), closing(sqlite3.connect(tmp_path / "quota")) as database:
        assert database.execute("SELECT begun FROM calls").fetchall() == [(173_800,), (260_201,)]


def test_a_file_that_is_no_database_is_made_anew(tmp_path: Path) -> None:
    clock, file, troubles = Clock(), tmp_path / "quota", list[str]()
    file.write_text("this is no database, and long enough to be taken for one" * 100, encoding="utf-8")
    one, two = (limiter_of(clock, file, on_trouble=troubles.append) for _ in range(2))
    with one.call():
        assert two.available() == 2
    assert troubles == []


@pytest.mark.thorough
def test_a_lock_that_ends_is_waited_for_and_one_that_does_not_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tap_lexer_activity.http.limiter._LOCK_TIMEOUT", 3.0)
    clock, troubles = Clock(), list[str]()
    limiter = limiter_of(clock, tmp_path / "quota", on_trouble=troubles.append)
    other = sqlite3.connect(tmp_path / "quota", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        if clock.now > 1001 and other.in_transaction:
            other.execute("ROLLBACK")

    patient = limiter_of(clock, tmp_path / "quota", sleep=sleep, on_trouble=troubles.append)
    with patient.call():
        assert 1001 <= clock.now < 1002
    assert troubles == []
    other.execute("BEGIN IMMEDIATE")
    with limiter.call():
        assert 1014 <= clock.now < 1016, "three seconds for the lock, and then a period: nothing is known of the others"
    assert troubles == ["database is locked"]
    other.close()


class Counted(sqlite3.Connection):
    """A connection that is counted until it is closed."""

    unclosed = 0

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        Counted.unclosed += 1

    def close(self) -> None:
        Counted.unclosed -= 1
        super().close()


@pytest.mark.thorough
@pytest.mark.parametrize("trouble", [None, "no folder", "no database", "dropped", "locked"])
def test_no_connection_is_left_open_whatever_happens_to_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: str | None
) -> None:
    monkeypatch.setattr("tap_lexer_activity.http.limiter._LOCK_TIMEOUT", 1.0)
    monkeypatch.setattr(Counted, "unclosed", 0)
    clock, file, troubles = Clock(), tmp_path / "quota", list[str]()
    with closing(sqlite3.connect(file, isolation_level=None)) as other, monkeypatch.context() as patched:
        patched.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=Counted))
        match trouble:
            case "no folder":
                file = tmp_path / "nowhere" / "quota"
            case "no database":
                file = tmp_path / "text"
                file.write_text("this is no database, and long enough to be taken for one" * 100, encoding="utf-8")
            case "locked":
                other.execute("BEGIN EXCLUSIVE")
        limiter = limiter_of(clock, file, on_trouble=troubles.append)
        if trouble == "dropped":
            other.execute("DROP TABLE calls")
        with limiter.call():
            assert Counted.unclosed == 1, "the one in use"
        assert bool(troubles) == (trouble in {"no folder", "dropped", "locked"})
        cycle = [limiter]
        cycle.append(cycle)  # type: ignore[arg-type]  # as tap and streams, which refer to each other
        del limiter, cycle
        gc.collect()
        assert Counted.unclosed == 0


def test_a_limiter_stops_at_its_most() -> None:
    clock = Clock()
    limiter = limiter_of(clock, None, max_calls=4)
    for _ in range(4):
        with limiter.call():
            clock.now += 1
    with pytest.raises(RequestsSpentError, match="max_requests"), limiter.call():
        pytest.fail("it let one more through")
    assert limiter.spent == 4
    assert sum(clock.sleeps) == 8, "it does not wait to say so"


@given(
    st.integers(1, 4),
    st.lists(st.tuples(st.booleans(), quarters, quarters), min_size=1, max_size=40),
)
def test_two_limiters_never_let_more_through_than_one(calls: int, steps: list[tuple[bool, float, float]]) -> None:
    clock = Clock()
    with TemporaryDirectory() as folder:
        pair = [Limiter(calls, 10, file=Path(folder, "quota"), clock=clock, sleep=clock.sleep) for _ in range(2)]
        arrived = []
        for which, there, back in steps:
            with pair[which].call():
                clock.now += there
                arrived.append(clock.now)
                clock.now += back
    for start in arrived:
        assert bisect_left(arrived, start + 10) - bisect_left(arrived, start) <= calls


def test_the_file_is_this_user_s_alone_and_names_nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    one, two = shared_file("token-one-which-is-secret host"), shared_file("token-two-which-is-secret host")
    assert one != two
    assert one == shared_file("token-one-which-is-secret host")
    assert one.parent.stat().st_mode & 0o077 == 0
    assert "secret" not in str(one)
    assert len(one.stem.removeprefix("quota-")) == 8
    one.parent.chmod(0o750)
    with pytest.raises(PermissionError, match="is not this user's alone"):
        shared_file("token-one-which-is-secret host")
    one.parent.rmdir()
    one.parent.symlink_to(tmp_path)
    with pytest.raises(PermissionError, match="is not this user's alone"):
        shared_file("token-one-which-is-secret host")


def test_another_user_s_folder_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("os.getuid", lambda: 123456)
    with pytest.raises(PermissionError, match="tap-lexer-activity-123456 is not this user's alone"):
        shared_file("token")


def test_where_there_are_no_users_any_folder_will_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.delattr("os.getuid")
    (tmp_path / "tap-lexer-activity-0").mkdir(mode=0o755)
    assert shared_file("token").parent == tmp_path / "tap-lexer-activity-0"


def test_a_second_refusal_below_the_limit_lowers_it_to_the_more_that_was_accepted() -> None:
    clock = Clock()
    limiter = Limiter(100, 10, clock=clock, sleep=clock.sleep)
    found = []
    for accepted in (30, 29):
        for _ in range(accepted + 1):
            with limiter.call():
                pass
        found += [limiter.learn_of_refusal(), limiter.learn_of_refusal()]
        clock.sleep(11)
    assert found == [None, None, 30, None]
    assert limiter.available() == 30


def test_refusals_after_few_calls_lower_nothing() -> None:
    clock = Clock()
    limiter = Limiter(100, 10, clock=clock, sleep=clock.sleep)
    for _ in range(3):
        with limiter.call():
            pass
        assert limiter.learn_of_refusal() is None
        clock.sleep(11)
    assert limiter.available() == 100


def test_a_limiter_that_is_held_begins_no_call() -> None:
    clock = Clock()
    limiter = Limiter(100, 10, clock=clock, sleep=clock.sleep)
    limiter.hold(5)
    before = clock()
    assert limiter.available() == 0
    with limiter.call():
        assert clock() == before + 5
