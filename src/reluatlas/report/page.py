"""What does the page say? One self-contained HTML file: numbers, figures, tables, how to make it again."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

import numpy as np

from reluatlas._version import __version__
from reluatlas.report import facts, words
from reluatlas.report.drawings import Drawing, Mark

if TYPE_CHECKING:
    from reluatlas.complexes.complex import PolyhedralComplex

_SVG_UP_TO = 600_000
_LARGEST = 12
_MAX_NODES, _MAX_NOTES = 60, 60


@dataclass(frozen=True)
class About:
    """What a page says that the complex does not know.

    Attributes
    ----------
    title : str
        Heading: what was opened, and where.
    intro : str
        A sentence or two under it; may be empty.
    command : str
        The line that was typed; empty when there was none.
    code : str
        Python that gives the same complex; empty when unknown.
    """

    title: str
    intro: str = ""
    command: str = ""
    code: str = ""


def page(
    cx: PolyhedralComplex,
    about: About,
    drawings: Sequence[Drawing],
    marks: Sequence[Mark] = (),
    left_out: Sequence[str] = (),
) -> str:
    """Return the page as text.

    Guarantees: nothing is loaded from anywhere, figures and style are inside; every text that comes
    from a model, a path or the user is escaped; no script.
    """
    numbers = facts.of_complex(cx)
    network = facts.of_network(cx.network)
    body = [
        ""
        if cx.is_complete
        else _warning(words.stopped(cx.stopped_by, numbers["share_done"], words.measure(cx.domain.dim))),
        _tiles(numbers),
        _pictures(marks),
        _warning(words.left_out(left_out)) if left_out else "",
        _section("Figures", _figures(drawings)) if drawings else "",
        _section("Numbers", _numbers(cx, numbers)),
        _section("Largest cells", _largest(cx, numbers)) if cx.n_cells else "",
        _section("The network", _network(network)),
        _section("What import changed", _notes(network)),
        _section("How to make it again", _again(about)),
    ]
    subject = f"{cx.network.source}: {words.network(cx.network)}. Domain: {words.domain(cx.domain)}."
    return put_together(about, subject, body)


def put_together(about: About, subject: str, body: Iterable[str]) -> str:
    """Return the whole page: a head, and the parts of the body that are not empty, as HTML."""
    here = Path(__file__)
    return Template(here.with_name("page.html").read_text(encoding="utf-8")).substitute(
        title=escape(about.title),
        style=here.with_name("page.css").read_text(encoding="utf-8"),
        version=escape(__version__),
        subject=escape(subject),
        intro=f"<p>{escape(about.intro)}</p>" if about.intro else "",
        body="\n".join(part for part in body if part),
    )


def tiles(pairs: Iterable[tuple[str, str]]) -> str:
    """Return large numbers in a row, each over what it counts."""
    inside = "".join(
        f'<div class="tile"><b>{escape(big)}</b><span>{escape(small)}</span></div>' for big, small in pairs
    )
    return f'<div class="tiles">{inside}</div>'


def columns(head: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[int] = ()) -> str:
    """Return a table of texts under names; the columns in `right` end flush."""

    def line(cells: Sequence[str], tag: str) -> str:
        starts = [f'<{tag} class="n">' if i in right else f"<{tag}>" for i in range(len(cells))]
        return "".join(f"{start}{escape(cell)}</{tag}>" for start, cell in zip(starts, cells, strict=True))

    return _table(line(head, "th"), [f"<tr>{line(row, 'td')}</tr>" for row in rows])


def _section(title: str, inside: str) -> str:
    return f"<section>\n<h2>{escape(title)}</h2>\n{inside}\n</section>"


def _warning(text: str) -> str:
    return f'<p class="warn" role="alert">{escape(text)}</p>'


def _tiles(numbers: facts.Facts) -> str:
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
    return tiles(pairs)


def _pictures(marks: Sequence[Mark]) -> str:
    shown = [(m, m.image) for m in marks if m.image is not None]
    if not shown:
        return ""
    inside = "".join(
        f'<div><img alt="{escape(m.label)}" src="{_uri("png", _gray(image))}">{escape(m.label)}</div>'
        for m, image in shown
    )
    return f'<div class="marks">{inside}</div>'


def _gray(image: Any) -> bytes:
    from io import BytesIO

    from matplotlib.image import imsave

    out = BytesIO()
    imsave(out, np.asarray(image), cmap="gray_r", vmin=0.0, vmax=1.0, format="png")
    return out.getvalue()


def _uri(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"


def _figures(drawings: Iterable[Drawing]) -> str:
    return '<div class="figures">\n' + "\n".join(_figure(d) for d in drawings) + "\n</div>"


def _figure(drawing: Drawing) -> str:
    small = len(drawing.svg) <= _SVG_UP_TO
    source = _uri("svg+xml", drawing.svg) if small else _uri("png", drawing.png)
    wide = ' class="wide"' if drawing.is_wide else ""
    return (
        f'<figure{wide} id="{escape(drawing.name)}"><h3>{escape(drawing.title)}</h3>'
        f'<img alt="{escape(drawing.title)}" src="{source}"><figcaption>{escape(drawing.caption)}</figcaption></figure>'
    )


def _numbers(cx: PolyhedralComplex, numbers: facts.Facts) -> str:
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
    lines = [f'<tr><th>{escape(a)}</th><td>{escape(b)}</td><td class="soft">{escape(c)}</td></tr>' for a, b, c in rows]
    return _table("", lines)


def _table(head: str, rows: Iterable[str]) -> str:
    top = f"<thead><tr>{head}</tr></thead>" if head else ""
    return f'<div class="scroll"><table>{top}<tbody>\n' + "\n".join(rows) + "\n</tbody></table></div>"


def _largest(cx: PolyhedralComplex, numbers: facts.Facts) -> str:
    volumes = np.asarray(cx.volumes)
    whole, size = numbers["domain_volume"], words.measure(cx.domain.dim)
    order = np.argsort(-np.where(cx.is_bounded, volumes, -1.0), kind="stable")[: min(_LARGEST, numbers["n_bounded"])]
    corners = np.diff(cx.vertices.offsets)
    is_late = numbers["n_linear_regions"] is None or numbers["n_affine_maps"] is None
    head = "".join(
        f'<th class="n">{t}</th>' for t in ("cell", size, "of the domain", "corners", "linear region", "affine map")
    )
    rows = []
    for i in order.tolist():
        part = "" if whole is None else words.share(float(volumes[i] / whole))
        labels = ("", "") if is_late else (f"{int(cx.linear_regions[i])}", f"{int(cx.affine_map_ids[i])}")
        cells = (f"{i}", f"{volumes[i]:.6g}", part, f"{corners[i]}", *labels)
        rows.append("<tr>" + "".join(f'<td class="n">{escape(c)}</td>' for c in cells) + "</tr>")
    of = f"{numbers['n_bounded']:,}{' bounded ones' if whole is None else ''}"
    many = f"<p class='soft'>The {len(rows)} largest of {of}; all are in <code>cells.npz</code>, "
    return (
        _table(head, rows)
        + many
        + "which <code>reluatlas.load_complex</code> opens. Cells, regions and maps are numbered from 0.</p>"
    )


def _network(network: facts.Facts) -> str:
    head = '<th class="n">node</th><th>name</th><th>kind</th><th>reads</th><th>shape</th>' + "".join(
        f'<th class="n">{t}</th>' for t in ("units", "parameters")
    )
    nodes = network["nodes"]
    rows = [_node_row(n) for n in nodes[:_MAX_NODES]]
    return _table(head, rows) + _and_more(len(nodes) - _MAX_NODES, "node")


def _node_row(n: facts.Facts) -> str:
    def number(value: int) -> str:
        return f"{value:,}" if value else ""

    return (
        f'<tr><td class="n">{n["index"]}</td><td class="t">{escape(n["name"])}</td><td>{escape(n["kind"])}</td>'
        f"<td>{', '.join(map(str, n['reads']))}</td><td>{'×'.join(map(str, n['shape']))}</td>"
        f'<td class="n">{number(n["units"])}</td><td class="n">{number(n["parameters"])}</td></tr>'
    )


def _notes(network: facts.Facts) -> str:
    notes = network["notes"]
    if not notes:
        return "<p>Nothing was rounded, folded or dropped: the network has the model's own numbers.</p>"
    rows = [
        f'<tr><td>{escape(n["kind"])}</td><td class="t">{escape(n["node"])}</td><td>{escape(n["text"])}</td></tr>'
        for n in notes[:_MAX_NOTES]
    ]
    return _table("<th>what</th><th>node</th><th>how</th>", rows) + _and_more(len(notes) - _MAX_NOTES, "note")


def _and_more(number: int, noun: str) -> str:
    return f'<p class="soft">and {words.counted(number, f"more {noun}")}</p>' if number > 0 else ""


def _again(about: About) -> str:
    parts = []
    if about.command:
        parts.append(f"<p>On the command line:</p>\n<pre>{escape(about.command)}</pre>")
    if about.code:
        parts.append(f"<p>In Python:</p>\n<pre>{escape(about.code)}</pre>")
    made = ", ".join(f"{name} {version}" for name, version in facts.versions().items())
    return "\n".join(parts) + f'\n<p class="soft">Made with {escape(made)}.</p>'
