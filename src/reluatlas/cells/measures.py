"""How large is a cell, and how far does it reach? Boundedness, inscribed ball, volume."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from operator import sub

import numpy as np

from reluatlas.answers.exactness import Exactness
from reluatlas.arithmetic.rationals import WholeRow, nearest, over_one, to_floats, whole_row
from reluatlas.cells.record import CellRecord
from reluatlas.cells.sampling import estimate_volume
from reluatlas.domain import Space
from reluatlas.errors import DimensionError
from reluatlas.geometry.halfspaces.boundedness import is_surely_bounded, open_direction
from reluatlas.geometry.halfspaces.system import System
from reluatlas.geometry.programs.exact import maximize_exactly
from reluatlas.geometry.programs.highs import Program
from reluatlas.geometry.vertices.double_description import rays_of, volume_of
from reluatlas.typing import FloatArray

EXACT_UP_TO = 6
_SAMPLED_UP_TO = 50
_INFINITE, _UNITS = 1e20, 2.0**50


@dataclass(frozen=True)
class Volume:
    """A volume in input units.

    Attributes
    ----------
    value : float
        inf for an unbounded cell, and beyond the numbers of float64.
    error : float
        For an exact volume, a bound on its rounding; for a sampled one, its standard error.
    exactness : Exactness
    """

    value: float
    error: float
    exactness: Exactness

    def __float__(self) -> float:
        return self.value


def is_bounded(cell: CellRecord) -> bool:
    """Return whether a cell is bounded, decided exactly.

    A polyhedron is bounded when its facets' normals span the space and no direction decreases all of them. Nearly
    always float64 finds a proof either way; else the sum of the normals has a least value, which an exact linear
    program finds.
    """
    if not isinstance(cell.domain, Space):
        return True
    system = cell.system.system
    facets = [f.constraints[0] for f in cell.found.facets]
    if system.k < cell.k or len(facets) <= system.k or _open_direction(cell) is not None:
        return False
    G, error = _directions(cell)
    if is_surely_bounded(G, error):
        return True
    rows = [system.row(c) for c in facets]
    if open_direction(G, rows) is not None:
        return False
    from flint import fmpz_mat

    if fmpz_mat([row.a for row in rows]).rank() < system.k:
        return False
    scaled = [[v / row.scale for v in row.a] for row in rows]
    total = [-sum(column) for column in zip(*scaled, strict=True)]
    shared = np.lcm.reduce([t.denominator for t in total], dtype=object)
    return maximize_exactly([int(t * shared) for t in total], rows, over_one(cell.inside)).is_bounded


def _directions(cell: CellRecord) -> tuple[FloatArray, FloatArray]:
    """Return the facets' rows on z, and a bound on the error of each coefficient."""
    system = cell.system.system
    first = [f.constraints[0] for f in cell.found.facets]
    error = np.array([system.error[c] if c < system.g else 0.0 for c in first])
    return _facet_rows(cell)[0], error


def chebyshev(cell: CellRecord) -> tuple[FloatArray | None, float]:
    """Return the center and radius of a largest ball in a cell; (None, inf) when balls of any size fit.

    Up to 6 dimensions of exact rows and of lengths rounded to float64, by an exact linear program; beyond, float64.
    """
    G, h, lengths = _facet_rows(cell)
    if h.size == 0:
        return None, float("inf")
    if G.shape[1] <= EXACT_UP_TO and not cell.found.undecided:
        return _ball_exactly(cell, lengths)
    if isinstance(cell.domain, Space) and _open_direction(cell) is not None:
        return None, float("inf")
    center = cell.system.system.center
    # distances and their scale may lie beyond float64 where extended precision has a wider range
    with np.errstate(over="ignore"):
        rest = (h - G @ center.astype(np.longdouble)) / lengths
    known = rest[np.isfinite(rest) & (rest > 0)]
    scale = np.exp2(np.round(np.log2(np.median(known)))) if known.size else np.longdouble(1.0)
    k = G.shape[1]
    table = np.concatenate([G / lengths[:, None], np.ones((h.size, 1))], axis=1)
    low, high = np.full(k + 1, -np.inf), np.full(k + 1, np.inf)
    low[k] = 0.0
    with np.errstate(over="ignore"):
        answer = Program(table, (rest / scale).astype(np.float64), low, high).maximize(np.eye(k + 1)[k])
        # the solver takes numbers from 1e20 on for infinite: in larger units they are not
        while answer.status == "unbounded" and np.any(known / scale >= _INFINITE):
            scale = scale * _UNITS
            answer = Program(table, (rest / scale).astype(np.float64), low, high).maximize(np.eye(k + 1)[k])
        if answer.status == "unbounded":
            return None, float("inf")
        z = (center + scale * answer.point[:k] if answer.status == "optimal" else center).astype(np.float64)
        # the ball around the center found, whatever the solver said of it
        radius = max(0.0, float(((h - G @ z.astype(np.longdouble)) / lengths).min()))
    return cell.chart.from_inner(z, cell.x), radius


