"""Which pictures does the MNIST study make? One function each, from the run's files to a matplotlib figure."""

from __future__ import annotations

from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

import numpy as np

from reluatlas.figures import colors as palette
from reluatlas.figures.affine_images import affine_images
from reluatlas.report.figure_files import new_figure
from reluatlas.studies.mnist import published, tables
from reluatlas.studies.mnist.tables import Facts

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def region_images(found: Facts, folder: Path, which: int) -> Figure:
    """Return the maps of all networks of the first seed at the first test image of a class."""
    rows, image = {}, None
    for name in found["study"]["networks"]:
        stored = _images(found, folder, name)
        rows[found["study"]["titles"][name]] = stored["A"][which]
        image = stored["images"][which]
    figure, axes = _table_of_pictures(len(rows), 11)
    affine_images(rows, image=image, axes=axes)
    return figure


def own_images(found: Facts, folder: Path) -> Figure:
    """Return, for each class, the weights of its own output at the first test image of the class."""
    rows, images = {}, None
    for name in found["study"]["networks"]:
        stored = _images(found, folder, name)
        rows[found["study"]["titles"][name]] = stored["A"][np.arange(10), np.arange(10)]
        images = stored["images"]
    assert images is not None
    figure, axes = _table_of_pictures(len(rows) + 1, 10)
    affine_images(rows, axes=axes[1:])
    for c, ax in enumerate(axes[0]):
        ax.imshow(images[c], cmap="gray_r", interpolation="nearest")
        ax.set_xticks([])
        ax.set_yticks([])
        ax.set_title(str(c), fontsize="medium")
        axes[1, c].set_title("")
    axes[0, 0].set_ylabel("image", fontsize="medium")
    return figure


def _images(found: Facts, folder: Path, name: str) -> dict[str, np.ndarray]:
    with np.load(folder / "images" / f"{name}-seed{found['study']['seeds'][0]}.npz", allow_pickle=False) as stored:
        A = stored["A"]
        return {"A": A.reshape(*A.shape[:2], *A.shape[-2:]), "images": stored["images"]}


def fewer_maps(found: Facts) -> Figure:
    """Return the accuracy over the number of centers per class, with the paper's where there is one."""
    figure = new_figure((11.4, 4.6))
    ax = figure.subplots()
    ks = tables.counts(found, "reduction")
    for name, ink in _inks(found):
        title = found["study"]["titles"][name]
        curves = [tables.fewer(found, name, k) for k in ks]
        ax.plot(ks, [fmean(c) for c in curves], "o-", color=ink, label=title)
        for k, values in zip(ks, curves, strict=True):
            ax.plot([k, k], [min(values), max(values)], "-", color=ink, linewidth=4, alpha=0.3)
        theirs = [(k, tables.percent(published.fewer(name, k))) for k in ks]
        if tables.has_paper(found) and any(v is not None for _, v in theirs):
            ax.plot(*zip(*theirs, strict=True), "x:", color=ink, linewidth=1.2, label=f"{title}, paper")
        ax.axhline(fmean(tables.accuracies(found, name)), color=ink, linewidth=0.7, linestyle="--", alpha=0.7)
    _log(ax, "centers per class")
    ax.set_ylabel("right, % of the test images")
    ax.legend(fontsize="small", frameon=False, loc="lower right")
    return figure


def standing_alone(found: Facts) -> Figure:
    """Return the accuracy of models that stand alone, over pieces and over parameters."""
    figure = new_figure((11.4, 4.0))
    left, right = figure.subplots(1, 2, sharey=True)
    ks, n = tables.counts(found, "standalone"), found["study"]["n_test"]
    for name, ink in _inks(found):
        rows = [tables.alone(found, name, k) for k in ks]
        accuracy = [fmean(100 * r["n_right"] / n for r in row) for row in rows]
        title = found["study"]["titles"][name]
        own = fmean(tables.accuracies(found, name))
        left.plot(ks, accuracy, "o-", color=ink, label=title)
        left.axhline(own, color=ink, linewidth=0.7, linestyle="--", alpha=0.7)
        right.plot([fmean(r["n_parameters"] for r in row) for row in rows], accuracy, "o-", color=ink)
        size = fmean(f["n_parameters"] for f in tables.of_network(found, "networks", name))
        right.plot([size], [own], "*", color=ink, markersize=11)
    _log(left, "affine pieces")
    left.set_ylabel("right, % of the test images")
    left.legend(fontsize="small", frameon=False, loc="lower right")
    _log(right, "parameters (star: the network)")
    return figure


def ranks(found: Facts) -> Figure:
    """Return how good mapped maps are when the mapping has a low rank."""
    figure = new_figure((11.4, 4.6))
    ax = figure.subplots()
    names = found["study"]["networks"]
    chosen = [(f, g) for f in names for g in names if f != g]
    for (f, g), ink in zip(chosen, palette.series(max(len(chosen), 2)), strict=False):
        curves = [p["by_rank"] for p in tables.pairs(found, f, g, "mapped") if p["by_rank"]]
        if curves:
            x = curves[0]["ranks"]
            y = [100 * fmean(c["accuracy"][i] for c in curves if i < len(c["accuracy"])) for i in range(len(x))]
            titles = found["study"]["titles"]
            ax.plot(x, y, "o-", color=ink, markersize=3, label=f"{titles[f]} to {titles[g]}")
    _log(ax, "rank of the mapping, per class")
    ax.set_ylabel("right, % of the test images")
    ax.legend(fontsize="small", frameon=False, loc="lower right")
    return figure


def _log(ax: Axes, label: str) -> None:
    """Make the axis logarithmic, with plain numbers at its powers of ten."""
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    ax.set(xscale="log", xlabel=label)
    ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 3.0)))
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    ax.xaxis.set_minor_formatter(NullFormatter())


def _inks(found: Facts):
    names = found["study"]["networks"]
    return list(zip(names, palette.series(max(len(names), 2)), strict=False))


def _table_of_pictures(n_rows: int, n_columns: int):
    """Return a figure and its square axes, placed by hand: a layout engine takes seconds for so many."""
    left, right, top, bottom, cell, gap = 0.45, 0.75, 0.3, 0.06, 1.02, 0.07
    width = left + n_columns * cell + (n_columns - 1) * gap + right
    height = top + n_rows * cell + (n_rows - 1) * gap + bottom
    figure = new_figure((width, height))
    figure.set_layout_engine("none")
    place = {"left": left / width, "right": 1 - right / width, "top": 1 - top / height, "bottom": bottom / height}
    return figure, figure.subplots(
        n_rows, n_columns, squeeze=False, gridspec_kw={**place, "wspace": gap / cell, "hspace": gap / cell}
    )
