"""Trajectories of torch modules, as they come from a training loop."""

from __future__ import annotations

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.errors import ArgumentError, DimensionError

torch = pytest.importorskip("torch", reason="torch is not installed: there are no modules")

BOX = ra.Box(-1, 1, dim=2)


def _learn(module, n_steps, keep):
    """Train a little, and keep something after every step."""
    torch.manual_seed(0)
    X, y = torch.rand(64, 2) * 2 - 1, torch.arange(64) % 2
    optimizer = torch.optim.SGD(module.parameters(), lr=0.5)
    kept = [keep(module)]
    for _ in range(n_steps):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(module(X), y).backward()
        optimizer.step()
        kept.append(keep(module))
    return kept, X.numpy(), y.numpy()


def _plain():
    torch.manual_seed(1)
    return torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Linear(2, 6), torch.nn.ReLU(), torch.nn.Linear(6, 5), torch.nn.ReLU(),
        torch.nn.Dropout(), torch.nn.Linear(5, 2),
    )  # fmt: skip


class Named(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.body = _plain()

    def forward(self, x):
        return self.body(x) * 1.0


@pytest.mark.parametrize("keep", ["record", "state dict"])
def test_what_a_loop_keeps_is_the_network_of_each_step(keep):
    module = _plain().eval()
    copies: list = []

    def kept_of(module):
        copies.append(ra.load(module, (2,)))
        if keep == "record":
            return ra.Trajectory.record(module)
        return {key: value.clone() for key, value in module.state_dict().items()}

    kept, X, y = _learn(module, 3, kept_of)
    trajectory = ra.Trajectory.from_snapshots(kept, domain=BOX, X=X, y=y)
    assert len(trajectory) == 4 and trajectory.name == "2-6-5-2" and trajectory.weights.dtype == np.float32
    for t, net in enumerate(copies):
        assert np.array_equal(trajectory.network(t)(X), net(X))
        assert trajectory.complex(t).n_cells == ra.count_cells(net, BOX).n_cells
    assert not np.array_equal(trajectory.weights[0], trajectory.weights[-1])
    assert trajectory.measure([-1]).accuracy[0] == np.mean(copies[-1](X).argmax(axis=1) == y)


def test_modules_with_a_forward_of_their_own_and_convolutions():
    dense = ra.Trajectory.record(Named().eval())
    assert dense.layers is None or dense.sizes == (2, 6, 5, 2)
    torch.manual_seed(0)
    module = torch.nn.Sequential(
        torch.nn.Conv2d(1, 2, 3), torch.nn.ReLU(), torch.nn.MaxPool2d(2), torch.nn.Flatten(), torch.nn.Linear(8, 3)
    ).eval()
    kept = [ra.Trajectory.record(module, input_shape=(1, 6, 6))]
    with torch.no_grad():
        module[0].weight += 0.25
    kept.append(ra.Trajectory.record(module, input_shape=(1, 6, 6)))
    X = np.random.default_rng(0).uniform(size=(3, 1, 6, 6))
    plane = ra.Slice.through(X)
    trajectory = ra.Trajectory.from_snapshots(kept, domain=plane, X=X, y=[0, 1, 2])
    nets = [kept[0].network, ra.load(module, (1, 6, 6))]
    for t, net in enumerate(nets):
        assert trajectory.complex(t).n_cells == ra.count_cells(net, plane).n_cells
        assert trajectory.accuracy(t) == np.mean(net(X).argmax(axis=1) == [0, 1, 2])
    assert len(trajectory.measure()) == 2
    for ask in (lambda: trajectory.layers(0), lambda: trajectory.save("x.npz")):
        with pytest.raises(ArgumentError, match="not dense"):
            ask()


def test_what_is_refused():
    module = _plain().eval()
    with pytest.raises(ArgumentError, match="holds one object several times"):
        ra.Trajectory.from_snapshots([module, module], domain=BOX)
    with pytest.raises(ArgumentError, match="is empty"):
        ra.Trajectory.from_snapshots([], domain=BOX)
    with pytest.raises(ArgumentError, match="Pass the module itself"):
        ra.Trajectory.record(torch.nn.Conv2d(1, 2, 3).state_dict())
    with pytest.raises(ArgumentError, match="is of type `int`"):
        ra.Trajectory.record(3)
    other = [(np.ones((3, 2)), None), (np.ones((2, 3)), None)]
    with pytest.raises(DimensionError, match="one of 2-6-5-2"):
        ra.Trajectory.from_snapshots([module, other], domain=BOX)
    with pytest.raises(DimensionError, match="at least two layers"):
        ra.Trajectory.record(other[:1])
