"""What is the answer to how two networks differ on a domain? `Comparison`."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from reluatlas.answers.exactness import Exactness
from reluatlas.answers.limits import StoppedBy
from reluatlas.comparison import words
from reluatlas.comparison.norms import Norm
from reluatlas.comparison.refinement import Refinement
from reluatlas.domain import Domain
from reluatlas.network.network import Network
from reluatlas.shown import Shown
from reluatlas.typing import FloatArray, IntArray

if TYPE_CHECKING:
    from reluatlas.complexes.complex import PolyhedralComplex


@dataclass(frozen=True, eq=False)
class ClassPair(Shown):
    """The part of a domain where f has one class and g another.

    Attributes
    ----------
    f_class, g_class : int
    share : float
        Of the domain's volume (of the part that was done, of an incomplete answer).
    n_pieces : int
        Convex pieces that it consists of, each in one cell.
    witness : ndarray or None
        A float64 input at which, exactly, f has the one class and g the other; None where the part is too thin for
        any float64 point that was tried.
    """

    f_class: int
    g_class: int
    share: float
    n_pieces: int
    witness: FloatArray | None


@dataclass(frozen=True, eq=False)
class DifferingPieces(Shown):
    """Convex pieces on each of which f has one class and g another.

    Attributes
    ----------
    points : ndarray, shape (P, k)
        Their vertices, in the domain's coordinates; in the plane around each piece.
    offsets : ndarray, shape (S + 1,)
        Vertices of piece i are `points[offsets[i]:offsets[i + 1]]`.
    f_class, g_class : ndarray, shape (S,)
    volume : ndarray, shape (S,)
        In input units.
    """

    points: FloatArray
    offsets: IntArray
    f_class: IntArray
    g_class: IntArray
    volume: FloatArray

    def __len__(self) -> int:
        return self.f_class.size


@dataclass(frozen=True, eq=False)
class Witness(Shown):
    """The point where the difference is largest.

    Attributes
    ----------
    vertex : ndarray, shape (k,)
        The vertex of the common refinement, in the domain's coordinates, rounded.
    f_at_vertex, g_at_vertex : ndarray, shape (m,)
        What f and g are there exactly, rounded once.
    x : ndarray, shape input_shape
        The float64 input next to it, within the domain's box of coordinates.
    f, g : ndarray, shape (m,)
        What f and g are at `x` exactly, rounded once.
    """

    vertex: FloatArray
    f_at_vertex: FloatArray
    g_at_vertex: FloatArray
    x: FloatArray
    f: FloatArray
    g: FloatArray


@dataclass(frozen=True, eq=False, repr=False)
class Comparison(Shown):
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
    """

    f: Network
    g: Network
    domain: Domain
    norm: Norm
    lower: float
    upper: float
    max_lower: FloatArray
    max_difference: FloatArray
    found: Witness | None
    witnesses: FloatArray | None
    mean_difference: FloatArray | None
    mean_difference_error: FloatArray | None
    mean_square: FloatArray | None
    mean_square_error: FloatArray | None
    disagreement: float | None
    disagreement_error: float | None
    pairs: tuple[ClassPair, ...]
    pieces: DifferingPieces | None
    f_tied: float | None
    g_tied: float | None
    is_equal: bool | None
    n_cells: int
    n_pieces: int
    stopped_by: StoppedBy
    share_done: float
    exactness: Exactness
    seconds: float
    runtime_error: float | None = None
    notices: tuple[str, ...] = ()
    _both: Refinement | None = field(default=None)

    @property
    def is_complete(self) -> bool:
        """Whether all of the domain was looked at."""
        return self.stopped_by == ""

    @property
    def largest(self) -> float:
        """The largest |f - g| over outputs and domain: the certain upper end; see `lower`."""
        return self.upper

    @property
    def output(self) -> int:
        """The output whose difference is the largest."""
        return int(self.max_lower.argmax())

    @property
    def witness(self) -> FloatArray | None:
        """The float64 input next to the vertex where the difference is largest."""
        return None if self.found is None else self.found.x

    @property
    def f_classes(self) -> int | None:
        """Number of classes that were compared; None when the networks have none."""
        return None if self.disagreement is None else max(2, self.f.n_outputs)

    @property
    def is_below_float32(self) -> bool:
        """Whether the largest difference is less than what a float32 forward pass is off by at the witness."""
        return self.runtime_error is not None and self.upper < self.runtime_error

    @cached_property
    def refinement(self) -> PolyhedralComplex:
        """The common refinement as a complex, whose outputs are f's, then g's; found anew at first use."""
        from reluatlas.complexes.enumerate import enumerate_cells
        from reluatlas.network.join import side_by_side

        return enumerate_cells(side_by_side(self.f, self.g), self.domain)

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
            "is_equal": self.is_equal,
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


def _listed(values: FloatArray | None) -> list[float] | None:
    return None if values is None else np.asarray(values).tolist()
