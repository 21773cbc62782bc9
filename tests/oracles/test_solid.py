"""The oracle of any dimension against that of the plane, linear programs, brute force, and closed forms."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations
from math import comb, prod
from random import Random

import pytest

from tests.oracles import adjacency, anywhere, plain, polyhedra, rational, scales, windows  # noqa: F401
from tests.oracles.brute import all_patterns
from tests.oracles.decision import decision_boundary
from tests.oracles.families import FAMILIES
from tests.oracles.meeting import SIDE, behind, f_vector, holding, is_bounded, linear_regions, n_affine_maps
from tests.oracles.plain import Input, Max, Problem, dense, relu
from tests.oracles.polytopes import as_point, box, cut, measure_squared, value, volume
from tests.oracles.random_problems import KINDS, random_problem
from tests.oracles.segment import trace
from tests.oracles.solid import Cell, Domain, cells, on_box, whole

SEEDS = range(6)


def domain_of(problem: Problem) -> Domain:
    return Domain(problem.low, problem.high, problem.origin, problem.basis)


def points_of(cell: Cell) -> frozenset:
    return frozenset(as_point(v) for v in cell.polytope.vertices)


def side_rows(domain: Domain) -> list[list[Fraction]]:
    """Return the box as rows a . x <= b."""
    out = []
    for j in range(domain.k):
        unit = [Fraction(int(i == j)) for i in range(domain.k)]
        out += [[*unit, Fraction(domain.high[j])], [*(-u for u in unit), -Fraction(domain.low[j])]]
    return out


def small_network(k: int, rng: Random, *, simple: bool = False) -> tuple:
    """Return two small layers, ternary when simple."""

    def layer(source, m, n):
        draw = (lambda: rng.randint(-1, 1)) if simple else (lambda: Fraction(rng.randint(-99, 99), 64))
        return dense(source, [[draw() for _ in range(n)] for _ in range(m)], [draw() for _ in range(m)])

    return (Input(k), layer(0, 3, k), relu(1, 3), layer(2, 2, 3), Max(3, ((0, 1),)), layer(3, 2, 2))


@pytest.mark.parametrize("kind", KINDS)
def test_agrees_with_the_oracle_of_the_plane_and_with_brute_force(kind):
    for seed in SEEDS:
        problem = random_problem(kind, seed)
        domain = domain_of(problem)
        found, expected = cells(problem.nodes, problem.output, domain), rational.enumerate_cells(problem)
        assert {c.pattern: (points_of(c), c.map, c.volume) for c in found} == all_patterns(problem)
        across = behind(found, domain)
        given = {
            frozenset((found[i].pattern, found[j].pattern))
            for i, a in enumerate(across)
            for j in a.values()
            if j != SIDE
        }
        pairs = adjacency.neighbors(expected)
        assert given == {frozenset((expected[i].pattern, expected[k].pattern)) for (i, _), (k, _) in pairs}
        assert f_vector(found, domain) == adjacency.f_vector(expected)
        assert max(linear_regions(found, across)) == max(adjacency.linear_regions(expected, pairs))
        assert n_affine_maps(found) == adjacency.n_affine_maps(expected)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_agrees_with_linear_programs_on_boxes_and_on_the_whole_space(k):
    for seed in range(4):
        nodes = small_network(k, Random(10 * seed + k), simple=seed % 2 == 1)
        here = on_box([-1] * k, [Fraction(3, 2)] * k)
        for domain, rows in ((here, side_rows(here)), (whole(nodes, k), [])):
            found = cells(nodes, 5, domain)
            expected = anywhere.cells(nodes, k, rows)
            assert {c.pattern for c in found} == set(expected) and len(found) == len(expected)
            sides = range(2 * k) if domain.whole else ()
            for cell in found:
                demands = expected[cell.pattern]
                assert sum(f not in sides for f in cell.polytope.rows) == anywhere.n_facets(demands, k)
                assert is_bounded(cell, domain) == anywhere.is_bounded(demands, k)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_cells_form_a_complex_that_fills_the_box(k):
    for seed in range(4):
        nodes, domain = small_network(k, Random(seed)), on_box([-1] * k, [1] * k)
        found = cells(nodes, 5, domain)
        assert sum(c.volume for c in found) == 2**k
        assert sum((-1) ** d * n for d, n in enumerate(f_vector(found, domain))) == 1
        for cell in found:
            rows = [(tuple(Fraction(-a) for a in r[:-1]), Fraction(r[-1])) for r in cell.polytope.rows.values()]
            assert points_of(cell) == polyhedra.vertices(rows) and cell.volume == polyhedra.volume(rows)


@pytest.mark.parametrize(("k", "n"), [(1, 6), (2, 7), (3, 6)])
def test_hyperplanes_in_general_position_and_through_a_point(k, n):
    rng = Random(n)
    weight = [[rng.randint(-1000, 1000) for _ in range(k)] for _ in range(n)]
    bias = [rng.randint(-1000, 1000) for _ in range(n)]
    last = dense(2, [[1] * n], [0])
    apart = (Input(k), dense(0, weight, bias), relu(1, n), last)
    central = (Input(k), dense(0, weight, [0] * n), relu(1, n), last)
    found = cells(apart, 3, whole(apart, k))
    assert len(found) == sum(comb(n, i) for i in range(k + 1))
    assert sum(is_bounded(c, whole(apart, k)) for c in found) == comb(n - 1, k)
    expected = tuple(comb(n, k - d) * sum(comb(n - k + d, i) for i in range(d + 1)) for d in range(k + 1))
    assert f_vector(found, whole(apart, k)) == expected
    assert len(cells(central, 3, whole(central, k))) == 2 * sum(comb(n - 1, i) for i in range(k))


def test_sides_of_the_whole_space_are_far_enough():
    for seed in (7, 15, 23):
        for family in ("gaussian", "few_bits", "wild", "tiny", "subnormal"):
            case = FAMILIES[family](seed)
            assert case.is_space
            nodes = case.nodes()
            seen = []
            for further in (0, 977):
                domain = whole(nodes, 2, further=further)
                found = cells(nodes, len(nodes) - 1, domain)
                bounded = [is_bounded(c, domain) for c in found]
                crossings = [
                    v for c in found for v, on in zip(c.polytope.vertices, c.polytope.on, strict=True) if min(on) > 3
                ]
                seen.append(
                    ([c.pattern for c in found], bounded, f_vector(found, domain), behind(found, domain), crossings)
                )
            assert seen[0] == seen[1]


def test_polytopes_are_cut_as_they_should():
    cube = box([0, 0, 0], [1, 1, 1])
    below, above = cut(cube, (1, 1, 1, -1))
    assert below is not None and above is not None
    assert (volume(below), volume(above)) == (Fraction(1, 6), Fraction(5, 6))
    assert (len(below.vertices), len(below.rows), len(above.vertices), len(above.rows)) == (4, 4, 7, 7)
    # The section is a triangle with sides of length sqrt 2.
    (section,) = [below.corners(f) for f in below.rows if f > 5]
    assert sum(float(m) ** 0.5 for m in measure_squared(section)) == pytest.approx(3**0.5 / 2)
    assert cut(cube, (1, 0, 0, 0)) == (None, cube) and cut(cube, (0, 0, 0, 0)) == (cube, None)
    assert len(list(cube.edges())) == 12


def test_points_are_held_by_the_cells_around_them():
    nodes = (Input(2), dense(0, [[1, 0], [0, 1], [1, 1]], [0, 0, -1]), relu(1, 3), dense(2, [[1, 1, 1]], [0]))
    found = cells(nodes, 3, on_box([-1, -1], [1, 1]))
    assert len(holding(found, (0, 0))) == 4 and len(holding(found, (1, 0))) == 3
    assert len(holding(found, (Fraction(1, 3), Fraction(1, 3)))) == 1 == len(holding(found, (-1, -1)))


def test_a_line_through_a_complex_meets_its_cells_in_the_pieces_of_the_segment():
    for seed in range(6):
        nodes = small_network(3, Random(seed))
        found = cells(nodes, 5, on_box([-1] * 3, [1] * 3))
        a, b = (Fraction(-9, 10), Fraction(1, 7), Fraction(1, 3)), (Fraction(8, 9), Fraction(-1, 5), Fraction(2, 7))
        at = {c.pattern: i for i, c in enumerate(found)}
        for piece in trace(nodes, 5, a, b):
            middle = (piece.start + piece.end) / 2
            assert holding(found, [p + middle * (q - p) for p, q in zip(a, b, strict=True)]) == [at[piece.pattern]]


# The decision boundary: closed forms, and a second way.


def boundary_of(nodes, k, low=-1, high=1):
    last = nodes[-1]
    return decision_boundary(nodes, len(nodes) - 1, len(last.bias), on_box([low] * k, [high] * k))


def corners(piece) -> list:
    return sorted(tuple(float(x) for x in as_point(v)) for v in piece.corners)


def test_three_outputs_that_tie_on_a_line():
    first = (Input(2), dense(0, [[1, 0]], [2]), relu(1, 1))
    found = boundary_of((*first, dense(2, [[0], [1], [-1]], [0, -2, 2])), 2)
    assert [corners(p) for p in found.pieces] == [[(0, -1), (0, 1)]] and not found.full
    assert found.pieces[0].outputs == (0, 1, 2) and not found.pieces[0].is_rim
    solid = boundary_of((Input(3), dense(0, [[1, 0, 0]], [2]), relu(1, 1), dense(2, [[0], [1], [-1]], [0, -2, 2])), 3)
    assert len(solid.pieces) == 1 and sum(float(m) ** 0.5 for m in measure_squared(solid.pieces[0].corners)) == 4


def test_a_unit_that_is_off_is_a_full_piece_with_a_rim():
    found = boundary_of((Input(2), dense(0, [[1, 0]], [0]), relu(1, 1), dense(2, [[1]], [0])), 2)
    assert [volume(f.polytope) for f in found.full] == [2] and [f.pattern for f in found.full] == [(0,)]
    assert [(corners(p), p.is_rim) for p in found.pieces] == [([(0, -1), (0, 1)], True)]
    # On the domain's side: x + 1 is zero there.
    side = boundary_of((Input(2), dense(0, [[1, 0]], [1]), relu(1, 1), dense(2, [[1]], [0])), 2)
    assert [(corners(p), p.patterns) for p in side.pieces] == [([(-1, -1), (-1, 1)], ((1,),))] and not side.full


def test_a_third_output_takes_a_part_of_a_cell_where_two_tie():
    # Two equal outputs and x + 1/2: they tie on x < -1/2 alone, though the cell is the whole square.
    nodes = (Input(2), dense(0, [[0, 0], [0, 0], [1, 0]], [0, 0, Fraction(1, 2)]))
    found = boundary_of(nodes, 2)
    assert [volume(f.polytope) for f in found.full] == [1] and found.full[0].outputs == (0, 1)
    assert [(corners(p), p.outputs, p.is_rim) for p in found.pieces] == [([(-0.5, -1), (-0.5, 1)], (0, 1, 2), True)]


@pytest.mark.parametrize("family", ["gaussian", "few_bits", "tie_region", "equal_outputs", "outputs_tied", "nested"])
def test_boundary_is_the_set_where_outputs_tie(family):
    """On lines across the plane: points of the exact set, found along each line alone, are those of the pieces."""
    n_met = 0
    for seed in (0, 1, 4, 6, 8, 9):
        case = FAMILIES[family](seed)
        nodes, domain = case.nodes(), case.domain()
        found = decision_boundary(nodes, len(nodes) - 1, case.n_outputs(), domain)
        rng = Random(seed)
        for _ in range(6):
            height = Fraction(rng.randint(1, 999), 1000)
            rise = Fraction(rng.randint(-99, 99), 1000)
            y = [
                w + (h - w) * s
                for w, h in [(domain.low[1], domain.high[1])]
                for s in (height, min(max(height + rise, 0), 1))
            ]
            a, b = (domain.low[0], y[0]), (domain.high[0], y[1])
            expected = tied_on_line(trace(nodes, len(nodes) - 1, a, b))
            given = {t for p in found.pieces if (t := _meets(p.corners, a, b)) is not None}
            solid = [s for f in found.full if (s := _inside(f.polytope, a, b))]
            assert all(any(s <= t <= e for s, e in expected) for t in given), "a piece where nothing ties"
            for s, e in expected:
                if s == e:
                    assert s in given or any(u <= s <= v for u, v in solid)
                else:
                    assert sum(max(Fraction(0), min(e, v) - max(s, u)) for u, v in solid) == e - s
            assert sum(v - u for u, v in solid) == sum(e - s for s, e in expected)
            n_met += len(expected)
    assert n_met > 0


def tied_on_line(pieces) -> list[tuple[Fraction, Fraction]]:
    """Return points and intervals of t where the two largest outputs are equal, or the only one is zero."""
    out = set()
    for piece in pieces:
        rows = piece.map if len(piece.map) > 1 else (*piece.map, (Fraction(0), Fraction(0)))
        for (u, v), (w, z) in combinations(rows, 2):
            gap, rise = u - w, (v - z) - (u - w)
            if rise:
                ends = (-gap / rise, -gap / rise)
            elif gap:
                continue
            else:
                ends = (piece.start, piece.end)
            low, high = max(ends[0], piece.start), min(ends[1], piece.end)
            if len(piece.map) > 1:
                for p, q in piece.map:  # the two must be on top
                    a, b = u - p, (v - q) - (u - p)
                    if b > 0:
                        low = max(low, -a / b)
                    elif b < 0:
                        high = min(high, -a / b)
                    elif a < 0:
                        high = low - 1
            if low <= high:
                out.add((low, high))
    points = {s for s, e in out if s == e}
    solid = sorted((s, e) for s, e in out if s < e)
    joined: list[tuple[Fraction, Fraction]] = []
    for s, e in solid:
        if joined and s <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(e, joined[-1][1]))
        else:
            joined.append((s, e))
    return joined + [(p, p) for p in sorted(points) if not any(s <= p <= e for s, e in joined)]


def _meets(corners, a, b) -> Fraction | None:
    """Return the t where a segment of the plane meets that from a to b in one point."""
    p, q = (as_point(v) for v in corners)
    d, e = (b[0] - a[0], b[1] - a[1]), (q[0] - p[0], q[1] - p[1])
    cross = d[0] * e[1] - d[1] * e[0]
    if cross == 0:
        return None
    r = (p[0] - a[0], p[1] - a[1])
    t, s = (r[0] * e[1] - r[1] * e[0]) / cross, (r[0] * d[1] - r[1] * d[0]) / cross
    return t if 0 <= t <= 1 and 0 <= s <= 1 else None


def _inside(polytope, a, b) -> tuple[Fraction, Fraction] | None:
    low, high = Fraction(0), Fraction(1)
    for row in polytope.rows.values():
        at = [row[0] * p[0] + row[1] * p[1] + row[2] for p in (a, b)]
        if at[0] == at[1]:
            if at[0] < 0:
                return None
            continue
        root = at[0] / (at[0] - at[1])
        low, high = (max(low, root), high) if at[1] > at[0] else (low, min(high, root))
    return (low, high) if low < high else None


@pytest.mark.parametrize("family", FAMILIES)
def test_families_are_made_from_their_seeds_and_fill_their_domains(family):
    for seed in range(8):
        case, again = FAMILIES[family](seed), FAMILIES[family](seed)
        assert case.nodes() == again.nodes() and case.domain() == again.domain()
        nodes, domain = case.nodes(), case.domain()
        found = cells(nodes, len(nodes) - 1, domain)
        across = behind(found, domain)
        assert sum(c.volume for c in found) == prod(
            Fraction(h) - w for w, h in zip(domain.low, domain.high, strict=True)
        )
        euler = sum((-1) ** d * n for d, n in enumerate(f_vector(found, domain)))
        assert euler == ((-1) ** domain.k if domain.whole else 1)
        for cell, facets in zip(found, across, strict=True):
            for f, j in facets.items():
                if j == SIDE:
                    continue
                # No jump: both maps agree on the facet, and only there.
                for v in cell.polytope.corners(f):
                    assert [value(r, v) for r in cell.rows] == [value(r, v) for r in found[j].rows]


def test_plain_nodes_are_what_steps_say():
    case = FAMILIES["pool_pixels"](0)
    conv = case.nodes()[1]
    assert isinstance(conv, plain.Affine)
    step = case.steps[0]
    out, channels, tall, wide = step.weight.shape
    image = [
        [[Fraction(c * 7 + i * 3 + j * j, 8) for j in range(step.shape[2])] for i in range(step.shape[1])]
        for c in range(channels)
    ]
    flat = [v for plane in image for line in plane for v in line]
    at = 0
    for o in range(out):
        for i in range(step.shape[1] - tall + 1):
            for j in range(step.shape[2] - wide + 1):
                total = Fraction(float(step.bias[o]))
                for c in range(channels):
                    for p in range(tall):
                        for q in range(wide):
                            total += Fraction(float(step.weight[o, c, p, q])) * image[c][i + p][j + q]
                assert total == conv.bias[at] + sum(w * flat[s] for s, w in conv.terms[0][1][at])
                at += 1
