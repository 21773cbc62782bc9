"""Which pieces do a level's units have on a cell? What polygons and polytopes share: keys, sides, cutters, choices."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reluatlas.arithmetic.constants import EPSILON, SLACK_ONCE
from reluatlas.compiled.jit import inner
from reluatlas.subdivision.program.keys import pattern_key, piece_key
from reluatlas.subdivision.program.layout import M_LEVELS, M_OUT, Lowered

BELOW, ABOVE, ACROSS, DOUBTFUL = range(4)
WINDOW = -1  # knot of a cutter that is a max window


def path_key(lowered: Lowered, pieces: NDArray[np.int32]) -> np.uint64:
    """Return the hash of the pieces of the first units; a local network's are hashed by their columns in the whole one.

    The constant pieces of a local network are not in it.
    """
    if lowered.names is not None:
        return lowered.names.key_of(pieces)
    return np.uint64(pattern_key(pieces, pieces.size))


@inner
def classify_relu(low, high, error, size, side):
    """Do what `classify` does for rows whose only knot is zero, without a branch."""
    doubt = 0
    for j in range(size):
        above, below = low[j] > error[j], high[j] < -error[j]
        across = (low[j] < -error[j]) & (high[j] > error[j])
        here = np.int8(ABOVE) if above else (np.int8(ACROSS) if across else np.int8(DOUBTFUL))
        here = np.int8(BELOW) if below else here
        side[j] = here
        doubt |= here == DOUBTFUL
    return doubt != 0


@inner
def classify(low, high, error, knots, n_knots, size, side):
    """Write for each (unit, knot) whether the row is BELOW, ABOVE, ACROSS or in DOUBT; return any doubt."""
    doubt = False
    for j in range(size):
        for q in range(n_knots):
            knot = knots[j * n_knots + q]
            margin = error[j]
            if knot != 0.0:
                margin += EPSILON * SLACK_ONCE * abs(knot)
            if low[j] - knot > margin:
                here = ABOVE
            elif high[j] - knot < -margin or knot == np.inf:
                here = BELOW
            elif low[j] - knot < -margin and high[j] - knot > margin:
                here = ACROSS
            else:
                here = DOUBTFUL
                doubt = True
            side[j * n_knots + q] = here
    return doubt


@inner
def _list_relu_cutters(side, size, piece, settled, cut_unit, cut_knot, cut_base, cut_choice):
    """Do what `_list_cutters` does for rows with one knot."""
    for j in range(size):
        piece[j] = side[j] == ABOVE
        settled[j] = side[j] != ACROSS
    n_cut = 0
    for j in range(size):
        if side[j] == ACROSS:
            cut_unit[n_cut], cut_knot[n_cut], cut_base[n_cut], cut_choice[n_cut] = j, 0, 0, 0
            n_cut += 1
    return n_cut


@inner
def _list_cutters(side, n_knots, size, piece, settled, cut_unit, cut_knot, cut_base, cut_choice):
    """Write the settled pieces and list the rows that cut; return how many."""
    n_cut = 0
    for j in range(size):
        here = 0
        before = n_cut
        for q in range(n_knots):
            which = side[j * n_knots + q]
            if which == ABOVE:
                here += 1
            elif which == ACROSS:
                cut_unit[n_cut] = j
                cut_knot[n_cut] = q
                cut_base[n_cut] = here
                cut_choice[n_cut] = 0
                n_cut += 1
        piece[j] = here
        settled[j] = n_cut == before
    return n_cut


@inner
def settle(P, S, level, side):
    """Settle the pieces of a breakpoint node's units by the sides of their rows, and list the rows that cut."""
    t = P.cut[level]
    size, n_knots, at, first_cut = P.size[t], P.n_knots[t], P.pat_off[level], S.cut_at[level]
    piece, settled = S.piece[at : at + size], S.settled[at : at + size]
    unit, knot, base, choice = (
        S.cut_unit[first_cut:], S.cut_knot[first_cut:], S.cut_base[first_cut:], S.cut_choice[first_cut:]
    )  # fmt: skip
    if P.relu[t]:
        S.n_cut[level] = _list_relu_cutters(side, size, piece, settled, unit, knot, base, choice)
    else:
        S.n_cut[level] = _list_cutters(side, n_knots, size, piece, settled, unit, knot, base, choice)


@inner
def close(P, S, level):
    """Write the pieces of the units that cut, from the choices made."""
    at, first_cut = P.pat_off[level], S.cut_at[level]
    q, n = 0, S.n_cut[level]
    while q < n:
        unit = S.cut_unit[first_cut + q]
        piece = S.cut_base[first_cut + q]
        while q < n and S.cut_unit[first_cut + q] == unit:
            piece += S.cut_choice[first_cut + q]
            q += 1
        S.piece[at + unit] = piece


@inner
def _ones_hashed(keys, piece, settled):
    total = np.uint64(0)
    for j in range(keys.size):
        total ^= keys[j] if (settled[j] != 0) & (piece[j] == 1) else np.uint64(0)
    return total


@inner
def _hashed(column, piece, settled):
    total = np.uint64(0)
    for j in range(column.size):
        if settled[j]:
            total ^= piece_key(column[j], piece[j])
    return total


@inner
def rehash(P, S, W, level, entering):
    """Update the hash of the path: settled pieces on entering a level, the others on closing it."""
    t, at = P.cut[level], P.pat_off[level]
    if entering:
        end = at + P.size[t]
        if P.relu[t]:
            W.settled_hash[level] = _ones_hashed(P.key[at:end], S.piece[at:end], S.settled[at:end])
        else:
            W.settled_hash[level] = _hashed(P.column[at:end], S.piece[at:end], S.settled[at:end])
        return
    total = W.settled_hash[level]
    if level > 0:
        total ^= W.hash[level - 1]
    last = -1
    for q in range(S.cut_at[level], S.cut_at[level] + S.n_cut[level]):
        unit = S.cut_unit[q]
        if unit != last:
            total ^= piece_key(P.column[at + unit], S.piece[at + unit])
        last = unit
    W.hash[level] = total


@inner
def list_window(S, at, window):
    """Write entry `at` of a level's cutters: a window that changes its winner."""
    S.cut_unit[at] = window
    S.cut_knot[at] = WINDOW
    S.cut_base[at] = 0
    S.cut_choice[at] = 0


@inner
def write_cell(P, S, W, out, cell):
    """Write what a finished cell has in any dimension: its pattern, its map, its hash."""
    pattern = out.pattern[cell]
    for j in range(pattern.size):
        pattern[j] = S.piece[j]
    o = P.off[P.meta[M_OUT]]
    affine = out.affine[cell]
    for i in range(affine.shape[0]):
        for c in range(affine.shape[1]):
            affine[i, c] = S.rows[c, o + i]
    levels = P.meta[M_LEVELS]
    out.hash[cell] = W.hash[levels - 1] if levels > 0 else np.uint64(0)
