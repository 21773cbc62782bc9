"""What can units do on a domain, by bounds and then by linear programs? `closer_possibilities`.

Every tensor is enclosed by affine functions of symbols in [-1, 1], as in `reluatlas.stable`, with one symbol for each
unit that may bend. What bends upward lies above each of its pieces: these are inequalities between symbols, and the
largest value of an affine function under them is a linear program. The solver's answer is only a proposal: for any
multipliers y >= 0 of the inequalities `G e <= h`, the maximum of `c . e` is at most `y . h + sum |c - y G|`, which is
computed with its rounding.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from math import prod

import numpy as np
from numpy.typing import NDArray

from reluatlas.deadline import Deadline, look, under
from reluatlas.domain import Box, Segment, Slice
from reluatlas.errors import TimeLimitError
from reluatlas.geometry.programs.highs import Program
from reluatlas.network.interpret import last_uses, sources
from reluatlas.network.record import Affine, Breakpoints, Graph, Input, Max
from reluatlas.network.values.float64 import values
from reluatlas.simplification.removals import METHODS
from reluatlas.stable import enclosure, knots, windows
from reluatlas.stable.enclosure import ROUNDOFF, SLACK, TINY, Enclosure
from reluatlas.stable.walk import Possible, frame_of, possibilities
from reluatlas.typing import FloatArray, IntArray

MOST_NUMBERS = 2**24
"""Numbers that the terms of one tensor may be, for linear programs to be tried."""
_N_WITNESSES, _REDUCTIONS = 256, 3


@dataclass(eq=False)
class Known:
    """What is known of a network on a domain.

    Attributes
    ----------
    possible : dict
        What units and windows can do, by node.
    how : dict
        By node, what settled each of them: a place in `METHODS`.
    n_programs : int
        Linear programs that were solved.
    is_complete : bool
        False when the time was over before all units were tried.
    """

    possible: dict[int, Possible] = field(default_factory=dict)
    how: dict[int, NDArray[np.int8]] = field(default_factory=dict)
    n_programs: int = 0
    is_complete: bool = True


def closer_possibilities(net: Graph, domain: Box | Slice | Segment, deadline: Deadline) -> Known:
    """Return what units can do, by bounds, and by linear programs until the deadline is over.

    Where time is over before, of the layers that were come to.
    """
    known, begin = Known(), time.monotonic()
    for found in possibilities(net, domain):
        if deadline.is_over():
            known.is_complete = False
            return known
        if isinstance(found, Possible):
            known.possible[found.node] = found
    n_bent = sum(int(is_open(found).sum()) for found in known.possible.values())
    k = frame_of(domain)[2].size
    widest = max(prod(node.shape) for node in net.nodes)
    if not n_bent or (1 + k + n_bent) * widest > MOST_NUMBERS:
        return known
    # what follows takes about so many times as long as this did
    left, kept = deadline.left(), _REDUCTIONS * (time.monotonic() - begin)
    return _with_programs(net, domain, deadline.share(max(0.5, 1.0 - kept / left) if left > 0 else 0.0), known)


def is_open(found: Possible) -> NDArray[np.bool_]:
    """Return which units have more than one piece, or windows more than one winner, that they may need."""
    return np.add.reduceat(found.needed.astype(np.int64), found.offsets[:-1]) > 1


@dataclass(eq=False)
class _Cuts:
    """Inequalities between symbols that are known so far: rows of `G e <= h`."""

    rows: list[FloatArray] = field(default_factory=list)
    bounds: list[float] = field(default_factory=list)

    def add(self, terms: FloatArray, size: FloatArray, rest: float) -> None:
        """Let `terms[0] + sum_j terms[j] e_j` be at most `rest`; `terms` are rounded by less than 4 units of `size`."""
        rounding = 4.0 * ROUNDOFF * float(size.sum()) * SLACK + TINY
        bound = float(np.nextafter(-terms[0] + np.nextafter(rest + rounding, np.inf), np.inf))
        if np.isfinite(bound) and np.isfinite(terms).all():
            self.rows.append(terms[1:])
            self.bounds.append(bound)

    def program(self, n: int) -> tuple[Program, FloatArray, FloatArray]:
        """Return a linear program in n symbols, its rows and bounds."""
        G = np.zeros((len(self.rows), n))
        for i, row in enumerate(self.rows):
            G[i, : row.size] = row
        h = np.array(self.bounds)
        return Program(G, h, np.full(n, -1.0), np.full(n, 1.0)), G, h


def _with_programs(net: Graph, domain: Box | Slice | Segment, deadline: Deadline, known: Known) -> Known:
    origin, basis, low, high = frame_of(domain)
    k = low.size
    seen = _witnessed(net, origin, basis, low, high)
    found: list[Enclosure | None] = []
    last = last_uses(net)
    cuts, made = _Cuts(), 0
    with np.errstate(all="ignore"):
        first = enclosure.of_coordinates(origin, basis, low, high, k)
        for t, node in enumerate(net.nodes):
            look()
            if deadline.is_over():
                known.is_complete = False
                return known
            if isinstance(node, Input):
                found.append(first)
            elif isinstance(node, Affine):
                found.append(enclosure.affine(node, [_there(found, i) for i in node.inputs], 0, first))
            elif isinstance(node, Breakpoints):
                z, pieces = _closer(node, t, _there(found, node.input), cuts, seen, deadline, known)
                by = knots.bend(node, z, pieces)
                new = np.flatnonzero(np.isfinite(by.radius) & (by.radius > 0.0) & np.isfinite(z.rest))
                is_affine = z.is_affine & (pieces.first_needed == pieces.last_needed)
                out = knots.bent(z, by, is_affine, new, made - (z.terms.shape[0] - 1 - k))
                made += new.size
                _cut(cuts, node, z, out, new, pieces)
                found.append(out)
            else:
                assert isinstance(node, Max)
                z = _there(found, node.input)
                winners = windows.possible_winners(node, z)
                out, n_new = windows.largest(node, z, winners, made - (z.terms.shape[0] - 1 - k), node.n_windows)
                made += n_new
                known.possible[t] = Possible(t, node.offsets, winners.possible, winners.needed, out.low, out.high)
                found.append(out)
            for s in sources(node):
                if last[s] == t:
                    found[s] = None
    return known


def _there(found: list[Enclosure | None], i: int) -> Enclosure:
    here = found[i]
    assert here is not None
    return here


def _witnessed(
    net: Graph, origin: FloatArray, basis: FloatArray, low: FloatArray, high: FloatArray
) -> dict[int, tuple[IntArray, IntArray]]:
    """Return the lowest and highest piece of each unit at some points: between these no program can settle anything."""
    rng = np.random.default_rng(0)
    share = rng.random((_N_WITNESSES, low.size))
    share[::2] = np.round(share[::2])
    points = low + share * (high - low)
    if not np.array_equal(basis, np.eye(low.size)):
        points = points @ basis
    points = points + origin
    out = {}
    tensors = values(net, points)
    for t, node in enumerate(net.nodes):
        if isinstance(node, Breakpoints):
            z = tensors[node.input]
            least, most = z.min(axis=0)[:, None], z.max(axis=0)[:, None]
            out[t] = ((node.knots < least).sum(axis=1), (node.knots < most).sum(axis=1))
    return out


def _closer(
    node: Breakpoints,
    t: int,
    z: Enclosure,
    cuts: _Cuts,
    seen: dict[int, tuple[IntArray, IntArray]],
    deadline: Deadline,
    known: Known,
) -> tuple[Enclosure, knots.Pieces]:
    """Return what is known of pre-activations with bounds from linear programs, and the pieces that they leave."""
    pieces = knots.possible_pieces(node, z)
    before = pieces.first_needed == pieces.last_needed
    least, most = seen[t]
    wanted = [(int(i), False) for i in np.flatnonzero(~before & (most < pieces.last_needed))]
    wanted += [(int(i), True) for i in np.flatnonzero(~before & (least > pieces.first_needed))]
    if wanted and cuts.rows:
        n = max(z.terms.shape[0] - 1, max(row.size for row in cuts.rows))
        program, G, h = cuts.program(n)
        low, high = z.low.copy(), z.high.copy()
        for i, is_low in wanted:
            if deadline.is_over():
                known.is_complete = False
                break
            c = np.zeros(n)
            c[: z.terms.shape[0] - 1] = -z.terms[1:, i] if is_low else z.terms[1:, i]
            center = -z.terms[0, i] if is_low else z.terms[0, i]
            try:
                with under(deadline):
                    multipliers = program.maximize(c).multipliers
            except TimeLimitError:
                known.is_complete = False
                break
            known.n_programs += 1
            bound = safe_maximum(c, float(center), G, h, multipliers, float(z.rest[i]))
            if is_low:
                low[i] = max(low[i], -bound)
            else:
                high[i] = min(high[i], bound)
        z = replace(z, low=low, high=high)
        pieces = knots.possible_pieces(node, z)
    n, n_pieces = node.slopes.shape
    place = np.arange(n_pieces)
    possible = (place >= pieces.first[:, None]) & (place <= pieces.last[:, None])
    needed = (place >= pieces.first_needed[:, None]) & (place <= pieces.last_needed[:, None])
    known.possible[t] = Possible(
        t, np.arange(n + 1, dtype=np.int64) * n_pieces, possible.reshape(-1), needed.reshape(-1), z.low, z.high
    )
    by_program = ~before & (pieces.first_needed == pieces.last_needed)
    known.how[t] = np.where(by_program, METHODS.index("linear program"), 0).astype(np.int8)
    return z, pieces


def safe_maximum(
    c: FloatArray, center: float, G: FloatArray, h: FloatArray, multipliers: FloatArray, rest: float
) -> float:
    """Return a number that `center + c . e`, give or take `rest`, does not exceed where `G e <= h` and |e_j| <= 1.

    Whatever the multipliers are: they are at least 0, and the rounding of all sums is added.
    """
    y = np.maximum(np.where(np.isfinite(multipliers), multipliers, 0.0), 0.0)
    reduced = np.abs(c - y @ G).sum()
    size = (np.abs(c) + y @ np.abs(G)).sum() + y @ np.abs(h) + abs(center) + rest
    n_terms = h.size + c.size + 8
    rounding = 2.0 * n_terms * ROUNDOFF * size * SLACK + n_terms * TINY
    bound = float(center + y @ h + reduced + rest + rounding)
    return float(np.nextafter(bound, np.inf)) if np.isfinite(bound) else float("inf")


def _cut(cuts: _Cuts, node: Breakpoints, z: Enclosure, out: Enclosure, new: IntArray, pieces: knots.Pieces) -> None:
    """Add that units which bend upward lie above each of their pieces, and those that bend downward below."""
    for i in new.tolist():
        first, last = int(pieces.first_needed[i]), int(pieces.last_needed[i])
        slopes = node.slopes[i, first : last + 1]
        if np.all(np.diff(slopes) > 0):
            sign = 1.0
        elif np.all(np.diff(slopes) < 0):
            sign = -1.0
        else:
            continue
        terms, meet = np.zeros(out.terms.shape[0]), _jumps(node, i, first, last)
        for p in range(first, last + 1):
            slope, shift = node.slopes[i, p], node.intercepts[i, p]
            line = terms.copy()
            line[: z.terms.shape[0]] = slope * z.terms[:, i]
            size = np.abs(line) + np.abs(out.terms[:, i])
            size[0] += abs(shift)
            own = 0.0 if slope == 0.0 else abs(slope) * z.rest[i]
            gap = sign * (line - out.terms[:, i])
            gap[0] = sign * (line[0] + shift - out.terms[0, i])
            cuts.add(gap, size, float((own + out.rest[i]) * SLACK + meet))


def _jumps(node: Breakpoints, i: int, first: int, last: int) -> float:
    """Return by how much stored pieces may miss each other at knots: by rounding, as a rule not at all."""
    at = node.knots[i, first:last]
    below = node.slopes[i, first:last] * at, node.intercepts[i, first:last]
    above = node.slopes[i, first + 1 : last + 1] * at, node.intercepts[i, first + 1 : last + 1]
    parts = np.stack([*below, -above[0], -above[1]])
    size = np.abs(parts).sum(axis=0)
    plain = np.where(size > 0.0, 8.0 * ROUNDOFF * size + TINY, 0.0)
    return float((np.abs(parts.sum(axis=0)) + plain).sum() * SLACK)
