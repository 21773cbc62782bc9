"""What users put on our figures lies on top; keys cover nothing; files can be edited."""

from __future__ import annotations

import io
import re
from typing import get_args

import matplotlib
import numpy as np
import pytest

import reluatlas as ra
from reluatlas.errors import ArgumentError, DimensionError
from reluatlas.figures import plot
from reluatlas.figures.cells import By
from tests.oracles.color_vision import contrast
from tests.unit.figures.fake import layers_of

matplotlib.use("Agg")


@pytest.fixture(scope="module")
def net():
    return ra.load(layers_of((4, 9, 8, 5)))


@pytest.fixture(scope="module")
def cx(net):
    return ra.enumerate_cells(net, ra.Slice(np.zeros(4), np.eye(4)[:2], box=ra.Box(-4, 4, dim=2)))


@pytest.fixture(autouse=True)
def closed():
    from matplotlib import pyplot

    yield
    pyplot.close("all")


FIGURES = {
    **{f"cells by {by}": lambda cx, net, by=by: plot.cells(cx, by=by) for by in get_args(By)},
    "joined": lambda cx, net: plot.joined(ra.join_cells(cx, 0)),
    "dual": lambda cx, net: plot.dual(cx),
    "surface": lambda cx, net: plot.surface(cx),
    "layers": lambda cx, net: plot.layers(cx)[-1],
    "path": lambda cx, net: plot.path(ra.trace(net, ra.Segment(-np.ones(4), np.ones(4)))),
    "density": lambda cx, net: plot.path_density({"a": [1.0, 2.0], "b": [3.0]}),
    "graph": lambda cx, net: plot.dual_graph(ra.explore(net, np.zeros(4) + 0.1, max_cells=9)),
    "walk": lambda cx, net: plot.walk(ra.explore(net, -np.ones(4), target=np.ones(4), max_cells=99)),
    "facets": lambda cx, net: plot.facet_distances(ra.cell_at(net, np.full(4, 0.1))),
    "boundary": lambda cx, net: plot.boundary(
        ra.enumerate_cells(net, ra.Slice(np.zeros(4), np.eye(4)[:3], box=ra.Box(-3, 3, dim=3)))
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FIGURES)
def test_all_is_drawn_below_what_users_add(name, cx, net):
    ax = FIGURES[name](cx, net)
    drawn = [*ax.collections, *ax.lines, *ax.images, *ax.texts, *ax.patches]
    assert drawn and max(a.get_zorder() for a in drawn) < 1.0
    if ax.name == "3d":
        assert ax.computed_zorder is False
        added = ax.scatter([0.0], [0.0], [0.0])
    else:
        added = ax.scatter([0.5], [0.5])
    assert added.get_zorder() >= 1.0


def test_a_point_is_seen_over_cells(cx):
    """The pixels, not only the numbers: a red disc is red in its middle."""
    ax = plot.cells(cx, by="class")
    ax.scatter([1.0], [1.0], s=400, c=["#FF0000"])
    figure = ax.figure
    figure.canvas.draw()
    column, row = ax.transData.transform((1.0, 1.0))
    image = np.asarray(figure.canvas.buffer_rgba())
    assert image[image.shape[0] - 1 - int(row), int(column), :3].tolist() == [255, 0, 0]


@pytest.mark.parametrize("size", [(6.4, 4.8), (12, 5), (7, 3)])
def test_a_key_covers_no_other_axes(cx, net, size):
    from matplotlib.figure import Figure

    path = ra.trace(net, ra.Segment(-np.ones(4), np.ones(4)))
    figure = Figure(figsize=size)  # no layout, as `pyplot.subplots(2, 3)` has none
    axes = figure.subplots(2, 3)
    plot.cells(cx, by="class", ax=axes[0, 0])
    plot.dual(cx, ax=axes[0, 1])
    plot.surface(cx, ax=_solid(axes, (0, 2)))
    plot.path(path, ax=axes[1, 0])
    plot.cells(cx, by="layer", ax=axes[1, 1])
    plot.facet_distances({"a": ra.cell_at(net, np.full(4, 0.1), ra.Box(-1, 1, dim=4))}, ax=axes[1, 2])
    figure.canvas.draw()
    boxes = [ax.get_window_extent() for ax in axes.flat]
    for i, ax in enumerate(axes.flat):
        key = ax.get_legend()
        beside = [key.get_window_extent()] if key else []
        beside += [t.get_window_extent() for t in ax.texts if t.get_gid() != "class name"]
        for extent in beside:
            assert extent.x1 <= figure.bbox.x1 and extent.y0 >= figure.bbox.y0
            for j, other in enumerate(boxes):
                assert i == j or not extent.overlaps(other), (i, j)
        if key and ax not in (axes[1, 0], axes[0, 2]):  # lines with a free place, a surface with free corners
            assert not key.get_window_extent().overlaps(boxes[i].shrunk(0.99, 0.99)), "nor its own"


def _solid(axes, at):
    """Put 3-D axes into a place of a grid, and return them."""
    place, figure = axes[at].get_subplotspec(), axes[at].figure
    axes[at].remove()
    axes[at] = figure.add_subplot(place, projection="3d")
    return axes[at]


def test_a_long_key_says_how_many_it_leaves_out():
    from matplotlib.figure import Figure

    from reluatlas.figures.keys import beside

    ax = Figure(figsize=(4, 2)).subplots()
    beside(ax, [f"class {i}" for i in range(40)], list(plot.class_colors(np.arange(40))))
    texts = [t.get_text() for t in ax.get_legend().get_texts()]
    assert texts[-1] == f"and {40 - len(texts) + 1} more" and 2 <= len(texts) < 17


def test_points_in_the_colors_of_their_classes(cx, net):
    X = np.random.default_rng(0).uniform(-3, 3, (40, 4))
    X[:20, 2:] = 0.0
    y = np.arange(40) % 5
    ax = plot.cells(cx, by="class", X=X, y=y, figsize=(5, 4))
    assert ax.figure.get_size_inches().tolist() == [5, 4]
    on = next(c for c in ax.collections if c.get_gid() == "points")
    off = next(c for c in ax.collections if c.get_gid() == "points off the plane")
    assert np.allclose(on.get_offsets(), X[:20, :2]) and np.allclose(off.get_offsets(), X[20:, :2])
    ours = plot.class_colors(y)
    assert np.allclose(on.get_facecolors()[:, :3], ours[:20]) and np.allclose(off.get_edgecolors()[:, :3], ours[20:])
    assert len(off.get_facecolors()) == 0, "hollow"
    plain = plot.cells(cx, X=X[:, :2].tolist())
    assert np.allclose(next(c for c in plain.collections if c.get_gid() == "points").get_offsets(), X[:, :2])
    assert plain.get_xlim() == (-4, 4), "points move no limits"
    for wrong, problem, text in (
        ({"X": X[:, :3]}, DimensionError, r"shape \(40, 3\)"),
        ({"X": X[0]}, DimensionError, r"shape \(4,\)"),
        ({"X": [["a", "b"]]}, DimensionError, "no.* array of numbers"),
        ({"X": X * np.nan}, ArgumentError, "NaN"),
        ({"X": X, "y": y[:3]}, DimensionError, "3 classes"),
        ({"X": X, "y": y - 1}, ArgumentError, "from 0 on"),
        ({"X": X, "y": y + 0.5}, ArgumentError, "from 0 on"),
        ({"X": X, "y": ["cat"] * 40}, ArgumentError, "no names of classes"),
        ({"y": y}, ArgumentError, "`X` is None"),
        ({"figsize": (0, 3)}, ArgumentError, "no size"),
        ({"figsize": (5, 4), "ax": ax}, ArgumentError, "one of them"),
        ({"palette": ["red"]}, ArgumentError, "has 1 colors"),
    ):
        with pytest.raises(problem, match=text):
            plot.cells(cx, by="class", **wrong)


def test_one_class_one_color_in_every_figure(cx, net):
    """The color at a place, of cells and surface; of outputs of paths and dual points; of the graph's nodes."""
    palette = {2: "#123456"}
    expected = plot.class_colors(np.arange(5), palette=palette)
    ax = plot.cells(cx, by="class", palette=palette)
    faces = next(c for c in ax.collections if c.get_gid() == "cells")
    for path, color in zip(faces.get_paths(), faces.get_facecolors(), strict=True):
        middle = path.vertices[:-1].mean(axis=0)
        assert np.allclose(color[:3], expected[net(cx.domain.embed(middle)[None]).argmax()])
    top = plot.surface(cx, palette=palette)
    keys = {t.get_text(): h.get_facecolor()[:3] for t, h in zip(*_entries(top), strict=True)}
    assert keys and all(np.allclose(color, expected[int(name.split()[-1])]) for name, color in keys.items())
    path = ra.trace(net, ra.Segment(-3 * np.ones(4), 3 * np.ones(4)))
    drawn = {ln.get_label(): ln for ln in plot.path(path, palette=palette).lines}
    for k in range(5):
        line = drawn[f"output {k}"]
        assert np.allclose(matplotlib.colors.to_rgb(line.get_color()), expected[k])
        assert bool(line.get_path_effects()) == (contrast(tuple(expected[k]), (1, 1, 1)) < 3)
    found = ra.explore(net, np.full(4, 0.1), max_cells=12)
    nodes = [c for c in plot.dual_graph(found, palette=palette).collections if c.get_gid() == "cells"]
    hues = np.unique(np.concatenate([c.get_facecolors()[:, :3] for c in nodes]).round(6), axis=0)
    assert np.allclose(hues, np.unique(expected[np.unique(found.classes)].round(6), axis=0))


def _entries(ax):
    key = ax.get_legend()
    return key.get_texts(), key.get_patches()


def test_signs_of_a_difference_have_the_colors_of_its_classes(cx):
    ax = plot.surface(cx, output=(3, 1))
    colors = {t.get_text()[-3:]: h.get_facecolor()[:3] for t, h in zip(*_entries(ax), strict=True)}
    ours = plot.class_colors(np.arange(5))
    assert np.allclose(colors["> 0"], ours[3]) and np.allclose(colors["< 0"], ours[1])
    one = plot.surface(cx, output=3)
    colors = {t.get_text()[-3:]: h.get_facecolor()[:3] for t, h in zip(*_entries(one), strict=True)}
    assert np.allclose(colors["> 0"], ours[3]) and not any(np.allclose(colors.get("< 0", (2, 2, 2)), c) for c in ours)


def test_names_stand_in_the_areas_of_their_classes(cx, net):
    ax = plot.cells(cx, by="class")
    words = [t for t in ax.texts if t.get_gid() == "class name"]
    assert words
    for word in words:
        at = cx.domain.embed(np.array(word.get_position()))
        assert word.get_text() == str(net(at[None]).argmax())
    assert not [t for t in plot.cells(cx, by="class", legend=False).texts if t.get_gid() == "class name"]


def test_fonts_of_files_are_true_type(cx):
    before = dict(matplotlib.rcParams)
    files = {kind: io.BytesIO() for kind in ("pdf", "ps")}
    for kind, file in files.items():
        plot.cells(cx, by="class").figure.savefig(file, format=kind)
    assert dict(matplotlib.rcParams) == before
    pdf = files["pdf"].getvalue()
    assert b"/Type3" not in pdf and re.search(rb"/Subtype\s*/(CIDFontType2|TrueType)", pdf)
    assert b"/FontType 42" in files["ps"].getvalue() and b"/FontType 3 " not in files["ps"].getvalue()
