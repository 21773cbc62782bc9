"""Is every answer right? Thousands of small networks that are hard to get right, against exact oracles.

    python benchmarks/families.py [--networks 10000] [--seed 0] [--jobs 2] [--only FAMILY ...] [--out FILE.json]
    python benchmarks/families.py --only ulp wild --into FILE.json
    python benchmarks/families.py --only tied_walls --case 5

The families are those of `tests/oracles/families.py` and its neighbors; a network is known by its family and seed, and
the oracles (`tests/oracles`, plain rationals) import nothing of reluatlas. Of each network are asked: cells, patterns,
maps, vertices, volumes, what lies behind each facet, faces, linear regions, the decision boundary, points (also on
faces and beside vertices), the cell of a point, and segments. An answer is right, wrong, refused in a sentence
(`ReluAtlasError`), or ends in another exception. `--into` asks again about some families of a record, as many networks
of each, and keeps the other families' rows with the commit that they were made at. With `--case` one network is asked
about, and all that is said about it is printed. Exit code 1 when anything is wrong or ends in another exception.
"""

from __future__ import annotations

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import argparse
import json
import sys
import time
import warnings
from collections import Counter, defaultdict
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from _record import machine, write

from tests.oracles import scales, windows  # noqa: F401 - they add their families
from tests.oracles.families import FAMILIES
from tests.verdicts import verdict

CHUNK = 10
KEPT = 5
"""Faults of one kind and question that are kept with their words."""
KINDS = ("wrong", "refused", "foreign")


def ask(family: str, seeds: range) -> dict[str, Any]:
    """Return what came of the questions about some networks of a family."""
    warnings.simplefilter("ignore")
    out: dict[str, Any] = {"family": family, "networks": 0, "right": 0, "faults": []}
    start = time.perf_counter()
    for seed in seeds:
        found = verdict(FAMILIES[family](seed))
        out["networks"] += 1
        out["right"] += found.n_right
        out["faults"] += [(f.kind, f.question, seed, f.text) for f in found.faults]
    out["seconds"] = time.perf_counter() - start
    return out


