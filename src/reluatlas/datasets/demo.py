"""What does `reluatlas demo` open? The digits network that comes with the package, and three digits."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reluatlas.errors import ModelFileError
from reluatlas.network.network import Network

_FOLDER = Path(__file__).parent
_SIDE = 8


@dataclass(frozen=True, eq=False)
class DemoDigits:
    """A small network that reads handwritten digits, and three images of its test set.

    Attributes
    ----------
    network : Network
        64 pixels between 0 and 1 to 10 outputs, one per digit, checked against the file.
    path : Path
        The ONNX file in the installed package.
    points : ndarray, shape (3, 64)
        Three test images that the network gets right, as inputs of the network.
    labels : tuple of int
        The digit of each image.
    test_index : tuple of int
        Its place among the test images.
    architecture : str
        Widths of the layers, "64-32-16-10".
    n_test, n_test_right : int
        Test images, and how many of them the network gets right.
    """

    network: Network
    path: Path
    points: NDArray[np.float64]
    labels: tuple[int, ...]
    test_index: tuple[int, ...]
    architecture: str
    n_test: int
    n_test_right: int

    @property
    def test_accuracy(self) -> float:
        """Share of the test images that the network gets right."""
        return self.n_test_right / self.n_test

    @property
    def images(self) -> NDArray[np.float64]:
        """The three digits as images (3, 8, 8); 0 is paper, 1 is ink."""
        return self.points.reshape(-1, _SIDE, _SIDE)


def load_demo_digits() -> DemoDigits:
    """Return the network and the digits of the demo.

    Training script, data and seeds are named in the ONNX file; `scripts/train_demo_network.py` in
    the source made both files.

    Raises
    ------
    ModelFileError
        When the files of the installation are missing or damaged.

    Guarantees: the same arrays in every run; nothing is downloaded or trained.
    """
    from reluatlas.importers.load import load
    from reluatlas.importers.onnx.file import read_onnx

    path = _FOLDER / "demo_digits.onnx"
    facts = {p.key: p.value for p in read_onnx(path).metadata_props}
    try:
        with np.load(_FOLDER / "demo_digits.npz", allow_pickle=False) as stored:
            points = stored["images"].astype(np.float64)
            labels, test_index = stored["labels"].tolist(), stored["test_index"].tolist()
        n_test, n_right, architecture = int(facts["n_test"]), int(facts["n_test_right"]), facts["architecture"]
    except (OSError, KeyError, ValueError) as problem:
        raise ModelFileError(
            f"the demo's files in `{_FOLDER}` are damaged ({type(problem).__name__}). Install reluatlas again."
        ) from None
    return DemoDigits(load(path), path, points, tuple(labels), tuple(test_index), architecture, n_test, n_right)
