"""Colors of classes and lines, measured: how far apart they are to eyes, and whether lines can be seen."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from reluatlas.errors import ArgumentError
from reluatlas.figures import class_colors as module
from reluatlas.figures import colors
from reluatlas.figures.class_colors import class_colors, halo, ink_on
from tests.oracles.color_vision import MACHADO, ciede2000, contrast, lab

WHITE, BLACK = (1.0, 1.0, 1.0), (0.0, 0.0, 0.0)

# Table 1 of Sharma, Wu and Dalal (2005)
SHARMA = """
50 2.6772 -79.7751 50 0 -82.7485 2.0425 | 50 3.1571 -77.2803 50 0 -82.7485 2.8615
50 2.8361 -74.02 50 0 -82.7485 3.4412
50 -1.3802 -84.2814 50 0 -82.7485 1 | 50 -1.1848 -84.8006 50 0 -82.7485 1 | 50 -0.9009 -85.5211 50 0 -82.7485 1
50 0 0 50 -1 2 2.3669 | 50 -1 2 50 0 0 2.3669 | 50 2.49 -0.001 50 -2.49 0.0009 7.1792
50 2.49 -0.001 50 -2.49 0.001 7.1792 | 50 2.49 -0.001 50 -2.49 0.0011 7.2195 | 50 2.49 -0.001 50 -2.49 0.0012 7.2195
50 -0.001 2.49 50 0.0009 -2.49 4.8045 | 50 -0.001 2.49 50 0.001 -2.49 4.8045 | 50 -0.001 2.49 50 0.0011 -2.49 4.7461
50 2.5 0 50 0 -2.5 4.3065 | 50 2.5 0 73 25 -18 27.1492 | 50 2.5 0 61 -5 29 22.8977
50 2.5 0 56 -27 -3 31.9030 | 50 2.5 0 58 24 15 19.4535 | 50 2.5 0 50 3.1736 0.5854 1
50 2.5 0 50 3.2972 0 1 | 50 2.5 0 50 1.8634 0.5757 1 | 50 2.5 0 50 3.2592 0.3350 1
60.2574 -34.0099 36.2677 60.4626 -34.1751 39.4387 1.2644 | 63.0109 -31.0961 -5.8663 62.8187 -29.7946 -4.0864 1.2630
61.2901 3.7196 -5.3901 61.4292 2.2480 -4.9620 1.8731 | 35.0831 -44.1164 3.7933 35.0232 -40.0716 1.5901 1.8645
22.7233 20.0904 -46.6940 23.0331 14.9730 -42.5619 2.0373 | 36.4612 47.8580 18.3852 36.2715 50.5065 21.2231 1.4146
90.8027 -2.0831 1.4410 91.1528 -1.6435 0.0447 1.4441 | 90.9257 -0.5406 -0.9208 88.6381 -0.8985 -0.7239 1.5381
6.7747 -0.2908 -2.4247 5.8714 -0.0985 -2.2286 0.6377 | 2.0776 0.0795 -1.1350 0.9033 -0.0636 -0.5514 0.9082
"""


def nearest(table, vision):
    """Return the smallest difference of two colors of a table."""
    seen = [lab(tuple(c), vision) for c in table]
    return min(ciede2000(p, q) for p, q in combinations(seen, 2))


def test_the_oracle_has_the_published_differences():
    rows = [[float(v) for v in row.split()] for row in SHARMA.strip().replace("\n", "|").split("|")]
    assert len(rows) == 34
    for *pair, expected in rows:
        assert ciede2000(pair[:3], pair[3:]) == pytest.approx(expected, abs=5e-5)
    assert lab(WHITE) == pytest.approx((100, 0, 0), abs=2e-2) and lab(BLACK) == pytest.approx((0, 0, 0), abs=1e-12)
    assert contrast(WHITE, BLACK) == pytest.approx(21.0)
    for matrix in MACHADO.values():  # gray stays gray to every eye
        assert np.allclose(np.sum(matrix, axis=1), 1.0, atol=2e-6)


@pytest.mark.parametrize("vision", MACHADO)
def test_ten_classes_can_be_told_apart(vision):
    assert nearest(class_colors(np.arange(10)), vision) >= 15.0
    assert nearest(class_colors(np.arange(20)), vision) >= 9.0
    assert nearest(colors.series(8), vision) >= 15.0
    with_ties = class_colors([*range(10), -1])
    assert nearest(with_ties, vision) >= 12.0, "gray is a tie"


def test_lines_have_three_to_one():
    for n in range(1, 30):
        assert all(contrast(tuple(c), WHITE) >= 3.0 for c in colors.series(n)), n
    for c in class_colors(np.arange(20)):
        assert contrast(tuple(c), BLACK) >= 3.0, "the decision boundary is black"
        is_seen = contrast(tuple(c), WHITE) >= 3.0
        assert bool(halo(c, 1.0)) is not is_seen
        assert contrast(tuple(c), tuple(colors.rgb([ink_on(c)])[0])) >= 4.5, "the name in the area"
    assert contrast(tuple(colors.rgb([module.HALO])[0]), WHITE) >= 3.0


def test_a_class_has_one_color_whatever_else_there_is():
    ten = class_colors(np.arange(10))
    assert np.array_equal(class_colors([7]), ten[[7]]) and np.array_equal(class_colors([[3, 1]]), ten[[[3, 1]]])
    assert np.array_equal(class_colors(np.array([2, 2, 0], dtype=np.uint8)), ten[[2, 2, 0]])
    assert np.array_equal(class_colors([25]), class_colors([5]))
    assert class_colors([]).shape == (0, 3)


def test_palettes_of_others(net_with_names):
    assert np.array_equal(class_colors([0, 2], palette=["red", "blue", "#00FF00"]), [[1, 0, 0], [0, 1, 0]])
    ten = class_colors(np.arange(10))
    some = class_colors([0, 1, 2], palette={"dog": "white", 2: "black"}, network=net_with_names)
    assert np.array_equal(some, [ten[0], [1, 1, 1], [0, 0, 0]])
    import matplotlib

    assert np.allclose(class_colors([3], palette="tab10"), matplotlib.colormaps["tab10"](3)[:3])
    for palette, text in (
        (["red"], "has 1 colors; there are 3"),
        ("viridis", "no list of colors"),
        ("nothing", "no list of colors"),
        ({"cow": "red"}, "names the class 'cow'"),
        ({-1: "red"}, "names the class -1"),
        (["red", "blue", "no color"], "no color of matplotlib"),
        (3, "is a int"),
    ):
        with pytest.raises(ArgumentError, match=text):
            class_colors([0, 1, 2], palette=palette, network=net_with_names)
    for wrong in ([0.5], [-2], ["a"]):
        with pytest.raises(ArgumentError, match="whole numbers"):
            class_colors(wrong)


@pytest.fixture
def net_with_names():
    from types import SimpleNamespace

    return SimpleNamespace(class_names=("cat", "dog", "eel"))
