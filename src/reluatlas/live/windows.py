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
from reluatlas.network.network import Network

FIRST_S = 0.06
"""So long the first answer may take; what it does not reach is grey."""
MOST_S = 60.0
_ALIGNED = 8


@dataclass(frozen=True, eq=False)
class Windows:
    """A network on a plane, asked window by window.

    Attributes
    ----------
    network : Network
    domain : Box or Slice
        Two-dimensional; windows are parts of it.
    marks : sequence of Mark
    title : str
    most_cells : int
        Of a window with more, those that are found first are shown, and it is said.
    jobs : int or None
    """

    network: Network
    domain: Box | Slice
    marks: Sequence[Mark] = ()
    title: str = ""
    most_cells: int = 100_000
    jobs: int | None = None

    def __post_init__(self) -> None:
        if self.domain.dim != 2:
            raise DimensionError(
                f"`domain` has dimension {self.domain.dim} but a live atlas is of a plane. Pass a `Box` of two inputs, "
                "or a slice: `ra.Slice.through([a, b, c])`."
            )

    def box_of(self, low: Sequence[float], high: Sequence[float]) -> Box:
        """Return the part of a window that is in the domain.

        Raises
        ------
        DomainError
            When there is none, or float64 numbers are too coarse for it.
        """
        whole = self.domain.box
        at, to = np.maximum(whole.low, low), np.minimum(whole.high, high)
        if not np.all(at < to):
            raise DomainError("the window lies outside of the domain")
        return Box(at, to)

    def part(self, box: Box) -> Box | Slice:
        """Return a box of coordinates as a domain: of the same plane."""
        return box if isinstance(self.domain, Box) else Slice(self.domain.origin, self.domain.basis, box=box)

    def answers(
        self, low: Sequence[float], high: Sequence[float], stop: threading.Event, *, with_network: bool = False
    ) -> Iterator[tuple[bytes, bool]]:
        """Yield the cells of a window, packed, and whether these are all: at once some, then all.

        Ends without more when `stop` is set. Every answer alone is right: it holds cells of the window as
        `enumerate_cells` finds them, each whole or cut by the window's sides.
        """
        box = self.box_of(low, high)
        domain = self.part(box)
        for seconds in (FIRST_S, None):
            found = self._found(domain, box, seconds, stop, with_network=with_network)
            if stop.is_set() or found is None:
                return
            yield found
            if found[1]:
                return

    def _found(
        self, domain: Box | Slice, box: Box, seconds: float | None, stop: threading.Event, *, with_network: bool
    ) -> tuple[bytes, bool] | None:
        """Return what is found in so many seconds; None when the work was called off."""
        with under(called_off(stop, MOST_S)):
            try:
                cx = enumerate_cells(
                    self.network, domain, max_seconds=seconds, max_cells=self.most_cells, jobs=self.jobs
                )
                is_last = cx.is_complete or seconds is None
                return (self._packed(cx, box, is_last, with_network=with_network) if cx.n_cells else b""), is_last
            except TimeLimitError:
                return None

    def _packed(self, cx: PolyhedralComplex, box: Box, is_last: bool, *, with_network: bool) -> bytes:
        contents = contents_of(cx, self.marks, with_network=with_network, with_maps=False)
        whole = self.domain.box
        more = {
            "low": whole.low.tolist(), "high": whole.high.tolist(), "window": [*box.low.tolist(), *box.high.tolist()],
            "is_last": is_last, "title": self.title, "report": "", "version": __version__,
        }  # fmt: skip
        return message(contents, more)


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
