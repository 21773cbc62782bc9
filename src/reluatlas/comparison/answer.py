"""What is the answer to how two networks differ? The records, with their sentences and numbers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from reluatlas.comparison import words
from reluatlas.comparison.record import ComparisonRecord, PointRecord, SegmentRecord
from reluatlas.comparison.replay import Replay, Runtime, replay
from reluatlas.typing import FloatArray

if TYPE_CHECKING:
    from reluatlas.complexes.complex import PolyhedralComplex


@dataclass(frozen=True, eq=False, repr=False)
class Comparison(ComparisonRecord):
    """How two networks differ on a domain. Made by `reluatlas.compare`.

    Attributes
    ----------
    f, g : Network
    domain : Box or Slice
    norm : {"inf", 1, 2}
        Over the outputs, of `lower`, `upper` and `largest`.
    lower, upper : float
        Certain ends of the largest |f - g| over the domain, over all outputs. Equal up to rounding when complete.
    max_lower, max_difference : ndarray, shape (m,)
        The same of each output: what |f - g| certainly reaches, and what it nowhere exceeds.
    found : Witness or None
        Where the largest difference is; None when time was over before the first cell.
    witnesses : ndarray, shape (m, *input_shape), or None
        For each output the float64 input next to the vertex where its difference is largest.
    mean_difference, mean_square : ndarray, shape (m,), or None
        The means of |f - g| and of its square over the domain; None when they were not asked for.
    mean_difference_error, mean_square_error : ndarray, shape (m,), or None
        Bounds on how far these may be off.
    disagreement, disagreement_error : float or None
        The share of the domain's volume on which the classes differ, and how far it may be off; None without classes.
    pairs : tuple of ClassPair
        That share by pairs of classes, with a witness of each.
    pieces : DifferingPieces or None
        The parts themselves; the first 200,000.
    f_tied, g_tied : float or None
        Shares of the volume on which other outputs tie with the class on whole cells; the lowest index counts.
    is_equal : bool or None
        Whether f and g are the same function on the domain, decided exactly; None when that was not settled.
    n_cells : int
        Of the common refinement: the cells of f cut by those of g.
    n_pieces : int
        Of the common refinement, cut by both decisions, too.
    stopped_by : str
        "" when complete, else "max_cells", "max_seconds" or "interrupt".
    share_done : float
        Of the domain's volume.
    exactness : Exactness
    seconds : float
    runtime_error : float or None
        By how much a float32 forward pass is off in f - g at the witness.
    notices : tuple of str
    eps : float or None
        What the difference was asked to be at most; see `is_within`.
    boxes : BoxSearch or None
        What the search over parts of the domain took; None where all was found from cells.
    exact_means : ExactMeans or None
        Means and shares in fractions; None when they were not asked for, or it is not complete.
    certificate : Path or None
        The file that proves `is_equal`; None when none was asked for, or they are not equal.
    """

    @cached_property
    def refinement(self) -> PolyhedralComplex:
        """The common refinement as a complex, whose outputs are f's, then g's; found anew at first use."""
        from reluatlas.complexes.enumerate import enumerate_cells
        from reluatlas.network.join import side_by_side

        return enumerate_cells(side_by_side(self.f, self.g), self.domain)

    def replay(self, runtime: Runtime = "onnxruntime") -> Replay:
        """Return what a runtime gives for f and g at the witness, in float32.

        Both are written as `save_onnx` or `to_torch` do, in float32, and run there.

        Parameters
        ----------
        runtime : {"onnxruntime", "torch"}

        Returns
        -------
        Replay
            The values, and in `shows_it` whether the difference is more than the runtime is itself off by.

        Raises
        ------
        MissingDependencyError
            When it is not installed.
        ArgumentError
            When `runtime` is another; when there is no witness.
        """
        return replay(self, runtime)

    @property
    def words(self) -> list[str]:
        """The answer in sentences."""
        return words.on_domain(self)

    def summary(self) -> str:
        """Return the answer in words."""
        return "\n".join(self.words)

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers as plain values, for JSON."""
        found = self.found
        return {
            "is_complete": self.is_complete,
            "stopped_by": self.stopped_by,
            "share_done": self.share_done,
            "method": self.method,
            "ends_meet": self.ends_meet,
            "eps": self.eps,
            "is_within": self.is_within,
            "boxes": None
            if self.boxes is None
            else {
                "is_paired": self.boxes.is_paired,
                "n_boxes": self.boxes.n_boxes,
                "n_open": self.boxes.n_open,
                "stopped_by": self.boxes.stopped_by,
            },
            "is_equal": self.is_equal,
            "certificate": None if self.certificate is None else str(self.certificate),
            "norm": self.norm,
            "lower": self.lower,
            "upper": self.upper,
            "max_lower": self.max_lower.tolist(),
            "max_difference": self.max_difference.tolist(),
            "output": self.output,
            "witness": None
            if found is None
            else {
                "vertex": found.vertex.tolist(),
                "f_at_vertex": found.f_at_vertex.tolist(),
                "g_at_vertex": found.g_at_vertex.tolist(),
                "x": found.x.reshape(-1).tolist(),
                "f": found.f.tolist(),
                "g": found.g.tolist(),
                "difference": found.difference.tolist(),
            },
            "runtime_error": self.runtime_error,
            "mean_difference": _listed(self.mean_difference),
            "mean_difference_error": _listed(self.mean_difference_error),
            "mean_square": _listed(self.mean_square),
            "mean_square_error": _listed(self.mean_square_error),
            "disagreement": self.disagreement,
            "disagreement_error": self.disagreement_error,
            "pairs": [
                {
                    "f_class": p.f_class,
                    "g_class": p.g_class,
                    "share": p.share,
                    "n_pieces": p.n_pieces,
                    "witness": None if p.witness is None else p.witness.reshape(-1).tolist(),
                }
                for p in self.pairs
            ],
            "exact_means": None if self.exact_means is None else self.exact_means.to_dict(),
            "f_tied": self.f_tied,
            "g_tied": self.g_tied,
            "n_cells": self.n_cells,
            "n_pieces": self.n_pieces,
            "exactness": {
                "status": self.exactness.status,
                "n_escalated": self.exactness.n_escalated,
                "n_uncertain": self.exactness.n_uncertain,
                "share_escalated": self.exactness.share_escalated,
            },
            "words": self.words,
        }

    def __repr__(self) -> str:
        return f"Comparison({' '.join(self.words)})"


