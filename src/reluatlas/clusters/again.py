"""How is an item done again that failed on a cluster? `python -m reluatlas.clusters.again FILE`, in this process.

The file holds the network, the domain and the item as plain arrays.
"""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from reluatlas.domain import Box, Domain, Slice, Space
from reluatlas.network.archive import pack_network, unpack_network
from reluatlas.subdivision.items import Item
from reluatlas.subdivision.program.layout import M_CERTAIN
from reluatlas.subdivision.program.lower import lower
from reluatlas.subdivision.runner.bench import Bench, Choice, Plan
from reluatlas.subdivision.runner.contract import Done
from reluatlas.subdivision.runner.kinds import kind_of


def number_of(item: Item) -> str:
    """Return the number of an item as text: "3.0.12"; "first" for the whole domain."""
    return ".".join(map(str, item.id)) or "first"


def keep(plan: Plan, item: Item) -> str:
    """Write an item with all that it depends on into the folder for temporary files; return the path."""
    lowered = plan.lowered
    domain = lowered.domain
    about = {
        "domain": type(domain).__name__, "dim": domain.dim, "collect": plan.collect, "budget": plan.budget,
        "mode": plan.mode, "certain": bool(lowered.program.meta[M_CERTAIN]), "id": list(item.id), "level": item.level,
    }  # fmt: skip
    arrays: dict[str, Any] = {"about": np.array(json.dumps(about)), **pack_network(lowered.network)}
    if not isinstance(domain, Space):
        arrays |= {"domain/low": domain.box.low, "domain/high": domain.box.high}
    if isinstance(domain, Slice):
        arrays |= {"domain/origin": domain.frame()[0], "domain/basis": domain.frame()[1]}
    arrays |= {f"item/{f.name}": getattr(item, f.name) for f in fields(item) if f.name not in ("id", "level")}
    with tempfile.NamedTemporaryFile(
        prefix=f"reluatlas-item-{number_of(item)[:60]}-", suffix=".npz", delete=False
    ) as file:
        np.savez(file, **arrays)
    return file.name


def do_again(path: str | Path) -> Done:
    """Do the item of a file as a worker does it, and return what it gives."""
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    about = json.loads(str(arrays.pop("about")))
    network: Any = unpack_network(arrays)
    lowered = lower(network, _domain_of(about, arrays), certain=about["certain"])
    plan = Plan(lowered, about["collect"], True, about["budget"], about["mode"])
    own = {name[5:]: array for name, array in arrays.items() if name.startswith("item/")}
    item = type(kind_of(lowered).root(lowered))(id=tuple(about["id"]), level=about["level"], **own)
    bench = Bench(plan)
    Choice(plan, bench).prepare(item)
    return bench.do(item, np.zeros(1, dtype=np.int64))


def _domain_of(about: dict[str, Any], arrays: dict[str, Any]) -> Domain:
    if about["domain"] == "Space":
        return Space(about["dim"])
    box = Box(arrays["domain/low"], arrays["domain/high"])
    if about["domain"] == "Box":
        return box
    return Slice(arrays["domain/origin"], arrays["domain/basis"], box=box)


if __name__ == "__main__":
    done = do_again(sys.argv[1])
    print(f"item {number_of(done.item)}: {done.answer.n_cells:,} cells, {len(done.answer.rest)} items left")
