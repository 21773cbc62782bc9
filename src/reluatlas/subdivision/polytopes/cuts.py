"""How is a polytope of the stack cut by a row? Signs at its vertices, and the vertices that the cut makes."""

from __future__ import annotations

from reluatlas.compiled.jit import inner
from reluatlas.geometry.vertices.polytope import crossed_edges, free_bit, sides_alive
from reluatlas.subdivision.items import DONE, NO_OUTPUT_ROOM, NO_ROOM
from reluatlas.subdivision.polytopes.signs import make_vertices, polytope_signs
from reluatlas.subdivision.program.layout import M_K

NO_BITS, NO_ROWS = NO_OUTPUT_ROOM + 1, NO_OUTPUT_ROOM + 2


@inner
def polytope_sides(P, S, pool, W, level, unit, first, second, lo, hi, flo, fhi):
    """Return (any vertex certainly above, any below) for one row and the polytope at `lo:hi`."""
    return polytope_signs(
        P, S, pool, W, level, unit, first, second, W.arena_v[lo:hi], W.arena_m[lo:hi], hi - lo, W.arena_f[flo:fhi],
        fhi - flo,
    )  # fmt: skip


@inner
def find_cut(P, S, pool, W, n_pool, line, vertices, mask, n, facets, n_facets, coarse):
    """Make the vertices of a cut from the signs; return (status, number of new vertices, bit of the cut)."""
    n_new = crossed_edges(mask, W.sign, n, n_facets, P.meta[M_K], W.holders, W.common, W.pairs)
    if n_new < 0 or n_pool + n_new > pool.r.size or 2 * n + n_new > W.sign.size:
        return NO_ROOM, 0, 0
    sides_alive(mask, W.sign, n, W.alive[0], W.alive[1])
    bit = free_bit(W.alive[0], W.alive[1])
    if bit < 0:
        return NO_BITS, 0, 0
    if make_vertices(P, S, pool, W, n_pool, line, vertices, mask, n_new, facets, n_facets, coarse) != DONE:
        return NO_ROWS, 0, 0
    return DONE, n_new, bit
