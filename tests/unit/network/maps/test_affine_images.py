"""Affine maps of convolutions and max-pools at images whose backgrounds tie, against plain ways to compute them."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.network.batches import Points
from reluatlas.network.interpret import pull
from reluatlas.network.network import Max
from reluatlas.network.patterns import decide
from reluatlas.network.patterns.certain import Walk
from reluatlas.network.patterns.constant_regions import Background
from reluatlas.network.patterns.decide import Chooser
from reluatlas.network.values.exact import Dyadic, IntegerArithmetic
from tests.data import data_folder
from tests.unit.network.nets import FAMILIES, network

torch = pytest.importorskip("torch", reason="torch is not installed: its derivatives cannot be asked")
nn = torch.nn


def paper_conv(seed: int = 0, *, bias: bool = True, padding: int = 0):
    """Return the paper's Conv network with random weights, and with padding where that is asked for."""
    torch.manual_seed(seed)
    size = {0: 320, 2: 980}[padding]
    return nn.Sequential(
        nn.Conv2d(1, 10, 5, bias=bias, padding=padding), nn.MaxPool2d(2), nn.ReLU(),
        nn.Conv2d(10, 20, 5, bias=bias, padding=padding), nn.MaxPool2d(2), nn.ReLU(),
        nn.Flatten(), nn.Linear(size, 50), nn.ReLU(), nn.Linear(50, 10),
    ).double()  # fmt: skip


def relu_first(seed: int = 0):
    """Return a small network that pools after the ReLU, with windows that overlap."""
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2), nn.Conv2d(4, 6, 3), nn.LeakyReLU(0.1),
        nn.MaxPool2d(2), nn.Flatten(), nn.Linear(150, 10),
    ).double()  # fmt: skip


MODELS = {
    "paper": paper_conv,
    "paper without biases": lambda: paper_conv(bias=False),
    "paper with padding": lambda: paper_conv(padding=2),
    "relu first": relu_first,
}


def rounded(module):
    """Return a module with weights of few digits: its values at images of 256 levels are exact, and its ties true."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_((parameter * 2**10).round() / 2**10)
    return module


def drawn(n: int) -> np.ndarray:
    """Return images like MNIST's: thick strokes of few grey levels on black."""
    rng = np.random.default_rng(3)
    images = np.zeros((n, 1, 28, 28))
    for image in images[1:, 0]:
        for _ in range(3):
            y, x = rng.integers(4, 20, 2)
            image[y : y + rng.integers(2, 7), x : x + rng.integers(2, 7)] = rng.integers(1, 4) * 85 / 255
    return (images - 0.1307) / 0.3081


def mnist(n: int) -> np.ndarray:
    folder = data_folder()
    if folder is None or not (folder / "mnist").is_dir():
        pytest.skip("no data folder (RELUATLAS_DATA)")
    raw = gzip.decompress((folder / "mnist" / "t10k-images-idx3-ubyte.gz").read_bytes())
    return (np.frombuffer(raw, np.uint8, offset=16).reshape(-1, 1, 28, 28)[:n] / 255.0 - 0.1307) / 0.3081


def derivatives(module, X) -> np.ndarray:
    """Return torch's derivatives, one backward pass for each output."""
    points = torch.tensor(X, dtype=torch.float64, requires_grad=True)
    values = module(points)
    rows = [torch.autograd.grad(values[:, c].sum(), points, retain_graph=True)[0] for c in range(values.shape[1])]
    return torch.stack(rows, 1).numpy()


class SlowWalk(Walk):
    """A walk that knows no background, and pulls every tie back in whole numbers."""

    def __init__(self, net, rows):
        none = Background(net)
        none.classes = [None] * len(net.nodes)
        self.arithmetic, self.net = IntegerArithmetic(), net
        super().__init__(net, rows, perturb=True, background=none)

    def __setattr__(self, name, value):
        object.__setattr__(self, name, self if name == "_directions" else value)

    def signs(self, node, p, up, down, choice):
        out = np.zeros(p.size, dtype=np.int8)
        for i, (q, u, d) in enumerate(zip(p, up, down, strict=True)):
            seed = [0] * int(np.prod(self.net.nodes[node].shape))
            seed[u] += 1
            if d >= 0:
                seed[d] -= 1
            row = pull(self.net, node, Dyadic(seed, 0), {t: c[q] for t, c in choice.items()}, self.arithmetic)
            first = next((v for v in row.numbers if v), 0) if row is not None else 0
            out[i] = (first > 0) - (first < 0)
        return out


