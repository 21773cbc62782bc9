"""ATen operators that look at windows of images or at whole axes, against the modules themselves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from reluatlas.errors import UnsupportedLayerError
from reluatlas.importers.load import load
from reluatlas.network.network import Convolution, Gather

torch = pytest.importorskip("torch", reason="torch is not installed")
nn, F = torch.nn, torch.nn.functional


class Do(nn.Module):
    """A function of an image, between its input and a sum with a constant."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def normed(module: Any) -> Any:
    with torch.no_grad():
        module.running_mean.normal_()
        module.running_var.uniform_(0.2, 2.0)
        module.weight.normal_()
        module.bias.normal_()
    return module


def assigned(x: Any) -> Any:
    y = 2 * x
    y[:, 1:, 2] = x[:, :2, 0]
    return y


torch.manual_seed(0)
IMAGE, LINE, SOLID = (3, 6, 7), (3, 8), (2, 4, 3, 5)

CASES = {
    "conv2d": (nn.Conv2d(3, 4, 3), IMAGE),
    "conv2d strides": (nn.Conv2d(3, 4, (3, 2), stride=(2, 3), padding=(1, 0)), IMAGE),
    "conv2d same": (nn.Conv2d(3, 4, (3, 2), padding="same"), IMAGE),
    "conv2d valid": (nn.Conv2d(3, 4, 2, padding="valid", bias=False), IMAGE),
    "conv2d dilated": (nn.Conv2d(3, 4, 2, dilation=(2, 3)), IMAGE),
    "conv2d groups": (nn.Conv2d(3, 6, 3, padding=1, groups=3), IMAGE),
    "conv2d reflect": (nn.Conv2d(3, 2, 3, padding=1, padding_mode="reflect"), IMAGE),
    "conv2d circular": (nn.Conv2d(3, 2, 3, padding=1, padding_mode="circular"), IMAGE),
    "conv1d": (nn.Conv1d(3, 4, 3, stride=2, padding=1), LINE),
    "conv3d": (nn.Conv3d(2, 3, 2), SOLID),
    "conv_transpose2d": (nn.ConvTranspose2d(3, 4, 3, stride=2, padding=1, output_padding=1), IMAGE),
    "conv_transpose2d groups": (nn.ConvTranspose2d(3, 6, (3, 2), dilation=2, groups=3), IMAGE),
    "conv_transpose1d": (nn.ConvTranspose1d(3, 2, 4, stride=3), LINE),
    "batch_norm2d": (normed(nn.BatchNorm2d(3)), IMAGE),
    "batch_norm1d": (normed(nn.BatchNorm1d(3)), LINE),
    "instance_norm with statistics": (normed(nn.InstanceNorm2d(3, affine=True, track_running_stats=True)), IMAGE),
    "avg_pool2d": (nn.AvgPool2d(3, 2), IMAGE),
    "avg_pool2d padded": (nn.AvgPool2d((3, 2), 2, 1), IMAGE),
    "avg_pool2d not counted": (nn.AvgPool2d(3, 2, 1, count_include_pad=False), IMAGE),
    "avg_pool2d ceil": (nn.AvgPool2d(3, 2, 1, ceil_mode=True), IMAGE),
    "avg_pool2d divisor": (nn.AvgPool2d(3, divisor_override=5), IMAGE),
    "avg_pool1d": (nn.AvgPool1d(3, 2, 1), LINE),
    "avg_pool3d": (nn.AvgPool3d(2), SOLID),
    "adaptive_avg_pool2d": (nn.AdaptiveAvgPool2d((4, 3)), IMAGE),
    "adaptive_avg_pool2d one": (nn.AdaptiveAvgPool2d(1), IMAGE),
    "adaptive_avg_pool2d kept": (nn.AdaptiveAvgPool2d((None, 3)), IMAGE),
    "adaptive_avg_pool1d": (nn.AdaptiveAvgPool1d(3), LINE),
    "adaptive_avg_pool3d": (nn.AdaptiveAvgPool3d((2, 3, 2)), SOLID),
    "max_pool2d": (nn.MaxPool2d(2), IMAGE),
    "max_pool2d padded": (nn.MaxPool2d(3, 2, 1), IMAGE),
    "max_pool2d dilated": (nn.MaxPool2d(2, 1, dilation=(2, 3)), IMAGE),
    "max_pool2d ceil": (nn.MaxPool2d(3, 2, ceil_mode=True), IMAGE),
    "max_pool1d": (nn.MaxPool1d(3, 2, 1), LINE),
    "max_pool3d": (nn.MaxPool3d(2), SOLID),
    "max_pool of relu": (nn.Sequential(nn.Conv2d(3, 4, 2), nn.ReLU(), nn.MaxPool2d(2)), IMAGE),
    "adaptive_max_pool2d": (nn.AdaptiveMaxPool2d((4, 3)), IMAGE),
    "adaptive_max_pool1d": (nn.AdaptiveMaxPool1d(3), LINE),
    "upsample nearest": (nn.Upsample(scale_factor=2), IMAGE),
    "upsample nearest size": (nn.Upsample(size=(9, 5)), IMAGE),
    "upsample nearest 1-d": (nn.Upsample(scale_factor=1.5), LINE),
    "upsample nearest exact": (Do(lambda x: F.interpolate(x, size=(4, 10), mode="nearest-exact")), IMAGE),
    "upsample bilinear": (nn.Upsample(scale_factor=2, mode="bilinear"), IMAGE),
    "upsample bilinear corners": (nn.Upsample(size=(8, 9), mode="bilinear", align_corners=True), IMAGE),
    "upsample bilinear down": (nn.Upsample(size=(4, 3), mode="bilinear"), IMAGE),
    "upsample bilinear factor": (nn.Upsample(scale_factor=1.3, mode="bilinear"), IMAGE),
    "upsample linear": (nn.Upsample(scale_factor=3, mode="linear"), LINE),
    "upsample trilinear": (nn.Upsample(scale_factor=2, mode="trilinear"), SOLID),
    "upsample bicubic": (nn.Upsample(scale_factor=2, mode="bicubic"), IMAGE),
    "mean": (Do(lambda x: x.mean((2, 3))), IMAGE),
    "mean kept": (Do(lambda x: x.mean(-1, keepdim=True) - x), IMAGE),
    "mean of all": (Do(lambda x: x.mean()[None]), IMAGE),
    "sum": (Do(lambda x: x.sum(1)), IMAGE),
    "sum of all": (Do(lambda x: x.sum()[None]), IMAGE),
    "amax": (Do(lambda x: x.amax((1, 2))), IMAGE),
    "amin": (Do(lambda x: x.amin(1, keepdim=True)), IMAGE),
    "max over an axis": (Do(lambda x: x.max(2).values), IMAGE),
    "min over an axis": (Do(lambda x: x.min(2)[0]), IMAGE),
    "max of all": (Do(lambda x: x.max()[None] - x.min()), IMAGE),
    "maxout": (Do(lambda x: x.reshape(1, 3, 2, 21).amax(2)), IMAGE),
    "pad": (nn.ConstantPad2d((1, 2, 0, 3), 0.7), IMAGE),
    "pad cut": (nn.ZeroPad2d((1, -1, -2, 0)), IMAGE),
    "pad reflect": (nn.ReflectionPad2d(2), IMAGE),
    "pad replicate": (nn.ReplicationPad1d((1, 3)), LINE),
    "pad circular": (nn.CircularPad2d(2), IMAGE),
    "prelu channels": (nn.PReLU(3, 0.2), IMAGE),
    "rrelu": (nn.RReLU(0.125, 0.25), LINE),
    "threshold": (nn.Threshold(0.5, 0.5), LINE),
    "hardsigmoid": (nn.Hardsigmoid(), LINE),
    "unfold": (nn.Unfold(2), IMAGE),
    "pixel_shuffle": (nn.Sequential(nn.Conv2d(3, 8, 1), nn.PixelShuffle(2)), IMAGE),
    "einsum": (Do(lambda x: torch.einsum("bij,jk->bki", x, torch.arange(16.0).reshape(8, 2) / 7)), LINE),
    "linear on the last axis": (nn.Linear(8, 5), LINE),
    "assigned slice": (Do(lambda x: assigned(x)), IMAGE),
    "dropout2d": (nn.Sequential(nn.Conv2d(3, 2, 2), nn.Dropout2d()), IMAGE),
}


