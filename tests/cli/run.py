"""Runs the command line in this process, and makes the files that it is given."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper

from reluatlas.cli.main import main
from tests.unit.importers.models import onnx_model


@dataclass(frozen=True)
class Outcome:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def numbers(self) -> dict[str, Any]:
        """Stdout, read as JSON."""
        return json.loads(self.out)


Command = Callable[..., Outcome]


@pytest.fixture
def command(capfd, monkeypatch, tmp_path) -> Command:
    """Run a command in an empty folder and return its outcome."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> Outcome:
        capfd.readouterr()
        code = main([str(a) for a in arguments])
        shown = capfd.readouterr()
        return Outcome(code, shown.out, shown.err)

    return run


def dense_layers(sizes: tuple[int, ...], *, seed: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return [(W, b), ...], float32, uniform in +-1/sqrt(fan-in)."""
    rng = np.random.default_rng(seed)
    out = []
    for n, m in pairwise(sizes):
        bound = 1 / np.sqrt(n)
        weight, bias = rng.uniform(-bound, bound, (m, n)), rng.uniform(-bound, bound, m)
        out.append((weight.astype(np.float32), bias.astype(np.float32)))
    return out


def write_onnx(
    path: Path, layers: list[tuple[np.ndarray, np.ndarray]], *, final: str = "", input_shape: tuple[int, ...] = ()
) -> Path:
    """Write dense layers with ReLU between them, and an operator at the end, as an ONNX file; images are flattened."""
    nodes, constants, tensor = [], {}, "x"
    if input_shape:
        nodes.append(helper.make_node("Flatten", ["x"], ["flat"], name="flatten"))
        tensor = "flat"
    for i, (weight, bias) in enumerate(layers):
        constants |= {f"W{i}": weight, f"b{i}": bias}
        is_last = i == len(layers) - 1
        result = "y" if is_last and not final else f"h{i}"
        nodes.append(helper.make_node("Gemm", [tensor, f"W{i}", f"b{i}"], [result], name=f"fc{i}", transB=1))
        tensor = result
        if not is_last:
            nodes.append(helper.make_node("Relu", [tensor], [f"r{i}"], name=f"relu{i}"))
            tensor = f"r{i}"
    if final:
        nodes.append(helper.make_node(final, [tensor], ["y"], name="last"))
    model = onnx_model(nodes, constants, shape=(1, *(input_shape or layers[0][0].shape[1:])))
    path.write_bytes(model.SerializeToString())
    return path


def save_points(folder: Path, points: np.ndarray) -> list[Path]:
    """Save each point as a .npy file."""
    paths = [folder / f"{name}.npy" for name in "abcdefgh"[: len(points)]]
    for path, point in zip(paths, points, strict=True):
        np.save(path, point)
    return paths


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder, hidden ones included."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