def small(seed: int):
    """Return a network of two small convolutions and pools."""
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.MaxPool2d(2), nn.ReLU(), nn.Conv2d(2, 2, 2), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(2, 2),
    ).double()  # fmt: skip


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_cells_equal_the_slow_walk(seed):
    net = ra.load(small(seed), input_shape=(1, 8, 8))
    rng = np.random.default_rng(seed)
    X = np.zeros((12, 1, 8, 8))
    X[1:5, 0, 2:6, 3:6] = rng.integers(0, 3, (4, 4, 3)) / 2
    X[5:9, 0, 4:, :] = 1.0
    X[9] = 1.0
    X[10:] = rng.uniform(0, 1, (2, 1, 8, 8))
    rows = net.points(X)[0]
    slow, fast = SlowWalk(net, rows), Walk(net, rows, perturb=True)
    assert any(isinstance(node, Max) for node in net.nodes)
    for t in net.cuts:
        assert np.array_equal(slow.choice[t], fast.choice[t])
    assert np.array_equal(slow.on_face, fast.on_face) and slow.on_face[:10].all() and not slow.on_face[10:].any()


@pytest.mark.parametrize("family", FAMILIES)
def test_families_equal_the_slow_walk(family):
    net = network(family, 7, n_inputs=3, depth=3)
    X = np.concatenate([np.zeros((1, 3)), np.random.default_rng(0).integers(-2, 3, (12, 3)).astype(float)])
    slow, fast = SlowWalk(net, X), Walk(net, X, perturb=True)
    assert all(np.array_equal(slow.choice[t], fast.choice[t]) for t in net.cuts)
    assert np.array_equal(slow.on_face, fast.on_face)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("perturb", [False, True])
def test_quick_and_careful_ways_agree(name, perturb, monkeypatch):
    monkeypatch.setattr(decide, "_TABLES_FROM", 0)
    monkeypatch.setattr(decide, "_WORTH", 0)
    net = ra.load(MODELS[name](), input_shape=(1, 28, 28))
    X = drawn(16)
    chooser = Chooser(net, Points(net, X), perturb=perturb)
    quick, careful = chooser(slice(None)), Walk(net, net.points(X)[0], perturb=perturb)
    for t in net.cuts:
        assert np.array_equal(quick.choice[t], careful.choice[t])
    if perturb:
        assert np.array_equal(quick.on_face, careful.on_face) and careful.on_face.all()
    # without biases black parts are exactly zero, and padded pools tie with unpadded ones: these points are walked
    assert chooser._quick > 8 or name not in ("paper", "paper with padding")


@pytest.mark.parametrize("name", MODELS)
def test_torchs_choice_at_drawn_images(name):
    module = rounded(MODELS[name]())
    net, X = ra.load(module, input_shape=(1, 28, 28)), np.round(drawn(20) * 64) / 64
    maps = net.affine_at(X, ties="torch")
    assert np.allclose(maps.A, derivatives(module, X), rtol=1e-9, atol=1e-13)
    assert np.allclose(maps(X), net(X), rtol=1e-10, atol=1e-12)


def test_torchs_choice_at_real_images():
    X = np.round((mnist(40) * 0.3081 + 0.1307) * 255) / 256
    module = rounded(paper_conv(1))
    net = ra.load(module, input_shape=(1, 28, 28))
    maps = net.affine_at(X, ties="torch")
    assert np.allclose(maps.A, derivatives(module, X), rtol=1e-9, atol=1e-13)
    assert np.allclose(maps(X), net(X), rtol=1e-10, atol=1e-12)
    cells = net.affine_at(X)
    assert cells.is_on_face.all() and np.array_equal(maps.is_on_face, cells.is_on_face)
    assert np.allclose(cells(X), net(X), rtol=1e-10, atol=1e-12)
    walk = Walk(net, net.points(X)[0])
    assert np.array_equal(net.patterns(X), np.concatenate([walk.choice[t] for t in net.cuts], axis=1))


def test_a_real_network_at_real_images():
    X = mnist(20) * 0.3081 + 0.1307
    folder = data_folder()
    assert folder is not None
    net = ra.load(folder / "models" / "Convnet_maxpool.onnx")
    walk = Walk(net, net.points(X)[0], perturb=True)
    maps = net.affine_at(X)
    assert np.array_equal(maps.is_on_face, walk.on_face)
    assert np.allclose(maps(X), net(X), rtol=1e-9, atol=1e-9)


def test_all_but_faces_agree_with_torch_at_random_points():
    module = paper_conv(2)
    net = ra.load(module, input_shape=(1, 28, 28))
    X = np.random.default_rng(0).uniform(-1, 1, (20, 1, 28, 28))
    for ties in ("perturb", "torch"):
        maps = net.affine_at(X, [3, 0], ties=ties)
        assert not maps.is_on_face.any()
        assert np.allclose(maps.A, derivatives(module, X)[:, [3, 0]], rtol=1e-9, atol=1e-13)
