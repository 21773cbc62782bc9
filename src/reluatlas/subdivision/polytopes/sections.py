"""How many cells does the last layer make of a polytope? Sections are counted, no part is made.

The hyperplanes H_1, ..., H_m cut a polytope C into r(C; 1..m) = 1 + sum over i of r(C with H_i; those before i that cut
it) parts: what H_i adds is one part for each part of the section C with H_i, unless an earlier hyperplane has the same
section. A section has one dimension less, and the sum ends where at most one hyperplane is left.
"""

from __future__ import annotations

import numpy as np

from reluatlas.arithmetic.bits import ONE_BIT, WORD
from reluatlas.compiled.jit import inner
from reluatlas.geometry.vertices.polytope import FREE
from reluatlas.subdivision.items import DONE, NO_ROOM
from reluatlas.subdivision.path.exact_rows import line_reference
from reluatlas.subdivision.polytopes.cuts import find_cut, polytope_sides

_LOW, _HIGH, _FACETS, _END, _POOL, _COUNT, _NEXT = range(7)


@inner
def _take_section(W, lo, hi, flo, fhi, bit, line, n_pool, n_new):
    """Write the section of the polytope at `lo:hi` by the row whose signs are known, behind it; return its end.

    Its facets keep their bits; the row gets `bit`.
    """
    word, flag = bit // WORD, ONE_BIT << np.uint64(bit % WORD)
    words = W.arena_m.shape[1]
    top = hi
    for j in range(hi - lo):
        if W.sign[j] == 0:
            W.arena_v[top] = W.arena_v[lo + j]
            for w in range(words):
                W.arena_m[top, w] = W.arena_m[lo + j, w]
            W.arena_m[top, word] |= flag
            top += 1
    for i in range(n_new):
        W.arena_v[top] = n_pool + i
        for w in range(words):
            W.arena_m[top, w] = W.arena_m[lo + W.pairs[i, 0], w] & W.arena_m[lo + W.pairs[i, 1], w]
        W.arena_m[top, word] |= flag
        top += 1
    end = fhi + max(fhi - flo, bit + 1)
    for b in range(end - fhi):
        W.arena_f[fhi + b] = W.arena_f[flo + b] if b < fhi - flo else FREE
    W.arena_f[fhi + bit] = line
    return top, end


@inner
def count_parts(P, S, pool, W, level, lo, hi, flo, fhi, n_pool, coarse):
    """Return (status, number of parts) of the polytope at `lo:hi` under the rows that cut it at a breakpoint level."""
    first_cut, m = S.cut_at[level], S.n_cut[level]
    if m <= 1:
        return DONE, m + 1
    section, lists = W.section, W.section_list
    for q in range(m):
        lists[0, q] = q
    here = section[0]
    here[_LOW], here[_HIGH], here[_FACETS], here[_END], here[_POOL] = lo, hi, flo, fhi, n_pool
    here[_COUNT], here[_NEXT] = m, 0
    parts, depth = 1, 0
    while depth >= 0:
        here = section[depth]
        which = here[_NEXT]
        if which == here[_COUNT]:
            depth -= 1
            continue
        here[_NEXT] = which + 1
        if which == 0:
            parts += 1
            continue
        lo, hi, flo, fhi, n_pool = here[_LOW], here[_HIGH], here[_FACETS], here[_END], here[_POOL]
        cut = first_cut + lists[depth, which]
        unit, knot = S.cut_unit[cut], S.cut_knot[cut]
        polytope_sides(P, S, pool, W, level, unit, knot, np.int64(0), lo, hi, flo, fhi)
        line = line_reference(level, unit, knot, np.int64(0))
        n, n_facets = hi - lo, fhi - flo
        status, n_new, bit = find_cut(
            P, S, pool, W, n_pool, line, W.arena_v[lo:hi], W.arena_m[lo:hi], n, W.arena_f[flo:fhi], n_facets, coarse
        )  # fmt: skip
        if status != DONE:
            return status, 0
        if hi + n + n_new > W.arena_v.size or fhi + n_facets + bit + 1 > W.arena_f.size:
            return NO_ROOM, 0
        top, end = _take_section(W, lo, hi, flo, fhi, bit, line, n_pool, n_new)
        found, again = 0, False
        for q in range(which):
            other = first_cut + lists[depth, q]
            above, below = polytope_sides(
                P, S, pool, W, level, S.cut_unit[other], S.cut_knot[other], np.int64(0), hi, top, fhi, end
            )  # fmt: skip
            if above and below:
                lists[depth + 1, found] = lists[depth, q]
                found += 1
            elif not above and not below:
                again = True
                break
        if again:
            continue
        parts += 1
        if found == 1:
            parts += 1
        elif found > 1:
            depth += 1
            deeper = section[depth]
            deeper[_LOW], deeper[_HIGH], deeper[_FACETS], deeper[_END] = hi, top, fhi, end
            deeper[_POOL], deeper[_COUNT], deeper[_NEXT] = n_pool + n_new, found, 0
    return DONE, parts
