"""Entries of one label have the same exact value; windows that tie are settled by labels, not in whole numbers."""

from __future__ import annotations

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.network.batches import Points
from reluatlas.network.network import Max
from reluatlas.network.patterns.certain import Walk
from reluatlas.network.patterns.constant_regions import Background
from reluatlas.network.patterns.equal_entries import EqualValues

torch = pytest.importorskip("torch", reason="torch is not installed: there are no modules to import")
nn = torch.nn


class Branches(nn.Module):
    """Convolutions side by side, an average pool, a sum, and two max-pools that overlap."""

    def __init__(self, *, slope: float = 0.0) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 3, 3, padding=1)
        self.narrow, self.wide = nn.Conv2d(3, 2, 1), nn.Conv2d(3, 2, 3, padding=1)
        self.pooled = nn.Conv2d(3, 2, 1)
        self.twice = nn.Conv2d(6, 6, 3, padding=1)
        self.norm = nn.BatchNorm2d(6)
        self.head = nn.Linear(6 * 5 * 5, 4)
        self.act = nn.LeakyReLU(slope) if slope else nn.ReLU()

    def forward(self, x):
        x = nn.functional.max_pool2d(self.act(self.stem(x)), 3, 1)
        mean = nn.functional.avg_pool2d(x, 3, stride=1, padding=1)
        x = torch.cat([self.act(self.narrow(x)), self.act(self.wide(x)), self.act(self.pooled(mean))], 1)
        x = self.act(self.norm(self.twice(x)) + x)
        return self.head(nn.functional.max_pool2d(x, 3, 2).flatten(1))


def made(seed: int, **kind):
    """Return a network whose weights have few digits, so that float64 values at whole pixels are exact."""
    torch.manual_seed(seed)
    module = Branches(**kind).double().eval()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_((parameter * 32).round() / 32)
        module.norm.running_var.fill_(1.0 - module.norm.eps)
    return ra.load(module, input_shape=(1, 13, 13))


def images(seed: int, n: int = 12) -> np.ndarray:
    rng = np.random.default_rng(seed)
    X = np.zeros((n, 1, 13, 13))
    for image in X[1:, 0]:
        for _ in range(2):
            y, x = rng.integers(0, 9, 2)
            image[y : y + rng.integers(1, 6), x : x + rng.integers(1, 6)] = rng.integers(1, 3)
    return X


class Told(Walk):
    """A walk that keeps what it was told of equal values, and the values."""

    def __init__(self, net, rows):
        self.labels, self.done = [], []
        super().__init__(net, rows)

    def max(self, t, node, done):
        self.done = done
        for p in range(self.n_points):
            values = self._background.values(done, self.choice, p)
            for at in range(t):
                self.labels.append((at, p, values.labels(at)))
        return super().max(t, node, done)


@pytest.mark.parametrize("kind", [{}, {"slope": 0.25}], ids=["relu", "leaky"])
@pytest.mark.parametrize("seed", range(4))
def test_entries_of_one_label_are_equal(seed, kind):
    net = made(seed, **kind)
    walk = Told(net, Points(net, images(seed))[slice(None)])
    shared = 0
    for at, p, labels in walk.labels:
        value = walk.done[at].value[p]
        order = np.argsort(labels, kind="stable")
        same = labels[order][1:] == labels[order][:-1]
        # thirds, from the average pool, are rounded: 1e-12 is far below the digits of the weights
        assert np.abs(np.diff(value[order])[same]).max(initial=0.0) < 1e-12
        shared += int(same.sum())
    assert shared > 1000


@pytest.mark.parametrize("kind", [{}, {"slope": 0.25}], ids=["relu", "leaky"])
@pytest.mark.parametrize("seed", range(4))
def test_choices_are_those_without_labels(seed, kind, monkeypatch):
    net = made(seed, **kind)
    rows = Points(net, images(seed))[slice(None)]
    quick = Walk(net, rows)
    monkeypatch.setattr(Walk, "_equal", lambda self, node, p, entry, open_, done: np.zeros(entry.shape[0], dtype=bool))
    slow = Walk(net, rows)
    assert quick.choice.keys() == slow.choice.keys()
    for t, choice in slow.choice.items():
        assert np.array_equal(choice, quick.choice[t])
    assert np.array_equal(slow.tied, quick.tied) and quick.n_exact <= slow.n_exact / 2
    assert slow.n_exact > 0 or not kind


def test_numbers_without_error_are_told_apart_by_value():
    net = made(0)
    walk = Told(net, Points(net, images(3))[slice(None)])
    background = Background(net)
    values = background.values(walk.done, walk.choice, 5)
    assert isinstance(values, EqualValues)
    pixels, labels = walk.done[0].value[5], values.labels(0)
    assert np.array_equal(labels[:, None] == labels, pixels[:, None] == pixels)
    assert set(labels[pixels == 0].tolist()) == {0}


def test_what_is_joined_and_summed_reads_its_background():
    net = made(1)
    classes = Background(net).classes
    assert all(classes[node.input] is not None for node in net.nodes if isinstance(node, Max))
