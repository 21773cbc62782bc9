"""Where do the winners of a max node change on intervals of a path? By bounds, exactly where these leave it open.

On an interval the largest of several affine functions is a convex function: its winners come in the order of their
slopes. Candidates that are the same function on the interval are one class, whose lowest place wins.
"""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reluatlas.arithmetic.constants import EPSILON
from reluatlas.arithmetic.rationals import Ratio, rounded
from reluatlas.network.network import Max
from reluatlas.paths.equal_entries import Labels
from reluatlas.paths.exact import Line
from reluatlas.paths.intervals import Chunk, Found, nothing_found
from reluatlas.paths.rows import Rows
from reluatlas.typing import FloatArray

_COARSE = 1e-10  # a change with a larger radius is placed exactly


class _Change(NamedTuple):
    t: float
    radius: float
    before: int
    after: int


def cut_windows(chunk: Chunk, node: Max, z: Rows, alike: Labels | None) -> tuple[NDArray, Found, NDArray]:
    """Return the winners (n, windows) where intervals begin, all changes inside, and which intervals were in doubt."""
    from reluatlas.paths.kernels import winners_at_ends

    n, n_windows = len(chunk), node.offsets.size - 1
    few = np.diff(node.offsets).max(initial=1) <= 256
    winner = np.empty((n, n_windows), dtype=np.uint8 if few else np.uint16)
    hard = np.empty((n, n_windows), dtype=np.bool_)
    low, high, loose = (side[:, 0] for side in chunk.span())
    label = np.zeros((n, 0), dtype=np.int64) if alike is None else alike[chunk.segment].astype(np.int64)
    winners_at_ends(z.both, z.error, low, high, loose, node.offsets, node.candidates, label, winner, hard)
    found: list[tuple] = []
    doubtful = np.zeros(n, dtype=bool)
    for i, w in zip(*(index.tolist() for index in np.nonzero(hard)), strict=True):
        run = slice(node.offsets[w], node.offsets[w + 1])
        entries = node.candidates[run]
        ends = float(low[i]), float(high[i]), float(loose[i])
        first, changes = _followed(chunk, node, z, i, entries, ends, doubtful, alike)
        winner[i, w] = first
        found += [(i, c.t, c.radius, w, entries[c.before], entries[c.after], c.after) for c in changes]
    if not found:
        return winner, nothing_found(), doubtful
    columns = [np.array(column) for column in zip(*found, strict=True)]
    whole = [c if k in (1, 2) else c.astype(np.int64) for k, c in enumerate(columns)]
    return winner, Found(*whole), doubtful  # type: ignore[arg-type]


def _followed(
    chunk: Chunk, node: Max, z: Rows, i: int, entries: NDArray, ends: tuple[float, float, float], doubtful: NDArray,
    alike: Labels | None,
) -> tuple[int, list[_Change]]:  # fmt: skip
    """Return the winner where the interval begins and the changes inside, certain in float64 or else exact."""
    value, slope, error = z.value[i, entries], z.slope[i, entries], z.error[i, entries]
    kind = None
    if alike is not None:
        size = alike.shape[1]
        kind = entries // size * size + alike[int(chunk.segment[i]), entries % size]
    places = _classes(entries, value, slope, error, kind)
    answer = _in_float(places, value, slope, error, ends)
    if answer is None:
        chunk.context.n_doubts += 1
        doubtful[i] = True
        answer = _in_integers(chunk, node, i, entries, places)
    return answer


def _classes(
    entries: NDArray, value: FloatArray, slope: FloatArray, error: FloatArray, kind: NDArray | None
) -> list[int]:
    # The lowest places of candidates that are known to be different, or not known to be the same.
    seen: set[tuple] = set()
    places: list[int] = []
    for place, entry in enumerate(entries.tolist()):
        keys: list[tuple] = [(0, entry)]
        if error[place] == 0:
            keys.append((1, float(value[place]), float(slope[place])))
        if kind is not None:
            keys.append((2, int(kind[place])))
        if not seen.intersection(keys):
            places.append(place)
        seen.update(keys)
    return places


def _in_float(
    places: list[int], value: FloatArray, slope: FloatArray, error: FloatArray, ends: tuple[float, float, float]
) -> tuple[int, list[_Change]] | None:
    """Return the winners if every comparison is certain, else None."""
    low, high, loose = ends
    f, s, e = ([float(array[p]) for p in places] for array in (value, slope, error))
    several = range(len(places))
    reach = [e[k] + (abs(f[k]) + abs(s[k])) * loose for k in several]
    start, stop = [f[k] + low * s[k] for k in several], [f[k] + high * s[k] for k in several]
    best = max(several, key=start.__getitem__)
    if not all(start[best] - start[k] > reach[best] + reach[k] for k in several if k != best):
        return None
    first, t, changes = best, low, []
    while True:
        ahead = [k for k in several if k != best and stop[k] - stop[best] > reach[k] + reach[best]]
        behind = sum(stop[best] - stop[k] > reach[k] + reach[best] for k in several if k != best)
        if len(ahead) + behind != len(places) - 1:
            return None
        if not ahead:
            return places[first], changes
        found = []
        for k in ahead:
            gap, rise = f[k] - f[best], s[k] - s[best]
            off = e[k] + e[best] + (abs(f[k]) + abs(f[best]) + abs(s[k]) + abs(s[best])) * EPSILON
            steep = abs(rise) - off
            if not steep > 0:
                return None
            at = min(max(-gap / rise, t), high)
            found.append((at, (off + abs(gap) * 2 * EPSILON) / steep + 2 * EPSILON, k))
        at, radius, after = min(found)
        if not all(other - at > radius + r for other, r, k in found if k != after) or not radius < _COARSE:
            return None
        changes.append(_Change(at, radius, places[best], places[after]))
        best, t = after, at


def _in_integers(chunk: Chunk, node: Max, i: int, entries: NDArray, places: list[int]) -> tuple[int, list[_Change]]:
    low, high = (Fraction(*t) for t in chunk.exact_ends(i))
    lines = chunk.lines(i).entries(node.input, entries[places].tolist()).lines
    functions: dict[Line, int] = {}
    for line, place in zip(lines, places, strict=True):
        functions.setdefault(line, place)
    # Just behind the start: the largest there, and among equals the steepest.
    best = max(functions, key=lambda f: (f.start + low * (f.end - f.start), f.end - f.start))
    first, changes = functions[best], []
    while True:
        steeper = [f for f in functions if f.end - f.start > best.end - best.start]
        if not steeper:
            return first, changes
        at = {f: Fraction(*f.minus(best).root()) for f in steeper}
        t = min(at.values())
        if t >= high:
            return first, changes
        after = max((f for f in steeper if at[f] == t), key=lambda f: f.end - f.start)
        where: Ratio = (t.numerator, t.denominator)
        changes.append(_Change(*rounded(where), functions[best], functions[after]))
        best = after
