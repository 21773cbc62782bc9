"""Paths are the oracle's, of every family and architecture; what they say of themselves holds; bad input is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import reluatlas as ra
from reluatlas.errors import ArgumentError, DimensionError, DomainError
from reluatlas.network.build import Builder
from reluatlas.paths.trace import trace
from tests.architectures import ARCHITECTURES, architecture
from tests.compare_paths import assert_path_matches_oracle
from tests.strategies import networks, weights
from tests.zoo import FAMILIES

TENT = [(np.array([[1.0], [1.0]]), np.array([0.0, -0.5])), (np.array([[1.0, -2.0]]), np.zeros(1))]


def random_segment(rng, n, kind):
    """Return a generic segment, one of half numbers, one through the origin, or one that begins there."""
    a, b = rng.uniform(-1, 1, (2, n)) if kind != 1 else rng.integers(-2, 3, (2, n)) / 2
    a = -b if kind == 2 else np.zeros(n) if kind == 3 else a
    return ra.Segment(a, b if not np.array_equal(a, b) else a + 1)


@pytest.mark.parametrize("family", FAMILIES)
def test_families_match_the_oracle(family):
    n_escalated = 0
    for seed in range(8):
        net, rng = FAMILIES[family](seed), np.random.default_rng([seed, 3])
        segments = [random_segment(rng, net.n_inputs, kind) for kind in range(4)]
        paths = trace(net, segments, jobs=1 + seed % 2)
        for path in paths:
            assert_path_matches_oracle(path, exact_places=seed % 4 == 0)
        alone = trace(net, segments[seed % 4])
        assert np.array_equal(alone.patterns, paths[seed % 4].patterns)
        n_escalated += paths[0].exactness.n_escalated
    if family in ("duplicate", "opposite", "parallel", "ternary", "three_lines_meet"):
        assert n_escalated > 0


@settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(networks(n_inputs=2), st.lists(weights, min_size=4, max_size=4))
def test_drawn_networks_match_the_oracle(net, numbers):
    a, b = np.array(numbers[:2]), np.array(numbers[2:])
    assert_path_matches_oracle(trace(net, ra.Segment(a, b + (a == b).all())), exact_places=True)


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_architectures_match_the_oracle(name, whole):
    net, rng = ra.load(architecture(name, seed=1, whole=whole)), np.random.default_rng(5)
    images = rng.integers(0, 3, (4, net.n_inputs)).astype(float) if whole else rng.uniform(0, 1, (4, net.n_inputs))
    images[3] = 0.5  # one color
    for path in trace(net, images):
        assert_path_matches_oracle(path)


def test_wide_layers_match_the_oracle():
    # wide enough for the compiled loops and for leaving out units that are off
    for seed, whole in ((0, False), (2, True)):
        rng = np.random.default_rng(seed)
        layers = []
        for n, m in ((20, 70), (70, 48), (48, 44), (44, 2)):
            weight = rng.integers(-1, 2, (m, n)) * 1.0 if whole else rng.normal(size=(m, n)) / np.sqrt(n)
            layers.append((weight, rng.uniform(-1.5, 0.3, m) if not whole else rng.integers(-6, 1, m) * 1.0))
        net = ra.load(layers)
        a, b = rng.integers(-2, 3, (2, 20)) * 1.0 if whole else rng.normal(size=(2, 20))
        path = trace(net, ra.Segment(a, b))
        assert path.n_pieces > 20
        assert_path_matches_oracle(path)


def test_a_tent():
    path = trace(ra.load(TENT), ra.Segment([-1.0], [1.0]))
    assert path.breakpoints.tolist() == [0.5, 0.75] and path.n_pieces == path.n_linear_regions == 3
    assert path.affine.A[:, 0, 0].tolist() == [0.0, 2.0, -2.0] and path.values()[:, 0].tolist() == [0, 0, 0.5, 0]
    assert path.changes(1) == [(0, 1, 0, 1)] and path.hamming == path.n_changes == 2
    assert path.classes.tolist() == [0, 1] and path.class_changes.tolist() == [0.5]
    assert path.input_affine(2).A.tolist() == [[[-1.0]]] and path.input_affine(2).b.tolist() == [[1.0]]
    assert path.to_table()["end"].tolist() == [0.5, 0.75, 1.0]


def test_units_that_change_together_are_one_breakpoint():
    b = Builder((1,))
    z = b.dense(0, [[1.0], [-1.0], [3.0]], [-0.1, 0.1, -0.3])  # 3 * 0.1 is not 0.3: two places, an ulp apart
    path = trace(b.finish(b.dense(b.relu(z), [[1.0, 1.0, 1.0]])), ra.Segment([0.0], [1.0]))
    assert [len(path.changes(i)) for i in range(path.n_pieces - 1)] in ([1, 2], [2, 1])
    assert path.exact_breakpoint(0) < path.exact_breakpoint(1)
    assert float(path.exact_breakpoint(1) - path.exact_breakpoint(0)) < 1e-16


def test_a_path_that_touches_a_face_is_not_cut():
    net = ra.load([(np.array([[1.0, 0.0], [-1.0, 0.0]]), np.zeros(2)), (np.array([[1.0, 1.0]]), np.zeros(1))])
    assert trace(net, ra.Segment([0.0, -1.0], [0.0, 1.0])).n_pieces == 1  # inside the face
    assert trace(net, ra.Segment([0.0, 0.0], [1.0, 1.0])).n_pieces == 1  # from the face


def test_corners_inside_a_cell_join():
    net = ra.load(TENT)
    paths = trace(net, np.array([[-1.0], [-0.5], [0.25], [1.0]]))
    assert paths.is_polyline and paths.n_pieces.tolist() == [1, 2, 2] and paths.n_pieces_joined == 3
    assert paths.hamming.tolist() == [0, 1, 1] and paths.lengths.tolist() == [0.5, 0.75, 0.75]


def test_reversed_and_joined_segments_agree():
    net, rng = FAMILIES["generic"](4), np.random.default_rng(0)
    a, b = rng.uniform(-1, 1, (2, net.n_inputs))
    there, back = trace(net, [ra.Segment(a, b), ra.Segment(b, a)])
    assert np.array_equal(there.patterns, back.patterns[::-1])
    assert np.allclose(there.breakpoints, 1 - back.breakpoints[::-1], atol=1e-12)


def test_pieces_are_those_of_evaluation():
    net = FAMILIES["leaky_abs_clip"](9)
    path = trace(net, ra.Segment(np.full(net.n_inputs, -1.0), np.linspace(0.3, 1.7, net.n_inputs)))
    middle = ((path.edges[1:] + path.edges[:-1]) / 2)[:, None]
    X = (1 - middle) * path.segment.a + middle * path.segment.b
    assert np.array_equal(net.patterns(X), path.patterns)
    assert np.allclose(path.affine.A[:, :, 0] * middle + path.affine.b, net(X), atol=1e-12)


def test_limits_leave_a_first_part():
    rng = np.random.default_rng(2)
    net = ra.load(
        [(rng.normal(size=(m, n)) / n**0.5, rng.normal(size=m) * 0.1) for n, m in ((4, 60), (60, 60), (60, 2))]
    )
    segment = ra.Segment(-np.ones(4), np.ones(4))
    whole = trace(net, segment)
    stopped = trace(net, segment, max_seconds=1e-9)
    assert not stopped.is_complete and stopped.stopped_by == "max_seconds" and stopped.n_pieces == 0
    many = trace(net, [segment] * 3, max_cells=1, jobs=1)
    assert not many.is_complete or int(many.n_pieces.sum()) == 3 * whole.n_pieces
    seen = []
    trace(net, [segment] * 3, jobs=2, progress=lambda n, share: seen.append((n, share)))
    assert seen == [] or 0 <= seen[-1][1] <= 1


def test_an_interrupt_keeps_what_was_found(monkeypatch):
    from reluatlas.paths import sweep

    net, calls = FAMILIES["generic"](4), []
    rng = np.random.default_rng(0)
    segments = [ra.Segment(*rng.uniform(-1, 1, (2, net.n_inputs))) for _ in range(6)]
    monkeypatch.setattr(sweep, "_NUMBERS", 1)  # an interval at a time

    def stop_after_some(n, share):
        calls.append(n)
        if len(calls) == 5:
            raise KeyboardInterrupt

    paths = trace(net, segments, jobs=1, progress=stop_after_some)
    assert paths.stopped_by == "interrupt" and int(paths.n_pieces.sum()) > 0
    whole = trace(net, segments, jobs=1)
    for part, path in zip(paths, whole, strict=True):
        assert np.array_equal(part.patterns, path.patterns[: part.n_pieces])
        assert np.allclose(part.breakpoints, path.breakpoints[: part.breakpoints.size], rtol=0, atol=1e-9)
        assert part.is_complete == (part.n_pieces == path.n_pieces and part.reached == 1.0)


def test_small_chunks_change_nothing(monkeypatch):
    from reluatlas.paths import sweep

    for family in ("duplicate", "max_identical", "residual", "concat"):
        net, rng = FAMILIES[family](6), np.random.default_rng(1)
        segments = [random_segment(rng, net.n_inputs, kind) for kind in range(4)]
        monkeypatch.setattr(sweep, "_NUMBERS", 1)
        for path in trace(net, segments):
            assert_path_matches_oracle(path)


@pytest.mark.parametrize(
    ("line", "error", "text"),
    [
        (ra.Segment([0.0], [1.0]), DimensionError, "is a segment of 1 inputs but the network takes 2"),
        ([ra.Segment([0.0, 0.0], [1.0, 0.0]), ra.Segment([0.0], [1.0])], DimensionError, "line[1]"),
        (np.zeros((3, 5)), DimensionError, "corners of shape (5,)"),
        (np.zeros((3, 2)), DomainError, "same point as corners 0 and 1"),
        ([], DomainError, "an empty list"),
        (ra.Box(0, 1, dim=2), DomainError, "a Box"),
        ([[0.0, 0.0], [np.nan, 1.0]], DomainError, "NaN"),
    ],
)
def test_bad_lines_are_refused(line, error, text):
    net = ra.load([(np.eye(2), np.zeros(2)), (np.ones((1, 2)), np.zeros(1))])
    with pytest.raises(error) as caught:
        trace(net, line)
    assert text in str(caught.value)


def test_bad_limits_and_positions_are_refused():
    net, segment = ra.load(TENT), ra.Segment([-1.0], [1.0])
    with pytest.raises(ArgumentError, match="max_cells"):
        trace(net, segment, max_cells=0)
    with pytest.raises(ArgumentError, match="names no breakpoint"):
        trace(net, segment).changes(2)


def test_a_broken_path_is_rejected():
    from dataclasses import replace

    path = trace(FAMILIES["generic"](5), ra.Segment([-1.0, -0.5], [0.9, 1.0]))
    assert_path_matches_oracle(path)
    for broken in (
        replace(path, breakpoints=path.breakpoints + 1e-6),
        replace(path, first_pattern=1 - path.first_pattern),
        replace(path, affine=ra.AffineMaps(path.affine.A + 1e-6, path.affine.b)),
        replace(path, classes=path.classes + 1),
    ):
        with pytest.raises(AssertionError):
            assert_path_matches_oracle(broken)
