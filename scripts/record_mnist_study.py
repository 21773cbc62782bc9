"""Write the record of a finished run of `reluatlas study mnist`, from the files that the run wrote.

    reluatlas study mnist --data mnist --out run
    python scripts/record_mnist_study.py run
    python scripts/fill_tables.py

Every number in the record is copied from a file of the run, or is one of the paper's; nothing is computed but smallest
and largest of the classes.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from reluatlas.errors import ReluAtlasError, ResultFileError
from reluatlas.studies.mnist import published, tables

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "benchmarks" / "records" / "mnist_study.json"
Facts = dict[str, Any]


def record_of(folder: Path) -> Facts:
    """Return what a run found, with the paper's numbers beside.

    Raises
    ------
    ResultFileError
        When the folder holds no finished run, or a file is missing or damaged.
    """
    found = tables.numbers(folder)
    head = found["study"]
    if not head.get("is_complete"):
        raise ResultFileError(f"`{folder}` holds a run that is not finished. Run the same command again: it goes on.")
    names, machine = head["networks"], head["machine"]
    has_paper = tables.has_paper(found)

    def paper(value: Any) -> Any:
        return value if has_paper else None

    def right(name: str, k: int, init: str) -> list[int]:
        rows = [row for f in tables.of_network(found, "reduction", name) for row in f["rows"]]
        return [row["n_right"] for row in rows if (row["k"], row["init"]) == (k, init)]

    pairs = [(f, g, bias) for bias in tables.BIASES for f in names for g in names if f != g]
    return {
        **{name: machine[name] for name in ("processor", "cores", "python", "numpy", "numba", "torch")},
        **{name: head[name] for name in ("reluatlas", "data", "n_train", "n_test", "seeds", "device", "titles")},
        "seconds": found["seconds"],
        "accuracy": [
            {"network": n, "n_right": [f["n_test_right"] for f in tables.of_network(found, "networks", n)],
             "training_seconds": [f.get("training_seconds") for f in tables.of_network(found, "networks", n)],
             "paper": paper(published.ACCURACY.get(n))}
            for n in names
        ],
        "maps_taken": [
            {**f, "paper_seconds": paper(published.MAP_SECONDS.get(f["name"]))} for f in found["maps-taken"]
        ],
        "regions": [{**f, "paper_n_near": paper(published.MAPS_IN_USE.get(f["name"]))} for f in found["regions"]],
        "similarity": [
            {"from": f, "to": g, "bias": bias, "paper": paper(published.similarity(f, g, bias)),
             "paper_r2": paper(published.R2.get((f, g))), **_pair(tables.pairs(found, f, g, bias))}
            for f, g, bias in pairs if found["similarity"]
        ],
        "matching": [
            {"from": f, "to": g, "bias": bias, "n_images": found["matching"][0]["n_images"],
             **{name: [row[name] for row in tables.matchings(found, f, g, bias)]
                for name in ("right", "chance", "same_image", "same_label")}}
            for f, g, bias in pairs if found["matching"]
        ],
        "reduction": [
            {"network": n, "k": k, "n_right": right(n, k, "k-means++"), "n_right_random": right(n, k, "random"),
             "paper": paper(published.fewer(n, k))}
            for n in names for k in tables.counts(found, "reduction")
        ],
        "standalone": [
            {"network": f["name"], "seed": f["seed"], **row} for f in found["standalone"] for row in f["rows"]
        ],
    }  # fmt: skip


def _pair(found: list[Facts]) -> Facts:
    out: Facts = {"n_right": [p["least_squares"]["n_correct"] for p in found]}
    for name, which in (("r2", "r2"), ("r2_weighted", "r2_total"), ("r2_uncentered", "r2_uncentered")):
        values = tables.r2_of(found, which)
        out[name] = [min(values), max(values)] if values else None
    out["n_right_ridge"] = [p["ridge"]["n_correct"] for p in found if p["ridge"]]
    for kind in ("any", "label"):
        out[f"n_right_chance_{kind}"] = [p["chance"][kind]["n_correct"] for p in found if kind in p["chance"]]
    return out


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="of the run")
    parser.add_argument("--out", type=Path, default=TARGET)
    asked = parser.parse_args()
    try:
        record = record_of(asked.folder)
    except ReluAtlasError as problem:
        print(problem, file=sys.stderr)
        return 2
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    temporary = asked.out.with_suffix(".tmp")
    temporary.write_text(json.dumps(record, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    os.replace(temporary, asked.out)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