@dataclass(frozen=True, eq=False, repr=False)
class SegmentComparison(SegmentRecord):
    """How two networks differ on segments. Made by `reluatlas.compare`.

    Attributes
    ----------
    f, g : Network
    segments : tuple of Segment
    norm : {"inf", 1, 2}
        Over the outputs, of `max_by_segment`.
    max_by_segment, bounds : ndarray, shape (S,)
        The largest |f - g| on each segment, and how far that may be off.
    where : ndarray, shape (S,)
        At which t in [0, 1] of the segment: the point is `a + t (b - a)`.
    max_difference : ndarray, shape (m,)
        The largest of each output, on all of them.
    disagreement : ndarray, shape (S,), or None
        The share of each segment's length on which the classes differ; None without classes.
    n_pieces : ndarray of int, shape (S,)
        Pieces of the common refinement that each segment passes through.
    stopped_by : str
    exactness : Exactness
    """

    @property
    def words(self) -> list[str]:
        """The answer in sentences."""
        return words.on_segments(self)

    def summary(self) -> str:
        """Return the answer in words."""
        return "\n".join(self.words)

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers as plain values, for JSON."""
        return {
            "is_complete": self.is_complete,
            "stopped_by": self.stopped_by,
            "n_segments": self.n_segments,
            "norm": self.norm,
            "largest": self.largest,
            "max_by_segment": self.max_by_segment.tolist(),
            "where": self.where.tolist(),
            "max_difference": self.max_difference.tolist(),
            "disagreement": None if self.disagreement is None else self.disagreement.tolist(),
            "n_pieces": self.n_pieces.tolist(),
            "words": self.words,
        }

    def __repr__(self) -> str:
        return f"SegmentComparison({' '.join(self.words)})"


@dataclass(frozen=True, eq=False, repr=False)
class PointComparison(PointRecord):
    """How two networks differ at points. Made by `reluatlas.compare` with `X=`.

    Attributes
    ----------
    f, g : Network
    norm : {"inf", 1, 2}
        Over the outputs, of `largest`.
    differences : ndarray, shape (N, m)
        `f(x) - g(x)`, from float64 forward passes.
    f_classes, g_classes : ndarray of int, shape (N,), or None
        Decided exactly; the lowest index among the largest. None when the outputs are no classes.
    f_margins, g_margins : ndarray, shape (N,), or None
        By how much the class is ahead of the next one, in output units.
    hamming : ndarray of int, shape (N,), or None
        Number of units and windows that are on different pieces, decided exactly; None where layers do not correspond:
        both networks must have the same numbers of units and windows in the same order.
    by_layer : ndarray, shape (n_layers,), or None
        The share of units on different pieces, in the mean over points, by layer.
    notices : tuple of str
    segments : tuple of SegmentComparison
        What was asked for between points.
    planes : tuple of Comparison
        On planes through three of them.
    n_left_out : int
        How much of what was asked for between points was not begun: planes, and the segments together as one.
    """

    segments: tuple[SegmentComparison, ...] = ()
    planes: tuple[Comparison, ...] = ()
    n_left_out: int = 0

    @property
    def is_complete(self) -> bool:
        """Whether all that was asked for between points was found."""
        return not self.n_left_out and all(part.is_complete for part in (*self.segments, *self.planes))

    @property
    def words(self) -> list[str]:
        """The answer in sentences."""
        between = [line for part in (*self.segments, *self.planes) for line in part.words]
        return [*words.at_points(self), *between, *words.not_begun(self.n_left_out)]

    def summary(self) -> str:
        """Return the answer in words."""
        return "\n".join(self.words)

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers as plain values, for JSON."""
        has_classes = self.f_classes is not None
        differ = np.flatnonzero(~self.is_same).tolist() if has_classes else None
        stops = [part.stopped_by for part in (*self.segments, *self.planes) if part.stopped_by]
        return {
            "is_complete": self.is_complete,
            "stopped_by": stops[0] if stops else "max_seconds" if self.n_left_out else "",
            "n_left_out": self.n_left_out,
            "n_points": self.n_points,
            "n_same": self.n_same if has_classes else None,
            "differing_points": differ,
            "largest": self.largest,
            "at": self.at,
            "output": self.output,
            "max_difference": self.max_difference.tolist(),
            "mean_hamming": None if self.hamming is None else float(self.hamming.mean()),
            "hamming_by_layer": None if self.by_layer is None else self.by_layer.tolist(),
            "least_margin": None if self.f_margins is None else float(self.f_margins.min()),
            "elsewhere": list(self.elsewhere) if has_classes else None,
            "segments": [part.to_dict() for part in self.segments],
            "planes": [part.to_dict() for part in self.planes],
            "words": self.words,
        }

    def __repr__(self) -> str:
        return f"PointComparison({' '.join(self.words)})"


def _listed(values: FloatArray | None) -> list[float] | None:
    return None if values is None else np.asarray(values).tolist()
