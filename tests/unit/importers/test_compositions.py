"""Random compositions of operators: ONNX graphs against onnxruntime, torch modules against themselves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reluatlas.importers.load import load
from tests.architectures import Graph
from tests.unit.importers.models import by_onnxruntime

STEPS = ("conv", "turned", "relu", "leaky", "clip", "average", "max", "norm", "resize", "pad", "skip", "concat", "mean")


def step(draw: st.DrawFn, g: Graph, x: str, shape: tuple[int, int, int]) -> tuple[str, tuple[int, int, int]]:
    """Add a random operator on images (channels, height, width); return its output and shape."""
    kind = draw(st.sampled_from(STEPS))
    c, h, w = shape
    if kind == "conv":
        k, s, p = draw(st.integers(1, 3)), draw(st.integers(1, 2)), draw(st.integers(0, 1))
        if min(h, w) + 2 * p < k:
            return x, shape
        groups, out = draw(st.sampled_from([1, c])), c * draw(st.integers(1, 2))
        y = g.conv(x, c, out, k, groups=groups, strides=[s, s], pads=[p] * 4)
        return y, (out, (h + 2 * p - k) // s + 1, (w + 2 * p - k) // s + 1)
    if kind == "turned":
        y = g.add("ConvTranspose", x, g.weights(c, 2, 2, 2), strides=[1, 2])
        return y, (2, h + 1, 2 * w)
    if kind in ("relu", "leaky"):
        return g.add(*(("Relu", x) if kind == "relu" else ("LeakyRelu", x))), shape
    if kind == "clip":
        return g.add("Clip", x, g.constant(np.float32(-0.5)), g.constant(np.float32(1))), shape
    if kind in ("average", "max"):
        p, s = draw(st.integers(0, 1)), draw(st.integers(1, 3))
        if min(h, w) + 2 * p < 3:
            return x, shape
        operator = "AveragePool" if kind == "average" else "MaxPool"
        y = g.add(operator, x, kernel_shape=[3, 3], pads=[p] * 4, strides=[s, s])
        return y, (c, (h + 2 * p - 3) // s + 1, (w + 2 * p - 3) // s + 1)
    if kind == "norm":
        stats = [g.constant(g.rng.uniform(0.5, 2, c).astype(np.float32)) for _ in range(4)]
        return g.add("BatchNormalization", x, *stats), shape
    if kind == "resize" and h * w <= 64:
        sizes = (c, draw(st.integers(1, 2 * h)), draw(st.integers(1, 2 * w)))
        return g.add("Resize", x, "", "", g.constant(np.array([1, *sizes])), mode="linear"), sizes
    if kind == "pad":
        return g.add("Pad", x, g.constant(np.array([0, 0, 1, 0, 0, 0, 0, 2]))), (c, h + 1, w + 2)
    if kind == "skip":
        return g.add("Add", x, g.add("Relu", g.conv(x, c, c, 3, pads=[1] * 4))), shape
    if kind == "concat" and c <= 4:
        return g.add("Concat", x, g.add("Abs", x), axis=1), (2 * c, h, w)
    if kind == "mean":
        return g.add("Sub", x, g.add("ReduceMean", x, axes=[2])), shape
    return x, shape


@st.composite
def graphs(draw: st.DrawFn) -> tuple[Any, tuple[int, ...]]:
    g = Graph(draw(st.integers(0, 100)), whole=draw(st.booleans()))
    first = shape = (draw(st.integers(1, 2)), draw(st.integers(3, 5)), draw(st.integers(3, 5)))
    x = g.conv("x", shape[0], shape[0], 1)
    for _ in range(draw(st.integers(1, 5))):
        x, shape = step(draw, g, x, shape)
    return g.model(x, first), first


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(graphs(), st.integers(0, 5))
def test_onnx_graphs_compute_what_onnxruntime_does(graph, seed):
    model, shape = graph
    net = load(model)
    points = np.random.default_rng(seed).normal(size=(3, *shape)).astype(np.float32)
    expected = by_onnxruntime(model, points, (1, *shape), model.graph.output[0].name)
    got = net(points).reshape(3, -1)
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5 * max(1.0, np.abs(expected).max()))
    maps = net.affine_at(points)
    along = np.einsum("pmi,pi->pm", maps.A.reshape(3, got.shape[1], -1), points.reshape(3, -1)) + maps.b
    np.testing.assert_allclose(along, got, rtol=1e-9, atol=1e-9 * max(1.0, np.abs(got).max()))


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from(range(9)), min_size=1, max_size=4), st.integers(0, 5))
def test_torch_modules_compute_what_they_do(kinds, seed):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    nn = torch.nn
    torch.manual_seed(seed)
    makers = (
        lambda: nn.Conv2d(2, 2, 3, padding=1), lambda: nn.ConvTranspose2d(2, 2, 2, stride=2), nn.ReLU,
        lambda: nn.LeakyReLU(0.1), lambda: nn.AvgPool2d(3, 1, 1), lambda: nn.MaxPool2d(2, 1, 1),
        lambda: nn.Upsample(scale_factor=2, mode="bilinear"), lambda: nn.BatchNorm2d(2),
        lambda: nn.AdaptiveAvgPool2d(3),
    )  # fmt: skip
    module = nn.Sequential(*(makers[k]() for k in kinds)).eval()
    net = load(module, input_shape=(2, 4, 4))
    points = np.random.default_rng(seed).normal(size=(3, 2, 4, 4)).astype(np.float32)
    with torch.no_grad():
        expected = module(torch.from_numpy(points)).numpy()
    np.testing.assert_allclose(net(points), expected, rtol=1e-4, atol=1e-5 * max(1.0, np.abs(expected).max()))
