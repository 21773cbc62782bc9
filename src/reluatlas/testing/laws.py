"""Is a complex right? By the laws that hold of every one, and that need no second answer to compare with."""

from __future__ import annotations

from typing import Any

from reluatlas.testing.facets import check_facets
from reluatlas.testing.incidence import has_vertices
from reluatlas.testing.patterns import check_patterns_and_maps
from reluatlas.testing.regions import check_regions
from reluatlas.testing.shapes import check_faces, check_shapes


def assert_complex(cx: Any) -> None:
    """Raise an `AssertionError` that names a cell and a law, unless every law of complexes holds.

    For tests of what makes or changes complexes. That the laws hold does not rest on any other answer: the network is
    walked again, along each cell's pattern, by code that shares nothing with the search.

    Parameters
    ----------
    cx : PolyhedralComplex, or anything with its attributes
        Complete or not, in any dimension. Beyond six there are no vertices; what follows from them is left out.

    Returns
    -------
    None

    Raises
    ------
    AssertionError
        When a law does not hold; "cell 7 (and 2 other cells): a twin's twin is another facet".

    Guarantees
    ----------
    The laws, in the order in which they are checked:

    - vertices: runs fit, polygons are convex and counter-clockwise, volumes are those of the shapes (beyond the plane
      of at most 1,000 cells, evenly spread over the sizes) and add up to the domain's;
    - facets: a twin for each, reciprocal; on the other side other patterns, which differ first in the unit that owns
      the facet; the same vertices from both sides; nothing behind it only on the domain's boundary;
    - patterns: distinct; every inequality of the pattern holds at every vertex of the cell up to its radius, and the
      row of a facet vanishes on it; evaluation at a point inside takes the same pieces and winners, in whole numbers
      where float64 is not certain. A cell that is thinner than the rounding of its vertices has no such point for
      certain; of it only rows that are constant are evaluated;
    - maps: those that the pattern composes, and what the network gives at vertices;
    - linear regions: connected, one map each; equal labels of maps for equal maps;
    - faces (of complete complexes): numbers of vertices and facets, and the Euler characteristic, 1 on a bounded
      domain and (-1)^k on a `Space`.

    Together, patterns and volumes leave no room for a lost cell that is larger than 1e-9 of a bounded domain. A lost
    sliver below that, with all its facets mended, is found only by comparison with another answer.

    Cost
    ----
    About two forward passes of k + 1 points for each cell and one for each vertex, in chunks of tens of MB.

    References
    ----------
    [GrigsbyLindsey2022] for the complex; [Higham2002] for bounds on what rounding does to sums.

    Examples
    --------
    >>> import numpy as np
    >>> import reluatlas as ra
    >>> from reluatlas.testing import assert_complex
    >>> net = ra.load([(np.eye(2), np.zeros(2)), (np.ones((1, 2)), np.zeros(1))])
    >>> cx = ra.enumerate_cells(net, ra.Box(-1, 1, dim=2))
    >>> assert_complex(cx)
    >>> cx.volumes[0] = 2.0
    >>> assert_complex(cx)
    Traceback (most recent call last):
    AssertionError: cell 0: its volume is not the area of its polygon
    """
    vertices = has_vertices(cx)
    if vertices:
        check_shapes(cx)
    check_facets(cx)
    check_patterns_and_maps(cx)
    check_regions(cx)
    if vertices and cx.is_complete:
        check_faces(cx)
