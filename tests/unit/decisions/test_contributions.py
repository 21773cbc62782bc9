"""Contributions add up to the margin, as rational arithmetic has it, and each is its weight times its input."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.errors import ArgumentError, DimensionError, NonFiniteError
from reluatlas.testing import zoo
from tests.convert import fractions, to_nodes
from tests.data import data_folder
from tests.oracles.pointwise import map_along

FAMILIES = zoo.FAMILIES
DATA = data_folder()


def networks(family, n=8):
    for seed in range(n):
        net = FAMILIES[family](seed)
        if net.classes is not None:
            yield net, np.random.default_rng(seed)


def margin(net, pattern, x, label, against):
    """Return the exact map of a margin along a pattern, as (weights, constant), and its value at x."""
    forms = map_along(to_nodes(net), net.output, net.n_inputs, pattern.tolist())
    sign = -1 if net.classes == "min" else 1
    if net.n_outputs == 1:
        form = [c if label else -c for c in forms[0]]
    else:
        form = [sign * (a - b) for a, b in zip(forms[label], forms[against], strict=True)]
    weights, constant = form[:-1], form[-1]
    return weights, constant, sum(w * v for w, v in zip(weights, fractions(x), strict=True)) + constant


@pytest.mark.parametrize("family", FAMILIES)
def test_one_point_exactly(family):
    n_on_face = 0
    for net, rng in networks(family):
        for x in (rng.uniform(-1, 1, net.n_inputs), np.zeros(net.n_inputs), np.round(rng.uniform(-2, 2, net.n_inputs))):
            why = ra.explain(net, x)
            weights, constant, value = margin(net, why.cell.pattern, x, why.label, why.against)
            assert why.weights.tolist() == [float(w) for w in weights] and why.constant == float(constant)
            assert why.parts.tolist() == [float(w * v) for w, v in zip(weights, fractions(x), strict=True)]
            assert why.value == float(value) and why.value >= 0
            off = abs(sum(map(Fraction, why.parts.tolist()), Fraction(why.constant)) - value)
            assert off <= Fraction(why.error) and (why.error == 0) == (off == 0)
            n_on_face += why.is_on_face
    assert n_on_face > 0 or family not in ("biasless", "three_lines_meet")


@pytest.mark.parametrize("family", FAMILIES)
def test_many_points_within_their_errors(family):
    for net, rng in networks(family, 4):
        X = np.concatenate([rng.uniform(-1, 1, (20, net.n_inputs)), np.zeros((1, net.n_inputs))])
        found = ra.contributions(net, X)
        for i, x in enumerate(X):
            why = ra.explain(net, x)
            if found.against[i] != why.against:  # equal outputs, rounded otherwise in a batch
                outputs = net(x[None])[0]
                assert abs(outputs[found.against[i]] - outputs[why.against]) < 1e-12
                continue
            assert (found.labels[i], found.is_on_face[i]) == (why.label, why.is_on_face)
            _, _, value = margin(net, why.cell.pattern, x, why.label, why.against)
            exact_sum = sum(map(Fraction, found.parts[i].tolist()), Fraction(float(found.constants[i])))
            assert abs(exact_sum - value) <= Fraction(float(found.errors[i]))
            assert abs(Fraction(float(found.sums[i])) - value) <= Fraction(float(found.errors[i]))
            assert np.allclose(found.parts[i], why.parts, rtol=1e-9, atol=1e-12)
            assert found.errors[i] <= 1e-10 * (1 + np.abs(found.parts[i]).sum() + abs(found.constants[i]))


def test_against_and_output_by_number_and_name():
    layers = [(np.eye(2), np.zeros(2)), ([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]], [0.0, 0.5, 0.0])]
    net = ra.load(layers, class_names=["cat", "dog", "owl"])
    why = ra.explain(net, [3.0, 1.0], "owl")
    assert (why.label, why.against, why.value, why.parts.tolist(), why.constant) == (0, 2, 7.0, [6.0, 1.0], 0.0)
    assert ra.explain(net, [3.0, 1.0]).against == 1
    assert ra.explain(net, [3.0, 1.0], output=1).parts.tolist() == [0.0, 1.0]
    assert "cat" in str(why) and "owl" in repr(why)
    assert why.top(1) == [((0,), 6.0)]
    assert ra.contributions(net, [[3.0, 1.0], [1.0, 3.0]], "owl").values.tolist() == [7.0, 7.5]
    with pytest.raises(ArgumentError, match="no class of the network"):
        ra.explain(net, [3.0, 1.0], "fox")
    with pytest.raises(ArgumentError, match="the runner-up is dog"):
        ra.explain(net, [3.0, 1.0], 0)
    with pytest.raises(ArgumentError, match="outputs 0 to 2"):
        ra.explain(net, [3.0, 1.0], output=3)
    with pytest.raises(ArgumentError, match="exclude each other"):
        ra.explain(net, [3.0, 1.0], 1, output=0)


def test_the_smallest_output_a_single_one_and_no_classes():
    layers = [(np.eye(2), np.zeros(2)), ([[1.0, 0.0], [0.0, 1.0]], [0.0, 0.0])]
    least = ra.explain(ra.load(layers, classes="min"), [3.0, 1.0])
    assert (least.label, least.against, least.value, least.parts.tolist()) == (1, 0, 2.0, [3.0, -1.0])
    single = ra.load([(np.eye(2), np.zeros(2)), ([[1.0, -2.0]], [0.0])])
    below = ra.explain(single, [1.0, 1.0])
    assert (below.label, below.against, below.value, below.parts.tolist()) == (0, 1, 1.0, [-1.0, 2.0])
    numbers = ra.load(layers, classes=None)
    with pytest.raises(ArgumentError, match="Pass `output=`"):
        ra.explain(numbers, [3.0, 1.0])
    assert ra.explain(numbers, [3.0, 1.0], output=0).value == 3.0
    found = ra.contributions(numbers, [[3.0, 1.0]], output=1)
    assert found.labels.tolist() == [-1] and found.values.tolist() == [1.0]
    with pytest.raises(DimensionError):
        ra.explain(numbers, [1.0, 2.0, 3.0], output=0)
    with pytest.raises(NonFiniteError):
        ra.contributions(numbers, [[1.0, float("nan")]], output=0)


def test_units_are_those_before_mean_and_std():
    layers = [(np.eye(2), np.zeros(2)), ([[1.0, 0.0], [0.0, 1.0]], [0.0, 0.0])]
    why = ra.explain(ra.load(layers, mean=1.0, std=0.5), [3.0, 2.0])  # relu((x - 1) / 0.5)
    assert why.parts.tolist() == [6.0, -4.0] and why.constant == 0.0 and why.value == 2.0


@pytest.mark.skipif(DATA is None, reason="no data folder (RELUATLAS_DATA)")
def test_a_real_network_on_faces_too():
    assert DATA is not None
    net = ra.load(DATA / "models" / "mnist-net_256x2.onnx")
    X = np.random.default_rng(0).random((40, net.n_inputs))
    X[20:, ::2] = 0.0
    found = ra.contributions(net, X)
    assert np.all(np.abs(found.sums - found.values) <= found.errors) and found.errors.max() < 1e-9
    ranked = np.sort(net(X), axis=1)
    assert np.allclose(found.values, ranked[:, -1] - ranked[:, -2], rtol=1e-9)
    why = ra.explain(net, X[30])
    assert np.allclose(why.parts.reshape(-1), found.parts[30].reshape(-1), rtol=1e-7, atol=1e-10)
