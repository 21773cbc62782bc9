"""What `compare` tells at points, on segments and on domains; what it refuses, and in which words."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import pytest

import reluatlas as ra
from reluatlas.comparison.norms import root
from reluatlas.errors import ArgumentError, DimensionError, DomainError


def dense(*widths, seed=0, **meaning):
    rng = np.random.default_rng(seed)
    return ra.load([(rng.normal(size=(b, a)), rng.normal(size=b)) for a, b in pairwise(widths)], **meaning)


def with_last(net, change):
    *layers, (weight, bias) = net.dense_layers()
    return ra.load([*layers, change(weight, bias)])


F, G = dense(2, 5, 4, 3, seed=1), dense(2, 5, 4, 3, seed=2)
SQUARE = ra.Box(-1, 1, dim=2)


def test_the_witness_is_where_the_difference_is():
    found = ra.compare(F, G, SQUARE)
    assert found.found is not None
    apart = np.abs(F(found.found.x) - G(found.found.x))
    assert apart.max() == pytest.approx(found.largest, rel=1e-12)
    assert int(apart.argmax()) == found.output
    np.testing.assert_allclose(found.found.f, F(found.found.x), rtol=1e-12)
    np.testing.assert_allclose(found.found.g_at_vertex, G(found.found.x), rtol=1e-9, atol=1e-12)
    assert found.witnesses is not None
    each = np.abs(F(found.witnesses) - G(found.witnesses))
    np.testing.assert_allclose(np.diagonal(each), found.max_difference, rtol=1e-9)


def test_each_pair_of_classes_has_a_witness_and_its_pieces():
    found = ra.compare(F, G, SQUARE)
    assert found.pairs
    assert found.pieces is not None
    for pair in found.pairs:
        assert pair.witness is not None
        assert (F(pair.witness).argmax(), G(pair.witness).argmax()) == (pair.f_class, pair.g_class)
        mine = (found.pieces.f_class == pair.f_class) & (found.pieces.g_class == pair.g_class)
        assert mine.sum() == pair.n_pieces
        assert found.pieces.volume[mine].sum() / SQUARE.volume == pytest.approx(pair.share, rel=1e-12)
    assert found.disagreement == pytest.approx(sum(p.share for p in found.pairs))


@pytest.mark.parametrize(("norm", "order"), [(1, 1), (2, 2), ("inf", np.inf)])
def test_norms_over_the_outputs(norm, order):
    found = ra.compare(F, G, SQUARE, norm=norm)
    X = np.random.default_rng(0).uniform(-1, 1, (20_000, 2))
    sampled = np.linalg.norm(F(X) - G(X), ord=order, axis=1).max()
    assert 0.97 * found.lower < sampled <= found.upper
    assert found.witness is not None
    assert np.linalg.norm(F(found.witness) - G(found.witness), ord=order) == pytest.approx(found.upper, rel=1e-12)
    assert found.upper - found.lower <= 1e-12 * found.upper


def test_a_root_is_between_its_bounds():
    for square in (Fraction(2), Fraction(1, 10**40), Fraction(10**40), Fraction(9, 4), Fraction(0)):
        low, high = root(square)
        assert low * low <= square <= high * high
        assert high - low <= Fraction(high, 2**55)


def test_the_smallest_output_decides_where_networks_say_so():
    f, g = dense(2, 5, 3, seed=1, classes="min"), dense(2, 5, 3, seed=2, classes="min")
    X = np.random.default_rng(0).uniform(-1, 1, (20_000, 2))
    sampled = (f(X).argmin(axis=1) != g(X).argmin(axis=1)).mean()
    assert ra.compare(f, g, SQUARE).disagreement == pytest.approx(sampled, abs=0.02)


def test_networks_without_classes_have_none_that_differ():
    found = ra.compare(dense(2, 4, 2, classes=None), dense(2, 4, 2, seed=1), SQUARE)
    assert found.disagreement is None
    assert found.pairs == ()
    assert "class" not in found.summary()


def test_slices_and_six_dimensions():
    f, g = dense(6, 3, 2, seed=1), dense(6, 3, 2, seed=2)
    whole = ra.compare(f, g, ra.Box(-1, 1, dim=6))
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, (20_000, 6))
    apart = np.abs(f(X) - g(X))
    assert apart.max() <= whole.upper
    assert whole.mean_difference is not None
    np.testing.assert_allclose(whole.mean_difference, apart.mean(axis=0), rtol=0.03)
    plane = ra.Slice.through(X[:3])
    on = ra.compare(f, g, plane)
    assert on.upper >= np.abs(f(X[:3]) - g(X[:3])).max()
    assert on.refinement.n_cells == on.n_cells


def test_what_was_not_looked_at_is_bounded_too():
    f, g = dense(2, 30, 30, 2, seed=1), dense(2, 30, 30, 2, seed=2)
    whole, part = ra.compare(f, g, SQUARE), ra.compare(f, g, SQUARE, max_cells=40, jobs=1, method="cells")
    assert not part.is_complete
    assert part.stopped_by == "max_cells"
    assert 0 < part.share_done < 1
    assert part.lower <= whole.lower <= whole.upper <= part.upper
    assert part.is_equal is False
    assert "Incomplete" in part.summary() and "between" in part.summary()


def test_equal_parts_are_there_once_and_the_difference_is_exact():
    g = with_last(F, lambda w, b: (w, b + np.array([0.0, 0.25, 0.0])))
    found = ra.compare(F, g, SQUARE)
    assert found.max_difference.tolist() == pytest.approx([0.0, 0.25, 0.0], abs=1e-15)
    assert found.n_cells == ra.count_cells(F, SQUARE).n_cells


def test_words_at_points_begin_with_the_classes():
    X = np.random.default_rng(0).uniform(-1, 1, (1000, 2))
    found = ra.compare(F, G, X=X)
    same = int((F(X).argmax(axis=1) == G(X).argmax(axis=1)).sum())
    assert found.words[0].startswith(f"Same class at {same} of 1,000 points; outputs differ by at most ")
    np.testing.assert_array_equal(found.differences, F(X) - G(X))
    assert found.f_classes is not None
    np.testing.assert_array_equal(found.f_classes, F(X).argmax(axis=1))
    assert found.hamming is not None
    np.testing.assert_array_equal(found.hamming, (F.patterns(X) != G.patterns(X)).sum(axis=1))
    assert found.f_margins is not None
    top = np.sort(F(X), axis=1)
    np.testing.assert_allclose(found.f_margins, top[:, -1] - top[:, -2])


def test_classes_at_ties_are_the_lowest():
    f = ra.load([(np.eye(2), np.zeros(2)), (np.ones((2, 2)), np.zeros(2))])  # both outputs the same
    g = with_last(f, lambda w, b: (w, b + np.array([0.0, 1e-18])))
    found = ra.compare(f, g, X=np.ones((4, 2)))
    assert found.f_classes is not None
    assert found.f_classes.tolist() == [0] * 4
    on = ra.compare(f, g, SQUARE)
    assert on.f_tied == pytest.approx(1.0)
    assert on.g_tied == 0.0
    # the classes differ everywhere, by less than any float64 sum shows
    assert on.disagreement == pytest.approx(1.0)
    assert on.lower <= 1e-18 <= on.upper
    assert on.upper == pytest.approx(1e-18, rel=1e-12)
    assert on.is_below_float32


def test_few_points_are_said_to_say_little():
    net = dense(2, 8, 2, seed=3)
    few = ra.compare(net, net, X=np.random.default_rng(0).uniform(-1, 1, (10, 2)))
    assert few.elsewhere == (0.0, pytest.approx(0.3085, abs=1e-4))  # 1 - 0.025 ** 0.1
    assert "So few points say little" in few.summary()


def test_layers_that_do_not_correspond_are_not_compared():
    found = ra.compare(dense(2, 4, 3), dense(2, 5, 3), X=np.ones((200, 2)))
    assert found.hamming is None
    assert "do not correspond" in found.summary()


def test_between_points():
    X = np.random.default_rng(0).uniform(-1, 1, (4, 2))
    found = ra.compare(F, G, X=X, segments=[(0, 1), (2, 3)], planes=[(0, 1, 2)])
    (along,), (plane,) = found.segments, found.planes
    t = np.linspace(0, 1, 4001)[:, None]
    for i, (a, b) in enumerate(((0, 1), (2, 3))):
        on = X[a] + t * (X[b] - X[a])
        apart = np.abs(F(on) - G(on)).max(axis=1)
        assert apart.max() <= along.max_by_segment[i] + along.bounds[i]
        assert apart.max() == pytest.approx(along.max_by_segment[i], rel=1e-3)
        assert along.disagreement is not None
        differ = F(on).argmax(axis=1) != G(on).argmax(axis=1)
        assert along.disagreement[i] == pytest.approx(differ.mean(), abs=2e-3)
    assert along.largest == ra.compare(F, G, list(along.segments)).largest
    assert np.abs(F(along.witness) - G(along.witness)).max() == pytest.approx(along.largest, rel=1e-9)
    assert plane.domain.dim == 2
    assert any("this plane" in line for line in found.words)
    assert found.to_dict()["planes"][0]["n_cells"] == plane.n_cells


def test_classes_in_another_order_are_said():
    order = [2, 0, 1]
    found = ra.compare(F, with_last(F, lambda w, b: (w[order], b[order])), SQUARE)
    assert "in the order (class 1, class 2, class 0)" in found.summary()
    assert not any("order" in line for line in ra.compare(F, G, SQUARE).words)


def test_other_normalization_is_said():
    layers = F.dense_layers()
    scaled = ra.load(layers, mean=0.5, std=2.0)
    assert "normalize" in ra.compare(F, scaled, SQUARE).summary()
    assert "normalize" not in ra.compare(scaled, ra.load(layers, mean=0.5, std=2.0), SQUARE).summary()


def test_shapes_that_differ_are_named():
    with pytest.raises(DimensionError, match=r"`f` takes inputs of shape \(2,\) but `g` of shape \(3,\)"):
        ra.compare(F, dense(3, 4, 3), SQUARE)
    with pytest.raises(DimensionError, match=r"outputs of shape \(3,\) but `g` of shape \(2,\)"):
        ra.difference(F, dense(2, 4, 2))
    square = dense(4, 3, 2, seed=1).reshaped((2, 2))
    with pytest.raises(DimensionError, match=r"`g\.reshaped\(\(4,\)\)`"):
        ra.compare(dense(4, 3, 2), square, ra.Box(-1, 1, dim=4))
    assert ra.difference(dense(4, 3, 2), square.reshaped((4,))).input_shape == (4,)
    with pytest.raises(DimensionError, match="has 3 numbers"):
        square.reshaped((3,))
    with pytest.raises(ArgumentError, match="`g` is of type `int`"):
        ra.compare(F, 3, SQUARE)  # pyright: ignore


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        ({}, ArgumentError, "either `where`"),
        ({"where": SQUARE, "X": np.ones((2, 2))}, ArgumentError, "either `where`"),
        ({"where": ra.Space(2)}, DomainError, "no largest value"),
        ({"where": np.ones((3, 2))}, DomainError, "Points go into `X=`"),
        ({"where": ra.Box(-1, 1, dim=3)}, DimensionError, "`where` has dimension 3"),
        ({"where": ra.Segment([0.0, 0, 0], [1.0, 0, 0])}, DimensionError, "3 inputs"),
        ({"where": SQUARE, "norm": 3}, ArgumentError, 'Pass 1, 2 or "inf"'),
        ({"where": SQUARE, "norm": True}, ArgumentError, 'Pass 1, 2 or "inf"'),
        ({"where": SQUARE, "segments": [(0, 1)]}, ArgumentError, "Pass the points as `X=`"),
        ({"X": np.zeros((0, 2))}, ArgumentError, "no points"),
        ({"X": np.ones((2, 2)), "segments": [(0, 2)]}, ArgumentError, "points that `X` does not have"),
        ({"X": np.ones((2, 2)), "segments": [(0, 0)]}, ArgumentError, "one point twice"),
        ({"X": np.ones((2, 2)), "planes": [(0, 1)]}, ArgumentError, "rows of 3 numbers"),
        ({"X": np.ones((2, 2)), "segments": [(0.5, 1)]}, ArgumentError, "rows of 2 numbers"),
        ({"X": np.full((2, 2), np.nan)}, ra.errors.NonFiniteError, "NaN"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(given, error, says):
    with pytest.raises(error, match=says):
        ra.compare(F, G, **given)
    with pytest.raises(DomainError, match="7 dimensions"):
        ra.compare(dense(7, 3, 2), dense(7, 3, 2, seed=1), ra.Box(-1, 1, dim=7))
    with pytest.raises(ArgumentError, match="`classes=True`"):
        ra.compare(dense(2, 3, 2, classes=None), dense(2, 3, 2), SQUARE, classes=True)


def test_three_panels():
    found = ra.compare(F, G, SQUARE)
    assert found.pieces is not None
    first, second, third = axes = ra.plot.comparison(found)
    assert [ax.get_title() for ax in axes] == [f"{n}, output {found.output}" for n in ("f", "g", "f − g")]
    pictures = [next(i for i in ax.images if i.get_gid() == "values") for ax in axes]
    assert len(pictures) == 3
    hatched = [c for c in third.collections if c.get_gid() == "classes differ"]
    assert len(hatched) == 1
    assert len(hatched[0].get_paths()) == len(found.pieces)
    assert any(line.get_gid() == "witness" for line in third.lines)
    # equal values have equal colors on the first two
    same = ra.plot.comparison(ra.compare(F, F, SQUARE), output=1)
    np.testing.assert_array_equal(*(next(iter(ax.images)).get_array() for ax in same[:2]))
    plt.close("all")
    with pytest.raises(DimensionError, match="dimension 1"):
        ra.plot.comparison(ra.compare(dense(1, 3, 2), dense(1, 3, 2, seed=1), ra.Box(-1, 1, dim=1)))
    with pytest.raises(ArgumentError, match="names no output"):
        ra.plot.comparison(found, output=3)
    with pytest.raises(ArgumentError, match="expected three"):
        ra.plot.comparison(found, axes=[first, second])
    plt.close("all")


def test_what_the_time_did_not_reach_is_left_out_and_told(monkeypatch):
    from reluatlas.comparison import compare as module
    from reluatlas.errors import TimeLimitError

    X = np.random.default_rng(0).uniform(-1, 1, (40, 2))
    real, calls = module.compare_on, []

    def over(*given):
        calls.append(given)
        if len(calls) > 1:
            raise TimeLimitError("the time was over")
        return real(*given)

    monkeypatch.setattr(module, "compare_on", over)
    found = ra.compare(F, G, X=X, segments=[(0, 1)], planes=[(0, 1, 2), (3, 4, 5), (6, 7, 8)])
    assert (len(found.segments), len(found.planes), found.n_left_out) == (1, 1, 2)
    assert not found.is_complete
    assert found.to_dict()["stopped_by"] == "max_seconds"
    assert found.words[-1].startswith("Incomplete: 2 of what was asked for")
    np.testing.assert_array_equal(found.differences, F(X) - G(X))


def test_without_time_for_an_exact_vertex_the_bounds_still_hold(monkeypatch):
    from reluatlas.comparison import largest
    from reluatlas.errors import TimeLimitError

    whole = ra.compare(F, G, SQUARE)

    def over(*_):
        raise TimeLimitError("the time was over")

    monkeypatch.setattr(largest, "_exactly", over)
    found = ra.compare(F, G, SQUARE)
    assert found.lower <= whole.lower <= whole.upper <= found.upper
    assert found.upper - found.lower <= 1e-9 * found.upper
    assert found.found is None
    assert "witness" not in found.summary()


def test_after_an_interrupt_it_is_told_at_once_what_was_found(monkeypatch):
    from reluatlas.comparison import on_domain

    exactness = ra.compare(F, F, SQUARE).exactness

    def interrupted(*_):
        return "interrupt", exactness, 0.0

    monkeypatch.setattr(on_domain, "_found", interrupted)
    X = np.random.default_rng(0).uniform(-1, 1, (9, 2))
    found = ra.compare(F, G, X=X, planes=[(0, 1, 2), (3, 4, 5)])
    assert (len(found.planes), found.n_left_out, found.to_dict()["stopped_by"]) == (1, 1, "interrupt")
    assert found.planes[0].lower == 0.0 < found.planes[0].upper
