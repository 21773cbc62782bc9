"""How is a complex kept? In one `.npz` file without pickle, the network in it, with a format version."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from numpy.typing import NDArray

from reluatlas.complexes.record import ComplexRecord
from reluatlas.domain import Slice, Space
from reluatlas.network.archive import pack_network
from reluatlas.storage.archive import Archive

ARCHIVE = Archive("reluatlas.PolyhedralComplex", 3, what="a saved complex", again="Enumerate the cells again")


def save_complex(cx: ComplexRecord, path: str | Path) -> None:
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
