"""How is an atlas shown in a notebook? As a widget with the page's bundle: of a complex, or live, from the kernel."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from reluatlas._version import __version__
from reluatlas.atlas.contents import contents_of
from reluatlas.atlas.page import bundle, default_title, widget_script
from reluatlas.domain import Box, Slice
from reluatlas.errors import ArgumentError, DimensionError, MissingDependencyError
from reluatlas.live.client import Client
from reluatlas.live.windows import Windows, message, open_windows
from reluatlas.network.network import Network
from reluatlas.network.point_shapes import rows_of

if TYPE_CHECKING:
    from reluatlas.complexes.complex import PolyhedralComplex

HEIGHT = 640
_LEAST_HEIGHT, _MOST_HEIGHT = 200, 4000
_WORKERS = 2


def widget_of(
    cx: PolyhedralComplex, *, title: str = "", image: tuple[int, ...] | None = None, height: int = HEIGHT
) -> Any:
    """Return the atlas of a complex in the plane as a widget; see `PolyhedralComplex.view`."""
    made = _kind()
    contents = contents_of(cx, image=image)
    told = {"title": title or default_title(cx), "report": "", "version": __version__}
    return made(contents=message(contents, told), height=_height(height), n_cells=cx.n_cells)


def view(
    net: Network,
    plane: Box | Slice,
    *,
    X: ArrayLike | None = None,
    labels: Sequence[str] | None = None,
    beside: Network | None = None,
    image: tuple[int, ...] | None = None,
    margin: float = 0.2,
    height: int = HEIGHT,
    jobs: int | None = None,
) -> Any:
    """Return a live atlas for a notebook: the kernel computes, exactly, the cells of what is in the window.

    Parameters
    ----------
    net : Network
    plane : Box or Slice
        Two-dimensional: what is looked at first.
    X : array_like, shape (N, *input_shape), optional
        Inputs to lead the plane through; the first three are its anchors, so `plane` must be
        `Slice.through(X[:3], margin=margin)`.
    labels : sequence of str, optional
        What these are called; their positions when left out.
    beside : Network, optional
        A second network of the same inputs and outputs: it stands beside the first, and their difference.
    image : tuple of int, optional
        The shape of inputs that are pictures, where the network takes flat ones.
    margin : float
        As in `Slice.through`, of planes that it is led to.
    height : int
        Of the widget, in pixels.
    jobs : int, optional
        Worker threads; all cores when None.

    Returns
    -------
    anywidget.AnyWidget
        Shown by a notebook where it is the value of a cell. Its traits follow what is seen, and lead it: `selected` (a
        cell of the window, -1 for none), `view` (the middle `x`, `y` and the `zoom`, 2**zoom times the whole; `name`
        and `by`, what is shown and how it is colored) and `anchors` (for each: from which input to which, and how far).

    Raises
    ------
    MissingDependencyError
        When anywidget is not installed.
    ArgumentError, DimensionError
        When the domain is not a bounded plane, or what is given does not fit on each other.

    Guarantees
    ----------
    What is seen of a window is what `enumerate_cells` gives there, as it says of itself. Tested in JupyterLab; other
    front ends are not.

    Cost
    ----
    Nothing until it is shown; then one `enumerate_cells` for each window that is looked at, in threads of the kernel.

    Examples
    --------
    >>> from importlib.util import find_spec
    >>> import numpy as np
    >>> import reluatlas as ra
    >>> net = ra.load([(np.eye(2), np.zeros(2)), (np.ones((1, 2)), np.zeros(1))])
    >>> live = ra.view(net, ra.Box(-1, 1, dim=2)) if find_spec("anywidget") else None
    >>> -1 if live is None else live.selected  # no cell is chosen
    -1
    """
    made = _kind()
    inputs, names = _inputs(net, plane, X, labels, margin)
    windows = open_windows(
        net, plane, title=f"The cells of {net.source}", inputs=inputs, labels=names, margin=margin, image=image,
        jobs=jobs, beside=beside, names=[net.source, beside.source] if beside is not None else [net.source],
    )  # fmt: skip
    shown = made(height=_height(height), is_live=True)
    _Kernel(shown, windows).begin()
    return shown


def _inputs(
    net: Network, plane: Box | Slice, X: ArrayLike | None, labels: Sequence[str] | None, margin: float
) -> tuple[Any, list[str]]:
    if X is None:
        return None, []
    rows = rows_of(np.asarray(X, dtype=np.float64), net.input_shape)[0]
    names = [str(i) for i in range(len(rows))] if labels is None else [str(name) for name in labels]
    if len(names) != len(rows):
        raise DimensionError(f"`labels` has {len(names)} names but `X` {len(rows)} inputs. Pass one name for each.")
    first = Slice.through(rows[:3], margin=margin) if len(rows) >= 3 else None
    is_same = (
        first is not None
        and isinstance(plane, Slice)
        and np.array_equal(first.origin.reshape(-1), plane.origin.reshape(-1))
        and np.array_equal(first.basis, plane.basis)
    )
    if not is_same:
        raise ArgumentError(
            "`plane` does not go through the first three of `X`. Pass `ra.Slice.through(X[:3])`, or leave `X` out."
        )
    return rows, names


def _height(height: int) -> int:
    if isinstance(height, bool) or not isinstance(height, int) or not _LEAST_HEIGHT <= height <= _MOST_HEIGHT:
        raise ArgumentError(f"`height={height!r}` must be whole pixels from {_LEAST_HEIGHT} to {_MOST_HEIGHT}.")
    return height


@cache
def _kind() -> Any:
    """Return the class of widgets: made when the first one is, as anywidget need not be there."""
    if find_spec("anywidget") is None:
        raise MissingDependencyError(
            "an atlas in a notebook needs anywidget. Run `pip install 'reluatlas[notebook]'`, or write a page: "
            "`cx.to_html(path)`."
        )
    import anywidget
    import traitlets

    class AtlasWidget(anywidget.AnyWidget):
        _esm = widget_script()
        _css = bundle()[1]
        contents = traitlets.Bytes(b"").tag(sync=True)
        is_live = traitlets.Bool(False).tag(sync=True)
        height = traitlets.Int(HEIGHT).tag(sync=True)
        n_cells = traitlets.Int(0).tag(sync=True)
        selected = traitlets.Int(-1, min=-1).tag(sync=True)
        view = traitlets.Dict({}).tag(sync=True)
        anchors = traitlets.List([]).tag(sync=True)

    return AtlasWidget


class _Kernel:
    """The side of a live widget that computes: a loop of its own, as that of the kernel runs the user's cells."""

    def __init__(self, widget: Any, windows: Windows) -> None:
        self.widget, self.windows = widget, windows
        self.loop = asyncio.new_event_loop()
        self.asked: asyncio.Queue[str | None] = asyncio.Queue()
        self.executor = ThreadPoolExecutor(_WORKERS, thread_name_prefix="reluatlas-widget")
        self.thread = threading.Thread(target=self._run, name="reluatlas-widget", daemon=True)
        self.client: Client | None = None

    def begin(self) -> None:
        self.widget.on_msg(self._hear)
        self.widget.observe(self._gone, names="comm")
        self.thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        while True:
            self.client = Client(self, self.windows, self.executor)
            await self.client.serve()
            if self.widget.comm is None:
                return

    def _hear(self, _widget: Any, content: Any, _buffers: Any) -> None:
        if isinstance(content, dict) and content.get("kind") == "begin":  # a page was made, perhaps anew
            self.loop.call_soon_threadsafe(self.asked.put_nowait, None)
        elif isinstance(content, dict) and isinstance(content.get("text"), str):
            self.loop.call_soon_threadsafe(self.asked.put_nowait, content["text"])

    def _gone(self, change: Any) -> None:
        if change["new"] is None:
            self.loop.call_soon_threadsafe(self.asked.put_nowait, None)

    async def receive(self) -> Any:
        """Return the next request; None when the page is another one, or gone."""
        return await self.asked.get()

    async def send(self, data: bytes | str) -> None:
        """Send an answer."""
        if isinstance(data, str):
            self.widget.send({"text": data})
        else:
            self.widget.send({"text": ""}, [data])

    async def close(self, code: int, reason: str) -> None:
        """Say why a request is none."""
        self.widget.send({"closed": reason, "code": code})
