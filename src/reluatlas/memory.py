"""How much memory may this process have? Asked before much is taken, and told in a sentence when it is too little."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import ParamSpec, TypeVar

from reluatlas.errors import OutOfMemoryError

P = ParamSpec("P")
R = TypeVar("R")
_GROUPS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def available_memory() -> int | None:
    """Return the bytes that this process may have at most; None where the system does not say.

    The least of the memory of the machine, of the process's group (containers), and of what `ulimit -v` leaves.
    """
    found = [n for n in (_installed(), *map(_of_group, _GROUPS), _left_of_limit()) if n is not None]
    return min(found, default=None)


def require_memory(need: float, what: str, advice: str) -> None:
    """Refuse what does not fit, before anything is allocated.

    Parameters
    ----------
    need : float
        In bytes.
    what : str
        What takes it, as the subject of a sentence.
    advice : str
        What to do, as a sentence.

    Raises
    ------
    OutOfMemoryError
    """
    there = available_memory()
    if there is not None and need > there:
        raise OutOfMemoryError(
            f"{what} takes about {_size(need)} of memory, more than the {_size(there)} that there is. {advice}"
        )


def in_a_sentence(function: Callable[P, R]) -> Callable[P, R]:
    """Return a function whose `MemoryError` is told in a sentence, with what failed."""

    @functools.wraps(function)
    def run(*args: P.args, **named: P.kwargs) -> R:
        try:
            return function(*args, **named)
        except OutOfMemoryError:
            raise
        except MemoryError as problem:
            raise OutOfMemoryError(sentence(problem)) from None

    return run


def sentence(problem: MemoryError) -> str:
    """Return what a `MemoryError` means, in a sentence."""
    asked, shape = "", getattr(problem, "shape", None)
    with suppress(AttributeError, TypeError):
        asked = f" (for an array of shape {tuple(shape)}, {_size(problem._total_size)})"  # type: ignore[attr-defined, arg-type]
    there = available_memory()
    has = "" if there is None else f"; this process may have {_size(there)}"
    return (
        f"there is not enough memory{asked}{has}. Take a smaller network or domain, fewer `jobs`, or give the "
        "process more memory."
    )


def _size(n: float) -> str:
    return f"{n / 2**30:,.1f} GiB" if n >= 0.95 * 2**30 else f"{max(n / 2**20, 0.1):,.1f} MiB"


def _installed() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def _of_group(path: str) -> int | None:
    try:
        return int(Path(path).read_text())
    except (OSError, ValueError):  # no such file, or "max"
        return None


def _left_of_limit() -> int | None:
    try:
        import resource

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        if limit == resource.RLIM_INFINITY:
            return None
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        return max(0, limit - pages * os.sysconf("SC_PAGE_SIZE"))
    except (ImportError, AttributeError, OSError, ValueError, IndexError):
        return None