def total(parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return one row per family."""
    by_family: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for part in parts:
        by_family[part["family"]].append(part)
    rows = []
    for family in sorted(by_family, key=list(FAMILIES).index):
        here = by_family[family]
        faults = [f for part in here for f in part["faults"]]
        kinds = Counter(kind for kind, *_ in faults)
        said: dict[tuple[str, str], list] = defaultdict(list)
        for kind, question, seed, text in sorted(faults, key=lambda f: f[2]):
            said[kind, question].append({"seed": seed, "text": text[:300]})
        row: dict[str, Any] = {"family": family, "networks": sum(p["networks"] for p in here)}
        row["answers"] = sum(p["right"] for p in here) + len(faults)
        row |= {kind: kinds[kind] for kind in KINDS}
        row["networks_refused"] = len({seed for kind, _, seed, _ in faults if kind == "refused"})
        row["seconds"] = sum(p["seconds"] for p in here)
        row["faults"] = [
            {"kind": k, "question": q, "n": len(all_), "first": all_[:KEPT]} for (k, q), all_ in sorted(said.items())
        ]
        rows.append(row)
    return rows


def show(rows: list[dict[str, Any]]) -> None:
    """Print a table, and the first of each kind of fault."""
    print(f"{'family':<16}{'networks':>9}{'answers':>10}{'wrong':>7}{'refused':>9}{'foreign':>9}{'seconds':>9}")
    for row in [
        *rows,
        {"family": "all", **{k: sum(r[k] for r in rows) for k in ("networks", "answers", *KINDS, "seconds")}},
    ]:
        print(
            f"{row['family']:<16}{row['networks']:>9,}{row['answers']:>10,}{row['wrong']:>7}{row['refused']:>9}"
            f"{row['foreign']:>9}{row['seconds']:>9.0f}"
        )
    for row in rows:
        for fault in row["faults"]:
            seeds = [f["seed"] for f in fault["first"]]
            print(f"{row['family']}: {fault['n']} x {fault['kind']} in {fault['question']}, seeds {seeds}")
            print(f"    {fault['first'][0]['text']}")


def one(family: str, seed: int) -> bool:
    """Print all that is said about one network; return whether all is right or refused."""
    case = FAMILIES[family](seed)
    where = "the whole space" if case.is_space else f"{case.low.tolist()} to {case.high.tolist()}"
    print(f"{family}, seed {seed}: {case.k} coordinates, {where}")
    if case.basis is not None and case.origin is not None:
        print(f"origin = {case.origin.tolist()}\nbasis = {case.basis.tolist()}")
    layers = case.layers()
    for step in case.steps if layers is None else ():
        print(f"    {step}")
    for weight, bias in layers or ():
        print(f"    ({weight.tolist()}, {bias.tolist()}),")
    found = verdict(case)
    print(f"{found.n_right} answers are right")
    for fault in found.faults:
        print(f"{fault.kind} in {fault.question}: {fault.text}")
    return not found.of("wrong") and not found.of("foreign")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", type=int, default=10_000, help="in all families together")
    parser.add_argument("--seed", type=int, default=0, help="the first seed of each family")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", nargs="+", choices=list(FAMILIES), metavar="FAMILY", default=list(FAMILIES))
    parser.add_argument("--case", type=int, help="one seed of one family, in full")
    parser.add_argument("--out", type=Path, help="write the record as JSON")
    parser.add_argument("--into", type=Path, help="ask again about the families of --only, and change the record")
    arguments = parser.parse_args()
    if arguments.case is not None:
        sys.exit(not all([one(family, arguments.case) for family in arguments.only]))
    earlier = json.loads(arguments.into.read_text(encoding="utf-8")) if arguments.into else {"rows": []}
    counts = {row["family"]: row["networks"] for row in earlier["rows"]}
    each, more = divmod(arguments.networks, len(arguments.only))
    work = []
    for at, family in enumerate(arguments.only):
        last = arguments.seed + counts.get(family, each + (at < more))
        work += [(family, range(s, min(s + CHUNK, last))) for s in range(arguments.seed, last, CHUNK)]
    work.sort(key=lambda job: job[1].start)  # all families advance together
    parts: list[dict[str, Any]] = []
    start, said, n_done, n_bad = time.monotonic(), 0.0, 0, 0
    ask("gaussian", range(8))  # all kernels compile once, before the others start
    with ProcessPoolExecutor(arguments.jobs, mp_context=get_context("spawn")) as pool:
        for future in as_completed([pool.submit(ask, *job) for job in work]):
            parts.append(future.result())
            n_done += parts[-1]["networks"]
            n_bad += sum(kind != "refused" for kind, *_ in parts[-1]["faults"])
            for kind, question, seed, text in parts[-1]["faults"]:
                if kind != "refused":
                    print(f"{parts[-1]['family']} {seed}: {kind} in {question}: {text[:300]}", file=sys.stderr)
            spent = time.monotonic() - start
            if spent >= said + 10:
                said = spent
                print(f"{n_done:,} networks in {spent:.0f} s, {n_bad} wrong or foreign", file=sys.stderr, flush=True)
    rows, made = total(parts), machine()
    show(rows)
    rows = [{**row, "commit": made["commit"]} for row in rows]
    if arguments.out:
        write(arguments.out, {"question": "families", "seed": arguments.seed, **made, "rows": rows})
    if arguments.into:
        again = {row["family"]: row for row in rows}
        write(arguments.into, {**earlier, "rows": [again.get(row["family"], row) for row in earlier["rows"]]})
    if n_bad:
        sys.exit(f"{n_bad} answers are wrong or ended in an exception that is not a ReluAtlasError")


if __name__ == "__main__":
    main()
