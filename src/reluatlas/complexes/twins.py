"""Which two facets are one, seen from both sides, where several units turn across it? Proven, not searched for.

Two facets of different cells can be one only if one unit made both, and if their vertices may be the same points within
their radii: float64 tells nearly all others apart, for certain. What is left is proven from the two patterns alone.

Let F be a facet of cell A, and let each unit in which the patterns of A and B differ *tie* on F: its row is at the knot
between its two pieces there, or its two winners are equal. Then every tensor has the same values on F by the pieces of
A as by those of B, layer after layer, so F fulfills what the pattern of B asks for (not strictly), and lies in B: B is
the one cell behind F. Conversely, a unit that does not tie on F shows that B is not.

A row ties as soon as it is read off the patterns: a ReLU that is off is zero, a window takes over the row of its
winner. Only what depends on affine layers in between is composed, for a whole cell at once, and decided in integers.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reluatlas.arithmetic.bits import EMPTY, load_word
from reluatlas.arithmetic.constants import NEAREST, SLACK_PATH, UNIT_ROUNDOFF
from reluatlas.compiled.jit import inner, kernel
from reluatlas.complexes.neighbor import side_behind, write_level
from reluatlas.subdivision.path.exact_rows import line_reference, split_reference
from reluatlas.subdivision.program.layout import BREAK, M_K, M_LEVELS, MAX

SAME, APART, OPEN = 1, 0, -1
_ALWAYS, _NEVER, _WHERE, _UNKNOWN = range(4)
_BLOCK = 256  # bytes of a pattern that are compared at once


class Places(NamedTuple):
    """Where facets are: those of facet j are the vertices `index[offsets[j]:offsets[j + 1]]` of `x`.

    Attributes
    ----------
    x : ndarray, shape (V, k + 1)
        Homogeneous coordinates: the last is 1, or 0 for a direction.
    radius : ndarray, shape (V,)
    """

    offsets: NDArray[np.int64]
    index: NDArray[np.int64]  # pyright: ignore[reportIncompatibleMethodOverride]  # hides tuple.index
    x: NDArray[np.float64]
    radius: NDArray[np.float64]


class Sides(NamedTuple):
    """Facets whose twins are sought, in the order in which they are compared.

    Attributes
    ----------
    facet : ndarray, shape (n,)
        Their numbers.
    group : ndarray, shape (n,)
        Only facets of one group can be one: those of one knot of a unit, or of one window. Ascending.
    low, high : ndarray, shape (n,)
        The least value of one linear form on each lies between; `low` is ascending in each group.
    """

    facet: NDArray[np.int64]
    group: NDArray[np.int64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


class Cells(NamedTuple):
    """What is known of the cells: patterns, and of facet j of all its cell and its line."""

    pattern: NDArray[np.integer]
    owner: NDArray[np.int64]
    line: NDArray[np.int64]


def sides_of(facets: NDArray[np.int64], line: NDArray[np.int64], is_break: NDArray[np.uint8], places: Places) -> Sides:
    """Return some facets in the order in which they are compared; `line` is the row of each facet of all."""
    k = places.x.shape[1] - 1
    sizes = np.diff(places.offsets)[facets]
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    corner = places.index[np.arange(starts[-1]) + np.repeat(places.offsets[facets] - starts[:-1], sizes)]
    form = np.sqrt(np.array([2.0, 3.0, 5.0, 7.0, 11.0, 13.0])[:k])
    with np.errstate(all="ignore"):
        x = places.x[corner, :k]
        value, size = x @ form, np.abs(x) @ form
        error = SLACK_PATH * form.sum() * places.radius[corner] + (k + 3) * UNIT_ROUNDOFF * size + NEAREST
        low, high = value - error, value + error
    unknown = ~(np.isfinite(low) & np.isfinite(high))
    low[unknown], high[unknown] = -np.inf, np.inf
    low, high = (np.minimum.reduceat(bound, starts[:-1]) if facets.size else bound for bound in (low, high))
    group = np.where(is_break[line[facets] >> 50] != 0, line[facets], line[facets] >> 20)
    order = np.lexsort((low, group))
    return Sides(facets[order], group[order], low[order], high[order])


@inner
def _scan(pattern, i, j, start, end, columns, found):
    """List the columns from `start` to `end` in which two patterns differ, while there is room; return how many are."""
    for c in range(start, end):
        if pattern[i, c] != pattern[j, c] and found < columns.size:
            columns[found] = c
            found += 1
    return found


@inner
def list_differences(pattern, i, j, columns):
    """List the columns in which two patterns differ, as many as there is room for; return how many were listed."""
    size = pattern.itemsize
    n, width = pattern.shape[1], pattern.shape[1] * size
    here, there = i * width, j * width
    found = np.int64(0)
    at = np.int64(0)
    while at + 8 <= width and found < columns.size:
        if at + _BLOCK <= width:
            differ = EMPTY
            for word in range(at, at + _BLOCK, 8):
                differ |= load_word(pattern, here + word) ^ load_word(pattern, there + word)
            if differ == EMPTY:
                at += _BLOCK
                continue
        # a block that differs, or what is left after the last one, word by word
        end = min(at + _BLOCK, width - width % 8)
        while at < end:
            if load_word(pattern, here + at) != load_word(pattern, there + at):
                found = _scan(pattern, i, j, at // size, (at + 8) // size, columns, found)
            at += 8
    return _scan(pattern, i, j, at // size, n, columns, found)


@inner
def _may_be_one(places, f, g, k):
    """Return whether each vertex of facet f may be one of facet g, within their radii."""
    begin, end, first, last = places.offsets[f], places.offsets[f + 1], places.offsets[g], places.offsets[g + 1]
    if end - begin != last - first:
        return False
    for p in range(begin, end):
        u = places.index[p]
        found = False
        for q in range(first, last):
            v = places.index[q]
            reach = (places.radius[u] + places.radius[v]) * (1.0 + 4.0 * UNIT_ROUNDOFF)
            near = places.x[u, k] == places.x[v, k]
            for c in range(k):
                # what is no number, far out, may be anywhere
                near &= not abs(places.x[u, c] - places.x[v, c]) > reach
            if near:
                found = True
                break
        if not found:
            return False
    return True


@inner
def _origin(P, pattern, t, i):
    """Return (tensor, row, slope, shift) with row i of tensor t equal to slope (-1, 0 or 1) times that row plus shift.

    Goes through cuts that follow each other directly, without rounding; the tensor is -1 where that is impossible.
    """
    slope, shift = 1.0, 0.0
    while P.kind[t] == BREAK or P.kind[t] == MAX:
        piece = np.int64(pattern[P.pat_off[P.level[t]] + i])
        if P.kind[t] == MAX:
            i = P.m_cand[P.m_ptr[P.m_at[t] + i] + piece]
        else:
            f = P.s_at[t] + i * (P.n_knots[t] + 1) + piece
            own, step = P.slope[f], P.shift[f]
            if (shift != 0.0 and step != 0.0) or abs(own) not in (0.0, 1.0):
                return np.int64(-1), np.int64(0), 0.0, 0.0
            shift += slope * step
            slope *= own
            if slope == 0.0:
                break
        t = P.src[t]
    return t, i, slope, shift


@inner
def _root(t, i, slope, shift, target):
    """Return where slope times a row plus shift is the target, as (kind, tensor, row, value of that row)."""
    if t < 0:
        return _UNKNOWN, t, i, 0.0
    if slope == 0.0:
        return (_ALWAYS if shift == target else _NEVER), t, i, 0.0
    if shift != 0.0 and target != 0.0:
        # a difference of two numbers may be rounded, unless they are equal
        return (_WHERE if shift == target else _UNKNOWN), t, i, 0.0
    return _WHERE, t, i, slope * (target - shift)


@inner
def _zero_set(P, pattern, level, unit, first, second):
    """Return where a breakpoint row or a difference of candidates vanishes, read off the pattern; see `_root`."""
    cut = P.cut[level]
    source = P.src[cut]
    if P.kind[cut] == BREAK:
        t, i, slope, shift = _origin(P, pattern, source, unit)
        return _root(t, i, slope, shift, P.knot[P.k_at[cut] + unit * P.n_knots[cut] + first])
    begin = P.m_ptr[P.m_at[cut] + unit]
    t, i, slope, shift = _origin(P, pattern, source, P.m_cand[begin + first])
    u, j, other, step = _origin(P, pattern, source, P.m_cand[begin + second])
    if t < 0 or u < 0:
        return _UNKNOWN, t, i, 0.0
    if other == 0.0:
        return _root(t, i, slope, shift, step)
    if slope == 0.0:
        return _root(u, j, other, step, shift)
    if t == u and i == j and slope == other:
        return (_ALWAYS if shift == step else _NEVER), t, i, 0.0
    if t == u and i == j and shift == 0.0 and step == 0.0:
        return _WHERE, t, i, 0.0
    return _UNKNOWN, t, i, 0.0


@inner
def _read_off(P, pattern, line, level, unit, first, second):
    """Return whether a row vanishes on a facet of a cell, `SAME` or `APART`; `OPEN` when the pattern does not tell."""
    if line == line_reference(level, unit, first, second) or line == line_reference(level, unit, second, first):
        return SAME
    kind, t, i, value = _zero_set(P, pattern, level, unit, first, second)
    if kind == _ALWAYS:
        return SAME
    if kind == _NEVER:
        return APART
    own_level, own_unit, own_first, own_second = split_reference(line)
    own, u, j, there = _zero_set(P, pattern, own_level, own_unit, own_first, own_second)
    if kind == _WHERE and own == _WHERE and t == u and i == j:
        return SAME if value == there else APART
    return OPEN


@inner
def _level_of(P, column):
    """Return the level of a column of the patterns."""
    level = np.int64(0)
    while level + 1 < P.meta[M_LEVELS] and P.pat_off[level + 1] <= column:
        level += 1
    return level


@inner
def _turn(P, pattern, i, j, column):
    """Return (level, unit, first, second) of the row that must vanish where a unit turns from cell i to cell j.

    `first` is -1 where none can: there is more than one knot between the two pieces.
    """
    level = _level_of(P, column)
    unit = column - P.pat_off[level]
    here, there = np.int64(pattern[i, column]), np.int64(pattern[j, column])
    if P.kind[P.cut[level]] != BREAK:
        return level, unit, here, there
    return level, unit, (min(here, there) if abs(here - there) == 1 else np.int64(-1)), np.int64(0)


@inner
def _is_one(P, S, composed, cells, places, f, g, columns, row, corners):
    """Return (whether facet f is facet g, levels composed): `SAME`, `APART`, or `OPEN` for what patterns do not tell.

    `composed` is the number of levels of the path in the state; -1 when nothing may be composed.
    """
    i, j = cells.owner[f], cells.owner[g]
    line, pattern = cells.line[f], cells.pattern[i]
    n = list_differences(cells.pattern, i, j, columns)
    is_open = False
    if n == 0:
        return APART, composed
    for q in range(n + 1):
        if q < n:
            level, unit, first, second = _turn(P, cells.pattern, i, j, columns[q])
            if first < 0:
                return APART, composed
        else:
            # of the facets of the other cell it is that whose row vanishes here
            level, unit, first, second = split_reference(cells.line[g])
        answer = _read_off(P, pattern, line, level, unit, first, second)
        if answer == OPEN and composed >= 0:
            composed = _compose(P, S, composed, pattern, max(level, line >> 50))
            answer = SAME if _vanishes(P, S, places, f, line, level, unit, first, second, row, corners) else APART
        if answer == APART:
            return APART, composed
        is_open |= answer == OPEN
    return (OPEN if is_open else SAME), composed


@inner
def _compose(P, S, composed, pattern, last):
    """Compose the path of a pattern up to a level, from where it leaves the one that is there; return its levels."""
    kept = np.int64(0)
    while kept < composed:
        same = True
        for c in range(P.pat_off[kept], P.pat_off[kept + 1]):
            same &= S.piece[c] == pattern[c]
        if not same:
            break
        kept += 1
    for level in range(kept, last):
        write_level(P, S, level, pattern)
    return max(kept, last)


@inner
def _vanishes(P, S, places, f, line, level, unit, first, second, row, corners):
    """Return whether a row vanishes on a facet, of the cell whose path is there."""
    k = P.meta[M_K]
    begin = places.offsets[f]
    n = places.offsets[f + 1] - begin
    for v in range(n):
        at = places.index[begin + v]
        for c in range(k + 1):
            corners[v, c] = places.x[at, c]
        corners[v, k + 1] = places.radius[at]
    return side_behind(P, S, level, unit, first, second, line, np.int64(1), row, corners[:n]) != 0


@inner
def _join(cells, neighbor, twin, f, g):
    neighbor[f], twin[f] = cells.owner[g], g
    neighbor[g], twin[g] = cells.owner[f], f


@kernel
def match_sides(P, S, sides, cells, places, neighbor, twin, columns, row, corners, pairs, stop):
    """Match the facets of which patterns alone tell that they are one; list the pairs of which they do not.

    Returns how many pairs there are; more than `pairs` has room for are not listed. `stop[0]` ends it.
    """
    k = P.meta[M_K]
    n_pairs = np.int64(0)
    for a in range(sides.facet.size):
        f = sides.facet[a]
        if twin[f] >= 0:
            continue
        if stop[0] != 0:
            break
        for b in range(a + 1, sides.facet.size):
            if sides.group[b] != sides.group[a] or sides.low[b] > sides.high[a]:
                break
            g = sides.facet[b]
            if twin[g] >= 0 or not _may_be_one(places, f, g, k):
                continue
            answer, _ = _is_one(P, S, np.int64(-1), cells, places, f, g, columns, row, corners)
            if answer == SAME:
                _join(cells, neighbor, twin, f, g)
                break
            if answer == OPEN:
                if n_pairs < pairs.shape[0]:
                    pairs[n_pairs, 0], pairs[n_pairs, 1] = min(f, g), max(f, g)
                n_pairs += 1
    return n_pairs


@kernel
def settle_pairs(P, S, cells, places, neighbor, twin, columns, row, corners, pairs, stop):
    """Match those of some pairs of facets, in the order of their cells, that are one, until `stop[0]` is set."""
    composed = np.int64(0)
    for q in range(pairs.shape[0]):
        if stop[0] != 0:
            break
        f, g = pairs[q, 0], pairs[q, 1]
        if twin[f] >= 0 or twin[g] >= 0:
            continue
        answer, composed = _is_one(P, S, composed, cells, places, f, g, columns, row, corners)
        if answer == SAME:
            _join(cells, neighbor, twin, f, g)
