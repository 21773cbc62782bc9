"""Is a path right? Against the one-dimensional oracle: every piece, every change, every class."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from reluatlas.domain import Segment
from reluatlas.network.network import Network
from reluatlas.paths.path import Path
from tests.convert import fractions, to_nodes
from tests.oracles.segment import Piece, classes, linear_regions, trace


def exact_pieces(network: Network, segment: Segment) -> list[Piece]:
    """Return the oracle's pieces of a network on a segment."""
    return trace(to_nodes(network), network.output, fractions(segment.a), fractions(segment.b))


def assert_path_matches_oracle(path: Path, *, exact_places: bool = False) -> None:
    """Assert that a complete path has the oracle's pieces, no more and no fewer.

    Breakpoints lie within their radii, maps within their errors; with `exact_places` the breakpoints as fractions are
    the oracle's, too.
    """
    pieces = exact_pieces(path.network, path.segment)
    assert path.is_complete and path.reached == 1.0 and path.exactness.status == "exact"
    assert path.exactness.n_uncertain == 0
    expected = [p.pattern for p in pieces]
    given = [tuple(row) for row in path.patterns.tolist()]
    assert given == expected, f"{len(given)} pieces with other patterns than the oracle's {len(expected)}"
    assert path.n_pieces == len(pieces) and path.breakpoints.shape == path.radii.shape == (len(pieces) - 1,)
    assert np.all(np.diff(path.breakpoints) >= 0) and np.all((path.radii >= 0) & (path.radii <= 1e-7))
    for i, piece in enumerate(pieces[1:]):
        t, radius = Fraction(float(path.breakpoints[i])), Fraction(float(path.radii[i]))
        assert abs(t - piece.start) <= radius, f"breakpoint {i} is {float(t)} +- {float(radius)}, not {piece.start}"
        if exact_places:
            assert path.exact_breakpoint(i) == piece.start
        assert [c.before for c in path.changes(i)] == [a for a, b in _changed(pieces[i], piece)]
        assert [c.after for c in path.changes(i)] == [b for a, b in _changed(pieces[i], piece)]
    assert path.affine.A.shape == (len(pieces), path.network.n_outputs, 1)
    for i, piece in enumerate(pieces):
        for k, (start, end) in enumerate(piece.map):
            slope, value = Fraction(float(path.affine.A[i, k, 0])), Fraction(float(path.affine.b[i, k]))
            error = Fraction(float(path.errors[i, k]))
            assert abs(slope - (end - start)) + abs(value - start) <= error, f"map of piece {i}, output {k}"
    assert path.n_linear_regions == linear_regions(pieces)
    runs = classes(pieces)
    assert path.classes.tolist() == [winner for _, winner in runs]
    assert path.class_changes.shape == (len(runs) - 1,)
    for t, (place, _) in zip(path.class_changes.tolist(), runs[1:], strict=True):
        assert abs(Fraction(t) - place) <= Fraction(1, 10**7)
    assert path.hamming == sum(a != b for a, b in zip(pieces[0].pattern, pieces[-1].pattern, strict=True))


def _changed(piece: Piece, other: Piece) -> list[tuple[int, int]]:
    return [(a, b) for a, b in zip(piece.pattern, other.pattern, strict=True) if a != b]
