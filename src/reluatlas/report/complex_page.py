"""What does the page say? One self-contained HTML file: numbers, figures, tables, how to make it again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from reluatlas.report import common, facts, parts, words
from reluatlas.report.common import About
from reluatlas.report.drawings import Drawing, Mark

if TYPE_CHECKING:
    from markupsafe import Markup

    from reluatlas.complexes.complex import PolyhedralComplex

_LARGEST = 12


def page(
    cx: PolyhedralComplex,
    about: About,
    drawings: Sequence[Drawing],
    marks: Sequence[Mark] = (),
    left_out: Sequence[str] = (),
    not_drawn: Sequence[str] = (),
    numbers: facts.Facts | None = None,
    atlas: str = "",
) -> str:
    """Return the page as text, with the complex's numbers where they are known already: `facts.of_complex`.

    `atlas` is the address of the atlas of the same complex, where there is one.

    Guarantees: nothing is loaded from anywhere, figures and style are inside; every text that comes
    from a model, a path or the user is escaped; no script.
    """
    numbers = facts.of_complex(cx) if numbers is None else numbers
    network = facts.of_network(cx.network)
    stopped = words.stopped(cx.stopped_by, numbers["share_done"], words.measure(cx.domain.dim))
    missing = parts.note(words.not_drawn(not_drawn)) if not_drawn else ""
    body = [
        "" if cx.is_complete else parts.warning(stopped),
        _tiles(numbers),
        parts.call(atlas, "Open the atlas", "the same cells, to zoom, point at and ask") if atlas else "",
        _pictures(marks),
        parts.warning(words.left_out(left_out)) if left_out else "",
        parts.section("Figures", common.figures(drawings), missing) if drawings or not_drawn else "",
        parts.section("Numbers", _numbers(cx, numbers)),
        parts.section("Largest cells", *_largest(cx, numbers)) if cx.n_cells else "",
        *common.ending(network, about),
    ]
    subject = f"{cx.network.source}: {words.network(cx.network)}. Domain: {words.domain(cx.domain)}."
    return common.put_together(about, subject, body)


def _tiles(numbers: facts.Facts) -> Markup:
    exact = numbers["exactness"]
    pairs = [
        (f"{numbers['n_cells']:,}", "cells" if numbers["is_complete"] else "cells found so far"),
        *(
            (f"{numbers[key]:,}", text)
            for key, text in (("n_linear_regions", "linear regions"), ("n_affine_maps", "different affine maps"))
            if numbers[key] is not None
        ),
        (exact["status"], f"{words.counted(exact['n_escalated'], 'sign')} settled beyond float64"),
        (words.seconds(numbers["seconds"]), "to find them"),
    ]
    return parts.tiles(pairs)


def _pictures(marks: Sequence[Mark]) -> Markup | str:
    shown = [(m.label, parts.data_address("png", _gray(m.image))) for m in marks if m.image is not None]
    return parts.pictures(shown) if shown else ""


def _gray(image: Any) -> bytes:
    from io import BytesIO

    from matplotlib.image import imsave

    out = BytesIO()
    imsave(out, np.asarray(image), cmap="gray_r", vmin=0.0, vmax=1.0, format="png")
    return out.getvalue()


def _numbers(cx: PolyhedralComplex, numbers: facts.Facts) -> Markup:
    dim, unbounded = cx.domain.dim, numbers["domain_volume"] is None
    size, power = words.measure(dim), {1: "", 2: "²", 3: "³"}.get(dim, f"^{dim}")
    so_far = "" if cx.is_complete else " (of the part that was done)"
    exact, faces = numbers["exactness"], numbers["f_vector"]
    rows = [
        ("cells", f"{numbers['n_cells']:,}{so_far}", "closed convex sets, one for each activation pattern"),
        ("linear regions", f"{words.number(numbers['n_linear_regions'])}{so_far}", "connected sets of one affine map"),
        ("affine maps", f"{words.number(numbers['n_affine_maps'])}{so_far}", "different ones, adjacent or not"),
        ("f-vector", words.number(None) if faces is None else words.faces(faces), "faces of each dimension"),
        (
            "Euler characteristic",
            words.number(None) if faces is None else f"{numbers['euler_characteristic']}",
            "vertices − edges + …; " + (f"{(-1) ** dim} for the whole space" if unbounded else "1 for a whole box"),
        ),
        ("bounded", f"{numbers['n_bounded']:,}", "cells that do not reach to infinity"),
        (
            size,
            f"{numbers['volume']:.9g}" + ("" if unbounded else f" of {numbers['domain_volume']:.9g}"),
            f"sum over the {'bounded ' if unbounded else ''}cells, in input units{power}",
        ),
        ("found by", f"cutting {numbers['method']}", "how the cells were found"),
        ("exactness", exact["status"], words.exactness(exact)),
        ("visits", f"{exact['n_visits']:,}", "times that a piece of the domain met a node of the network"),
        ("in doubt", f"{exact['n_doubtful_visits']:,}", "visits in which the first float64 bound left some sign open"),
        ("escalated", f"{exact['n_escalated']:,}", "signs that the first float64 bound left open"),
        ("uncertain", f"{exact['n_uncertain']:,}", "signs that were never settled"),
        (
            "time",
            words.seconds(numbers["seconds"]),
            "of the search; the first run on a machine compiles the kernels",
        ),
    ]
    return parts.pairs(rows)


def _largest(cx: PolyhedralComplex, numbers: facts.Facts) -> tuple[Markup, Markup]:
    volumes = np.asarray(cx.volumes)
    whole, size = numbers["domain_volume"], words.measure(cx.domain.dim)
    order = np.argsort(-np.where(cx.is_bounded, volumes, -1.0), kind="stable")[: min(_LARGEST, numbers["n_bounded"])]
    corners = np.diff(cx.vertices.offsets)
    is_late = numbers["n_linear_regions"] is None or numbers["n_affine_maps"] is None
    rows = []
    for i in order.tolist():
        part = "" if whole is None else words.share(float(volumes[i] / whole))
        labels = ("", "") if is_late else (f"{int(cx.linear_regions[i])}", f"{int(cx.affine_map_ids[i])}")
        rows.append((f"{i}", f"{volumes[i]:.6g}", part, f"{corners[i]}", *labels))
    head = ("cell", size, "of the domain", "corners", "linear region", "affine map")
    of = f"{numbers['n_bounded']:,}{' bounded ones' if whole is None else ''}"
    return parts.columns(head, rows, right=range(len(head))), parts.note(
        f"The {len(rows)} largest of {of}; all are in `cells.npz`, which `reluatlas.load_complex` opens. Cells, "
        "regions and maps are numbered from 0."
    )
