"""Is the time over? Deadlines on a clock that the test turns, and loops and kernels that are cut off."""

import signal
import threading
import time
from contextlib import contextmanager

import numpy as np
import pytest

import reluatlas as ra
from reluatlas import deadline
from reluatlas.deadline import Deadline, current, flagged, interruptible, look, pauses, time_limit, under


class Clock:
    """A clock that is turned by hand."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@contextmanager
def interrupted_after(seconds: float):
    """Raise KeyboardInterrupt in the main thread after a while, as Ctrl-C does."""
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)


def test_a_deadline_counts_from_when_it_is_made():
    clock = Clock()
    limit = Deadline(3.0, clock)
    assert limit.left() == pytest.approx(3.0) and not limit.is_over()
    clock.now += 2.0
    half = limit.share(0.5)
    assert half.left() == pytest.approx(0.5) and half.seconds == 3.0
    clock.now += 0.75
    assert half.is_over() and not limit.is_over()
    clock.now += 0.25
    assert limit.is_over()
    with pytest.raises(ra.errors.TimeLimitError, match="limit of 3 s was over") as late:
        limit.check()
    assert isinstance(late.value, TimeoutError) and isinstance(late.value, ra.errors.ReluAtlasError)


def test_no_limit_is_never_over():
    never = Deadline.after(None)
    assert never.is_never and never.left() == float("inf") and not never.is_over()
    assert never.share(0.1).is_never
    never.check()


@pytest.mark.parametrize("wrong", [0, -1.0, float("nan"), float("inf"), True, "3", b"3", [3], 1e300])
def test_a_limit_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(ra.errors.ArgumentError, match=r"`max_seconds=.*must be a number of seconds above 0"):
        Deadline.after(wrong)


def test_of_nested_deadlines_the_earliest_holds():
    clock = Clock()
    outer, inner = Deadline(2.0, clock), Deadline(5.0, clock)
    assert current().is_never
    with under(outer) as first:
        with under(inner) as second:
            assert first is second is outer and current() is outer
        with under(Deadline(1.0, clock)) as third:
            assert current() is third
        clock.now += 3.0
        with pytest.raises(ra.errors.TimeLimitError):
            look()
    assert current().is_never
    look()


def test_a_deadline_does_not_leak_into_other_threads_by_itself():
    clock = Clock()
    seen = []
    with under(Deadline(1.0, clock)):
        thread = threading.Thread(target=lambda: seen.append(current()))
        thread.start()
        thread.join()
    assert seen[0].is_never


def test_what_is_paused_does_not_count():
    limit = Deadline(1e6)
    before = limit.left()
    pauses.begin()
    pauses.begin()
    time.sleep(0.05)
    pauses.end()
    assert limit.left() == pytest.approx(before, abs=0.04)
    pauses.end()
    left = limit.left()
    time.sleep(0.05)
    assert limit.left() <= left - 0.05


def test_a_flag_is_raised_when_the_time_is_over():
    flag = np.zeros(1, dtype=np.int64)
    with under(Deadline(0.05)), flagged(flag):
        begin = time.monotonic()
        while not flag[0] and time.monotonic() - begin < 30:
            time.sleep(0.01)
    assert flag[0] == 1
    flag[0] = 0
    with flagged(flag):
        pass
    with under(Deadline(1e6)), flagged(flag):
        pass
    assert flag[0] == 0
    assert not [t for t in threading.enumerate() if t.name == "reluatlas-deadline"]


def test_what_runs_in_a_thread_can_be_interrupted():
    flag = np.zeros(1, dtype=np.int64)

    def work(limit: float) -> str:
        begin = time.monotonic()
        while not flag[0] and time.monotonic() - begin < limit:
            time.sleep(0.01)
        return "done"

    assert interruptible(work, 0.02, flag=flag) == "done"
    with pytest.raises(ZeroDivisionError):
        interruptible(lambda: 1 // 0, flag=flag)
    begin = time.monotonic()
    with interrupted_after(0.1), pytest.raises(KeyboardInterrupt):
        interruptible(work, 60.0, flag=flag)
    assert flag[0] == 1 and time.monotonic() - begin < 30


def test_what_runs_in_a_thread_is_under_the_same_deadline():
    with under(Deadline(1e6)) as limit:
        assert interruptible(current, flag=[0]) is limit


def test_a_limit_of_the_user_binds_what_has_none(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(deadline.Deadline, "after", classmethod(lambda cls, seconds: cls(seconds, clock)))
    with time_limit(1.0):
        look()
        clock.now += 2.0
        with pytest.raises(ra.errors.TimeLimitError):
            look()
    look()


def test_compiling_a_kernel_does_not_count():
    from reluatlas.compiled import jit

    class Event:
        data = {}  # noqa: RUF012

    limit = Deadline(1e6)
    before = limit.left()
    jit._announcement.on_start(Event)
    time.sleep(0.05)
    jit._announcement.on_end(Event)
    assert limit.left() == pytest.approx(before, abs=0.04)
