"""Which cells are in a window? The engine's, as an atlas packs them: first what is found in no time, then all."""

from __future__ import annotations

import json
import struct
import threading
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from reluatlas._version import __version__
from reluatlas.analysis.trajectories.record import TrajectoryRecord
from reluatlas.atlas.contents import Contents, contents_of
from reluatlas.atlas.difference import difference_of
from reluatlas.atlas.marks import Mark
from reluatlas.atlas.packed import packed
from reluatlas.comparison.refinement import Refinement, refinement
from reluatlas.complexes.complex import PolyhedralComplex
from reluatlas.complexes.enumerate import enumerate_cells
from reluatlas.deadline import called_off, under
from reluatlas.domain import Box, Slice
from reluatlas.errors import ArgumentError, DimensionError, DomainError, TimeLimitError
from reluatlas.live.messages import Anchor, WindowRequest
from reluatlas.live.planes import Plane, led
from reluatlas.live.preview import sampled
from reluatlas.network.join import require_alike
from reluatlas.network.network import Network
from reluatlas.typing import FloatArray

FIRST_S = 0.06
"""So long the first answer may take; what it does not reach is grey."""
MOVING_S = 0.12
"""So long an answer may take while the hand moves."""
MOST_S = 60.0
_WEIGHT_BYTES = 256 << 20  # they go to this machine's own browser, once
_STRIP_BYTES = 8 << 20  # of pictures to choose from
_MAPS_AT_ONCE = 3000  # cells whose maps are told apart in a moment
_MOVING_CELLS = 2000  # of a window: with more, it is not complete in a moment
_ALIGNED = 8
_DIFFERENCE = 2


