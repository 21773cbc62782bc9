"""What is written about the cells of points? Page, numbers, arrays, certificates and figures, into one folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reluatlas.affine import AffineMaps
from reluatlas.certify.archive import Packed, save_certificates
from reluatlas.domain import Box, Space
from reluatlas.network.decision import class_label
from reluatlas.network.unit_names import column_name
from reluatlas.report import cell_words, common, facts, nearest_facts, parts, words
from reluatlas.report.cell_record import CellFacts, PointFacts
from reluatlas.report.common import About
from reluatlas.report.drawings import Drawing, fitting
from reluatlas.report.figure_files import new_figure, on_one, png_and_svg
from reluatlas.report.folder import CERTIFICATES, POINTS, POINTS_INDEX, fill_folder
from reluatlas.report.points_file import write_points
from reluatlas.report.write import as_json, write_figures

if TYPE_CHECKING:
    from markupsafe import Markup

    from reluatlas.cells.cell import Cell
    from reluatlas.network.network import Network

_ROWS, _CELLS, _FACETS = 200, 12, 10
_IMAGES, _OUTPUTS = 4, 12
_VECTOR = 12  # numbers of a vector that are written out
_WIDTH = 8.6
_CHECK = """import reluatlas as ra

net = {load}
print([report.is_ok for report in check_file(net, "certificates.npz")])"""


def write_points_report(
    net: Network,
    domain: Box | Space,
    points: Sequence[PointFacts],
    certificates: Sequence[Packed],
    drawn: Mapping[str, Cell],
    folder: Path,
    numbers: facts.Facts,
    about: About,
    *,
    load: str,
    answers: Sequence[str] = (),
) -> Path:
    """Write `report.html`, `points.json`, `points.npz`, `certificates.npz` and figures; return the page's path.

    Parameters
    ----------
    certificates : sequence of Packed
        One for each cell, in the order of the points.
    drawn : mapping of str to Cell
        The cells whose facets are drawn, with names.
    folder : Path
        New, empty, or an earlier result, which is replaced.
    load : str
        The Python that loads the network.
    answers : sequence of str
        What the network says at each point, in a line.
    """

    def write(place: Path) -> None:
        figures = list(fitting(_draw(net, points, drawn), numbers))
        write_figures(place / "figures", figures)
        write_points(place / POINTS, points, n_inputs=net.n_inputs, n_outputs=net.n_outputs)
        save_certificates(place / CERTIFICATES, domain, certificates)
        text = _page(net, domain, points, numbers, about, figures, load, answers)
        (place / "report.html").write_text(text, encoding="utf-8", errors="backslashreplace")
        (place / POINTS_INDEX).write_text(as_json(numbers) + "\n", encoding="utf-8")

    fill_folder(folder, write)
    return folder / "report.html"


def _draw(net: Network, points: Sequence[PointFacts], drawn: Mapping[str, Cell]) -> Iterator[Drawing]:
    from reluatlas.figures import plot
    from reluatlas.figures.contributions import picture_shape

    if not drawn:
        return
    size = (_WIDTH, 1.3 + 0.62 * len(drawn) ** 0.9)
    png, svg = png_and_svg(partial(on_one, partial(_facets, plot.facet_distances, drawn), size))
    yield Drawing("facets", "How far the facets are", _facets_caption(points, drawn), png, svg, is_wide=True)
    with_maps = [point for point in points if point.cells]
    shape = picture_shape(net.input_shape)
    if shape is not None and with_maps and net.n_outputs <= _OUTPUTS:
        png, svg = png_and_svg(partial(_images, plot.affine_images, with_maps[:_IMAGES], shape, net.n_outputs))
        yield Drawing("maps", "The affine maps, as pictures", _images_caption(), png, svg, is_wide=True)


def _facets(draw: Any, drawn: Mapping[str, Cell], ax: Any) -> None:
    draw(drawn, ax=ax)


def _facets_caption(points: Sequence[PointFacts], drawn: Mapping[str, Cell]) -> str:
    first = "" if len(points) == len(drawn) else f"The first {words.counted(len(drawn), 'point')}. "
    face = (
        " Of a point on a face, the first of the cells that meet there; a triangle at the edge is a facet through the "
        "point."
    )
    return (
        f"{first}Each tick is a facet of the cell that holds the point, at the distance of its hyperplane: the facet "
        "itself is at least as far, and the nearest exactly so. In the lane and color of the layer whose neuron or max "
        "window turns there. The diamond is the nearest point of another class in the same cell; one in another cell "
        "may be nearer." + (face if any(point.is_on_face for point in points) else "")
    )


def _images(draw: Any, points: Sequence[PointFacts], shape: tuple[int, ...], m: int) -> Any:
    figure = new_figure((1.05 * (m + 1) + 1.0, 1.05 * len(points) + 0.4))
    axes = figure.subplots(len(points), m + 1, squeeze=False)
    for row, point in zip(axes, points, strict=True):
        cell = point.cells[0]
        maps = AffineMaps(cell.A.reshape(1, m, *shape), cell.b[None])
        draw({point.label: maps}, image=point.x.reshape(shape), axes=row)
    return figure


def _images_caption() -> str:
    return (
        "One row for each point: the input, and of each output the weights of the affine map that holds on the whole "
        "cell. Red raises the output, blue lowers it, white does nothing; each row has its own scale."
    )


def _page(
    net: Network,
    domain: Box | Space,
    points: Sequence[PointFacts],
    numbers: facts.Facts,
    about: About,
    figures: Sequence[Drawing],
    load: str,
    answers: Sequence[str],
) -> str:
    network = facts.of_network(net)
    body = [
        "" if numbers["is_complete"] else parts.warning(cell_words.stopped(numbers)),
        parts.tiles(_tiles(numbers, points)),
        parts.section("Figures", common.figures(figures)) if figures else "",
        parts.section("What the network says", *_answers(answers)) if answers else "",
        parts.section("Points", *_points(net, points)) if any(point.cells for point in points) else "",
        *_cells(net, points),
        parts.section("Certificates", *_certificates(numbers, load)) if points else "",
        *common.ending(network, about),
    ]
    subject = f"{net.source}: {words.network(net)}. Domain: {words.domain(domain)}."
    return common.put_together(about, subject, body)


def _answers(answers: Sequence[str]) -> tuple[Markup | str, ...]:
    """Return a line for each point."""
    rows = [(line.partition(": ")[0], line.partition(": ")[2]) for line in answers]
    return parts.columns(("point", "answer"), rows[:_ROWS]), common.more(len(rows) - _ROWS, "point")


def _tiles(numbers: facts.Facts, points: Sequence[PointFacts]) -> list[tuple[str, str]]:
    exact = numbers["exactness"]
    facets = sum(len(cell.owners) for point in points for cell in point.cells)
    return [
        (f"{numbers['n_points']:,}", "point" if numbers["n_points"] == 1 else "points"),
        (f"{numbers['n_cells']:,}", "cell" if numbers["n_cells"] == 1 else "different cells"),
        (f"{facets:,}", "facets, each proved" if numbers["exactness"]["n_uncertain"] == 0 else "facets so far"),
        (exact["status"], f"{words.counted(exact['n_escalated'], 'decision')} settled beyond float64"),
        (words.seconds(numbers["seconds"]), "to find them"),
    ]


def _points(net: Network, points: Sequence[PointFacts]) -> tuple[Markup | str, ...]:
    names = (
        "point", "class", "facets", "nearest facet", "what turns there", "other class",
        "bounded, inradius", "pattern",
    )  # fmt: skip
    rows = []
    for point in points:
        for k, cell in enumerate(point.cells):
            label = point.label if len(point.cells) == 1 else f"{point.label}, cell {k + 1}"
            turns = "" if cell.nearest is None else cell_words.name(net, cell.owners[cell.nearest])
            other = "" if cell.other is None else nearest_facts.short(cell.other)
            rows.append(
                (
                    label, class_label(net, point.class_), f"{len(cell.owners):,}", cell_words.distance_of(cell), turns,
                    other,
                    cell_words.short_size_of(cell), cell_words.short_pattern(net, cell.pattern),
                )
            )  # fmt: skip
    return (
        parts.columns(names, rows[:_ROWS], right=(2, 3)),
        common.more(len(rows) - _ROWS, "cell"),
        parts.note(
            "Distances are in input units; outputs are counted from 0. The inradius is the radius of "
            'a largest ball in the cell: "any" where balls of any size fit. A pattern is written layer by layer '
            "and unit by unit, or for many units as how many are on in each layer, and a digest."
        ),
    )


def _cells(net: Network, points: Sequence[PointFacts]) -> list[Markup]:
    told = [
        (
            f"The cell of {point.label}" + (f": {k + 1} of those that meet there" if point.is_on_face else ""),
            point,
            cell,
        )
        for point in points
        for k, cell in enumerate(point.cells)
    ]
    sections = [parts.section(label, *_cell(net, point, cell)) for label, point, cell in told[:_CELLS]]
    if len(told) > _CELLS:
        sections.append(
            parts.note(f"{words.counted(len(told) - _CELLS, 'more cell')} in `points.json` and `points.npz`.")
        )
    return sections


def _cell(net: Network, point: PointFacts, cell: CellFacts) -> tuple[Markup | str, ...]:
    rows = [
        ("class", cell_words.class_of(point)),
        ("facets", cell_words.facets_of(cell)),
        ("nearest facet", cell_words.nearest_of(cell, net)),
        ("another class", cell_words.other_of(cell)),
        ("size", cell_words.size_of(cell)),
        ("Chebyshev center", "none" if cell.center is None else _vector(cell.center)),
        ("affine map", _map(cell)),
        ("pattern", cell_words.short_pattern(net, cell.pattern)),
    ]
    if point.is_on_face:
        rows.insert(1, ("on a face", f"{len(point.cells):,} cells meet at the point" + _so_far(point)))
    if cell.check is not None:
        rows.append(("certificate", f"checked from the weights: {cell.check.n_rows:,} rows, all claims hold"))
    return parts.pairs(rows), *_nearest_facets(net, cell)


def _so_far(point: PointFacts) -> str:
    return "" if point.is_complete else ", and more than the limit allows"


def _nearest_facets(net: Network, cell: CellFacts) -> tuple[Markup | str, ...]:
    if not cell.owners:
        return ()
    rows = []
    for i in range(min(_FACETS, len(cell.owners))):
        if cell.is_domain[i]:
            behind = "the domain ends"
        else:
            names = [column_name(net, int(c)) for c in cell.flips[i][:3]]
            more = f" and {cell.flips[i].size - 3:,} more" if cell.flips[i].size > 3 else ""
            behind = f"{', '.join(names)}{more}"
        at_least = "at least " if cell.distances[i] > cell.distances[0] else ""
        rows.append((f"{at_least}{cell.distances[i]:.6g}", cell_words.name(net, cell.owners[i]), behind))
    head = ("distance", "what turns there", "units that are on another piece behind it")
    return parts.columns(head, rows), common.more(len(cell.owners) - _FACETS, "facet")


def _vector(values: Any) -> str:
    shown = ", ".join(f"{v:.6g}" for v in values[:_VECTOR])
    return f"({shown}{', ...' if len(values) > _VECTOR else ''})"


def _map(cell: CellFacts) -> str:
    m, n = cell.A.shape
    if m * n <= _VECTOR:
        rows = ", ".join(f"[{', '.join(f'{v:.6g}' for v in row)}]" for row in cell.A)
        return f"A = [{rows}], b = {_vector(cell.b)}"
    return f"A with {m} × {n} numbers, b = {_vector(cell.b)}; all of it in points.npz"


def _certificates(numbers: facts.Facts, load: str) -> tuple[Markup, Markup]:
    checked = (
        f"They were checked in this run: all {numbers['n_checked']:,} hold." if numbers["n_checked"] else
        "They were not checked in this run (`--check` does)."
    )  # fmt: skip
    proof = parts.paragraph(
        "Each facet has a point that violates it alone, and each row that is no facet has multipliers that replace it "
        "by others; with a point inside of the cell, that proves the list of facets. All of these are in "
        f"`certificates.npz`, as exact numbers. {checked} The check composes the rows again from the weights, in whole "
        "numbers, and shares nothing with the search:"
    )
    return proof, parts.code(_CHECK.format(load=load))
