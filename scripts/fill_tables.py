"""Write the tables of README.md, of pages in docs and of benchmarks/README.md from the records of the benchmarks.

    python scripts/fill_tables.py

A table stands between `<!-- table NAME -->` and `<!-- end -->`; NAME is that of a file in benchmarks/records. Where
there is no such record, the page says so. How each table is made of its record is in scripts/tables.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from scripts.tables.atlas import atlas, live
from scripts.tables.cluster import acas_count, cluster
from scripts.tables.engines import (
    acas_box,
    adjacency,
    certificates,
    degenerate,
    families,
    local,
    plane,
    real_models,
    solids,
)
from scripts.tables.mnist import mnist_accuracy, mnist_small, mnist_study, one_center, one_center_epochs
from scripts.tables.points import affine_maps, cell_at, limits, trace
from scripts.tables.properties import properties
from scripts.tables.smaller import compare, joining, simplify, standalone
from scripts.tables.words import Record

PAGES = (
    "README.md", "docs/check.md", "docs/cluster.md", "docs/exactness.md", "docs/joining.md", "docs/mnist.md",
    "benchmarks/README.md",
)  # fmt: skip
_TABLE = re.compile(r"(<!-- table (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


TABLES: dict[str, Callable[[Record], str]] = {
    "real_models": real_models,
    "degenerate": degenerate,
    "families": families,
    "plane": plane,
    "certificates": certificates,
    "standalone": standalone,
    "affine_maps": affine_maps,
    "mnist_accuracy": mnist_accuracy,
    "mnist_study": mnist_study,
    "mnist_small": mnist_small,
    "one_center": one_center,
    "one_center_epochs": one_center_epochs,
    "trace": trace,
    "solids": solids,
    "adjacency": adjacency,
    "cell_at": cell_at,
    "local": local,
    "acas_box": acas_box,
    "acas_count": acas_count,
    "cluster": cluster,
    "joining": joining,
    "simplify": simplify,
    "compare": compare,
    "limits": limits,
    "atlas": atlas,
    "live": live,
    "properties": properties,
}


MADE_BY = {
    "mnist_study": "reluatlas study mnist --data mnist --out run; python scripts/record_mnist_study.py run",
    "mnist_small": "reluatlas study mnist --data mnist --networks dense,small-resnet --out run; "
    "python scripts/record_mnist_study.py run --out benchmarks/records/mnist_small.json",
    "one_center_epochs": "python benchmarks/one_center.py --epochs-of conv2 "
    "--out benchmarks/records/one_center_epochs.json",
}


def filled(text: str) -> str:
    """Return a page with its tables written anew."""

    def table(match: re.Match[str]) -> str:
        path = ROOT / "benchmarks" / "records" / f"{match[2]}.json"
        if not path.exists():
            default = f"python benchmarks/{match[2]}.py --out benchmarks/records/{match[2]}.json"
            body = f"Not measured yet: `{MADE_BY.get(match[2], default)}`\n"
        else:
            body = TABLES[match[2]](json.loads(path.read_text(encoding="utf-8")))
        return match[1] + body + match[3]

    return _TABLE.sub(table, text)


def main() -> None:
    for name in PAGES:
        path = ROOT / name
        temporary = path.with_suffix(".tmp")
        temporary.write_text(filled(path.read_text(encoding="utf-8")), encoding="utf-8")
        os.replace(temporary, path)


if __name__ == "__main__":
    main()