class Answer(NamedTuple):
    """A part of an answer.

    Attributes
    ----------
    data : bytes
        Empty where nothing was found.
    is_last : bool
        Whether nothing follows.
    key : tuple of int, or None
        Which network, and at which step: once it was told, it is known to the page.
    """

    data: bytes
    is_last: bool
    key: tuple[int, int] | None


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
    beside : Network or None
        A second network, of the same inputs and outputs: then there are three complexes, its own and that of the
        common refinement being the second and third.
    trajectory : TrajectoryRecord or None
        The network at many times; `network` is the one at the first.
    names : sequence of str
        What the networks are called.
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
    beside: Network | None = None
    trajectory: TrajectoryRecord | None = None
    names: Sequence[str] = ("f", "g")
    _at: dict[int, Network] = field(default_factory=dict)
    _costs: dict[int, float] = field(default_factory=dict)
    _n_cells: dict[int, int] = field(default_factory=dict)  # of each network, in the last complete window

    def __post_init__(self) -> None:
        if self.domain.dim != 2:
            raise DimensionError(
                f"`domain` has dimension {self.domain.dim} but a live atlas is of a plane. Pass a `Box` of two inputs, "
                "or a slice: `ra.Slice.through([a, b, c])`."
            )
        if self.beside is not None:
            require_alike(self.network, self.beside)

    def plane(self, asked: WindowRequest) -> Plane:
        """Return the plane that is asked for.

        Raises
        ------
        DomainError
            When there are no such inputs, or the anchors lie on a line.
        """
        if self.inputs is None:
            if asked.plane is not None:
                raise DomainError("there are no such inputs")
            return Plane(self.domain, self.marks)
        if asked.plane is None:
            ways = led(self.inputs, self.labels, self.margin, self.anchors, None).ways
            return Plane(self.domain, self.marks, ways)
        return led(self.inputs, self.labels, self.margin, asked.plane, asked.turn)

    @property
    def anchors(self) -> list[Anchor]:
        """The anchors at first: the inputs that span `domain`, each on its way to the next one that does not."""
        n = 0 if self.inputs is None else len(self.inputs)
        return [(k, 3 if n > 3 else (k + 1) % 3, 0.0) for k in range(3)]

    @cached_property
    def refinement(self) -> Refinement:
        """The common refinement of both networks."""
        assert self.beside is not None
        return refinement(self.network, self.beside)

    def networks(self, step: int) -> list[Network]:
        """Return the networks whose cells are told, at a time of the trajectory.

        Raises
        ------
        DomainError
            When there is no such time.
        """
        if self.trajectory is None:
            if step:
                raise DomainError("there is no such step")
            return [self.network] if self.beside is None else [self.network, self.beside, self.refinement.network]
        if step >= len(self.trajectory):
            raise DomainError("there is no such step")
        if step not in self._at:
            self._at[step] = self.trajectory.network(step)
        return [self._at[step]]

    def answers(
        self,
        asked: WindowRequest,
        stop: threading.Event,
        *,
        known: Collection[tuple[int, int]] = ((0, 0), (1, 0)),
        is_coarse_first: bool = True,
    ) -> Iterator[Answer]:
        """Yield the cells of a window, packed: at once some, then all; of each network that is looked at.

        Without `is_coarse_first` all at once: sooner there, where they are few. While the hand moves there is nothing
        but what is found in a moment; of a window that is not complete by then, no cells, but a preview. Ends without
        more when `stop` is set. Networks that are not `known` are told along. Every answer alone is right: it holds
        cells of the window as `enumerate_cells` finds them, each whole or cut by the window's sides.
        """
        plane = self.plane(asked)
        domain, networks = plane.domain, self.networks(asked.step)
        box = domain.box if asked.window is None else _inside(domain.box, asked.window)
        part = box if isinstance(domain, Box) else Slice(domain.origin, domain.basis, box=box)
        is_told: set[tuple[int, int]] = set(known)
        missing = set(range(len(networks)))
        for seconds in (MOVING_S,) if asked.moving else (FIRST_S, None) if is_coarse_first else (None,):
            for which in sorted(missing):
                key: tuple[int, int] | None = (which, asked.step)
                found, is_all = b"", False
                with under(called_off(stop, MOST_S)):
                    try:
                        if not (asked.moving and self._n_cells.get(which, 0) > _MOVING_CELLS):
                            told = _Told(which, asked, seconds is None, with_network=key not in is_told)
                            found, is_all = self._found(networks[which], part, plane, told, seconds)
                    except TimeLimitError:
                        if seconds is None or stop.is_set():
                            return
                if stop.is_set():
                    return
                if found:
                    is_told.add((which, asked.step))
                elif asked.moving and which != _DIFFERENCE:
                    found = self._preview(networks[which], plane, box, which, asked)
                    key = None
                if is_all:
                    missing.discard(which)
                yield Answer(found, not missing, key)
            if not missing:
                return

    def _found(
        self, net: Network, part: Box | Slice, plane: Plane, told: _Told, seconds: float | None
    ) -> tuple[bytes, bool]:
        """Return the cells of a window that are found in some seconds, packed, and whether these are all."""
        cx = enumerate_cells(net, part, max_seconds=seconds, max_cells=self.most_cells, jobs=self.jobs)
        is_all = cx.is_complete or seconds is None
        if is_all:
            self._n_cells[told.which] = cx.n_cells
        if not cx.n_cells or (told.asked.moving and not is_all):
            return b"", is_all
        return self._packed(cx, plane, told._replace(is_all=is_all)), is_all

    def _preview(self, net: Network, plane: Plane, box: Box, which: int, asked: WindowRequest) -> bytes:
        found = sampled(net, plane.domain, box, self._costs)
        if found is None:
            return b""
        whole = plane.domain.box
        told = {
            "preview": [found.width, found.height], "which": which, "step": asked.step, "low": whole.low.tolist(),
            "high": whole.high.tolist(), "window": [*box.low.tolist(), *box.high.tolist()],
            "marks": [{"label": mark.label, "u": np.asarray(mark.u).tolist()} for mark in plane.marks],
            "ways": [list(way) for way in plane.ways],
        }  # fmt: skip
        origin, basis = plane.domain.frame()
        arrays = {"preview": found.classes, "origin": origin.astype(np.float64), "basis": basis.reshape(-1)}
        return message(Contents(told, arrays), {})

    def _packed(self, cx: PolyhedralComplex, plane: Plane, told: _Told) -> bytes:
        if told.which == _DIFFERENCE:
            contents = difference_of(cx, self.refinement, plane.marks)
        else:
            contents = contents_of(
                cx,
                plane.marks,
                with_network=told.with_network,
                most_weight_bytes=_WEIGHT_BYTES,
                with_maps=told.asked.maps and (told.is_all or cx.n_cells <= _MAPS_AT_ONCE),
                with_boundary=told.is_all,
                image=self.image,
            )
        domain, box = plane.domain, cx.box
        more: dict[str, Any] = {
            "low": domain.box.low.tolist(), "high": domain.box.high.tolist(),
            "window": [*box.low.tolist(), *box.high.tolist()], "is_last": told.is_all, "title": self.title,
            "report": "", "version": __version__, "which": told.which, "step": told.asked.step,
            "ways": [list(way) for way in plane.ways],
        }  # fmt: skip
        if told.with_network:
            more["strip"] = None if self.inputs is None else list(self.labels)
            more["anchors"] = self.anchors
            more["names"] = None if self.beside is None else list(self.names)
            more["steps"] = None if self.trajectory is None else self.trajectory.steps.tolist()
            if told.which == 0 and contents.told["image"] is not None and self.inputs is not None:
                contents.arrays["pictures"] = _pictures(self.inputs, contents.told["image"])
        origin, basis = domain.frame()
        contents.arrays.update(origin=origin.astype(np.float64), basis=basis.astype(np.float64).reshape(-1))
        return message(contents, more)


class _Told(NamedTuple):
    which: int
    asked: WindowRequest
    is_all: bool
    with_network: bool


def _pictures(inputs: FloatArray, image: dict[str, Any]) -> NDArray[np.uint8]:
    """Return the first inputs as levels of gray or color, as many as there is room for."""
    most = max(1, _STRIP_BYTES // inputs.shape[1])
    levels = (inputs[:most] - image["black"]) / (image["white"] - image["black"])
    return np.round(255 * np.clip(levels, 0.0, 1.0)).astype(np.uint8).reshape(-1)


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
