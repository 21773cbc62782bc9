"""Which outputs tie on a part of a cell, and on its facets? Decided exactly, for the parts that the decision cuts.

On a part one output is on top, the one that the decision chose (`network.decision.deciding`). Another ties with it on
the whole part when their difference is zero, and on a facet when the difference vanishes there: it is then a multiple
of the facet's row. A single output ties with zero.
"""

from __future__ import annotations

import numpy as np

from reluatlas.compiled.jit import inner, kernel
from reluatlas.complexes.neighbor import IDENTICAL, side_behind
from reluatlas.subdivision.path.composition import restore_path
from reluatlas.subdivision.path.exact_rows import line_reference, load_line
from reluatlas.subdivision.polytopes.signs import bound_factors, load_row
from reluatlas.subdivision.program.layout import BREAK, M_K

APART, NEAR = 0, 1


@inner
def _relation(P, S, level, first, second, row, places, begin, end):
    """Return `IDENTICAL` when a row is zero, `APART` when it is certainly zero at no vertex of a part, else `NEAR`.

    The part's vertices are those of its facets, `places.index[begin:end]`.
    """
    k = P.meta[M_K]
    err_g, err_c = load_row(P, S, level, np.int64(0), first, second, row)
    a, b, c = bound_factors(row, err_g, err_c)
    near = begin == end
    for q in range(begin, end):
        v = places.index[q]
        value = row[k] * places.x[v, k]
        size = 0.0
        for i in range(k):
            value += row[i] * places.x[v, i]
            size += abs(places.x[v, i])
        if not abs(value) > a * places.x[v, k] + b * size + c * places.radius[v]:
            near = True
            break
    if not near:
        return APART
    for i in range(k):
        if abs(row[i]) > b:
            return NEAR
    if abs(row[k]) > a:
        return NEAR
    load_line(P, S, line_reference(level, np.int64(0), first, second), np.int64(0))
    for i in range(k + 1):
        if S.buf_len[i] != 0:
            return NEAR
    return IDENTICAL


@inner
def _restore(P, S, level, pieces, pattern):
    """Compose the path of a pattern, unless it is the one that is there."""
    same = pieces[0] >= 0
    for c in range(P.pat_off[level]):
        same &= pieces[c] == pattern[c]
        pieces[c] = pattern[c]
    if not same:
        restore_path(P, S, level, pieces)


@kernel
def find_ties(P, S, level, which, pattern, offsets, line, places, pieces, row, corners, same, pair, stop):
    """Write which outputs tie on some parts and on their facets; return how many parts were done until `stop[0]`.

    Parameters
    ----------
    which : parts; `pattern[i, -1]` is the output on top of part i (a single output: 1 where it is positive)
    offsets, line, places : the facets of all parts and their vertices
    pieces, row, corners : space; `pieces[0]` is -1
    same : for each of `which` and each output, set to 1 where it is on top of the whole part, if several are
    pair : for each facet, set to the two lowest outputs that are on top of it, if several are and the part has but one
    """
    k = P.meta[M_K]
    n_outputs = same.shape[1]
    is_single = P.kind[P.cut[level]] == BREAK
    for n in range(which.size):
        if stop[0] != 0:
            return n
        part = which[n]
        _restore(P, S, level, pieces, pattern[part])
        top = np.int64(0) if is_single else np.int64(pattern[part, pattern.shape[1] - 1])
        begin, end = offsets[part], offsets[part + 1]
        for other in range(n_outputs):
            if other == top and not is_single:
                continue
            first, second = (np.int64(0), np.int64(0)) if is_single else (top, np.int64(other))
            relation = _relation(P, S, level, first, second, row, places, places.offsets[begin], places.offsets[end])
            if relation == IDENTICAL:
                same[n, top] = 1
                same[n, other] = 1
            if relation != NEAR:
                continue
            reference = line_reference(level, np.int64(0), first, second)
            for j in range(begin, end):
                # the facet that this very row made needs no proof
                if line[j] != reference:
                    n_corners = places.offsets[j + 1] - places.offsets[j]
                    for v in range(n_corners):
                        at = places.index[places.offsets[j] + v]
                        for c in range(k + 1):
                            corners[v, c] = places.x[at, c]
                        corners[v, k + 1] = places.radius[at]
                    side = side_behind(
                        P, S, level, np.int64(0), first, second, line[j], np.int64(1), row, corners[:n_corners]
                    )  # fmt: skip
                    if side == 0:
                        continue
                if pair[j, 0] < 0:
                    pair[j, 0], pair[j, 1] = min(top, other), max(top, other)
                elif other < pair[j, 0]:
                    pair[j, 1] = pair[j, 0]
                    pair[j, 0] = other
                elif other < pair[j, 1]:
                    pair[j, 1] = other
        if same[n, top] != 0:
            for j in range(begin, end):
                pair[j, 0] = -1
                pair[j, 1] = -1
    return which.size
