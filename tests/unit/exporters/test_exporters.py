"""What is written is the same function: by the checker, by onnxruntime, by torch, and opened again."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import onnx
import onnxruntime
import pytest

import reluatlas as ra
from reluatlas.errors import ArgumentError, NonFiniteError
from reluatlas.exporters.images import Window, places_of, window_of
from reluatlas.exporters.onnx import save_onnx
from reluatlas.exporters.torch import to_torch
from reluatlas.network.build import Builder
from reluatlas.network.network import Convolution
from reluatlas.testing import zoo
from tests.architectures import ARCHITECTURES, SHAPE, architecture
from tests.unit.network import nets
from tests.unit.simplification.exactly import largest_difference, points_of


def run(path, X):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return session.run(None, {"input": X})[0]


def named():
    for family in nets.FAMILIES:
        yield family, lambda family=family: (nets.network(family, 1), ra.Box(-1, 1, dim=2))
    for family in ("leaky_abs_clip", "residual", "concat", "max_identical"):
        yield f"zoo-{family}", lambda family=family: (zoo.FAMILIES[family](0), zoo.domain_for(0))
    for name in ARCHITECTURES:
        yield name, lambda name=name: (opened(name), ra.Box(-1, 1, dim=18))


def opened(name, folder=[]):  # noqa: B006 - one folder for all
    if not folder:
        import tempfile

        folder.append(tempfile.mkdtemp())
    path = f"{folder[0]}/{name}.onnx"
    with open(path, "wb") as file:
        file.write(architecture(name, 3).SerializeToString())
    return ra.load(path)


@pytest.mark.parametrize(("make"), [m for _, m in named()], ids=[n for n, _ in named()])
def test_what_is_written_is_the_same(make, tmp_path):
    net, domain = make()
    X = np.array([[float(v) for v in x] for x in points_of(domain, 40)])
    want = net(X)
    written = save_onnx(net, tmp_path / "net.onnx", domain=domain)
    onnx.checker.check_model(str(tmp_path / "net.onnx"), full_check=True)
    got = run(tmp_path / "net.onnx", X.reshape(-1, *net.input_shape))
    assert got.dtype == np.float64 and got.shape == (40, *net.output_shape)
    scale = max(1.0, float(np.abs(want).max()))
    np.testing.assert_allclose(got.reshape(want.shape), want, atol=1e-12 * scale, rtol=0)
    again = ra.load(str(tmp_path / "net.onnx"))
    assert again.input_shape == net.input_shape and again.output_shape == net.output_shape
    off = largest_difference(net, again, points_of(domain, 8))
    assert off <= Fraction(written.weights_bound) and written.weights_bound <= 1e-12 * scale

    single = save_onnx(net, tmp_path / "single.onnx", dtype="float32", domain=domain)
    got = run(tmp_path / "single.onnx", X.reshape(-1, *net.input_shape).astype(np.float32))
    assert got.dtype == np.float32
    assert np.abs(got.reshape(want.shape) - want).max() <= single.runtime_bound + 1e-9 * scale
    off = largest_difference(net, ra.load(str(tmp_path / "single.onnx")), points_of(domain, 8))
    assert off <= Fraction(single.weights_bound) < 1e-2 * Fraction(scale)


@pytest.mark.parametrize(("make"), [m for _, m in named()], ids=[n for n, _ in named()])
def test_the_torch_module_is_the_same(make):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    net, domain = make()
    X = np.array([[float(v) for v in x] for x in points_of(domain, 40)])
    want = net(X)
    module = to_torch(net)
    with torch.no_grad():
        got = module(torch.from_numpy(X.reshape(-1, *net.input_shape))).numpy()
    assert got.shape == (40, *net.output_shape) and not module.training
    scale = max(1.0, float(np.abs(want).max()))
    np.testing.assert_allclose(got.reshape(want.shape), want, atol=1e-12 * scale, rtol=0)
    with torch.no_grad():
        single = to_torch(net, dtype="float32")(torch.from_numpy(X.reshape(-1, *net.input_shape)).float())
    assert single.dtype == torch.float32
    assert np.abs(single.numpy().reshape(want.shape) - want).max() <= 1e-4 * scale


def test_a_torch_module_is_opened_again():
    pytest.importorskip("torch", reason="torch is not installed")
    for name in ("residual", "grouped_and_dilated", "max_pool", "transposed"):
        net = opened(name)
        again = ra.load(to_torch(net), input_shape=SHAPE)
        points = points_of(ra.Box(-1, 1, dim=18), 6)
        assert largest_difference(net, again, points) == 0


@pytest.mark.parametrize("seed", range(40))
def test_convolutions_are_recognized(seed):
    rng = np.random.default_rng(seed)
    axes = int(rng.integers(1, 4))
    kernel, strides, dilations = (tuple(rng.integers(1, 4, axes).tolist()) for _ in range(3))
    inside = tuple(int(d * (k - 1) + 1 + rng.integers(4, 8)) for d, k in zip(dilations, kernel, strict=True))
    begin, end = (
        tuple(int(rng.integers(0, d * (k - 1) // 2 + 1)) for d, k in zip(dilations, kernel, strict=True))
        for _ in range(2)
    )
    outside = tuple(
        (n + b + e - d * (k - 1) - 1) // s + 1
        for n, b, e, d, k, s in zip(inside, begin, end, dilations, kernel, strides, strict=True)
    )
    places = places_of(Window(inside, outside, kernel, strides, begin, end, dilations))
    operator = Convolution(rng.normal(size=(2, 3, places.shape[1])), places, int(np.prod(inside)))
    found = window_of(operator, (3, *inside), (2, *outside))
    assert found is not None and np.array_equal(places_of(found), places)
    assert window_of(operator, (3, int(np.prod(inside)), 1, 1, 1), (2, *outside)) is None


def test_images_are_convolved_by_conv_in_float32_only(tmp_path):
    net = opened("residual")
    for dtype, has_conv in (("float32", True), ("float64", False)):
        save_onnx(net, tmp_path / "net.onnx", dtype=dtype)
        operators = {node.op_type for node in onnx.load(str(tmp_path / "net.onnx")).graph.node}
        assert ("Conv" in operators) == has_conv and ("MatMul" in operators) != has_conv


def test_without_a_domain_nothing_is_promised(tmp_path):
    net = ra.load([(np.array([[0.1]]), np.zeros(1)), (np.ones((1, 1)), np.zeros(1))])
    assert save_onnx(net, tmp_path / "a.onnx").weights_bound == 0.0
    written = save_onnx(net, tmp_path / "a.onnx", dtype="float32")
    assert written.weights_bound == written.runtime_bound == float("inf")


def test_what_is_given_wrongly_is_refused(tmp_path):
    net = ra.load([(np.array([[1e300]]), np.zeros(1)), (np.ones((1, 1)), np.zeros(1))])
    with pytest.raises(ArgumentError, match="dtype"):
        save_onnx(net, tmp_path / "a.onnx", dtype="float16")  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match=r"\.onnx"):
        save_onnx(net, tmp_path / "a.txt")
    with pytest.raises(NonFiniteError, match="float32"):
        save_onnx(net, tmp_path / "a.onnx", dtype="float32")
    assert not list(tmp_path.iterdir())
    with pytest.raises(ArgumentError, match="dtype"):
        to_torch(net, dtype="half")  # type: ignore[arg-type]


def test_a_constant_network(tmp_path):
    b = Builder((2,))
    net = b.finish(b.constant([1.0, 2.0, 3.0]))
    save_onnx(net, tmp_path / "net.onnx")
    assert run(tmp_path / "net.onnx", np.zeros((4, 2))).tolist() == [[1.0, 2.0, 3.0]] * 4
