"""A run of the study on scikit-learn's digits that takes seconds, made once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from reluatlas.studies.mnist import compare, networks
from reluatlas.studies.mnist.study import run_mnist_study


def hurry(patch: pytest.MonkeyPatch) -> None:
    """Few epochs and few models."""
    patch.setattr(networks, "_DIGITS_EPOCHS", {"dense": 4, "conv": 4})
    patch.setattr(compare, "COUNTS", (1, 10))
    patch.setattr(compare, "RANDOM_COUNTS", (10,))
    patch.setattr(compare, "PIECES", (1, 3))


@pytest.fixture
def quick(monkeypatch) -> None:
    hurry(monkeypatch)


@pytest.fixture(scope="package")
def run(tmp_path_factory) -> Path:
    pytest.importorskip("torch", reason="torch is not installed: nothing can be trained")
    folder = tmp_path_factory.mktemp("mnist")
    with pytest.MonkeyPatch.context() as patch:
        hurry(patch)
        run_mnist_study("digits", folder / "out", networks=("dense", "conv1"), cache=folder / "cache", jobs=1)
    return folder / "out"


@pytest.fixture
def copy(run, tmp_path) -> Path:
    return Path(shutil.copytree(run, tmp_path / "copy"))
