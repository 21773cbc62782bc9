"""How is a complex kept? In one `.npz` file without pickle, the network in it, with a format version."""

from __future__ import annotations

import json
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reluatlas.affine import AffineMaps
from reluatlas.cells.adjacency import named_facets
from reluatlas.cells.complex import PolyhedralComplex, Vertices
from reluatlas.cells.exactness import Exactness
from reluatlas.domain import Box, Slice, Space
from reluatlas.errors import ResultFileError
from reluatlas.network.stored import pack_network, unpack_network
from reluatlas.writing import whole_file

FORMAT, VERSION = "reluatlas.PolyhedralComplex", 2


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
    target = Path(path)
    head = {
        "format": FORMAT,
        "version": VERSION,
        "stopped_by": cx.stopped_by,
        "exactness": asdict(cx.exactness),
        "domain": type(cx.domain).__name__,
    }
    arrays: dict[str, NDArray] = {
        "head": np.frombuffer(json.dumps(head).encode(), dtype=np.uint8),
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
    try:
        with whole_file(target) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
    except OSError as error:
        raise ResultFileError(
            f"`{target}` cannot be written: {error.strerror or error}. Choose another path."
        ) from None


def load_complex(path: str | Path) -> PolyhedralComplex:
    """Return the complex that `PolyhedralComplex.save` wrote.

    Raises
    ------
    ResultFileError
        When the file is missing, truncated, of another version, or not such a file.
    """
    source = Path(path)
    try:
        with source.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except FileNotFoundError:
        raise ResultFileError(f"`{source}` does not exist. Pass a file that `.save` wrote.") from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, AttributeError, TypeError) as error:
        raise ResultFileError(f"`{source}` is not a saved complex, or is damaged ({error}). Save it again.") from None
    try:
        head = json.loads(bytes(arrays["head"]).decode())
    except (KeyError, ValueError):
        head = {}
    if not isinstance(head, dict) or head.get("format") != FORMAT:
        raise ResultFileError(f"`{source}` is an .npz file but not a saved complex. Pass a file that `.save` wrote.")
    if head["version"] != VERSION:
        raise ResultFileError(
            f"`{source}` has format version {head['version']}; this reluatlas reads version {VERSION}. "
            "Enumerate the cells again, or use the version that wrote it."
        )
    try:
        return _assembled(head, arrays)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise ResultFileError(f"`{source}` is damaged ({type(error).__name__}: {error}). Save it again.") from None


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
