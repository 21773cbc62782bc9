"""A slow, plain float subdivision of a plane box, with the fields of a complex that figures read.

Drawing is tested on it, not on the engine: a fault in one of the two cannot hide in the other.
"""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace

import numpy as np

from reluatlas.affine import AffineMaps
from reluatlas.domain import Box
from reluatlas.network.build import Builder


def layers_of(sizes, *, seed: int = 0):
    """Return [(W, b), ...] uniform in +-1/sqrt(fan-in)."""
    rng = np.random.default_rng(seed)
    out = []
    for n, m in pairwise(sizes):
        bound = 1 / np.sqrt(n)
        out.append((rng.uniform(-bound, bound, (m, n)), rng.uniform(-bound, bound, m)))
    return out


def complex_of(layers, domain=None, *, drop=()):
    """Return the complex of a dense ReLU network on a box or slice, without the cells in `drop`."""
    domain = Box(-1, 1, dim=2) if domain is None else domain
    layers = [(np.asarray(w, dtype=float), np.asarray(b, dtype=float)) for w, b in layers]
    builder, node = Builder((layers[0][0].shape[1],)), 0
    for position, (weight, bias) in enumerate(layers):
        node = builder.dense(node, weight, bias)
        node = builder.relu(node) if position < len(layers) - 1 else node
    network = builder.finish(node)
    origin, basis = domain.frame()
    (x0, y0), (x1, y1) = domain.box.low, domain.box.high
    square = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], dtype=float)
    state = np.column_stack([basis.T, origin])
    cells = [(square, [(-1, 0)] * 4, state)]
    for level, (weight, bias) in enumerate(layers):
        last = level == len(layers) - 1
        cells = [child for cell in cells for child in _layer(*cell, weight, bias, level, last)]
    return _assemble([c for i, c in enumerate(cells) if i not in set(drop)], network, domain, bool(len(drop)))


def _layer(points, owners, state, weight, bias, level, last):
    rows = weight @ state
    rows[:, 2] += bias
    if last:
        return [(points, owners, rows)]
    pieces = [(points, owners)]
    for unit, row in enumerate(rows):
        pieces = [part for piece in pieces for part in _cut(*piece, row, (level, unit))]
    out = []
    for part, labels in pieces:
        on = rows[:, :2] @ part.mean(axis=0) + rows[:, 2] > 0
        out.append((part, labels, rows * on[:, None]))
    return out


def _cut(points, owners, row, label):
    values = points @ row[:2] + row[2]
    if (values >= 0).all() or (values <= 0).all():
        return [(points, owners)]
    out = []
    for sign in (-1, 1):
        kept, labels = [], []
        for j in range(len(points)):
            i = (j + 1) % len(points)
            p, q, v, w = points[j], points[i], sign * values[j], sign * values[i]
            if v > 0:
                kept.append(p)
                labels.append(owners[j])
            if v * w < 0 or (v == 0 and w > 0) or (v > 0 and w == 0):
                cross = p + (q - p) * (v / (v - w)) if v * w < 0 else (p if v == 0 else q)
                kept.append(cross)
                labels.append(label if v > 0 else owners[j])
        out.append((np.array(kept), labels))
    return out


