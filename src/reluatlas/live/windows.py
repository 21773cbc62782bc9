"""Which cells are in a window? The engine's, as an atlas packs them: first what is found in no time, then all."""

from __future__ import annotations

import json
import struct
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from reluatlas._version import __version__
from reluatlas.atlas.contents import Contents, contents_of
from reluatlas.atlas.marks import Mark
from reluatlas.atlas.packed import packed
from reluatlas.complexes.complex import PolyhedralComplex
from reluatlas.complexes.enumerate import enumerate_cells
from reluatlas.deadline import called_off, under
from reluatlas.domain import Box, Slice
from reluatlas.errors import ArgumentError, DimensionError, DomainError, TimeLimitError
from reluatlas.live.messages import Anchor, WindowRequest
from reluatlas.network.network import Network
from reluatlas.typing import FloatArray

FIRST_S = 0.06
"""So long the first answer may take; what it does not reach is grey."""
MOST_S = 60.0
_WEIGHT_BYTES = 256 << 20  # they go to this machine's own browser, once
_ALIGNED = 8


@dataclass(frozen=True, eq=False)
class Windows:
    """A network on a plane, asked window by window; the plane may be led through other inputs.

    Attributes
    ----------
    network : Network
    domain : Box or Slice
        Two-dimensional: what is looked at first.
    marks : sequence of Mark
    title : str
    inputs : ndarray, shape (N, n)
        Inputs that anchors of the plane may be chosen from; the first three span `domain`. None: it stays.
    labels : sequence of str
    margin : float
        Of other planes: see `Slice.through`.
    image : tuple of int, or None
        The shape of inputs that are pictures, where the network does not say.
    most_cells : int
        Of a window with more, those that are found first are shown, and it is said.
    jobs : int or None
    """

    network: Network
    domain: Box | Slice
    marks: Sequence[Mark] = ()
    title: str = ""
    inputs: FloatArray | None = None
    labels: Sequence[str] = ()
    margin: float = 0.2
    image: tuple[int, ...] | None = None
    most_cells: int = 100_000
    jobs: int | None = None

    def __post_init__(self) -> None:
        if self.domain.dim != 2:
            raise DimensionError(
                f"`domain` has dimension {self.domain.dim} but a live atlas is of a plane. Pass a `Box` of two inputs, "
                "or a slice: `ra.Slice.through([a, b, c])`."
            )

    def plane(self, anchors: Sequence[Anchor] | None) -> tuple[Box | Slice, Sequence[Mark]]:
        """Return the plane through three anchors, and these as marks.

        Raises
        ------
        DomainError
            When there are no such inputs, or the anchors lie on a line.
        """
        if anchors is None:
            return self.domain, self.marks
        X = self.inputs
        if X is None or not all(i < len(X) and j < len(X) for i, j, _ in anchors):
            raise DomainError("there are no such inputs")
        points = [X[i] if share == 0.0 else X[i] + share * (X[j] - X[i]) for i, j, share in anchors]
        try:
            plane = Slice.through(points, margin=self.margin)
        except DomainError:
            raise DomainError("the three anchors lie on a line; choose others") from None
        names = [
            self.labels[i] if share == 0.0 else f"{self.labels[i]} → {self.labels[j]}, {share:.2f}"
            for i, j, share in anchors
        ]
        return plane, [Mark(name, plane.coordinates(x)) for name, x in zip(names, points, strict=True)]

    def answers(
        self, asked: WindowRequest, stop: threading.Event, *, with_network: bool = False, is_coarse_first: bool = True
    ) -> Iterator[tuple[bytes, bool]]:
        """Yield the cells of a window, packed, and whether these are all: at once some, then all.

        Without `is_coarse_first` all at once: sooner there, where they are few. Ends without more when `stop` is set.
        Every answer alone is right: it holds cells of the window as `enumerate_cells` finds them, each whole or cut by
        the window's sides.
        """
        domain, marks = self.plane(asked.plane)
        box = domain.box if asked.window is None else _inside(domain.box, asked.window)
        part = box if isinstance(domain, Box) else Slice(domain.origin, domain.basis, box=box)
        for seconds in (FIRST_S, None) if is_coarse_first else (None,):
            with under(called_off(stop, MOST_S)):
                try:
                    cx = enumerate_cells(
                        self.network, part, max_seconds=seconds, max_cells=self.most_cells, jobs=self.jobs
                    )
                    is_last = cx.is_complete or seconds is None
                    found = self._packed(cx, domain, marks, is_last, with_network=with_network) if cx.n_cells else b""
                except TimeLimitError:
                    return
            if stop.is_set():
                return
            yield found, is_last
            if is_last:
                return

    def _packed(
        self, cx: PolyhedralComplex, domain: Box | Slice, marks: Sequence[Mark], is_last: bool, *, with_network: bool
    ) -> bytes:
        contents = contents_of(
            cx,
            marks,
            with_network=with_network,
            most_weight_bytes=_WEIGHT_BYTES,
            with_maps=False,
            with_boundary=is_last,
            image=self.image,
        )
        whole, box = domain.box, cx.box
        more = {
            "low": whole.low.tolist(), "high": whole.high.tolist(), "window": [*box.low.tolist(), *box.high.tolist()],
            "is_last": is_last, "title": self.title, "report": "", "version": __version__,
            "strip": None if self.inputs is None else list(self.labels),
        }  # fmt: skip
        origin, basis = domain.frame()
        contents.arrays.update(origin=origin.astype(np.float64), basis=basis.astype(np.float64).reshape(-1))
        return message(contents, more)


def _inside(box: Box, window: Sequence[float]) -> Box:
    """Return the part of a window that is in a box.

    Raises
    ------
    DomainError
        When there is none.
    """
    low, high = np.maximum(box.low, window[:2]), np.minimum(box.high, window[2:])
    if not np.all(low < high):
        raise DomainError("the window lies outside of the domain")
    return Box(low, high)


def message(contents: Contents, more: dict[str, Any]) -> bytes:
    """Return contents as one message: the length of the words, the words, and the arrays, each at a multiple of 8."""
    table, data = packed(contents.arrays)
    told = json.dumps({**contents.told, **more, "arrays": table}, allow_nan=False).encode()
    told += b" " * (-(len(told) + 4) % _ALIGNED)
    return struct.pack("<I", len(told)) + told + data


def with_id(data: bytes, number: int) -> bytes:
    """Return a message behind the number of the request that it answers."""
    return struct.pack("<Q", number) + data


def open_windows(net: Network, domain: Any, marks: Sequence[Mark] = (), **options: Any) -> Windows:
    """Return a network on a plane to look at.

    Raises
    ------
    ArgumentError, DimensionError
        When the domain is not a bounded plane.
    """
    if not isinstance(domain, Box | Slice):
        raise ArgumentError(f"`domain` is {domain!r}; a live atlas is of a plane. Pass a `Box` or a `Slice`.")
    return Windows(net, domain, marks, **options)
