"""With how few affine pieces can a trained network do? Cells joined within 1, 2, 5 and 10 % of the output range.

    python benchmarks/joining.py [--seed 0] [--points 1000000] [--out FILE.json] [--figure FILE.png]

2-8-8-8-2, trained on the circle problem as the paper does it. For each tolerance: the pieces found, no fewer than how
many there can be, and the error that k-means on dual points has with as many pieces. The error claimed for each piece
is checked at random points: with the maps of the cells that hold them, no difference may be certainly above it; and
it must be attained at a vertex.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
from _record import machine, write

import reluatlas as ra
from reluatlas.analysis.joining.fewest import FewestPieces
from reluatlas.complexes.linear_regions import map_errors
from reluatlas.datasets.toy import toy_problem
from reluatlas.studies.toy.train import train_toy

SHAPE = (2, 8, 8, 8, 2)
SHARES = (0.01, 0.02, 0.05, 0.10)
_AT_ONCE = 100_000
Found = tuple[ra.JoinedCells, ra.JoinedCells, FewestPieces]
"""Cells joined, clustered by k-means to as many pieces, and the lower bound."""


def excess(answer: ra.JoinedCells, n_points: int, rng: np.random.Generator) -> tuple[float, float]:
    """Return by how much a difference at random points exceeds the claim, for certain, and the largest share of it."""
    cx, box = answer.complex, answer.complex.box
    errors = map_errors(cx)
    beyond, share = -np.inf, 0.0
    for start in range(0, n_points, _AT_ONCE):
        X = rng.uniform(box.low, box.high, (min(_AT_ONCE, n_points - start), box.dim))
        cell = cx.cells_of(X)
        piece = answer.labels[cell]
        A, b = cx.affine.A[cell] - answer.affine.A[piece], cx.affine.b[cell] - answer.affine.b[piece]
        value = np.abs(np.einsum("nmk,nk->nm", A, X) + b)
        terms = np.einsum("nmk,nk->nm", np.abs(A), np.abs(X)) + np.abs(b)
        bound = (box.dim + 4) * 2.0**-51 * terms + np.abs(X) @ errors[:, :-1].T + errors[:, -1]
        claim = answer.errors[piece][:, None]
        beyond = max(beyond, float((value - bound - claim).max()))
        share = max(share, float((value / claim).max()))
    return beyond, share


def measure(cx: ra.PolyhedralComplex, share: float, n_points: int) -> tuple[dict[str, Any], Found]:
    tolerance = share * ra.join_cells(cx, 0).output_range
    start = time.perf_counter()
    answer = ra.join_cells(cx, tolerance)
    join_s = time.perf_counter() - start
    start = time.perf_counter()
    bound = answer.lower_bound(tolerance)
    bound_s = time.perf_counter() - start
    means = ra.join_cells(cx, n_pieces=answer.n_pieces, method="kmeans")
    assert answer.error <= tolerance and bound.n_pieces <= answer.n_pieces and answer.is_connected
    assert answer.errors.max() - answer.attained.max() <= 1e-12 * answer.output_range
    rng = np.random.default_rng(1)
    checked = [excess(a, n_points, rng) for a in (answer, means)]
    assert all(beyond <= 0 for beyond, _ in checked), "a point is farther from the network than was claimed"
    row = {
        "share": share,
        "tolerance": tolerance,
        "n_pieces": answer.n_pieces,
        "error": answer.error,
        "n_at_least": bound.n_pieces,
        "kmeans_error": means.error,
        "kmeans_connected": means.n_connected,
        "n_points": n_points,
        "largest_share_of_claim": checked[0][1],
        "join_s": join_s,
        "bound_s": bound_s,
    }
    return row, (answer, means, bound)


def draw(cx: ra.PolyhedralComplex, found: list[Found], out: Path) -> None:
    """Draw the linear regions, the pieces within 5 %, and pieces against error with what was found."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    before, after, curve = figure.subplots(1, 3)
    ra.plot.cells(cx, by="map", ax=before)
    ra.plot.joined(found[SHARES.index(0.05)][0], by="map", ax=after)
    ra.plot.piece_curve([a for one in found for a in one[:2]], bounds=[one[2] for one in found], ax=curve)
    figure.savefig(out, format="png", dpi=110, metadata={"Software": None}, facecolor="white")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--points", type=int, default=1_000_000, help="random points for each tolerance and method")
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    parser.add_argument("--figure", type=Path, help="draw before, after, and pieces against error")
    arguments = parser.parse_args()
    problem = toy_problem("circle")
    training = train_toy(problem, SHAPE, seed=arguments.seed)
    cx = training.trajectory.complex(-1)
    record: dict[str, Any] = {
        **machine(),
        "network": "2-8-8-8-2",
        "accuracy": training.accuracy,
        "n_cells": cx.n_cells,
        "n_linear_regions": cx.n_linear_regions,
        "output_range": ra.join_cells(cx, 0).output_range,
        "rows": [],
    }
    print(f"{cx.n_cells} cells, {cx.n_linear_regions} linear regions, output range {record['output_range']:.4g}")
    found = []
    for share in SHARES:
        row, answers = measure(cx, share, arguments.points)
        found.append(answers)
        record["rows"].append(row)
        print(
            f"{100 * share:g} %: {row['n_pieces']} pieces, no fewer than {row['n_at_least']}, off by "
            f"{row['error']:.4g}; k-means with as many: {row['kmeans_error']:.4g} "
            f"({row['join_s']:.1f} s, bound {row['bound_s']:.1f} s)",
            flush=True,
        )
    if arguments.out:
        write(arguments.out, record)
    if arguments.figure:
        draw(cx, found, arguments.figure)


if __name__ == "__main__":
    main()
