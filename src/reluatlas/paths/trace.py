"""What does a network do along a line? `trace`: the exact breakpoints on segments and polylines."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from itertools import pairwise
from typing import overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reluatlas.affine import AffineMaps
from reluatlas.answers.exactness import Exactness
from reluatlas.answers.limits import Limits
from reluatlas.deadline import under
from reluatlas.domain import Segment
from reluatlas.errors import DimensionError, DomainError, NonFiniteError
from reluatlas.memory import in_a_sentence
from reluatlas.network.decision import NO_CLASS, deciding
from reluatlas.network.network import Max, Network, require_network
from reluatlas.network.point_shapes import require_order, rows_of
from reluatlas.paths.intervals import END, START
from reluatlas.paths.path import Crossings, Path, Paths
from reluatlas.paths.sweep import Stop, Sweep, Swept
from reluatlas.progress import Progress, tells
from reluatlas.typing import FloatArray

_TOGETHER = 1024  # segments of one sweep
_FOR_PIECES = 0.85  # of the time; the rest is for gathering them


@overload
def trace(
    net: Network, line: Segment, *, max_cells: int | None = ..., max_seconds: float | None = ...,
    jobs: int | None = ..., progress: Progress = ...,
) -> Path: ...  # fmt: skip
@overload
def trace(
    net: Network, line: Sequence[Segment] | ArrayLike, *, max_cells: int | None = ...,
    max_seconds: float | None = ..., jobs: int | None = ..., progress: Progress = ...,
) -> Paths: ...  # fmt: skip
@in_a_sentence
@tells("pieces", "share")
def trace(
    net: Network,
    line: Segment | Sequence[Segment] | ArrayLike,
    *,
    max_cells: int | None = None,
    max_seconds: float | None = None,
    jobs: int | None = None,
    progress: Progress = None,
) -> Path | Paths:
    """Return the exact pieces of a network along a segment, a polyline or many segments.

    A breakpoint is a t in (0, 1) where the activation pattern of the points `a + t (b - a)` changes; a piece is the
    closure of what lies between two of them. A unit that is zero on a whole piece is off there; candidates of a max
    that are the same function on it are one, whose lowest index wins; only different functions cut. A change that
    holds at a single point only, as where a row touches zero, is none.

    Parameters
    ----------
    net : Network
        Of any architecture that can be loaded.
    line : Segment, sequence of Segment, or array_like of shape (p, *input_shape) or (p, n)
        One segment; many segments, which are traced together; or the p corners of a polyline.
    max_cells : int, optional
        Stop when at least so many pieces are found in all.
    max_seconds : float, optional
        Stop after so many seconds.
    jobs : int, optional
        Threads for many segments; all cores when None.
    progress : bool or callable(what, done, share), optional
        True shows a bar; a function is told what is counted, how many are done, and which share of the work.

    Returns
    -------
    Path, or Paths
        `Path` of one segment; `Paths`, one `Path` for each segment or leg, of all else.

    Raises
    ------
    DimensionError, DomainError
        When the line does not fit the network's inputs, is a point, or not finite.
    ArgumentError
        When a limit makes no sense.

    Guarantees
    ----------
    Which pieces there are, in which order, what changes where and which breakpoints coincide is exact (see
    `Exactness`), complete unless marked; breakpoints and maps are float64, with bounds. The order and the numbers of
    pieces do not depend on `jobs`. After a limit or an interrupt: the first part of each path, as far as it was done.

    Cost
    ----
    Layer by layer, two products per interval so far and one for the error bounds; over all layers about as much
    as a forward pass at the breakpoints. Memory grows with what is kept of each piece, not with the network times
    the number of pieces.

    References
    ----------
    [Yap1997] for the order of breakpoints, certain by a bound or settled in whole numbers.

    Examples
    --------
    >>> import reluatlas as ra
    >>> net = ra.load([([[1.0], [1.0]], [0.0, -0.5]), ([[1.0, -2.0]], [0.0])])  # relu(x) - 2 relu(x - 0.5)
    >>> path = ra.trace(net, ra.Segment([-1.0], [1.0]))
    >>> path.breakpoints, path.affine.A[:, 0, 0]
    (array([0.5 , 0.75]), array([ 0.,  2., -2.]))
    """
    limits = Limits(max_cells, max_seconds, jobs, progress)  # type: ignore[arg-type]
    segments, is_polyline = _segments(net, line)
    paths = _traced(net, segments, limits)
    return paths[0] if isinstance(line, Segment) else Paths(paths, is_polyline=is_polyline)


def _segments(net: Network, line: object) -> tuple[list[Segment], bool]:
    require_network(net)
    if isinstance(line, Segment):
        return [_fitting(net, line, "line")], False
    if isinstance(line, Sequence) and len(line) and all(isinstance(s, Segment) for s in line):
        return [_fitting(net, s, f"line[{i}]") for i, s in enumerate(line)], False
    try:
        corners = np.asarray(line, dtype=np.float64)
    except (TypeError, ValueError):
        corners = np.empty(0)
    if corners.ndim < 2 or corners.shape[0] < 2:
        raise DomainError(
            f"`line` is {_named(line)}; expected a `Segment`, several of them, or the corners of a polyline: an array "
            f"of shape (p, {', '.join(map(str, net.input_shape))}) with p of at least 2."
        )
    flat, single = rows_of(corners, net.input_shape, "line")
    if single:
        raise DomainError(
            f"`line` is one point, of shape {corners.shape}; expected the corners of a polyline, two or more."
        )
    equal = np.flatnonzero((flat[1:] == flat[:-1]).all(axis=1))
    if equal.size:
        i = int(equal[0])
        raise DomainError(f"`line` has the same point as corners {i} and {i + 1}. Leave one of them out.")
    return [Segment(a, b) for a, b in pairwise(flat)], True


def _named(line: object) -> str:
    shape = getattr(line, "shape", None)
    if shape is not None:
        return f"an array of shape {shape}"
    return f"an empty {type(line).__name__}" if isinstance(line, Sequence) and not line else f"a {type(line).__name__}"


def _fitting(net: Network, segment: Segment, name: str) -> Segment:
    if segment.n_inputs != net.n_inputs:
        raise DimensionError(
            f"`{name}` is a segment of {segment.n_inputs} inputs but the network takes {net.n_inputs}. "
            f"Pass `Segment(a, b)` with points of shape {net.input_shape}."
        )
    require_order(segment.input_shape, net.input_shape, name)
    return segment


def _traced(net: Network, segments: list[Segment], limits: Limits) -> list[Path]:
    n, asking = len(segments), _asking(net)
    with under(limits.deadline) as deadline:
        stop = Stop(deadline.share(_FOR_PIECES), limits.max_cells)
    size = max(1, min(_TOGETHER, -(-n // limits.n_jobs)))
    groups = [segments[i : i + size] for i in range(0, n, size)]
    done = [(0, 0.0)] * len(groups)

    def sweep(k: int) -> Swept:
        def told(found: int, share: float) -> None:
            done[k] = found, share
            stop.n_found = sum(f for f, _ in done)
            if limits.progress is not None and len(groups) == 1:
                limits.progress(found, min(1.0, share / n))

        starts, ends = (np.stack([getattr(s, end) for s in groups[k]]) for end in "ab")
        return Sweep(asking, net.output, starts, ends, stop, told).run()

    if len(groups) == 1:
        with under(stop.deadline):
            swept = [sweep(0)]
    else:
        swept = _in_threads(sweep, len(groups), stop, limits, lambda: (stop.n_found, sum(s for _, s in done) / n))
    contexts = [s.context for s in swept]
    exactness = Exactness(
        "exact",
        n_escalated=sum(c.n_doubts for c in contexts),
        n_visits=sum(c.n_visits for c in contexts),
        n_doubtful_visits=sum(c.n_doubtful_visits for c in contexts),
    )
    paths: list[Path] = []
    for group, found in zip(groups, swept, strict=True):
        paths += _paths(net, group, found, stop, exactness)
    return paths


def _in_threads(sweep, n: int, stop: Stop, limits: Limits, state) -> list[Swept]:
    from concurrent.futures import wait

    from reluatlas.network.batches import one_blas_thread

    with one_blas_thread(), ThreadPoolExecutor(min(limits.n_jobs, n)) as executor:
        futures = [executor.submit(sweep, k) for k in range(n)]
        waiting = set(futures)
        while waiting:
            try:
                waiting = wait(waiting, timeout=0.1).not_done
                if limits.progress is not None:
                    found, share = state()
                    limits.progress(found, min(1.0, share))
            except KeyboardInterrupt:
                stop.why = stop.why or "interrupt"
                stop.asked.set()
        return [future.result() for future in futures]


def _asking(net: Network) -> Network:
    # The network with one more node, whose piece is the class; where there are no classes, one that never changes.
    if net.classes is not None:
        return deciding(net, "class")
    return _never_changing(net)


@lru_cache(maxsize=4)
def _never_changing(net: Network) -> Network:
    node = Max(net.output, np.array([0, 1]), np.zeros(1, dtype=np.int64), (1,), "class")
    return Network((*net.nodes, node), len(net.nodes), net.notes, net.source)


def _paths(net: Network, segments: list[Segment], swept: Swept, stop: Stop, exactness: Exactness) -> list[Path]:
    """Return the paths of the segments of one sweep."""
    ends, asked = swept.context.ends, _asking(net).output
    t, radius, made_by = ends.column("t"), ends.column("radius"), ends.column("node")
    bounds = np.searchsorted(swept.segment, np.arange(len(segments) + 1))
    at_end, column, before, after = _joined(net, swept)
    has_classes = net.classes is not None
    behind = np.full(len(ends), -1, dtype=np.int64)
    behind[swept.changes[asked].end] = swept.changes[asked].after
    out = []
    for s, segment in enumerate(segments):
        run = slice(bounds[s], bounds[s + 1])
        low, high = swept.low[run], swept.high[run]
        is_complete = high.size > 0 and int(high[-1]) == END
        begins = (low == START) | (made_by[low] != asked)
        rows = swept.rows.at(np.flatnonzero(begins) + run.start)
        where, loose = _ascending(t[low], radius[low])
        made = low[begins][1:]
        first = np.searchsorted(at_end, made, side="left"), np.searchsorted(at_end, made, side="right")
        counts = first[1] - first[0]
        offsets = np.concatenate([[0], np.cumsum(counts)])
        which = np.repeat(first[0] - offsets[:-1], counts) + np.arange(offsets[-1])
        switch = behind[low] >= 0
        if not np.isfinite(rows.both).all():
            raise NonFiniteError(
                "the network's outputs leave the numbers of float64 (1.8e308) along the path. "
                "Multiply the weights and biases of the last layer by a power of two below 1."
            )
        first_class = swept.first[asked][s].astype(np.int64) if low.size else np.empty(0, dtype=np.int64)
        out.append(
            Path(
                network=net,
                segment=segment,
                breakpoints=where[begins][1:],
                radii=loose[begins][1:],
                crossings=Crossings(
                    offsets, column[which], before[which], after[which],
                    *(ends.column(name)[made] for name in ("node", "first", "second")),
                ),
                affine=AffineMaps(rows.slope[:, :, None], rows.value),
                errors=rows.error,
                classes=np.concatenate([first_class if has_classes else first_class + NO_CLASS, behind[low][switch]]),
                class_changes=where[switch],
                reached=1.0 if is_complete else float(t[high[-1]]) if high.size else 0.0,
                stopped_by="" if is_complete else stop.why,
                exactness=exactness,
                first_pattern=_first_pattern(net, swept, s, is_known=low.size > 0),
            )
        )  # fmt: skip
    return out


def _joined(net: Network, swept: Swept) -> tuple[NDArray, NDArray, NDArray, NDArray]:
    # The changes of all nodes, by the end that they are at: (end, column of the pattern, before, after).
    parts = [
        (c.end, c.unit + s.start, c.before, c.after)
        for t, s in net.pattern_slices().items()
        for c in [swept.changes[t]]
    ]
    if not parts:
        return (np.empty(0, dtype=np.int64),) * 4  # type: ignore[return-value]
    columns = [np.concatenate([np.asarray(c, dtype=np.int64) for c in column]) for column in zip(*parts, strict=True)]
    order = np.lexsort((columns[1], columns[0]))
    return columns[0][order], columns[1][order], columns[2][order], columns[3][order]


def _first_pattern(net: Network, swept: Swept, segment: int, *, is_known: bool) -> NDArray[np.integer]:
    if not net.cuts or not is_known:
        return np.zeros(net.n_neurons + net.n_windows, dtype=np.uint8)
    return np.concatenate([swept.first[t][segment] for t in net.cuts])


def _ascending(t: FloatArray, radius: FloatArray) -> tuple[FloatArray, FloatArray]:
    # The order is known; float64 numbers within their radii may not show it.
    ordered = np.maximum.accumulate(t)
    moved = ordered != t
    return ordered, np.where(moved, np.maximum.accumulate(radius), radius)