@pytest.mark.parametrize("case", CASES)
def test_operator_computes_what_the_module_does(case):
    module, shape = CASES[case]
    module = module.eval()
    net = load(module, input_shape=shape)
    points = np.random.default_rng(1).normal(size=(8, *shape)).astype(np.float32)
    with torch.no_grad():
        rows = [module(torch.from_numpy(p[None])).numpy().reshape(-1) for p in points]
    got = net(points).reshape(8, -1)
    np.testing.assert_allclose(got, np.stack(rows), rtol=1e-5, atol=1e-5)
    rounded = [n for n in net.notes if n.kind == "rounded"]
    assert not rounded or "norm" in case or case in ("upsample bilinear factor", "einsum")  # 1 / 7 is rounded


def test_memory_of_a_stack_of_convolutions():
    module = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 16, 3, padding=1))
    net = load(module, input_shape=(3, 32, 32))
    operators = [o for n in net.nodes[1:] for o in getattr(n, "operators", ())]
    assert [type(o) for o in operators] == [Convolution, Convolution]
    assert sum(o.weight.size + o.places.size for o in operators) < 50_000


class Inception(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one, self.three = nn.Conv2d(2, 2, 1), nn.Conv2d(2, 2, 3, padding=1)
        self.pool = nn.Sequential(nn.AvgPool2d(3, 1, 1), nn.Conv2d(2, 1, 1))

    def forward(self, x):
        return torch.cat([F.relu(self.one(x)), F.relu(self.three(x)), self.pool(x)], 1).mean((2, 3))


def test_branches_are_joined():
    net = load(Inception(), input_shape=(2, 4, 4))
    assert net.output_shape == (5,) and net.n_neurons == 64
    joins = [n for n in net.nodes[1:] if len(getattr(n, "inputs", ())) == 3]
    assert len(joins) == 1 and all(isinstance(o, Gather) for o in joins[0].operators)


class Recurrent(nn.Module):
    def __init__(self, kind: Any) -> None:
        super().__init__()
        self.body = kind(8, 4, batch_first=True)

    def forward(self, x):
        return self.body(x)[0]


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (nn.Sequential(nn.Conv1d(3, 3, 1), nn.SiLU()), "silu node .* not piecewise linear"),
        (nn.Hardswish(), "hardswish node .* not piecewise linear"),
        (nn.Mish(), "mish node .* not piecewise linear"),
        (nn.Softplus(), "softplus node .* not piecewise linear"),
        (nn.GELU(), "gelu node .* not piecewise linear"),
        (nn.Threshold(0.5, 0.0), "threshold node .* jumps at 0.5"),
        (nn.Hardshrink(), "where node .* jumps at -0.5"),
        (nn.LayerNorm(8), "layer_norm node .* divides by"),
        (nn.InstanceNorm1d(3), "batch_norm_legit node .* statistics of the batch"),
        (nn.LSTM, "lstm node .* recurrent"),
        (nn.GRU, "gru node .* recurrent"),
        (Do(lambda x: F.scaled_dot_product_attention(x[:, None], x[:, None], x[:, None])), "attention multiplies"),
        (Do(lambda x: x * x), "mul node .* depends on the network's input"),
        (Do(lambda x: torch.where(x > 0, x, 2 * x + 1)), "where node .* jumps at 0"),
        (Do(lambda x: F.max_pool1d(x, 2, return_indices=True)[1].float()), "indices"),
        (nn.GLU(1), "sigmoid node .* is followed by mul node"),
    ],
)
def test_what_is_not_piecewise_linear_is_named(module, words):
    module = Recurrent(module) if isinstance(module, type) else module
    shape = (4, 8) if isinstance(module, nn.GLU) else (3, 8)
    with pytest.raises(UnsupportedLayerError, match=words) as caught:
        load(module, input_shape=shape)
    assert "\n" not in str(caught.value)
