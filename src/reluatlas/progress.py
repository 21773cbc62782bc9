"""How far is it? One signature for every callback, and a bar for terminals and notebooks.

`progress=` of every long verb is True, for a bar on stderr or in the notebook, or a callable that takes `what` is
counted ("cells"), how many are `done`, and the `share` of the work that is done, from 0 to 1.
"""

from __future__ import annotations

import functools
import sys
import time
from collections.abc import Callable
from typing import Any, Literal, ParamSpec, TypeVar

from reluatlas.errors import ArgumentError

Callback = Callable[[str, int, float], None]
Progress = bool | Callback | None
Counted = Callable[[int, int], None]
"""What inner loops tell: how many are done, and of how many; `tells` makes a `Callback` of it, as of the next two."""
Searched = Callable[[int, float], None]
"""What searches tell: how many are found, and the share of the work that is done, from 0 to 1."""
Staged = Callable[[str, int, int], None]
"""What work in stages tells: the name of the stage, how much of it is done, and of how much."""
P = ParamSpec("P")
T = TypeVar("T")

_WAIT_S = 0.4  # most runs end before a bar is worth showing
_EVERY_S = 0.1
_STEADY_S, _STEADY_SHARE = 1.0, 0.01  # from when on the end is estimated
_WIDTH = 24


def tells(what: str, kind: Literal["share", "total", "stages"]) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Return what lets a function take every `progress`; it itself calls one of three kinds.

    Parameters
    ----------
    what : str
        What is counted.
    kind : {"share", "total", "stages"}
        The function calls `progress(done, share)`, `progress(done, total)`, or `progress(what, done, total)`.
    """

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        @functools.wraps(function)
        def wrapped(*args: P.args, **given: P.kwargs) -> T:
            progress = given.get("progress")
            if progress is None or progress is False:
                given["progress"] = None
                return function(*args, **given)
            if progress is not True and not callable(progress):
                raise ArgumentError(
                    f"`progress={progress!r}` is neither True nor a callable. Pass `progress=True` for a bar, or a "
                    "function of (what, done, share)."
                )
            bar = Bar() if progress is True else None
            given["progress"] = _adapted(bar.update if bar is not None else progress, what, kind)  # type: ignore[arg-type]
            try:
                return function(*args, **given)
            finally:
                if bar is not None:
                    bar.close()

        return wrapped

    return decorate


def total_of(done: int, share: float) -> int:
    """Return of how many a share was told; 0 where that is not known."""
    return round(done / share) if share > 0 else 0


def _adapted(told: Callback, what: str, kind: str) -> Callable[..., None]:
    if kind == "share":
        return lambda done, share=0.0: told(what, int(done), float(min(max(share, 0.0), 1.0)))
    if kind == "total":
        return lambda done, total: told(what, int(done), done / total if total else 1.0)
    return lambda stage, done, total: told(stage, int(done), done / total if total else 1.0)


def text_of(what: str, done: int, share: float, seconds: float) -> str:
    """Return how far a run is: "1,200 cells, 31 %, 400 cells/s, about 7 s left"."""
    parts = [f"{done:,} {what}", f"{100 * share:.0f} %"]
    if seconds >= _STEADY_S and done:
        rate = done / seconds
        parts.append(f"{rate:,.0f} {what}/s" if rate >= 10 else f"{rate:.2g} {what}/s")
        if share >= _STEADY_SHARE:
            parts.append(f"about {_duration(seconds * (1 - share) / share)} left" if share < 1 else "done")
    return ", ".join(parts)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 90 else f"{minutes / 60:.1f} h"


class Bar:
    """A bar that shows itself once a run takes longer than a moment: in a notebook, a terminal, or not at all."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._last = 0.0
        self._what = ""
        self._shown: Any = None

    def update(self, what: str, done: int, share: float) -> None:
        """Take the state of a run."""
        now = time.monotonic()
        if what != self._what:
            self._what, self._start = what, now if self._what else self._start
        if now - self._start < _WAIT_S or now - self._last < _EVERY_S:
            return
        self._last = now
        text = text_of(what, done, share, now - self._start)
        filled = round(_WIDTH * share)
        self._show(f"{'█' * filled}{'░' * (_WIDTH - filled)}  {text}", share)

    def close(self) -> None:
        """Take the bar away."""
        if self._shown is not None:
            self._shown("", None)
            self._shown = None

    def _show(self, line: str, share: float) -> None:
        if self._shown is None:
            self._shown = _notebook() or _terminal()
        self._shown(line, share)


def _notebook() -> Callable[[str, float | None], None] | None:
    """Return what shows a line in a Jupyter notebook; None elsewhere."""
    if type(_shell()).__name__ != "ZMQInteractiveShell":
        return None
    from html import escape

    from IPython.display import HTML, display  # type: ignore[import-not-found]

    handle: Any = display(HTML(""), display_id=True)

    def show(line: str, share: float | None) -> None:
        if share is None:
            handle.update(HTML(""))
            return
        text = escape(line.split("  ", 1)[1])
        handle.update(HTML(f"<progress value='{share:.4f}' max='1'></progress> {text}"))

    return show


def _shell() -> Any:
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython is not None else None


def _terminal() -> Callable[[str, float | None], None]:
    """Return what shows a line in a terminal, in place of the one before; nothing where stderr is none."""
    if not sys.stderr.isatty():
        return lambda line, share: None
    width = 0

    def show(line: str, share: float | None) -> None:
        nonlocal width
        encoding = sys.stderr.encoding or "ascii"
        line = line.encode(encoding, "replace").decode(encoding)
        sys.stderr.write("\r" + line.ljust(width) + ("\r" if share is None else ""))
        sys.stderr.flush()
        width = len(line)

    return show
