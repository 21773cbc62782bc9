"""Networks from lists of (W, b)."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from reluatlas.errors import ArgumentError, DimensionError, NonFiniteError
from reluatlas.importers.load import load

RNG = np.random.default_rng(0)
LAYERS = [(RNG.normal(size=(5, 3)), RNG.normal(size=5)), (RNG.normal(size=(2, 5)), RNG.normal(size=2))]


def test_layers_compute_what_they_say():
    net = load(LAYERS)
    x = RNG.normal(size=(7, 3))
    (w, b), (v, c) = LAYERS
    np.testing.assert_allclose(net(x), np.maximum(x @ w.T + b, 0) @ v.T + c, rtol=1e-13, atol=1e-13)
    assert net.input_shape == (3,) and net.output_shape == (2,) and net.n_neurons == 5 and net.notes == ()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int64, np.int8])
def test_types_are_taken_over_exactly(dtype):
    layers = [((w * 4).astype(dtype), (b * 4).astype(dtype)) for w, b in LAYERS]
    net = load(layers)
    assert np.array_equal(net.nodes[1].operators[0].weight, layers[0][0].astype(np.float64)) and net.notes == ()


def test_integers_beyond_two_to_the_53_are_noted():
    net = load([(np.array([[2**53 + 1]]), np.array([0]))])
    assert [n.kind for n in net.notes] == ["rounded"]


def test_missing_bias_is_zero_and_one_layer_is_affine():
    net = load([([[1, 2]], None)])
    assert net([3.0, 4.0]).tolist() == [11.0] and net.n_neurons == 0


def test_given_arrays_are_not_shared():
    weight, bias = np.ones((2, 2)), np.ones(2)
    net = load([(weight, bias)])
    weight[:], bias[:] = 5, 5
    assert net([1.0, 0.0]).tolist() == [2.0, 2.0]


def test_mean_and_std():
    x = RNG.normal(size=(4, 3))
    got = load(LAYERS, mean=[1, 2, 3], std=0.3)(x)
    np.testing.assert_allclose(got, load(LAYERS)((x - [1, 2, 3]) / 0.3), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("layers", "error", "words"),
    [
        ([], ArgumentError, "empty list"),
        ([3], ArgumentError, r"model\[0\].*\(W, b\)"),
        ([LAYERS[0], (LAYERS[1][0].T, None)], DimensionError, r"\(5, 2\); expected \(out, 5\)"),
        ([(LAYERS[0][0], np.zeros(3))], DimensionError, r"\(3,\); expected \(5,\)"),
        ([(np.zeros(3), np.zeros(3))], DimensionError, r"expected \(out, in\)"),
        ([(np.zeros((0, 3)), np.zeros(0))], DimensionError, r"expected \(out, in\)"),
        ([(np.full((2, 2), np.nan), None)], NonFiniteError, "4 NaN or infinite"),
        ([(np.eye(2), [0, np.inf])], NonFiniteError, "b of layer 1"),
        ([(np.eye(2) * 1j, None)], ArgumentError, "real numbers"),
        ([([[1, 2], [3]], None)], ArgumentError, "not an array"),
        (5, ArgumentError, "of type `int`"),
        ({"W": 1}, ArgumentError, "of type `dict`"),
    ],
)
def test_bad_layers_are_one_clear_sentence(layers, error, words):
    with pytest.raises(error, match=words):
        load(layers)


def test_other_arguments_are_checked():
    with pytest.raises(ArgumentError, match="input_shape"):
        load(LAYERS, input_shape=(4,))
    for shape in ((0,), (), (1.5,), "ab", 3):
        with pytest.raises(ArgumentError, match="input_shape"):
            load(LAYERS, input_shape=shape)
    with pytest.raises(ArgumentError, match="module"):
        load(LAYERS, module=object())
    with pytest.raises(ArgumentError, match="module"):
        load("model.onnx", module=object())


@pytest.mark.parametrize(
    ("values", "exact"),
    [
        ([[2**53 + 1, 0.5]], False),
        ([[np.int64(2**53 + 1), 0.5]], False),
        ([[2**53, 0.5]], True),
        ([[Fraction(1, 3), 1]], False),
        ([[Fraction(1, 4), 1]], True),
        ([[Decimal("0.1"), 1]], False),
        ([[Decimal("0.5"), 1]], True),
        (np.array([[2**64 - 1, 1]], dtype=np.uint64), False),
        (np.array([[2**63 - 1, 1]]), False),
        (np.array([[2**62, 1]]), True),
        (np.ones((1, 2), dtype=bool), True),
    ],
)
def test_numbers_of_any_kind_are_taken_exactly_or_noted(values, exact):
    net = load([(values, [0])])
    weight = net.nodes[1].operators[0].weight
    true = [
        Fraction(int(v)) if isinstance(v, np.integer) else Fraction(v) for v in np.asarray(values, dtype=object).flat
    ]
    assert weight.ravel().tolist() == [float(v) for v in true]
    assert ([Fraction(w) for w in weight.ravel().tolist()] == true) == exact == (net.notes == ())


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
def test_a_matrix_of_numpy_is_taken():
    assert load([(np.matrix("1 2"), [0])])([3.0, 4.0]).tolist() == [11.0]


@pytest.mark.skipif(np.finfo(np.longdouble).nmant == 52, reason="extended precision is float64 here")
def test_extended_precision_is_noted_and_beyond_the_range_refused():
    assert [n.kind for n in load([(np.array([[1.0]], dtype=np.longdouble) / 3, None)]).notes] == ["rounded"]
    assert [n.kind for n in load([([[np.longdouble(1) / 3, 1.0]], None)]).notes] == ["rounded"]
    assert load([(np.array([[1.0]], dtype=np.longdouble) / 4, None)]).notes == ()
    with pytest.raises(NonFiniteError):
        load([(np.array([[1.0]], dtype=np.longdouble) * np.longdouble("1e400"), None)])


def test_units_are_noted_when_they_are_rounded():
    assert [n.kind for n in load([(np.eye(1), None)], mean=[2**53 + 1]).notes] == ["rounded"]
    assert [n.kind for n in load([(np.eye(1), None)], mean=Fraction(1, 3)).notes] == ["rounded"]
    assert load([(np.eye(1), None)], mean=[2**53]).notes == ()


def test_tensors_of_torch_are_layers():
    torch = pytest.importorskip("torch", reason="torch is not installed")
    a, b = torch.nn.Linear(2, 3), torch.nn.Linear(3, 1)
    net = load([(a.weight, a.bias), (b.weight, b.bias)])
    assert np.array_equal(net.nodes[1].operators[0].weight, a.weight.detach().double().numpy())
    assert net.notes == () and a.weight.requires_grad
    sparse = torch.eye(2).to_sparse()
    for made in (a.weight.half(), a.weight.bfloat16(), a.weight.double(), a.weight > 0, sparse, torch.eye(2).T):
        exact = made.detach().to_dense().double().numpy()
        assert np.array_equal(load([(made, None)]).nodes[1].operators[0].weight, exact)
    assert [n.kind for n in load([(torch.tensor([[2**53 + 1]]), None)]).notes] == ["rounded"]
    for bad, words in (
        (torch.ones(1, 1, device="meta"), "meta device"),
        (torch.ones(1, 1, dtype=torch.cfloat), "real numbers"),
        ([a.weight[0], a.weight[1]], "not an array of numbers"),
    ):
        with pytest.raises(ArgumentError, match=words):
            load([(bad, None)])


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.ma.masked_array(np.ones((1, 2)), mask=[[True, False]]), "masked"),
        ([["1", "2"]], "real numbers"),
        ([[object(), 1]], "of type `object`"),
        ({"a": 1}, "of type `dict`"),
        (np.zeros((1, 2), dtype=[("a", float)]), "real numbers"),
        (np.zeros((1, 2), dtype="M8[s]"), "real numbers"),
    ],
)
def test_what_holds_no_numbers_is_refused(values, words):
    with pytest.raises(ArgumentError, match=words):
        load([(values, None)])
