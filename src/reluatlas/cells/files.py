"""How is a complex kept? In one `.npz` file without pickle, the network in it, with a format version."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from reluatlas.affine import AffineMaps
from reluatlas.archives import Archive
from reluatlas.cells.adjacency import named_facets
from reluatlas.cells.complex import PolyhedralComplex, Vertices
from reluatlas.cells.exactness import Exactness
from reluatlas.domain import Box, Slice, Space
from reluatlas.network.stored import pack_network, unpack_network

ARCHIVE = Archive("reluatlas.PolyhedralComplex", 2, what="a saved complex", again="Enumerate the cells again")


def save_complex(cx: PolyhedralComplex, path: str | Path) -> None:
    """Write a complex to `path` (under a temporary name, then renamed).

    Raises
    ------
    ResultFileError
        When it cannot be written there; nothing is left behind.

    Guarantees
    ----------
    Equal complexes give equal files, byte for byte.
    """
    head = {
        "stopped_by": cx.stopped_by,
        "exactness": asdict(cx.exactness),
        "domain": type(cx.domain).__name__,
    }
    arrays: dict[str, NDArray] = {
        "patterns": cx.patterns,
        "affine_A": cx.affine.A,
        "affine_b": cx.affine.b,
        "points": cx.vertices.points,
        "offsets": cx.vertices.offsets,
        "radii": cx.vertices.radii,
        "is_ray": cx.vertices.is_ray,
        "neighbor": cx.facets.neighbor,
        "twin": cx.facets.twin,
        "line": cx.facets.line,
        **pack_network(cx.network),
    }
    if cx.vertices.on is not None and cx.vertices.rows is not None:
        arrays |= {"on": cx.vertices.on, "rows": cx.vertices.rows, "facet_offsets": cx.facets.offsets}
    if not isinstance(cx.domain, Space):
        arrays |= {"low": cx.box.low, "high": cx.box.high}
    if isinstance(cx.domain, Slice):
        arrays["origin"], arrays["basis"] = cx.domain.frame()
    ARCHIVE.write(path, head, arrays)


def load_complex(path: str | Path) -> PolyhedralComplex:
    """Return the complex that `PolyhedralComplex.save` wrote.

    Raises
    ------
    ResultFileError
        When the file is missing, truncated, of another version, or not such a file.
    """
    with ARCHIVE.opening(path) as (head, arrays):
        return _assembled(head, arrays)


def _assembled(head: dict[str, Any], arrays: dict[str, NDArray]) -> PolyhedralComplex:
    offsets = arrays["offsets"]
    return PolyhedralComplex(
        network=unpack_network(arrays),
        domain=_domain(head["domain"], arrays),
        stopped_by=head["stopped_by"],
        exactness=Exactness(**head["exactness"]),
        patterns=arrays["patterns"],
        affine=AffineMaps(arrays["affine_A"], arrays["affine_b"]),
        vertices=Vertices(
            arrays["points"], offsets, arrays["radii"], arrays["is_ray"], arrays.get("on"), arrays.get("rows")
        ),
        facets=named_facets(arrays["neighbor"], arrays["twin"], arrays.get("facet_offsets", offsets), arrays["line"]),
    )


def _domain(name: str, arrays: dict[str, NDArray]) -> Box | Slice | Space:
    if name == "Space":
        return Space(arrays["points"].shape[1])
    box = Box(arrays["low"], arrays["high"])
    return Slice(arrays["origin"], arrays["basis"], box=box) if name == "Slice" else box
