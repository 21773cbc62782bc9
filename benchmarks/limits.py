"""Do verbs and commands end when their time is over? What took how long, and what came.

    python benchmarks/limits.py [--data DATA] [--only WORD] [--out FILE.json]

Each row is one call with a limit, on the real models of DATA (or RELUATLAS_DATA) and on one network of 10^5 units made
here; the kernels are compiled before. A row keeps its limit when the call returned within it plus 1 s and a tenth, by
the clock on the wall; processor time is told beside it, as other work on the machine makes every call late.
"""

from __future__ import annotations

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import argparse
import contextlib
import io
import json
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import _record
import numpy as np

import reluatlas as ra
from reluatlas.cli.main import main as command_line
from reluatlas.network.network import Affine, Convolution, Dense

ROOT = _record.ROOT


def large() -> ra.Network:
    """Return a convolutional network of about 10^5 units."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(3, 48, 3, padding=1), nn.ReLU(), nn.Conv2d(48, 48, 3, padding=1), nn.ReLU(), nn.Flatten(),
        nn.Linear(48 * 32 * 32, 10),
    )  # fmt: skip
    return ra.load(module, input_shape=(3, 32, 32))


def plane(net: ra.Network, seed: int = 0) -> ra.Slice:
    """Return a plane through three random points of the unit box."""
    return ra.Slice.through(list(np.random.default_rng(seed).random((3, net.n_inputs))), margin=0.2)


def point(net: ra.Network, seed: int = 0) -> np.ndarray:
    """Return a random point of the unit box."""
    return np.random.default_rng(seed).random(net.n_inputs)


def _enumerate(net: ra.Network, limit: float) -> str:
    cx = ra.enumerate_cells(net, plane(net), max_seconds=limit)
    return f"{cx.n_cells} cells, stopped by {cx.stopped_by or 'nothing'}"


def _count(net: ra.Network, limit: float) -> str:
    found = ra.count_cells(net, plane(net), max_seconds=limit)
    return f"{found.n_cells} cells, stopped by {found.stopped_by or 'nothing'}"


def _cell(net: ra.Network, limit: float) -> str:
    cell = ra.cell_at(net, point(net), max_seconds=limit)
    return f"a pattern of {int(cell.pattern.size)} units"


def _facets(net: ra.Network, limit: float) -> str:
    cell = ra.cell_at(net, point(net), max_seconds=limit)
    return f"{len(cell.facets)} facets, {cell.facets.n_undecided} rows undecided"


def _explore(net: ra.Network, limit: float) -> str:
    found = ra.explore(net, point(net), max_cells=10**6, max_seconds=limit)
    return f"{found.n_cells} cells, stopped by {found.stopped_by or 'nothing'}"


def _trace(net: ra.Network, limit: float) -> str:
    found = ra.trace(net, np.stack([point(net, i) for i in range(200)]), max_seconds=limit)
    return f"{found.n_pieces_joined} pieces, stopped by {found.stopped_by or 'nothing'}"


def _maps(net: ra.Network, limit: float) -> str:
    cx = ra.enumerate_cells(net, plane(net), max_seconds=limit)
    try:
        with ra.time_limit(limit):
            return f"{cx.n_affine_maps} affine maps of {cx.n_cells} cells"
    except ra.errors.TimeLimitError:
        return f"no affine maps of {cx.n_cells} cells"


def rounded(net: ra.Network) -> ra.Network:
    """Return a network with the weights of its layers rounded to float16."""

    def half(operator: Any) -> Any:
        if not isinstance(operator, Dense | Convolution):
            return operator
        return replace(operator, weight=operator.weight.astype(np.float16).astype(np.float64))

    nodes = [
        replace(node, operators=tuple(map(half, node.operators))) if isinstance(node, Affine) else node
        for node in net.nodes
    ]
    return replace(net, nodes=tuple(nodes))


def _compare(net: ra.Network, limit: float) -> str:
    found = ra.compare(net, rounded(net), plane(net), max_seconds=limit)
    return f"from {found.lower:.3g} to {found.upper:.3g}, {found.n_cells} cells, {found.stopped_by or 'complete'}"


def _compare_at(net: ra.Network, limit: float) -> str:
    X = np.random.default_rng(0).random((500, net.n_inputs))
    found = ra.compare(net, rounded(net), X=X, planes=[(0, 1, 2), (3, 4, 5)], segments=[(0, 1)], max_seconds=limit)
    return f"{found.largest:.3g} at points; {'complete' if found.is_complete else 'incomplete'} between"


def _structure(net: ra.Network, limit: float) -> str:
    found = ra.compare_structure(net, rounded(net), plane(net), max_seconds=limit)
    return f"similarity {found.similarity:.3f} of {found.n_cells} cells"


def _simplify(net: ra.Network, limit: float) -> str:
    at = point(net)
    found = ra.simplify(net, ra.Box(at - 1 / 255, at + 1 / 255), max_seconds=limit)
    return f"{found.after.units} of {found.before.units} units, {'complete' if found.is_complete else 'incomplete'}"


def _join(net: ra.Network, limit: float) -> str:
    cx = ra.enumerate_cells(net, ra.Slice.through(corners(net)), max_seconds=limit)
    found = ra.join_cells(cx, 0.01, max_seconds=limit)
    return f"{found.n_pieces} pieces of {cx.n_cells} cells, stopped by {found.stopped_by or 'nothing'}"


def corners(net: ra.Network) -> list[np.ndarray]:
    """Return three inputs that are so near to each other that all cells between are found at once."""
    at, rng = point(net), np.random.default_rng(1)
    return [at, *(at + rng.normal(size=(2, net.n_inputs)) * 0.01)]


def _certified(net: ra.Network, limit: float) -> str:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.cert"
        found = ra.count_cells(net, ra.Slice.through(corners(net)), max_seconds=limit, certificate=path)
        if not path.exists():
            return f"{found.n_cells} cells, no certificate"
        with ra.time_limit(limit):
            return f"{found.n_cells} cells, checked: {ra.certify.check_tree(net, path).is_ok}"


# verb: (call, how many times the limit it may take: calls within it that have a limit each)
VERBS: dict[str, tuple[Callable[[ra.Network, float], str], int]] = {
    "enumerate_cells": (_enumerate, 1),
    "count_cells": (_count, 1),
    "cell_at": (_cell, 1),
    "cell_at, then facets": (_facets, 2),
    "explore": (_explore, 1),
    "trace": (_trace, 1),
    "enumerate_cells, then n_affine_maps": (_maps, 2),
    "compare": (_compare, 1),
    "compare at points": (_compare_at, 1),
    "compare_structure": (_structure, 1),
    "simplify": (_simplify, 1),
    "enumerate_cells, then join_cells": (_join, 2),
    "count_cells, then check_tree": (_certified, 2),
}
CASES = [
    ("Convnet_maxpool", "enumerate_cells", 3.0), ("Convnet_maxpool", "enumerate_cells, then n_affine_maps", 3.0),
    ("Convnet_maxpool", "cell_at, then facets", 3.0), ("Convnet_maxpool", "explore", 3.0),
    ("Convnet_maxpool", "trace", 3.0), ("cifar_base_kw", "cell_at, then facets", 2.0),
    ("cifar_base_kw", "enumerate_cells", 3.0), ("resnet_2b", "count_cells", 3.0), ("resnet_2b", "cell_at", 3.0),
    ("mnist-net_256x4", "enumerate_cells", 3.0), ("mnist-net_256x4", "explore", 3.0), ("mnist-net_256x4", "trace", 3.0),
    ("100,000 units", "count_cells", 5.0), ("100,000 units", "cell_at", 5.0), ("100,000 units", "trace", 5.0),
    ("Convnet_maxpool", "compare", 3.0), ("Convnet_maxpool", "compare at points", 3.0),
    ("Convnet_maxpool", "compare_structure", 3.0), ("Convnet_maxpool", "simplify", 3.0),
    ("Convnet_maxpool", "enumerate_cells, then join_cells", 3.0),
    ("Convnet_maxpool", "count_cells, then check_tree", 3.0),
    ("resnet_2b", "compare", 3.0), ("resnet_2b", "compare at points", 3.0), ("resnet_2b", "compare_structure", 3.0),
    ("resnet_2b", "simplify", 3.0), ("resnet_2b", "count_cells, then check_tree", 3.0),
    ("cifar_base_kw", "compare", 3.0), ("cifar_base_kw", "compare at points", 3.0), ("cifar_base_kw", "simplify", 3.0),
    ("cifar_base_kw", "enumerate_cells, then join_cells", 3.0), ("cifar_base_kw", "count_cells, then check_tree", 3.0),
    ("ACASXU_run2a_1_1_batch_2000", "compare", 3.0), ("ACASXU_run2a_1_1_batch_2000", "simplify", 3.0),
    ("ACASXU_run2a_1_1_batch_2000", "enumerate_cells, then join_cells", 3.0),
    ("100,000 units", "compare", 5.0), ("100,000 units", "compare at points", 5.0), ("100,000 units", "simplify", 5.0),
]  # fmt: skip
COMMANDS = [
    ("Convnet_maxpool", "at", 20.0), ("mnist-net_256x4", "explore", 5.0), ("mnist-net_256x4", "cells", 5.0),
    ("Convnet_maxpool", "cells", 5.0), ("cifar_base_kw", "at", 5.0), ("mnist-net_256x4", "trace", 5.0),
    ("Convnet_maxpool", "compare", 5.0), ("cifar_base_kw", "compare", 5.0), ("Convnet_maxpool", "simplify", 5.0),
    ("resnet_2b", "simplify", 10.0),
]  # fmt: skip


def measured(call: Callable[[], str]) -> dict[str, Any]:
    """Return what came of a call, and how long it took."""
    wall, cpu = time.perf_counter(), time.process_time()
    try:
        came = call()
    except ra.errors.ReluAtlasError as problem:
        came = f"{type(problem).__name__}: {problem}"
    return {
        "took": round(time.perf_counter() - wall, 2),
        "processor": round(time.process_time() - cpu, 2),
        "came": came,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def commands(models: Path) -> Iterator[tuple[str, str, float, Callable[[], str]]]:
    """Yield commands with what they are asked, as calls; opening the model is within the limit."""
    for name, verb, limit in COMMANDS:
        yield (
            name,
            f"reluatlas {verb}",
            limit,
            lambda name=name, verb=verb, limit=limit: _typed(models / f"{name}.onnx", verb, limit),
        )


def write_rounded(model: Path, target: Path) -> None:
    """Write a model with its numbers rounded to float16."""
    import onnx
    from onnx import numpy_helper

    proto = onnx.load(model)
    for tensor in proto.graph.initializer:
        array = numpy_helper.to_array(tensor)
        if array.dtype == np.float32:
            tensor.CopyFrom(numpy_helper.from_array(array.astype(np.float16).astype(np.float32), tensor.name))
    onnx.save(proto, target)


def _typed(model: Path, verb: str, limit: float) -> str:
    n = {"cifar_base_kw": 3072}.get(model.stem, 784)
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "x.npy"
        np.save(data, np.random.default_rng(0).random((3, n)))
        corners = [f"{data}:{i}" for i in range(3)]
        other = Path(folder) / "other.onnx"
        if verb == "compare":
            write_rounded(model, other)
        options = {
            "at": ["--data", str(data)], "explore": ["--data", str(data), "--max-cells", "1000000"],
            "cells": ["--through", *corners, "--out", str(Path(folder) / "out")],
            "trace": ["--through", *corners, "--out", str(Path(folder) / "out")],
            "compare": [str(other), "--through", *corners, "--out", str(Path(folder) / "out")],
            "simplify": ["--box", "0,0.01", "--out", str(Path(folder) / "out.onnx")],
        }[verb]  # fmt: skip
        printed, said = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(said):
            code = command_line([verb, str(model), *options, "--max-seconds", str(limit)])
    lines = [line for line in printed.getvalue().splitlines() if line.strip()]
    return f"exit {code}, {len(lines)} lines; {' '.join(said.getvalue().split())}"


def main() -> None:
    """Measure all rows, print them, and write the record."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--data", type=Path, default=os.environ.get("RELUATLAS_DATA") or ROOT.parent / "shared" / "data"
    )
    parser.add_argument("--only", default="", help="rows whose model or verb holds this")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    models = Path(asked.data) / "models"
    small = ra.load([(np.eye(2), np.zeros(2)), (np.ones((1, 2)), np.zeros(1))])
    for verb, _ in VERBS.values():
        verb(small, 30.0)
    nets: dict[str, ra.Network] = {}

    def opened(name: str) -> ra.Network:
        if name not in nets:
            nets.clear()
            nets[name] = large() if name == "100,000 units" else ra.load(models / f"{name}.onnx")
        return nets[name]

    calls: list[tuple[str, str, float, int, Callable[[], str]]] = []
    for name, verb, limit in CASES:
        call, times = VERBS[verb]
        calls.append((name, verb, limit, times, lambda name=name, call=call, limit=limit: call(opened(name), limit)))
    calls += [(name, verb, limit, 1, call) for name, verb, limit, call in commands(models)]
    rows = []
    for name, verb, limit, times, call in calls:
        if asked.only not in f"{name} {verb}":
            continue
        if not verb.startswith("reluatlas"):
            opened(name)
        row = {"model": name, "verb": verb, "limit": limit, "limits_within": times, **measured(call)}
        row["kept"] = row["took"] <= times * (1.1 * limit + 1.0)
        rows.append(row)
        print(json.dumps(row), flush=True)
    if asked.out is not None:
        _record.write(asked.out, {"machine": _record.machine(), "load": os.getloadavg()[0], "rows": rows})


if __name__ == "__main__":
    main()
