"""Draw the README's figure: the shipped digits network on the plane through three digits.

Run as `python scripts/make_readme_figure.py [--out docs/images/digits.png]`.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np

import reluatlas as ra
from reluatlas.datasets.demo import load_demo_digits

OUT = Path(__file__).resolve().parents[1] / "docs" / "images" / "digits.png"


def _image(ax, image: np.ndarray, point: np.ndarray, side: float, toward: tuple[int, int]) -> None:
    ax.plot(*point, "o", color="white", markeredgecolor="black", markersize=5, zorder=8)
    u = point + 1.4 * side * np.array(toward)
    ax.imshow(
        image, cmap="gray_r", vmin=0, vmax=1, zorder=6, aspect="auto", interpolation="nearest",
        extent=(u[0] - side, u[0] + side, u[1] - side, u[1] + side),
    )  # fmt: skip
    corner = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1], [-1, -1]]) * side + u
    ax.plot(*corner.T, color="black", linewidth=0.8, zorder=7)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=OUT)
    out = parser.parse_args().out
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    digits = load_demo_digits()
    plane = ra.Slice.through(digits.points, margin=0.5)
    cx = ra.enumerate_cells(digits.network, plane)
    low, high = plane.box.low, plane.box.high
    figure = Figure(figsize=(11, 4.6), layout="compressed")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    ra.plot.cells(cx, by="layer", ax=left)
    left.set_title(f"its {cx.n_cells:,} cells: the layer that made each edge")
    ra.plot.cells(cx, by="class", ax=right, linewidth=0.3)
    right.set_title("the same cells, by class; black: the decision boundary")
    beside = ((1, 1), (1, 1), (-1, 1))  # where each image has room in its own class
    for image, point, toward in zip(digits.images, digits.points, beside, strict=True):
        _image(right, image, plane.coordinates(point), 0.045 * float(high[0] - low[0]), toward)
    for ax in (left, right):  # what the images have moved
        ax.set_xlim(low[0], high[0])
        ax.set_ylim(low[1], high[1])
    temporary = out.with_suffix(".tmp")
    figure.savefig(temporary, format="png", dpi=130, metadata={"Software": None}, facecolor="white")
    os.replace(temporary, out)


if __name__ == "__main__":
    main()
