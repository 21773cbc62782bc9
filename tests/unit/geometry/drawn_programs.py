"""Random linear programs, degenerate on purpose."""

from __future__ import annotations

import random

KINDS = ("whole", "ternary", "floats", "cone", "duplicate", "parallel", "flat", "box", "few")


def draw(kind: str, seed: int, k_most: int = 4) -> tuple[list[list[int]], list[int], int]:
    """Return (rows (a, b), objective, k) in whole numbers."""
    rng = random.Random(f"{kind} {seed}")
    k = rng.randint(1, k_most)
    m = rng.randint(0, 3 * k + 2)
    top = 1 if kind in ("ternary", "cone") and rng.random() < 0.7 else 2**40 if kind == "floats" else 5
    rows = [[rng.randint(-top, top) for _ in range(k + 1)] for _ in range(m)]
    if kind == "cone":
        rows = [[*row[:k], 0] for row in rows]
    if kind == "few":
        rows = rows[: k - 1]
    if kind in ("duplicate", "parallel", "flat") and rows:
        for _ in range(rng.randint(1, 3)):
            row, factor = rng.choice(rows), rng.choice([1, 2, 3])
            shift = 0 if kind == "duplicate" else rng.choice([-1, 0, 1, 4])
            sign = -1 if kind == "flat" else rng.choice([-1, 1])
            rows.append([sign * factor * v for v in row[:k]] + [sign * factor * row[k] + shift])
    if kind == "box":
        for j in range(k):
            rows += [[int(i == j) for i in range(k)] + [1], [-int(i == j) for i in range(k)] + [1]]
    if rng.random() < 0.2 and rows:
        rows[rng.randrange(len(rows))][:k] = [0] * k
    rng.shuffle(rows)
    g = [rng.randint(-top, top) for _ in range(k)]
    if rng.random() < 0.3 and rows:
        g = rng.choice(rows)[:k]
    return rows, g, k
