"""What does a file of a complex hold? `load_complex`: a complex, when every array is one of such."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from reluatlas.affine import AffineMaps
from reluatlas.complexes.archive import ARCHIVE
from reluatlas.complexes.archive_checks import (
    Rows,
    check_complex,
    check_offsets,
    check_patterns,
    check_vertices,
    checked_exactness,
    checked_stop,
)
from reluatlas.complexes.complex import PolyhedralComplex
from reluatlas.complexes.facets import named_facets
from reluatlas.complexes.record import Vertices
from reluatlas.domain import Box, Domain, Slice, Space
from reluatlas.network.archive import unpack_network
from reluatlas.network.network import Network
from reluatlas.storage.archive import Members
from reluatlas.subdivision.program.lower import check_domain, piece_type
from reluatlas.subdivision.runner.kinds import MAX_DIMENSION, is_plane


def load_complex(path: str | Path) -> PolyhedralComplex:
    """Return the complex that `PolyhedralComplex.save` wrote.

    Returns
    -------
    PolyhedralComplex

    Raises
    ------
    ResultFileError
        When the file is missing, truncated, of another version, not such a file, or holds what no complex is.

    Guarantees
    ----------
    A file that anything changed since it was written is refused, and so is one whose arrays do not make a complex: by
    types, lengths, ranges, finiteness, and facets and their twins. Nothing is made room for that the file's parts do
    not hold. The network in it is not compared with its model again.

    Cost
    ----
    Reads the file once, and checks its sums.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> import reluatlas as ra
    >>> net = ra.load([(np.eye(2), np.zeros(2)), (np.ones((1, 2)), np.zeros(1))])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     ra.enumerate_cells(net, ra.Box(-1, 1, dim=2)).save(Path(folder) / "cells.npz")
    ...     again = ra.load_complex(Path(folder) / "cells.npz")
    >>> again.n_cells, again.domain
    (4, Box(low=[-1, -1], high=[1, 1]))
    """
    with ARCHIVE.opening(path) as (head, arrays):
        return _assembled(head, arrays)


def _assembled(head: dict[str, Any], arrays: Members) -> PolyhedralComplex:
    if set(head) != {"format", "version", "stopped_by", "exactness", "domain"}:
        raise ValueError("its head has other entries")
    network = unpack_network(arrays)
    domain = _domain(head["domain"], network, arrays)
    stopped_by, exactness = checked_stop(head["stopped_by"]), checked_exactness(head["exactness"])
    n, k = (arrays.shape("patterns") or (0,))[0], domain.dim
    if k > MAX_DIMENSION:
        raise ValueError(f"its domain has {k} dimensions, in which no vertices are listed")
    offsets = arrays.take("offsets", np.int64, (n + 1,))
    points = arrays.take("points", np.float64, (None, k))
    radii, is_ray = arrays.take("radii", np.float64, (len(points),)), arrays.take("is_ray", bool, (len(points),))
    vertices, facet_offsets = Vertices(points, offsets, radii, is_ray), offsets
    if not is_plane(domain):
        facet_offsets = arrays.take("facet_offsets", np.int64, (n + 1,))
        on = arrays.take("on", np.uint64, (len(points), None))
        vertices = Vertices(points, offsets, radii, is_ray, on, arrays.take("rows", np.int64, (len(points), k)))
    neighbor, twin, line = (arrays.take(name, np.int64, (None,)) for name in ("neighbor", "twin", "line"))
    if not neighbor.shape == twin.shape == line.shape:
        raise ValueError("`neighbor`, `twin` and `line` are not of one length")
    check_offsets("facet_offsets", facet_offsets, line.size, 0 if isinstance(domain, Space) else k + 1)
    check_vertices(vertices, domain, facet_offsets)
    rows, m = Rows(network, k), network.n_outputs
    patterns = arrays.take("patterns", piece_type(network), (n, rows.most.size))
    check_patterns(patterns, rows)
    cx = PolyhedralComplex(
        network=network,
        domain=domain,
        stopped_by=stopped_by,
        exactness=exactness,
        patterns=patterns,
        affine=AffineMaps(arrays.take("affine_A", np.float64, (n, m, k)), arrays.take("affine_b", np.float64, (n, m))),
        vertices=vertices,
        facets=named_facets(neighbor, twin, facet_offsets, line),
    )
    check_complex(cx, cx.by_pattern, rows)
    return cx


def _domain(name: Any, network: Network, arrays: Members) -> Domain:
    if name == "Space":
        return check_domain(network, Space(network.n_inputs))
    if name not in ("Box", "Slice"):
        raise ValueError(f"`domain` is {name!r:.60}")
    low = arrays.take("low", np.float64, (None,))
    box = Box(low, arrays.take("high", np.float64, low.shape))
    if name == "Box":
        return check_domain(network, box)
    origin = arrays.take("origin", np.float64, (network.n_inputs,))
    basis = arrays.take("basis", np.float64, (low.size, origin.size))
    return check_domain(network, Slice(origin, basis, box=box))
