"""Every n-th case of each test, where RELUATLAS_EVERY names an n: kernels that check every index are slow."""

from __future__ import annotations

import os
from collections import Counter

import pytest


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    every = int(os.environ.get("RELUATLAS_EVERY", "1"))
    if every < 1:
        raise pytest.UsageError(
            f"RELUATLAS_EVERY={every} must be 1 or more: of each test the first case runs, and every such one after it."
        )
    seen: Counter[str] = Counter()
    kept, left = [], []
    for item in items:
        name = item.nodeid.split("[")[0]
        (kept if seen[name] % every == 0 else left).append(item)
        seen[name] += 1
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = kept
