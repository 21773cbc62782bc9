"""Time of warm linear programs in the compiled dictionary, against calls of HiGHS; cells a second without vertices.

    python benchmarks/simplex.py [--out FILE.json] [--seconds S]

One process, one thread, warm. Random polytopes: m unit normals at distance about 1, the same objectives for both.
Values are compared before anything is timed. Then cells a second of counting on R^3, R^4 and [-1, 1]^8.
"""

from __future__ import annotations

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import argparse
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import _record
import highspy
import numpy as np

import reluatlas as ra
from reluatlas.answers.limits import Limits
from reluatlas.domain import Space
from reluatlas.geometry.programs.dictionary import OPTIMAL, climb, new_dictionary, start_at
from reluatlas.subdivision.constraints.enumerate import count_everywhere

SIZES = ((3, 16), (4, 24), (8, 32), (8, 64), (16, 64), (24, 96))


def programs(k: int, m: int) -> dict[str, Any]:
    """Time one size of linear programs, the objective changed from one to the next."""
    rng = np.random.default_rng([k, m])
    con = np.zeros((m + 2 * k, k + 3))
    con[:m, :k] = rng.normal(size=(m, k))
    con[:m, :k] /= np.linalg.norm(con[:m, :k], axis=1)[:, None]
    con[:m, k] = rng.uniform(0.8, 1.2, m)
    con[m : m + k, :k], con[m + k :, :k], con[m:, k] = np.eye(k), -np.eye(k), 3.0
    G = rng.normal(size=(400, k))
    T = new_dictionary(k, len(con))

    def ours() -> list[float]:
        start_at(T, con, len(con), np.zeros(k))
        out = []
        for g in G:
            assert climb(T, g, -1, 10_000) == OPTIMAL
            out.append(float(g @ T.table[0, :k]))
        return out

    h = highspy.Highs()
    h.setOptionValue("output_flag", False)
    h.setOptionValue("threads", 1)
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = k, len(con)
    lp.col_cost_, lp.col_lower_, lp.col_upper_ = np.zeros(k), np.full(k, -np.inf), np.full(k, np.inf)
    lp.row_lower_, lp.row_upper_ = np.full(len(con), -np.inf), con[:, k].copy()
    lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    lp.a_matrix_.start_ = np.arange(0, k * len(con) + 1, k)
    lp.a_matrix_.index_, lp.a_matrix_.value_ = np.tile(np.arange(k), len(con)), con[:, :k].reshape(-1).copy()
    lp.sense_ = highspy.ObjSense.kMaximize
    h.passModel(lp)
    columns = np.arange(k, dtype=np.int32)

    def highs() -> list[float]:
        out = []
        for g in G:
            h.changeColsCost(k, columns, g)
            h.run()
            out.append(h.getInfo().objective_function_value)
        return out

    assert np.allclose(ours(), highs(), rtol=1e-7, atol=1e-9)
    times: dict[str, list[float]] = {"ours": [], "highs": []}
    pivots = 0
    for _ in range(5):
        T.status[1] = 0
        start = time.perf_counter()
        ours()
        times["ours"].append(time.perf_counter() - start)
        pivots = int(T.status[1])
        start = time.perf_counter()
        highs()
        times["highs"].append(time.perf_counter() - start)
    mine, theirs = min(times["ours"]), min(times["highs"])
    return {
        "k": k,
        "rows": len(con),
        "pivots_per_program": pivots / len(G),
        "us_per_pivot": 1e6 * mine / pivots,
        "pivots_per_s": pivots / mine,
        "us_per_program": 1e6 * mine / len(G),
        "us_per_highs_call": 1e6 * theirs / len(G),
        "ratio": theirs / mine,
    }


def network(*widths: int) -> ra.Network:
    """Return weights, then biases, uniform in +-1/sqrt(fan-in)."""
    rng, layers = np.random.default_rng(0), []
    for n, m in pairwise(widths):
        bound = 1 / np.sqrt(n)
        layers.append((rng.uniform(-bound, bound, (m, n)), rng.uniform(-bound, bound, m)))
    return ra.load(layers)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    parser.add_argument("--seconds", type=float, default=10.0, help="limit for each count")
    arguments = parser.parse_args()
    rows = []
    for k, m in SIZES:
        row = programs(k, m)
        rows.append(row)
        print(
            f"k={k:>2} rows={row['rows']:>3}: {row['us_per_pivot']:.2f} us a pivot ({row['pivots_per_s']:,.0f}/s), "
            f"{row['us_per_program']:.1f} us a program, HiGHS {row['us_per_highs_call']:.0f} us, "
            f"ratio {row['ratio']:.0f}",
            flush=True,
        )
    counts = []
    for widths, domain in (
        ((3, 16, 16, 1), Space(3)),
        ((4, 10, 10, 1), Space(4)),
        ((4, 16, 16, 1), Space(4)),
        ((8, 10, 10, 1), ra.Box(-1, 1, dim=8)),
    ):
        net = network(*widths)
        count_everywhere(net, domain, Limits(max_seconds=0.2))
        found = count_everywhere(net, domain, Limits(max_seconds=arguments.seconds))
        counts.append(
            {
                "network": "-".join(map(str, widths)),
                "domain": repr(domain),
                "n_cells": found.n_cells,
                "is_complete": not found.stopped_by,
                "cells_per_s": found.n_cells / found.seconds,
                "n_escalated": found.n_escalated,
            }
        )
        print(counts[-1], flush=True)
    if arguments.out:
        _record.write(arguments.out, {"machine": _record.machine(), "programs": rows, "counts": counts})


if __name__ == "__main__":
    main()
