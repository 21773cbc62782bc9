"""How far off can the float64 rows of the current path be? A bound for its pattern, computed on demand.

The bounds of a program hold for all patterns at once, and are as large as the product of all weights' absolute
values; in deep networks that is far above the errors of a cell. Here the absolute weights of the units that are on
are taken, and the sizes of their rows. It costs about as much as composing the path, where integers cost hundreds
of times as much.
"""

from __future__ import annotations

from reluatlas.arithmetic.constants import SLACK_PATH, TINY, UNIT_ROUNDOFF
from reluatlas.compiled.jit import inner
from reluatlas.subdivision.program.layout import AFFINE, BREAK, DENSE, INPUT, M_LOCAL, MAX


@inner
def _affine_bounds(P, S, t):
    """Bound the errors of all rows of an affine tensor; those of its inputs' rows are there."""
    k = S.rows.shape[0] - 1
    lo, n = P.off[t], P.size[t]
    share = (P.n_terms[t] + 4) * UNIT_ROUNDOFF * SLACK_PATH
    gradient, constant = S.tight_g[lo : lo + n], S.tight_c[lo : lo + n]
    # a weight between open units of a local network is a sum over paths, rounded as the sum of their sizes is
    weights = P.w_size if P.meta[M_LOCAL] else P.weight
    for i in range(n):
        gradient[i] = constant[i] = 0.0
    for e in range(P.e_ptr[t], P.e_ptr[t + 1]):
        first, at = P.off[P.e_src[e]], P.e_at[e, 0]
        for j in range(P.size[P.e_src[e]]):
            size = 0.0
            for c in range(k):
                size = max(size, abs(S.rows[c, first + j]))
            constant_size = abs(S.rows[k, first + j])
            off_g = S.tight_g[first + j] + share * size
            off_c = S.tight_c[first + j] + share * constant_size
            least_g = TINY if off_g > 0.0 or size > 0.0 else 0.0
            least_c = TINY if off_c > 0.0 or constant_size > 0.0 else 0.0
            if least_g == 0.0 and least_c == 0.0:
                continue
            if P.e_kind[e] == DENSE:
                _add_dense(weights[at + j * n : at + (j + 1) * n], off_g, least_g, off_c, least_c, gradient, constant)
            else:
                for g in range(P.g_ptr[P.e_at[e, 1] + j], P.g_ptr[P.e_at[e, 1] + j + 1]):
                    i, w = P.g_row[g], abs(weights[g])
                    if w > 0.0:
                        gradient[i] += w * off_g + least_g
                        constant[i] += w * off_c + least_c
    # a row to which nothing was added is zero, or its bias alone: exact
    for i in range(n):
        if gradient[i] > 0.0:
            gradient[i] = min(gradient[i] * SLACK_PATH, P.err_g[lo + i])
        if constant[i] > 0.0:
            constant[i] = min((constant[i] + share * abs(P.bias[lo + i])) * SLACK_PATH, P.err_c[lo + i])


@inner(fastmath={"contract"})
def _add_dense(weight, off_g, least_g, off_c, least_c, gradient, constant):
    """Add to the bounds of all rows what one unit contributes; nothing where its weight is zero."""
    for i in range(weight.size):
        w = abs(weight[i])
        gradient[i] += w * off_g + least_g if w > 0.0 else 0.0
        constant[i] += w * off_c + least_c if w > 0.0 else 0.0


@inner
def _cut_bounds(P, S, t):
    """Bound the errors of all rows of a breakpoint or max tensor; those of its input's rows are there."""
    k = S.rows.shape[0] - 1
    lo, source, at = P.off[t], P.off[P.src[t]], P.pat_off[P.level[t]]
    for j in range(P.size[t]):
        piece = S.piece[at + j]
        if P.kind[t] == BREAK:
            f = P.s_at[t] + j * (P.n_knots[t] + 1) + piece
            slope, i = abs(P.slope[f]), source + j
            off_g, off_c = slope * S.tight_g[i], slope * S.tight_c[i]
            if slope == 0.0:
                off_g = off_c = 0.0
            elif slope != 1.0 or P.shift[f] != 0.0:
                size = 0.0
                for c in range(k):
                    size = max(size, abs(S.rows[c, i]))
                off_g += 4.0 * UNIT_ROUNDOFF * slope * size
                off_c += 4.0 * UNIT_ROUNDOFF * (slope * abs(S.rows[k, i]) + abs(P.shift[f]))
                off_g, off_c = off_g * SLACK_PATH + TINY, off_c * SLACK_PATH + TINY
        else:
            i = source + P.m_cand[P.m_ptr[P.m_at[t] + j] + piece]
            off_g, off_c = S.tight_g[i], S.tight_c[i]
        S.tight_g[lo + j] = min(off_g, P.err_g[lo + j])
        S.tight_c[lo + j] = min(off_c, P.err_c[lo + j])


@inner
def tighten(P, S, t):
    """Make sure that `S.tight_g`, `S.tight_c` bound the errors of tensor t's rows on the current path."""
    for a in range(P.anc_ptr[t], P.anc_ptr[t + 1] + 1):
        u = P.anc[a] if a < P.anc_ptr[t + 1] else t
        serial = S.serial[P.level[u] + 1]
        if S.tight_tensor[u] == serial:
            continue
        if P.x_float[u] or P.kind[u] == INPUT:
            lo, hi = P.off[u], P.off[u + 1]
            for i in range(lo, hi):
                S.tight_g[i], S.tight_c[i] = P.err_g[i], P.err_c[i]
        elif P.kind[u] == AFFINE:
            _affine_bounds(P, S, u)
        else:
            _cut_bounds(P, S, u)
        S.tight_tensor[u] = serial


@inner
def tight_bounds(P, S, t, i):
    """Return bounds on the errors of the gradient and the constant of row i of tensor t on the current path.

    Cuts that only choose rows are looked through, so that not all their rows need bounds.
    """
    while P.kind[t] == BREAK or P.kind[t] == MAX:
        piece = S.piece[P.pat_off[P.level[t]] + i]
        if P.kind[t] == BREAK:
            f = P.s_at[t] + i * (P.n_knots[t] + 1) + piece
            if P.slope[f] == 0.0:
                return 0.0, 0.0
            if abs(P.slope[f]) != 1.0 or P.shift[f] != 0.0:
                break
        else:
            i = P.m_cand[P.m_ptr[P.m_at[t] + i] + piece]
        t = P.src[t]
    tighten(P, S, t)
    return S.tight_g[P.off[t] + i], S.tight_c[P.off[t] + i]