def _assemble(cells, network, domain, is_incomplete):
    sizes = [len(points) for points, _, _ in cells]
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    points = np.concatenate([c[0] for c in cells])
    owners = np.array([label for c in cells for label in c[1]])
    maps = np.stack([c[2] for c in cells])
    cell_of = np.repeat(np.arange(len(cells)), sizes)
    following = np.arange(len(points)) + 1
    following[offsets[1:] - 1] = offsets[:-1]
    twin = np.full(len(points), -1, dtype=np.int64)
    ends = np.sort(np.round((points[:, 0] + np.pi * points[:, 1])[np.stack([np.arange(len(points)), following])], 9), 0)
    seen: dict = {}
    for j, key in enumerate(zip(*ends, strict=True)):
        if key in seen and seen[key] != j:
            twin[j], twin[seen[key]] = seen[key], j
        seen[key] = j
    neighbor = np.where(twin >= 0, cell_of[twin], np.where(owners[:, 0] < 0, -1, -2))
    rounded = np.round(maps.reshape(len(cells), -1), 9) + 0.0
    ids = np.unique(rounded, axis=0, return_inverse=True)[1].reshape(-1)
    regions = _regions(len(cells), cell_of, neighbor, ids)
    q = points[following]
    cross = points[:, 0] * q[:, 1] - points[:, 1] * q[:, 0]
    return SimpleNamespace(
        network=network,
        domain=domain,
        n_cells=len(cells),
        n_outputs=network.n_outputs,
        is_complete=not is_incomplete,
        affine=AffineMaps(maps[:, :, :2].copy(), maps[:, :, 2].copy()),
        volumes=np.add.reduceat(cross, offsets[:-1]) / 2,
        vertices=SimpleNamespace(points=points, offsets=offsets),
        facets=SimpleNamespace(
            neighbor=neighbor, twin=twin, level=owners[:, 0].astype(np.int32), unit=owners[:, 1], offsets=offsets
        ),
        affine_map_ids=ids,
        n_affine_maps=int(ids.max()) + 1,
        linear_regions=regions,
        n_linear_regions=int(regions.max()) + 1,
        decision_boundary=lambda: _boundary(points, offsets, maps),
    )


def _regions(n, cell_of, neighbor, ids):
    label = -np.ones(n, dtype=np.int64)
    links: list[list[int]] = [[] for _ in range(n)]
    for i, j in zip(cell_of, neighbor, strict=True):
        if j >= 0 and ids[i] == ids[j]:
            links[i].append(int(j))
    count = 0
    for start in range(n):
        if label[start] < 0:
            stack, label[start] = [start], count
            while stack:
                for j in links[stack.pop()]:
                    if label[j] < 0:
                        label[j] = count
                        stack.append(j)
            count += 1
    return label


class _Pieces(SimpleNamespace):
    def __len__(self):
        return len(self.cell)


def _boundary(points, offsets, maps):
    """Return the zero set of one output, or where two outputs tie above all others."""
    segments, owner, full = [], [], {}
    m = maps.shape[1]
    for i in range(len(offsets) - 1):
        polygon = points[offsets[i] : offsets[i + 1]]
        values = polygon @ maps[i, :, :2].T + maps[i, :, 2]
        pairs = [(0, None)] if m == 1 else [(c, d) for c in range(m) for d in range(c)]
        for c, d in pairs:
            height = values[:, c] - (0 if d is None else values[:, d])
            if not height.any() and values[:, c].sum() >= (values.sum(axis=0).max() if m > 1 else 0):
                full.setdefault(i, np.zeros(m, dtype=bool))[[c, c if d is None else d]] = True
            ends = []
            for j in range(len(polygon)):
                k = (j + 1) % len(polygon)
                if height[j] * height[k] < 0:
                    t = height[j] / (height[j] - height[k])
                    ends.append((polygon[j] + t * (polygon[k] - polygon[j]), values[j] + t * (values[k] - values[j])))
            if len(ends) != 2:
                continue
            low, high = 0.0, 1.0
            for e in range(m):
                if d is not None and e not in (c, d):
                    a, b = ends[0][1][c] - ends[0][1][e], ends[1][1][c] - ends[1][1][e]
                    if a < 0 and b < 0:
                        high = -1.0
                    elif a < 0:
                        low = max(low, a / (a - b))
                    elif b < 0:
                        high = min(high, a / (a - b))
            if low < high:
                p, q = ends[0][0], ends[1][0]
                segments.append([p + low * (q - p), p + high * (q - p)])
                owner.append(i)
    return SimpleNamespace(
        points=np.array(segments).reshape(-1, 2, 2),
        cell=np.array(owner, dtype=np.int64),
        full_cells=np.array(sorted(full), dtype=np.int64),
        full_pieces=_Pieces(
            points=np.concatenate([points[offsets[i] : offsets[i + 1]] for i in sorted(full)] or [np.zeros((0, 2))]),
            offsets=np.concatenate([[0], np.cumsum([offsets[i + 1] - offsets[i] for i in sorted(full)])]).astype(int),
            cell=np.array(sorted(full), dtype=np.int64),
            outputs=np.array([full[i] for i in sorted(full)], dtype=bool).reshape(-1, m),
        ),
    )
