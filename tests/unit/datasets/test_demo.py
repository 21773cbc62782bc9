from __future__ import annotations

import numpy as np
import pytest

from reluatlas.datasets import demo
from reluatlas.errors import ModelFileError


@pytest.fixture(scope="module")
def digits():
    return demo.load_demo_digits()


def test_the_network_reads_the_three_digits(digits):
    assert digits.network.n_inputs == 64 and digits.network.n_outputs == 10
    assert digits.points.shape == (3, 64) and digits.images.shape == (3, 8, 8)
    assert digits.points.min() >= 0 and digits.points.max() <= 1
    assert digits.labels == (3, 5, 8)
    assert digits.network(digits.points).argmax(axis=1).tolist() == [3, 5, 8]
    widths = [int(n) for n in digits.architecture.split("-")]
    assert widths[0] == 64 and widths[-1] == 10 and sum(widths[1:-1]) == digits.network.n_neurons


def test_the_accuracy_that_is_told_is_the_networks(digits):
    sklearn = pytest.importorskip("sklearn.datasets")
    from sklearn.model_selection import train_test_split

    images, labels = sklearn.load_digits(return_X_y=True)
    _, test, _, truth = train_test_split(images / 16.0, labels, test_size=0.25, random_state=0, stratify=labels)
    right = digits.network(test).argmax(axis=1) == truth
    assert (len(truth), int(right.sum())) == (digits.n_test, digits.n_test_right)
    assert digits.test_accuracy == right.mean() > 0.9
    assert np.array_equal(test[list(digits.test_index)], digits.points)
    assert truth[list(digits.test_index)].tolist() == list(digits.labels)


def test_a_damaged_installation_says_so(tmp_path, monkeypatch, digits):
    monkeypatch.setattr(demo, "_FOLDER", tmp_path)
    with pytest.raises(ModelFileError, match="does not exist"):
        demo.load_demo_digits()
    (tmp_path / "demo_digits.onnx").write_bytes(digits.path.read_bytes())
    (tmp_path / "demo_digits.npz").write_bytes(b"nothing")
    with pytest.raises(ModelFileError, match="Install reluatlas again"):
        demo.load_demo_digits()
