"""The decision boundary in space: as many polygons as the complex has, in the domain, and refusals in a sentence."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest

import reluatlas as ra


def _complex(k=3, n_outputs=3, seed=0, domain=None):
    rng = np.random.default_rng(seed)
    hidden, last = (rng.normal(size=(7, k)), rng.normal(size=7)), rng.normal(size=(n_outputs, 7))
    middle = np.median(ra.load([hidden, (last, np.zeros(n_outputs))])(rng.uniform(-1, 1, (200, k))), axis=0)
    return ra.enumerate_cells(ra.load([hidden, (last, -middle)]), domain or ra.Box(-1, 1, dim=k))


@pytest.mark.parametrize("n_outputs", [1, 2, 3])
def test_every_polygon_is_drawn_once(n_outputs):
    cx = _complex(n_outputs=n_outputs)
    ax = ra.plot.boundary(cx)
    (drawn,) = [c for c in ax.collections if c.get_gid() == "boundary"]
    polygons = np.split(cx.decision_boundary().points, cx.decision_boundary().offsets[1:-1])
    assert len(polygons) == len(drawn.get_facecolor()) > 3
    names = [t.get_text() for t in ax.get_legend().get_texts()] if n_outputs > 2 else []
    assert (len(names) > 0) == (n_outputs > 2) and all(name.startswith("outputs ") for name in names)
    assert f"{len(polygons)} polygons" in ax.get_title()
    plt.close(ax.figure)


def test_what_has_no_boundary_in_space_is_refused():
    with pytest.raises(ra.errors.DimensionError, match="three-dimensional"):
        ra.plot.boundary(_complex(k=2))
    with pytest.raises(ra.errors.DimensionError, match="three-dimensional"):
        ra.plot.boundary(_complex(domain=ra.Space(3)))
    with pytest.raises(ra.errors.DimensionError, match=r"plot\.boundary"):
        ra.plot.cells(_complex())
    with pytest.raises(ra.errors.ArgumentError, match="flat"):
        ra.plot.boundary(_complex(), ax=plt.subplots()[1])
    plt.close("all")
