"""How good are models of k affine pieces that need no network? Conv1 on MNIST: ways to fit them, then one curve.

    python benchmarks/standalone.py [--checkpoint CONV1.pt] [--part ways|curve] [--quick] [--out FILE.json]

Ways are compared on the last 10,000 training images after fits to the others; the curve is that of the default way,
fitted to all 60,000, and there the test images are looked at, once. The script fails where 100 pieces are right for
less than 97.0 % of them, or 10 for less than 95 %. The network is a state dict of the paper's convolutional network
(input normalized); without one it is trained first, for 30 epochs. With `--part`, the other part of FILE.json stays.
Seconds are processor time of one thread. Needs torch and MNIST (RELUATLAS_DATA, or ../shared/data).
"""

from __future__ import annotations

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import argparse
import gzip
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _record import machine, write
from affine_maps import conv
from torch import nn

from reluatlas.analysis.reduction.pieces.estimators import PiecewiseAffineClassifier, PiecewiseAffineRegressor
from reluatlas.analysis.reduction.pieces.images import shifted
from reluatlas.analysis.reduction.pieces.model import GatedPieces
from reluatlas.analysis.reduction.pieces.sample import OutputSample, sample_outputs
from reluatlas.analysis.reduction.pieces.stand_alone import compare_outputs
from reluatlas.analysis.reduction.pieces.start import pieces_of, prototype_gate, refit

Network = Callable[[np.ndarray], np.ndarray]
Keep = Callable[[str, list[dict[str, Any]], float], None]
COPIES = 4
FLOORS = {10: 0.95, 100: 0.97}
EPOCHS = {300: 40, 1000: 20}  # of the curve, where not the default


def read(name: str) -> np.ndarray:
    named = os.environ.get("RELUATLAS_DATA")
    folder = Path(named) if named else Path(__file__).resolve().parents[2] / "shared" / "data"
    raw = gzip.decompress((folder / "mnist" / f"{name}-ubyte.gz").read_bytes())
    if "labels" in name:
        return np.frombuffer(raw, np.uint8, offset=8).astype(np.int64)
    pixels = np.frombuffer(raw, np.uint8, offset=16).reshape(-1, 784)
    return ((pixels / 255.0 - 0.1307) / 0.3081).astype(np.float32)


def train(module: nn.Module, X: np.ndarray, y: np.ndarray, epochs: int) -> None:
    """Train by the paper's recipe."""
    points, labels = torch.from_numpy(X.reshape(-1, 1, 28, 28)), torch.from_numpy(y)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.01, momentum=0.5, weight_decay=0.01)
    module.train()
    for epoch in range(epochs):
        print(f"training, epoch {epoch + 1} of {epochs}", file=sys.stderr)
        for part in torch.randperm(len(points)).split(64):
            optimizer.zero_grad()
            nn.functional.cross_entropy(module(points[part]), labels[part]).backward()
            optimizer.step()
    module.eval()


