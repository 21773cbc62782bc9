"""Which color stands for what? Palettes that stay apart for color-blind eyes. Classes have theirs in `class_colors`.

Lines (of layers, neurons, groups) take eight colors that were found by a search: at least 16.5 apart in CIEDE2000 under
normal vision, deuteranopia and protanopia, and with 3:1 to white paper. Regions take the qualitative scheme "light" of
[Tol2021].
Affine maps are placed in the color space Oklab [Ottosson2020]: the axis along which the maps differ most
is lightness, the next one runs from blue to yellow, both of which nearly every eye can tell apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from reluatlas.typing import FloatArray, IntArray

if TYPE_CHECKING:
    from reluatlas.complexes.complex import PolyhedralComplex


LINES = ("#454BC2", "#CD0062", "#A68125", "#218C88", "#655502", "#807BE9", "#000977", "#1D2B00")
LIGHT = ("#77AADD", "#EE8866", "#EEDD88", "#44BB99", "#FFAABB", "#99DDFF", "#BBCC33", "#AAAA00", "#DDDDDD")
TIE_COLOR = "#999999"
EARLIER = "#C4C4C4"
BOUNDARY = "#000000"

_DARK_ENOUGH = 0.52  # of viridis
_LIGHTNESS = (0.56, 0.95)
_BLUE_YELLOW = 0.12
_RED_GREEN = 0.055
_MANY_COORDINATES = 256


def rgb(colors: list[str] | tuple[str, ...]) -> FloatArray:
    """Return hexadecimal colors as rows (N, 3) of numbers in [0, 1]."""
    return np.array([[int(c[i : i + 2], 16) / 255 for i in (1, 3, 5)] for c in colors])


def series(n: int, *, light: bool = False) -> FloatArray:
    """Return n colors (n, 3): a qualitative scheme while it lasts, then steps of viridis.

    Those that are not light are for lines: all have 3:1 to white paper.
    """
    scheme = LIGHT if light else LINES
    if n <= len(scheme):
        return rgb(scheme)[:n]
    import matplotlib

    steps = matplotlib.colormaps["viridis"](np.linspace(0.0, 0.95 if light else _DARK_ENOUGH, n))[:, :3]
    return 0.45 + 0.55 * steps if light else steps


def of_maps(cx: PolyhedralComplex) -> FloatArray:
    """Return one color (n_cells, 3) for each cell's affine map; equal maps have equal colors.

    A map is described by its values in output units: its change across half of the domain in each
    coordinate, and its value in the middle. The first three principal axes of these vectors,
    weighted by volume, become lightness, blue to yellow, and red to green; along each axis the
    colors are spread by rank, so that every shade covers about the same share of the picture.
    """
    ids, first = np.unique(np.asarray(cx.affine_map_ids), return_index=True)
    where = np.searchsorted(ids, cx.affine_map_ids)
    weight = np.bincount(where, weights=np.asarray(cx.volumes, dtype=np.float64))
    weight = np.maximum(weight / max(weight.sum(), np.finfo(float).tiny), 1e-12)
    box = cx.box
    half, middle = (box.high - box.low) / 2, (box.high + box.low) / 2
    A, b = cx.affine.A[first], cx.affine.b[first]
    vectors = np.concatenate([(A * half).reshape(len(ids), -1), A @ middle + b], axis=1)
    scores = _principal_scores(vectors, weight)
    ranks = np.stack([_rank(column, weight) for column in scores.T], axis=1)
    lightness = _LIGHTNESS[0] + (_LIGHTNESS[1] - _LIGHTNESS[0]) * ranks[:, 0]
    red_green = _RED_GREEN * (2 * ranks[:, 2] - 1)
    blue_yellow = _BLUE_YELLOW * (2 * ranks[:, 1] - 1)
    return _oklab_to_rgb(np.stack([lightness, red_green, blue_yellow], axis=1))[where]


def of_regions(cx: PolyhedralComplex, region: IntArray | None = None) -> FloatArray:
    """Return one color (n_cells, 3) per linear region, or other part of the cells; those that share an edge differ.

    Greedy coloring, vertices of least degree last; among the free colors the one used least. The
    regions of a plane domain need at most six colors this way.
    """
    region = np.asarray(cx.linear_regions if region is None else region)
    n = int(region.max()) + 1
    owner = np.repeat(np.arange(cx.n_cells), np.diff(cx.vertices.offsets))
    inner = cx.facets.neighbor >= 0
    pairs = np.stack([region[owner[inner]], region[cx.facets.neighbor[inner]]], axis=1)
    pairs = np.unique(pairs[pairs[:, 0] != pairs[:, 1]], axis=0)
    links: list[set[int]] = [set() for _ in range(n)]
    for i, j in pairs.tolist():
        links[i].add(j)
        links[j].add(i)
    chosen = np.full(n, -1)
    used = [0] * 6
    for i in reversed(_smallest_last(links)):
        taken = {int(chosen[j]) for j in links[i]}
        free = [c for c in range(len(used)) if c not in taken]
        if not free:
            free = [len(used)]
            used.append(0)
        chosen[i] = min(free, key=lambda c: (used[c], c))
        used[chosen[i]] += 1
    return series(len(used), light=True)[chosen][region]


def _smallest_last(links: list[set[int]]) -> list[int]:
    """Return the vertices in the order of repeatedly taking away one of the smallest degree."""
    degree = [len(s) for s in links]
    buckets: list[list[int]] = [[] for _ in range(max(degree, default=0) + 1)]
    for i, d in enumerate(degree):
        buckets[d].append(i)
    gone, order, low = [False] * len(links), [], 0
    while len(order) < len(links):
        low = next(d for d in range(max(low - 1, 0), len(buckets)) if buckets[d])
        i = buckets[low].pop()
        if gone[i] or degree[i] != low:
            low += 1
            continue
        gone[i] = True
        order.append(i)
        for j in links[i]:
            if not gone[j]:
                degree[j] -= 1
                buckets[degree[j]].append(j)
    return order


def _principal_scores(vectors: FloatArray, weight: FloatArray) -> FloatArray:
    """Return the coordinates (N, 3) of the rows on their first three weighted principal axes."""
    centered = vectors - weight @ vectors / weight.sum()
    scale = np.abs(centered).max(initial=0.0)
    scores = np.zeros((len(vectors), 3))
    if scale == 0 or not np.isfinite(scale):
        return scores
    centered = centered / scale
    if centered.shape[1] > _MANY_COORDINATES:  # distances survive a random projection [JohnsonLindenstrauss1984]
        mix = np.random.default_rng(0).standard_normal((centered.shape[1], _MANY_COORDINATES))
        centered = centered @ mix / np.sqrt(_MANY_COORDINATES)
    axes = np.linalg.svd(centered * np.sqrt(weight)[:, None], full_matrices=False)[2][:3]
    largest = np.abs(axes).argmax(axis=1)
    axes = axes * np.sign(axes[np.arange(len(axes)), largest])[:, None]
    scores[:, : len(axes)] = centered @ axes.T
    return scores


def _rank(values: FloatArray, weight: FloatArray) -> FloatArray:
    """Return, for each value, the share in [0, 1] of the weight that lies below it (half of its own)."""
    levels, where = np.unique(np.round(values, 12), return_inverse=True)
    share = np.bincount(where, weights=weight, minlength=levels.size)
    share = share / share.sum()
    return (np.cumsum(share) - share / 2)[where]


def _oklab_to_rgb(lab: FloatArray) -> FloatArray:
    to_cone = np.array(
        [
            [1.0, 0.3963377774, 0.2158037573],
            [1.0, -0.1055613458, -0.0638541728],
            [1.0, -0.0894841775, -1.2914855480],
        ]
    )
    to_linear = np.array(
        [
            [4.0767416621, -3.3077115913, 0.2309699292],
            [-1.2684380046, 2.6097574011, -0.3413193965],
            [-0.0041960863, -0.7034186147, 1.7076147010],
        ]
    )
    linear = np.clip((lab @ to_cone.T) ** 3 @ to_linear.T, 0.0, 1.0)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 0.0031308) ** (1 / 2.4) - 0.055)
