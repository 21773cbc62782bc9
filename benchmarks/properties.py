"""Are properties decided, proved and checked in time, and right? ACAS Xu 1 to 4, images, and random small properties.

    python benchmarks/properties.py [--data-dir DATA] [--seeds N] [--out FILE.json]

DATA (or the environment variable RELUATLAS_DATA) holds `models/ACASXU_run2a_*_batch_2000.onnx`, `models/
mnist-net_256x2.onnx` and `mnist/`. Each certificate is checked again from its file, on its own clock. Verdicts on 15 N
random small properties must equal those of the rational oracle in `tests/oracles/properties.py`. Processor time stands
beside the time that passed: the machine may be shared.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from _record import ROOT, machine, write

sys.path.insert(0, str(ROOT))

import reluatlas as ra
from reluatlas.certify.statement import Case, Inequality
from reluatlas.datasets.idx import read_idx, unpacked
from reluatlas.testing import FAMILIES
from tests.convert import to_nodes
from tests.laws.test_properties import problem
from tests.oracles import properties as oracle

NETWORKS = ("1_1", "2_7")
LIMIT_S = 60
EPS = ("0.005", "0.01", "0.015")


def timed(net: ra.Network, prop: Any, model: Path) -> dict[str, Any]:
    """Decide a property, and check its certificate again from its file."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "p.cert"
        cpu, clock = time.process_time(), time.monotonic()
        found = ra.check_property(net, prop, max_seconds=LIMIT_S, certificate=file, model=model)
        row: dict[str, Any] = {
            "verdict": found.verdict,
            "n_parts": found.n_parts,
            "seconds": time.monotonic() - clock,
            "processor_seconds": time.process_time() - cpu,
        }
        if found.verdict == "holds":
            said = prop if isinstance(prop, ra.Property) else ra.load_property(prop, net)
            cpu, clock = time.process_time(), time.monotonic()
            report = ra.certify.check_property_certificate(net, said, ra.certify.load_property_certificate(file))
            assert report, report.problems
            row |= {
                "n_leaves": report.n_leaves,
                "bytes": file.stat().st_size,
                "check_seconds": time.monotonic() - clock,
                "check_processor_seconds": time.process_time() - cpu,
            }
    if found.witness is not None:
        row["model_violates"] = found.witness.model_violates
    return row


def acas(folder: Path) -> list[dict[str, Any]]:
    rows = []
    for name in NETWORKS:
        model = folder / f"ACASXU_run2a_{name}_batch_2000.onnx"
        net = ra.load(model)
        for number in (1, 2, 3, 4):
            row = timed(net, ROOT / "benchmarks" / "properties" / f"acas_{number}.vnnlib", model)
            rows.append({"network": name, "property": number, **row})
            print(rows[-1], flush=True)
    return rows


def images(data: Path, n: int) -> list[dict[str, Any]]:
    """Decide whether the class is the same in boxes around images, cut off at 0 and 1."""
    model = data / "models" / "mnist-net_256x2.onnx"
    net = ra.load(model)
    file = data / "mnist" / "t10k-images-idx3-ubyte.gz"
    X = read_idx(unpacked(file), file.name)[:n].reshape(n, -1)
    rows = []
    for i, x in enumerate(X):
        pixels = [Fraction(int(v), 255) for v in x]
        c = int(np.argmax(net(x / 255.0)))
        for eps in EPS:
            low = tuple(max(Fraction(0), v - Fraction(eps)) for v in pixels)
            high = tuple(min(Fraction(1), v + Fraction(eps)) for v in pixels)
            ways = [Inequality({}, {c: Fraction(1), j: Fraction(-1)}, Fraction(0)) for j in range(10) if j != c]
            prop = ra.Property(net.n_inputs, 10, tuple(Case(low, high, (row,)) for row in ways))
            rows.append({"image": i, "eps": eps, **timed(net, prop, model)})
            print(rows[-1], flush=True)
    return rows


def random_ones(seeds: int) -> dict[str, Any]:
    """Compare verdicts with the oracle's."""
    counts = {"holds": 0, "violated": 0, "open": 0}
    ours = theirs = 0.0
    for seed in range(seeds):
        for family in FAMILIES:
            net, prop = problem(family, 1000 + seed)
            nodes = to_nodes(net)
            begin = time.process_time()
            expected = any(
                oracle.is_violated(
                    nodes, net.output, (c.low, c.high), [(r.inputs, r.outputs, r.bound) for r in c.inequalities]
                )
                for c in prop.cases
            )
            theirs, begin = theirs + time.process_time() - begin, time.process_time()
            verdict = ra.check_property(net, prop, max_seconds=LIMIT_S).verdict
            ours += time.process_time() - begin
            counts[verdict] += 1
            assert verdict == "open" or (verdict == "violated") == expected, (family, seed, verdict)
    print(counts, flush=True)
    return {"n": seeds * len(FAMILIES), **counts, "processor_seconds": ours, "oracle_processor_seconds": theirs}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, default=os.environ.get("RELUATLAS_DATA"))
    parser.add_argument("--seeds", type=int, default=14)
    parser.add_argument("--images", type=int, default=5)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    record: dict[str, Any] = dict(machine())
    if given.data_dir is not None:
        record["acas"] = acas(Path(given.data_dir) / "models")
        if given.out is not None:
            write(given.out, record)
        record["images"] = images(Path(given.data_dir), given.images)
        if given.out is not None:
            write(given.out, record)
    record["random"] = random_ones(given.seeds)
    if given.out is not None:
        write(given.out, record)


if __name__ == "__main__":
    main()
