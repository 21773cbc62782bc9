"""ReLU and other continuous functions as people write them by hand in torch; sorting, norms; what jumps is refused."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest

from reluatlas.errors import UnsupportedLayerError
from reluatlas.importers.load import load
from reluatlas.network.network import Breakpoints

torch = pytest.importorskip("torch", reason="torch is not installed")
nn, F = torch.nn, torch.nn.functional


class Form(nn.Module):
    """A function of what is given, in float64, so that it can be compared without rounding."""

    def __init__(self, form: Callable) -> None:
        super().__init__()
        self.form = form
        self.first = nn.Linear(6, 6, bias=False).double()
        with torch.no_grad():
            self.first.weight.copy_(torch.eye(6))
        self.eval()

    def forward(self, x):
        return self.form(self.first(x))


def put(h: Any) -> Any:
    h = h.clone()
    h[h < 0] = 0.0
    return h


def set_places(h: Any) -> Any:
    h = h.clone()
    h[:, 0] = 0.0
    h[:, 1] += h[:, 2]
    return h


RELU = {
    "max with zeros_like": lambda h: torch.max(h, torch.zeros_like(h)),
    "maximum with new_zeros": lambda h: torch.maximum(h, h.new_zeros(h.shape)),
    "where": lambda h: torch.where(h > 0, h, torch.zeros_like(h)),
    "where and a number": lambda h: torch.where(h >= 0, h, 0.0),
    "where below": lambda h: torch.where(h < 0, 0.0, h),
    "times mask": lambda h: h * (h > 0),
    "times floats": lambda h: h * (h > 0).float(),
    "times type": lambda h: (h >= 0).type_as(h) * h,
    "times whole numbers": lambda h: h * (h > 0).int(),
    "times not": lambda h: h * ~(h < 0),
    "masked_fill": lambda h: h.masked_fill(h < 0, 0.0),
    "put": put,
    "heaviside": lambda h: h * torch.heaviside(h, torch.zeros((), dtype=h.dtype)),
    "half a sign": lambda h: h * ((h.sign() + 1) / 2),
    "threshold": lambda h: F.threshold(h, 0.0, 0.0),
    "clamp": lambda h: h.clamp(0),
    "clamp in place": lambda h: (h + 0).clamp_min_(0),
    "reshaped": lambda h: (h.view(-1, 2, 3) * (h > 0).view(-1, 2, 3)).flatten(1),
    "relu times mask": lambda h: F.relu(h) * (h > 0),
}
CONTINUOUS = {
    "leaky": lambda h: torch.where(h > 0, h, 0.25 * h),
    "leaky of masks": lambda h: h * (h > 0) + 0.25 * h * (h <= 0),
    "abs by where": lambda h: torch.where(h < 0, -h, h),
    "abs by sign": lambda h: h * h.sign(),
    "half abs": lambda h: (h + h.abs()) / 2,
    "where above a bound": lambda h: torch.where(h > 0.25, h, 0.25),
    "where and": lambda h: torch.where((h > 0) & (h < 1), h, (h >= 1).double()),
    "full_like": lambda h: torch.minimum(h, torch.full_like(h, 0.25)),
    "soft shrink": lambda h: F.softshrink(h, 0.25),
    "threshold at its value": lambda h: F.threshold(h, 0.25, 0.25),
    "clip": lambda h: torch.clip(h, -1, 0.5),
    "triangle": lambda h: F.relu(1 - h.abs()),
    "part of a mask": lambda h: h[:, 1:4] * (h > 0)[:, 1:4],
    "larger by where": lambda h: torch.where(h[:, :3] > h[:, 3:], h[:, :3], h[:, 3:]),
    "group sort": lambda h: torch.sort(h.view(-1, 3, 2), 2)[0].flatten(1),
    "sort down": lambda h: h.sort(1, descending=True).values,
    "topk": lambda h: h.topk(3, 1).values,
    "smallest": lambda h: h.topk(2, 1, largest=False)[0],
    "kthvalue": lambda h: h.kthvalue(2, 1).values,
    "median": lambda h: h.median(1, keepdim=True).values,
    "cumsum": lambda h: h.cumsum(1),
    "cummax": lambda h: h.cummax(1).values,
    "cummin": lambda h: h.cummin(1).values,
    "l1 norm": lambda h: h.norm(p=1, dim=1, keepdim=True),
    "largest norm": lambda h: torch.linalg.vector_norm(h, float("inf"), dim=1, keepdim=True),
    "einsum": lambda h: torch.einsum("bi,io->bo", h, torch.arange(12.0, dtype=torch.float64).view(6, 2)),
    "tril": lambda h: torch.tril(h.view(-1, 2, 3)).flatten(1),
    "diagonal": lambda h: torch.diagonal(h.view(-1, 2, 3), 0, 1, 2),
    "joined whole numbers": lambda h: torch.cat([h, torch.tensor([[1, 2]])], 1),
    "set places": set_places,
    "gather": lambda h: h.gather(1, torch.tensor([[3, 0, 0]])),
}


def grid() -> np.ndarray:
    # ties, knots and both of their sides, without rounding
    numbers = np.array([-1.0, -0.25, 0.0, 2.0**-60, 0.25, 0.5, 1.0])
    rows = np.array(list(product(numbers, repeat=2)))
    return np.concatenate([np.tile(rows, 3), np.random.default_rng(0).integers(-9, 9, (40, 6)) / 8])


def same(form: Callable) -> Any:
    module, points = Form(form), grid()
    net = load(module, input_shape=(6,))
    with torch.no_grad():
        expected = np.stack([module(torch.from_numpy(p[None])).numpy().reshape(-1) for p in points])
    assert np.array_equal(net(points).reshape(len(points), -1), expected)
    assert net.notes == ()
    return net


@pytest.mark.parametrize("case", RELU)
def test_relu_written_by_hand_is_relu(case):
    net = same(RELU[case])
    assert net.n_neurons == 6 or case == "relu times mask"
    assert all(node.is_relu for node in net.nodes if isinstance(node, Breakpoints))


@pytest.mark.parametrize("case", CONTINUOUS)
def test_continuous_functions_are_exact_on_both_sides_of_their_knots(case):
    same(CONTINUOUS[case])


@pytest.mark.parametrize(
    ("form", "words"),
    [
        (lambda h: F.hardshrink(h, 0.25), "jumps at -0.25, from -0.25 to 0"),
        (lambda h: (h > 0).double(), "jumps at 0, from 0 to 1"),
        (lambda h: h > 0, "jumps at 0, from 0 to 1"),
        (lambda h: h + (h > 0).double(), "jumps at 0"),
        (lambda h: torch.where(h > 0, h, h - 1), "jumps at 0, from -1 to 0"),
        (lambda h: torch.where(h > 0.25, h, 0.0), "jumps at 0.25"),
        (lambda h: F.threshold(h, 0.25, 0.0), "jumps at 0.25"),
        (lambda h: torch.where(h[:, :3] > 0, h[:, 3:], 0.0), "no functions, entry by entry"),
        (lambda h: h.norm(dim=1, keepdim=True), "norm of order 2"),
        (lambda h: h * h, "depends on the network's input"),
        (lambda h: F.glu(h, 1), "sigmoid"),
        (lambda h: torch.tanh(h) + 1, "tanh.*very end"),
        (lambda h: h.round(), "not continuous"),
    ],
)
def test_what_jumps_or_bends_is_refused(form, words):
    with pytest.raises(UnsupportedLayerError, match=words) as caught:
        load(Form(form), input_shape=(6,))
    assert "Leave it out" not in str(caught.value)


@pytest.mark.parametrize(
    ("final", "kept"),
    [
        (lambda h: torch.tanh(h), lambda h: h),
        (lambda h: torch.tanh(h).unflatten(1, (2, 3)), lambda h: h.unflatten(1, (2, 3))),
        (lambda h: F.softmax(h.view(-1, 2, 3), 1).transpose(1, 2), lambda h: h.view(-1, 2, 3).transpose(1, 2)),
        (lambda h: torch.sigmoid(h)[:, 2:4], lambda h: h[:, 2:4]),
        (lambda h: F.logsigmoid(h), lambda h: h),
    ],
)
def test_a_final_activation_may_be_moved_and_chosen_from(final, kept):
    net, without = load(Form(final), input_shape=(6,)), load(Form(kept), input_shape=(6,))
    assert [note.kind for note in net.notes] == ["dropped"]
    assert np.array_equal(net(grid()), without(grid())) and net.output_shape == without.output_shape
