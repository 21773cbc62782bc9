from __future__ import annotations

import numpy as np
import pytest

from reluatlas.network.build import Builder
from tests.unit.network.nets import network
from tests.unit.network.reference import germ

torch = pytest.importorskip("torch", reason="torch is not installed: its choice at ties cannot be asked")


def jacobian(function, x: np.ndarray) -> np.ndarray:
    """Return torch's derivative of a function of one point, in float64."""
    with torch.enable_grad():
        return torch.autograd.functional.jacobian(function, torch.tensor(x, dtype=torch.float64)).numpy()


def tensor(array) -> torch.Tensor:
    return torch.tensor(np.asarray(array), dtype=torch.float64)


ACTIVATIONS = {
    "relu": (lambda b, z: b.relu(z), torch.relu),
    "leaky_relu": (lambda b, z: b.leaky_relu(z, 0.25), lambda z: torch.nn.functional.leaky_relu(z, 0.25)),
    "abs": (lambda b, z: b.abs(z), torch.abs),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_at_zero(name):
    ours, theirs = ACTIVATIONS[name]
    rng = np.random.default_rng(0)
    faces = 0
    for bias in (0.0, 1.0):
        first, second, last = (rng.integers(-1, 2, s).astype(float) for s in ((5, 3), (4, 5), (2, 4)))
        b = Builder((3,))
        h = ours(b, b.dense(0, first, np.full(5, bias)))
        net = b.finish(b.dense(ours(b, b.dense(h, second)), last))
        X = np.concatenate([np.zeros((1, 3)), rng.integers(-1, 2, (12, 3)).astype(float)])

        def model(x, bias=bias, first=first, second=second, last=last):
            return tensor(last) @ theirs(tensor(second) @ theirs(tensor(first) @ x + bias))

        maps = net.affine_at(X, ties="torch")
        for i, x in enumerate(X):
            assert np.array_equal(maps.A[i], jacobian(model, x)), x
            assert maps.is_on_face[i] == germ(net, x, perturb=True)[2]
        assert np.allclose(maps(X), net(X), atol=1e-12)
        faces += int(maps.is_on_face.sum())
    assert faces > 5


def test_max_pool_takes_the_first():
    rng = np.random.default_rng(1)
    windows = np.arange(16).reshape(2, 2, 2, 2).transpose(0, 2, 1, 3).reshape(4, 4)
    last = rng.uniform(-1, 1, (2, 4))
    b = Builder((1, 4, 4))
    net = b.finish(b.dense(b.max_windows(0, windows, shape=(1, 2, 2)), last))
    X = rng.integers(0, 2, (8, 1, 4, 4)).astype(float)
    X[0] = 0.0

    def model(x):
        return tensor(last) @ torch.nn.functional.max_pool2d(x, 2).reshape(-1)

    maps = net.affine_at(X, ties="torch")
    for i, x in enumerate(X):
        assert np.allclose(maps.A[i], jacobian(model, x), atol=1e-15)
    assert maps.is_on_face.all()


def test_maximum_of_tensors_gives_all_to_the_first_where_torch_halves():
    b = Builder((2,))
    left, right = b.dense(0, [[1.0, 0.0]]), b.dense(0, [[0.0, 1.0]])
    net = b.finish(b.maximum([left, right]))
    halved = jacobian(lambda x: torch.maximum(x[:1], x[1:]), np.ones(2))
    assert halved.tolist() == [[0.5, 0.5]]
    assert net.affine_at([1.0, 1.0], ties="torch").A.tolist() == [[[1.0, 0.0]]]


def test_away_from_faces_both_choices_are_torch():
    net = network("generic", 4, n_inputs=3, depth=3)
    layers = [n for n in net.nodes if hasattr(n, "operators")]

    def model(x):
        for k, layer in enumerate(layers):
            x = tensor(layer.operators[0].weight) @ x + tensor(layer.bias)
            x = torch.relu(x) if k < len(layers) - 1 else x
        return x

    X = np.random.default_rng(0).uniform(-1, 1, (10, 3))
    for ties in ("perturb", "torch"):
        maps = net.affine_at(X, ties=ties)
        assert not maps.is_on_face.any()
        for i, x in enumerate(X):
            assert np.allclose(maps.A[i], jacobian(model, x), atol=1e-13)