def _ball_exactly(cell: CellRecord, lengths: FloatArray) -> tuple[FloatArray | None, float]:
    """Return the same by an exact linear program: the lengths of the rows are the only numbers that are rounded."""
    system, inside = cell.system.system, over_one(cell.inside)
    rows, room = [], []
    for f, length in zip(cell.found.facets, lengths, strict=True):
        row = system.row(f.constraints[0])
        size = Fraction(float(length)) * row.scale
        rows.append(whole_row([*map(Fraction, row.a), size], Fraction(row.b)))
        room.append(Fraction(row.slack(inside), inside.denominator) / size)
    rows.append(WholeRow([0] * system.k + [-1], 0))
    start = over_one([*inside.fractions, min(room) / 2])
    best = maximize_exactly([0] * system.k + [1], rows, start)
    if not best.is_bounded:
        return None, float("inf")
    return cell.chart.from_inner(to_floats(best.point[:-1]), cell.x), nearest(best.point[-1])


def volume(cell: CellRecord, *, is_bounded: bool) -> Volume:
    """Return the volume of a cell in input units.

    Up to 6 dimensions exact: the sum of the determinants of a triangulation in whole numbers, rounded once (and once
    more for the length of the basis of a slice). Above, an estimate by random walks with its standard error, marked
    sampled; see `reluatlas.cells.sampling`. inf for an unbounded cell.

    Raises
    ------
    DimensionError
        Above 50 dimensions, where an estimate by random walks would be no answer.
    """
    if not is_bounded:
        return Volume(float("inf"), 0.0, Exactness("exact"))
    system = cell.system.system
    if system.k <= EXACT_UP_TO:
        rays = rays_of([system.row(f.constraints[0]) for f in cell.found.facets], system.k)
        assert rays is not None
        exact = volume_of(rays, system.k)
        if cell.chart.is_reduced:
            exact /= _stretch(cell)
        value = nearest(exact) * getattr(cell.domain, "unit_volume", 1.0)
        return Volume(value, value * 2.0**-45, cell.exactness)
    if system.k > _SAMPLED_UP_TO:
        raise DimensionError(
            f"the cell has dimension {system.k}; volumes are estimated up to {_SAMPLED_UP_TO}. "
            "Look at `inradius` and `facets.distances`, or at the cell on a `Slice`."
        )
    value, error = estimate_volume(cell)
    return Volume(value, error, Exactness("sampled"))


def _stretch(cell: CellRecord) -> Fraction:
    """Return how much larger a volume is in the coordinates z than in those of the domain, exactly."""
    from flint import fmpq, fmpq_mat

    chart, k = cell.chart, cell.k
    origin, *ends = (chart.to_inner_exactly(u) for u in (np.zeros(k), *np.eye(k)))
    table = [[fmpq(d.numerator, d.denominator) for d in map(sub, end, origin)] for end in ends]
    size = abs(fmpq_mat(table).det())
    return Fraction(int(size.p), int(size.q))


def _facet_rows(cell: CellRecord) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the facets' rows on z, and their lengths in input units."""
    system = cell.system.system
    g, k = system.g, system.k
    chosen = [f.constraints[0] for f in cell.found.facets] + [c for group in cell.found.undecided for c in group[:1]]
    G, h = np.zeros((len(chosen), k)), np.zeros(len(chosen))
    for i, c in enumerate(chosen):
        if c < g:
            G[i], h[i] = system.G[c], system.h[c]
        else:
            j, is_upper = (c - g) % k, c >= g + k
            G[i, j], h[i] = (1.0, system.upper[j]) if is_upper else (-1.0, -system.lower[j])
    return G, h, cell.chart.lengths(G) if cell.chart.is_reduced else cell.lengths(G)


def _open_direction(cell: CellRecord) -> FloatArray | None:
    """Return a direction that decreases all rows strictly, certain; None when none was found."""
    system = cell.system.system
    g, k = system.g, system.k
    if not cell.found.facets:
        return np.zeros(k)
    if not np.any(np.isfinite(system.lower) & np.isfinite(system.upper)):
        sides = np.isfinite(system.lower).astype(float) - np.isfinite(system.upper)
        cone = System(
            system.G, np.zeros(g), system.error,
            np.where(np.isfinite(system.lower), 0.0, -np.inf), np.where(np.isfinite(system.upper), 0.0, np.inf),
            lambda c: system.row(c)._replace(b=0), np.zeros(k),
        )  # fmt: skip
        if g == 0 and cone.is_inside(sides):
            return sides
        unit = system.G / system.norms[:, None]
        bounds = [s * np.eye(k)[j] for s, side in ((-1.0, cone.lower), (1.0, cone.upper)) for j in _finite(side)]
        table = np.array([*unit, *bounds])
        table = np.concatenate([table, np.ones((table.shape[0], 1))], axis=1)
        box = np.append(np.ones(k), np.inf)
        answer = Program(table, np.zeros(table.shape[0]), -np.append(np.ones(k), 0.0), box).maximize(np.eye(k + 1)[k])
        if answer.status == "optimal" and cone.is_inside(answer.point[:k]):
            return answer.point[:k]
    return None


def _finite(values: FloatArray) -> list[int]:
    return np.flatnonzero(np.isfinite(values)).tolist()