def asked(module: nn.Module) -> Callable[[np.ndarray], np.ndarray]:
    def outputs(X: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            parts = torch.from_numpy(X.reshape(-1, 1, 28, 28)).split(500)
            return torch.cat([module(part) for part in parts]).numpy()

    return outputs


def alternating(sample: OutputSample, k: int, rounds: int = 12) -> GatedPieces:
    """Assign points to prototypes by distance and by how well the piece fits; refit both; start again."""
    z, targets = sample.z[0].astype(np.float64), sample.outputs[0].astype(np.float64)
    gate = prototype_gate(z, k, np.random.RandomState(0))
    piece = pieces_of(z, gate)
    slopes, offsets, _ = refit(z, targets, gate, 1.0)
    for _ in range(rounds):
        cost = -2.0 * (z @ gate[0].T + gate[1])  # the squared distance, but for |z|^2
        misfit = np.stack(
            [((z @ A.T + b - targets) ** 2).sum(axis=1) for A, b in zip(slopes, offsets, strict=True)], axis=1
        )
        piece = (cost / cost.std() + 0.3 * misfit / misfit.std()).argmin(axis=1)
        centers = np.stack([z[piece == j].mean(axis=0) if (piece == j).any() else gate[0][j] for j in range(k)])
        gate = (centers, -0.5 * (centers**2).sum(axis=1))
        slopes, offsets, _ = refit(z, targets, gate, 1.0)
    return GatedPieces(sample.mean, sample.basis, *gate, slopes, offsets)


def ways(
    images: np.ndarray, labels: np.ndarray, samples: dict[str, OutputSample]
) -> dict[str, Callable[[int], GatedPieces]]:
    """Return the ways to fit k pieces, by name."""
    own = samples["none"]

    def classifier(sample: OutputSample, **settings: Any) -> Callable[[int], GatedPieces]:
        return lambda k: PiecewiseAffineClassifier(k, random_state=0, **settings).fit_outputs(sample).pieces_

    def regressor(sample: OutputSample, **settings: Any) -> Callable[[int], GatedPieces]:
        return lambda k: PiecewiseAffineRegressor(k, random_state=0, **settings).fit_outputs(sample).pieces_

    few = {"epochs": 20}
    return {
        "k-means on 50 components, ridge": classifier(own, epochs=0, n_components=50),
        "k-means on 100 components, ridge": classifier(own, epochs=0),
        "the same, with shifted copies": classifier(samples["shifts"], epochs=0),
        "alternating assignment and ridge": lambda k: alternating(own, k),
        "joint, from labels only": lambda k: (
            PiecewiseAffineClassifier(k, random_state=0, **few).fit(images, labels).pieces_
        ),
        "joint, no copies": classifier(own, **few),
        "joint, copies moved by differences": classifier(samples["differences"], **few),
        "joint, shifted copies, least squares": regressor(samples["shifts"], **few),
        "joint, shifted copies, 60 components": classifier(samples["shifts"], n_components=60, **few),
        "joint, shifted copies": classifier(samples["shifts"], **few),
        "joint, shifted copies, 80 epochs (the default)": classifier(samples["shifts"]),
    }


def measured(pieces: GatedPieces, seconds: float, X: np.ndarray, y: np.ndarray, outputs: np.ndarray) -> dict[str, Any]:
    values = pieces(X)
    near = compare_outputs(values, outputs)
    return {
        "n_pieces": pieces.n_pieces,
        "n_parameters": pieces.n_parameters,
        "accuracy": float((values.argmax(axis=1) == y).mean()),
        "agreement": near.agreement,
        "root_mean_square": near.root_mean_square,
        "largest": near.largest,
        "mean_largest": near.mean,
        "seconds": round(seconds, 1),
    }


def shown(name: str, k: int, row: dict[str, Any]) -> None:
    print(
        f"{name:48s} k {k:5d}  {100 * row['accuracy']:6.2f} %  agrees {100 * row['agreement']:6.2f} %  "
        f"rms {row['root_mean_square']:.3f}  {row['seconds']:6.1f} s",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--part", choices=("ways", "curve"))
    parser.add_argument("--quick", action="store_true", help="10 pieces only, a tenth of the images")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    X, y = read("train-images-idx3"), read("train-labels-idx1")
    if arguments.quick:
        X, y = X[::10], y[::10]
    module = conv()
    if arguments.checkpoint:
        module.load_state_dict(torch.load(arguments.checkpoint, weights_only=True))
    else:
        train(module, X, y, 3 if arguments.quick else 30)
    record: dict[str, Any] = {}
    if arguments.out and arguments.out.exists():
        record = json.loads(arguments.out.read_text(encoding="utf-8"))
    record |= {**machine(), "copies": COPIES}

    def keep(part: str, rows: list[dict[str, Any]], accuracy: float) -> None:
        record[part] = {"network_accuracy": accuracy, "load": round(os.getloadavg()[0], 1), "rows": rows}
        if arguments.out:
            write(arguments.out, record)

    if arguments.part != "curve":
        compare_ways(asked(module), X, y, (10,) if arguments.quick else (10, 100), keep)
    if arguments.part != "ways":
        ks = (1, 10) if arguments.quick else (10, 100, 1, 3, 30, 300, 1000)
        curve = draw_curve(asked(module), X, y, ks, keep)
        for row in curve:
            if not arguments.quick and row["accuracy"] < FLOORS.get(row["k"], 0.0):
                raise SystemExit(f"{row['k']} pieces: {row['accuracy']:.4f} is below {FLOORS[row['k']]}")


def compare_ways(network: Network, X: np.ndarray, y: np.ndarray, ks: tuple[int, ...], keep: Keep) -> None:
    """Fit each way to five sixths of the training images and score it on the others."""
    fitted, kept = slice(0, len(X) - len(X) // 6), slice(len(X) - len(X) // 6, None)
    moved = sample_outputs(network, X[fitted], copies=COPIES, change=shifted(float(X.min()), shape=(28, 28)))
    samples = {
        "shifts": moved,
        "none": OutputSample(moved.mean, moved.basis, moved.z[:1], moved.outputs[:1]),
        "differences": sample_outputs(network, X[fitted], copies=COPIES),
    }
    outputs, rows = network(X[kept]), []
    accuracy = float((outputs.argmax(axis=1) == y[kept]).mean())
    for k in ks:
        for name, fit in ways(X[fitted], y[fitted], samples).items():
            start = time.process_time()
            pieces = fit(k)
            row = measured(pieces, time.process_time() - start, X[kept], y[kept], outputs)
            rows.append({"way": name, "k": k, **row})
            shown(name, k, row)
            keep("ways", rows, accuracy)


def draw_curve(network: Network, X: np.ndarray, y: np.ndarray, ks: tuple[int, ...], keep: Keep) -> list[dict[str, Any]]:
    """Fit the default way to all training images, and look at the test images."""
    sample = sample_outputs(network, X, copies=COPIES, change=shifted(float(X.min()), shape=(28, 28)))
    X_test, y_test = read("t10k-images-idx3"), read("t10k-labels-idx1")
    outputs, rows = network(X_test), []
    accuracy = float((outputs.argmax(axis=1) == y_test).mean())
    del network  # from here on there is none
    with tempfile.TemporaryDirectory() as folder:
        for k in ks:
            settings = {"epochs": EPOCHS[k]} if k in EPOCHS else {}
            start = time.process_time()
            model = PiecewiseAffineClassifier(k, random_state=0, **settings).fit_outputs(sample)
            seconds = time.process_time() - start
            model.save(Path(folder) / "model.npz")
            again = PiecewiseAffineClassifier.load(Path(folder) / "model.npz")
            if not np.array_equal(again.predict(X_test), model.predict(X_test)):
                raise SystemExit("the saved model predicts something else")
            row = measured(again.pieces_, seconds, X_test, y_test, outputs)
            rows.append({"k": k, "epochs": model.epochs, **row})
            shown("test images", k, row)
            keep("curve", sorted(rows, key=lambda row: row["k"]), accuracy)
    return rows


if __name__ == "__main__":
    main()
