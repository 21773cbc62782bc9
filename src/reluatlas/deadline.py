"""Is the time over? One deadline for all that is done under it; long loops look at the clock between two steps.

A verb with `max_seconds` makes a `Deadline` when it is called and does its work `under` it; whatever runs there calls
`look` between two steps of bounded work, however deep it lies. Deadlines nest, and the earliest holds: a command, or a
user's `time_limit`, binds all that is called within. Compiling kernels is no work of the search: it does not count.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from dataclasses import dataclass, field
from typing import Any

from reluatlas.errors import ArgumentError, TimeLimitError

NEVER = float("inf")
_PULSE_S = 0.05


class _Pauses:
    """The time during which no limit runs; pauses of several threads may overlap."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._n, self._since, self._before = 0, 0.0, 0.0

    def begin(self) -> None:
        with self._lock:
            if self._n == 0:
                self._since = time.monotonic()
            self._n += 1

    def end(self) -> None:
        with self._lock:
            self._n -= 1
            if self._n == 0:
                self._before += time.monotonic() - self._since

    def total(self) -> float:
        with self._lock:
            return self._before + (time.monotonic() - self._since if self._n else 0.0)


pauses = _Pauses()
"""Between `pauses.begin()` and `pauses.end()` no limit runs: for what is not the work that it limits."""


@dataclass(frozen=True, eq=False)
class Deadline:
    """A time at which work ends.

    Attributes
    ----------
    seconds : float
        What the limit was when it began; inf for none.
    clock : callable
        Where the time is read, in seconds.
    """

    seconds: float = NEVER
    clock: Callable[[], float] = time.monotonic
    _end: float = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(
            self, "_end", self.clock() - pauses.total() + self.seconds if self.seconds < NEVER else NEVER
        )

    @classmethod
    def after(cls, max_seconds: float | None) -> Deadline:
        """Return the deadline of a limit that begins now; None: never.

        Raises
        ------
        ArgumentError
            When it is no number of seconds above 0.
        """
        if max_seconds is None:
            return cls()
        is_number = not isinstance(max_seconds, bool | str | bytes)
        try:
            seconds = float(max_seconds) if is_number else NEVER
        except (TypeError, ValueError):
            is_number, seconds = False, NEVER
        if not is_number or not 0 < seconds <= threading.TIMEOUT_MAX:
            raise ArgumentError(
                f"`max_seconds={max_seconds!r}` must be a number of seconds above 0, or None for no limit."
            )
        return cls(seconds)

    @property
    def is_never(self) -> bool:
        """Whether there is no limit."""
        return self._end == NEVER

    def left(self) -> float:
        """Return the seconds that are left; negative when it is over."""
        return NEVER if self.is_never else self._end + pauses.total() - self.clock()

    def is_over(self) -> bool:
        """Return whether the time is over."""
        return self.left() <= 0.0

    def check(self) -> None:
        """Raise when the time is over.

        Raises
        ------
        TimeLimitError
        """
        if self.is_over():
            raise TimeLimitError(
                f"the time limit of {self.seconds:g} s was over before there was anything to tell. Allow more seconds."
            )

    def share(self, part: float) -> Deadline:
        """Return a deadline after a part of what is left: for a step that others follow."""
        made = Deadline(self.seconds, self.clock)
        if not self.is_never:
            object.__setattr__(made, "_end", self._end - (1.0 - part) * max(0.0, self.left()))
        return made


def called_off(event: threading.Event, seconds: float) -> Deadline:
    """Return a deadline that is over after so many seconds, or as soon as an event is set: work to be called off."""
    return Deadline(seconds, lambda: NEVER if event.is_set() else time.monotonic())


_NONE = Deadline()
_current: ContextVar[Deadline] = ContextVar("deadline", default=_NONE)


def current() -> Deadline:
    """Return the deadline that holds here."""
    return _current.get()


def look() -> None:
    """Raise when the time that holds here is over.

    Raises
    ------
    TimeLimitError
    """
    here = _current.get()
    if here is not _NONE:
        here.check()


@contextmanager
def under(deadline: Deadline) -> Iterator[Deadline]:
    """Let a deadline hold within, unless an earlier one does already; yield the one that holds."""
    outer = _current.get()
    holds = deadline if deadline.left() < outer.left() else outer
    token = _current.set(holds)
    try:
        yield holds
    finally:
        _current.reset(token)


@contextmanager
def grace(seconds: float) -> Iterator[None]:
    """Let what runs within take so much longer: for what must be there before anything can be told."""
    here = _current.get()
    if here.is_never:
        yield
        return
    later = Deadline(here.seconds, here.clock)
    object.__setattr__(later, "_end", here._end + seconds)
    token = _current.set(later)
    try:
        yield
    finally:
        _current.reset(token)


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Limit all that is computed within a `with` block to so many seconds.

    For what has no `max_seconds` of its own, such as `cx.n_affine_maps` or `cx.decision_boundary()`: when the time is
    over it raises, and what was computed before is kept. Verbs with a limit of their own give what they have by then.

    Returns
    -------
    context manager

    Raises
    ------
    TimeLimitError
        When something was not there in time.
    ArgumentError
        When `seconds` is no number above 0.

    Cost
    ----
    None: the clock is looked at now and then.

    Examples
    --------
    >>> import numpy as np
    >>> import reluatlas as ra
    >>> net = ra.load([(np.eye(2), np.zeros(2)), (np.ones((1, 2)), np.zeros(1))])
    >>> cx = ra.enumerate_cells(net, ra.Box(-1, 1, dim=2))
    >>> with ra.time_limit(60):
    ...     cx.n_affine_maps
    4
    """
    with under(Deadline.after(seconds)):
        yield


@contextmanager
def flagged(flag: Any) -> Iterator[None]:
    """Have `flag[0]` set to 1 when the time that holds here is over: compiled loops look at that."""
    deadline = current()
    if deadline.is_never:
        yield
        return
    done = threading.Event()

    # a clock of its own may jump, as where work is called off
    longest = threading.TIMEOUT_MAX if deadline.clock is time.monotonic else _PULSE_S

    def watch() -> None:
        while not done.wait(min(max(deadline.left(), 0.0), longest)):
            if deadline.is_over():
                flag[0] = 1
                return

    if deadline.is_over():
        flag[0] = 1
    watcher = threading.Thread(target=watch, name="reluatlas-deadline", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


def interruptible(function: Callable[..., Any], *arguments: Any, flag: Any) -> Any:
    """Return what a compiled function gives; on Ctrl-C, set `flag[0]`, wait until it has looked at it, and raise.

    It runs in a thread of its own, as Python hears of Ctrl-C only between two of its own steps.
    """
    found: list[Any] = []
    failed: list[BaseException] = []

    def work() -> None:
        try:
            found.append(function(*arguments))
        except BaseException as problem:
            failed.append(problem)

    thread = threading.Thread(target=copy_context().run, args=(work,), name="reluatlas-kernel", daemon=True)
    thread.start()
    try:
        while thread.is_alive():
            thread.join(_PULSE_S)
    except KeyboardInterrupt:
        flag[0] = 1
        thread.join()
        raise
    if failed:
        raise failed[0]
    return found[0]
