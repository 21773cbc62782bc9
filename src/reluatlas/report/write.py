"""What is written about a complex? Page, cells, numbers and figures, into one folder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reluatlas.deadline import current
from reluatlas.errors import TimeLimitError
from reluatlas.report.common import About
from reluatlas.report.complex_page import page
from reluatlas.report.drawings import NAMES, Drawing, Mark, draw
from reluatlas.report.facts import Facts
from reluatlas.report.folder import ATLAS, INDEX, fill_folder

_ATLAS_NAME = "atlas"
_ATLAS_S, _ATLAS_PER_CELL_S = 0.3, 1e-4  # what it takes, about

if TYPE_CHECKING:
    from reluatlas.complexes.complex import PolyhedralComplex


def write_report(
    cx: PolyhedralComplex,
    folder: Path,
    numbers: Facts,
    about: About,
    *,
    marks: Sequence[Mark] = (),
    figures: Sequence[str] | None = None,
    unasked_s: float = 0.0,
) -> Path:
    """Write `report.html`, `atlas.html`, `cells.npz`, `cells.json` and the figures; return the report's path.

    Parameters
    ----------
    cx : PolyhedralComplex
        On a plane domain; it may be incomplete, and the page says so.
    folder : Path
        New, empty, or an earlier result, which is replaced.
    numbers : dict
        What goes into `cells.json`, `facts.of_complex` within; figures that the time did not suffice for are added,
        as `left_out`.
    about : About
    marks : sequence of Mark
        Points to point out on the figures.
    figures : sequence of str, optional
        Names of the figures to draw; when None, those that take no longer than `unasked_s` in all: see `draw`. What
        is not drawn for that is added to `numbers`, as `not_drawn`.
    unasked_s : float
        What the mathematics took.

    Raises
    ------
    ArgumentError
        When the folder is of others or cannot be written.
    """
    left_out: list[str] = []
    not_drawn: list[str] = []

    def write(place: Path) -> None:
        drawn = draw(cx, marks, left_out.append, names=figures, unasked_s=unasked_s, not_drawn=not_drawn.append)
        atlas = _atlas(cx, about, marks)
        if atlas is None:
            left_out.append(_ATLAS_NAME)
        drawings = sorted(drawn, key=lambda d: [*NAMES, d.name].index(d.name))
        if not_drawn:
            numbers["not_drawn"] = sorted(not_drawn, key=[*NAMES, *not_drawn].index)
        if left_out:
            numbers["left_out"] = [*numbers.get("left_out", ()), *left_out]
        cx.save(place / "cells.npz")
        write_figures(place / "figures", drawings)
        told = numbers.get("left_out", ()), numbers.get("not_drawn", ())
        if atlas:
            _text(place / ATLAS, atlas)
        text = page(cx, about, drawings, marks, *told, numbers=numbers, atlas=ATLAS if atlas else "")
        (place / "report.html").write_text(text, encoding="utf-8", errors="backslashreplace")
        (place / INDEX).write_text(as_json(numbers) + "\n", encoding="utf-8")

    fill_folder(folder, write)
    return folder / "report.html"


def _atlas(cx: PolyhedralComplex, about: About, marks: Sequence[Mark]) -> str | None:
    """Return the page of the atlas; "" where a domain has none, None when there is no time for it."""
    if cx.domain.dim != 2 or cx.vertices.on is not None or cx.n_cells == 0:
        return ""
    if current().left() < _ATLAS_S + _ATLAS_PER_CELL_S * cx.n_cells:
        return None
    from reluatlas.atlas.contents import contents_of
    from reluatlas.atlas.page import page_of

    try:
        return page_of(contents_of(cx, marks), title=about.title, report="report.html")
    except TimeLimitError:
        return None


def write_numbers(folder: Path, name: str, numbers: Facts) -> Path:
    """Write numbers alone, as JSON, into a folder; return the file's path."""
    fill_folder(folder, lambda place: _text(place / name, as_json(numbers) + "\n"))
    return folder / name


def as_json(numbers: Facts) -> str:
    """Return numbers as JSON text: a name in each line, and arrays of numbers on one."""
    return _lines(numbers, "")


def _lines(value: Any, margin: str) -> str:
    """Return a value as JSON; what holds names is spread over lines, everything else is on one."""
    inner = margin + "  "
    if isinstance(value, dict) and value:
        rows = [f"{inner}{json.dumps(str(key))}: {_lines(each, inner)}" for key, each in value.items()]
        return "{\n" + ",\n".join(rows) + f"\n{margin}}}"
    if isinstance(value, list | tuple) and any(isinstance(each, dict) and each for each in value):
        return "[\n" + ",\n".join(f"{inner}{_lines(each, inner)}" for each in value) + f"\n{margin}]"
    return json.dumps(value, allow_nan=False, ensure_ascii=True)


def _text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", errors="backslashreplace")


def write_figures(folder: Path, drawings: Sequence[Drawing]) -> None:
    """Write figures into a new folder, in both formats; no folder for none."""
    if drawings:
        folder.mkdir()
    for drawing in drawings:
        (folder / f"{drawing.name}.png").write_bytes(drawing.png)
        (folder / f"{drawing.name}.svg").write_bytes(drawing.svg)
