"""What is shown while a command runs, and how? Results on stdout; notices and progress on stderr."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from reluatlas.errors import shortened

ProgressCallback = Callable[[int, float], None]

_WAIT_S = 0.4  # most runs end before a bar is worth importing


def one_line(text: str) -> str:
    """Return a text on one line, control characters spelled out and endless words cut: names can hold anything."""
    joined = " ".join(shortened(text).split())
    return shortened("".join(c if c.isprintable() else repr(c)[1:-1] for c in joined))


def result(text: str = "") -> None:
    """Print a line of the result; to nobody, once the reader of a pipe has left."""
    try:
        print(text)
    except BrokenPipeError:
        drop_output()


def flush() -> None:
    """Send out what was printed."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        drop_output()


def drop_output() -> None:
    """Let everything that is still printed go nowhere."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def notice(text: str, *, quiet: bool) -> None:
    """Print a line about the run on stderr."""
    if not quiet:
        print(one_line(text), file=sys.stderr, flush=True)


def announce_compiling(*, quiet: bool) -> None:
    """Have it said that kernels are being compiled, when that begins; import what compiles."""
    # numba looks for SciPy's BLAS, which takes a third of a second and which no kernel here uses
    held = "scipy.linalg.cython_blas"
    if held not in sys.modules and "numba.np.arraymath" not in sys.modules:
        sys.modules[held] = None  # type: ignore[assignment]
        try:
            import numba.np.arraymath  # noqa: F401
        finally:
            del sys.modules[held]
    from reluatlas.compiled import jit

    jit.announce_compiling(None if quiet else lambda: notice(jit.COMPILING, quiet=False))


def pairs(rows: Iterable[tuple[str, str]]) -> None:
    """Print names and values in two columns."""
    kept = [(a, one_line(b)) for a, b in rows]
    width = max((len(a) for a, _ in kept), default=0) + 2
    for name, value in kept:
        result(f"{name:<{width}}{value}".rstrip())


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, right: Sequence[int] = ()) -> None:
    """Print columns; those named in `right` end flush."""
    lines = [list(head), *([one_line(c) for c in row] for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    for line in lines:
        cells = (c.rjust(w) if i in right else c.ljust(w) for i, (c, w) in enumerate(zip(line, widths, strict=True)))
        result("  ".join(cells).rstrip())


@contextmanager
def progress(*, quiet: bool) -> Iterator[ProgressCallback | None]:
    """Yield what is told about progress: a bar on stderr when that is a terminal, else None."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    bar = _Bar("cells", "of the area")
    try:
        yield bar.update
    finally:
        bar.close()


@contextmanager
def counting(what: str, *, quiet: bool) -> Iterator[Callable[[int, int], None] | None]:
    """Yield what is told how many are done, and of how many: a bar on stderr when that is a terminal, else None."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    bar = _Bar(what, "")
    try:
        yield lambda done, total: bar.update(done, done / max(1, total))
    finally:
        bar.close()


class _Bar:
    """How many things were found, and the share that is done; shown once a run takes longer than a moment."""

    def __init__(self, what: str, share_of: str) -> None:
        self.what = what
        self.share_of = share_of
        self.start = time.monotonic()
        self.shown: Any = None
        self.task: Any = None

    def update(self, n: int, share: float) -> None:
        """Take the state of a run."""
        if self.shown is None and time.monotonic() - self.start >= _WAIT_S:
            self._show()
        if self.shown is not None:
            self.shown.update(self.task, completed=share, found=f"{n:,}")

    def _show(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

        self.shown = Progress(
            TextColumn("{task.fields[found]} " + self.what),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn(self.share_of),
            TimeElapsedColumn(),
            console=Console(file=sys.stderr, stderr=True),
            transient=True,
        )
        self.task = self.shown.add_task(self.what, total=1.0, found="0")
        self.shown.start()

    def close(self) -> None:
        """Take the bar away."""
        if self.shown is not None:
            self.shown.stop()
