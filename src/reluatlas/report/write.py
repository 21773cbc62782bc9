"""What is written about a complex? Page, cells, numbers and figures, into one folder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from reluatlas.report.drawings import Drawing, Mark, draw
from reluatlas.report.facts import Facts
from reluatlas.report.folder import INDEX, fill_folder
from reluatlas.report.page import About, page

if TYPE_CHECKING:
    from reluatlas.complexes.complex import PolyhedralComplex


def write_report(
    cx: PolyhedralComplex, folder: Path, numbers: Facts, about: About, *, marks: Sequence[Mark] = ()
) -> Path:
    """Write `report.html`, `cells.npz`, `cells.json` and the figures; return the page's path.

    Parameters
    ----------
    cx : PolyhedralComplex
        On a plane domain; it may be incomplete, and the page says so.
    folder : Path
        New, empty, or an earlier result, which is replaced.
    numbers : dict
        What goes into `cells.json`; figures that the time did not suffice for are added, as `left_out`.
    about : About
    marks : sequence of Mark
        Points to point out on the figures.

    Raises
    ------
    ArgumentError
        When the folder is of others or cannot be written.
    """
    left_out: list[str] = []

    def write(place: Path) -> None:
        drawings = list(draw(cx, marks, left_out.append))
        if left_out:
            numbers["left_out"] = [*numbers.get("left_out", ()), *left_out]
        cx.save(place / "cells.npz")
        write_figures(place / "figures", drawings)
        text = page(cx, about, drawings, marks, numbers.get("left_out", ()))
        (place / "report.html").write_text(text, encoding="utf-8", errors="backslashreplace")
        (place / INDEX).write_text(as_json(numbers) + "\n", encoding="utf-8")

    fill_folder(folder, write)
    return folder / "report.html"


def write_numbers(folder: Path, name: str, numbers: Facts) -> Path:
    """Write numbers alone, as JSON, into a folder; return the file's path."""
    fill_folder(folder, lambda place: _text(place / name, as_json(numbers) + "\n"))
    return folder / name


def as_json(numbers: Facts) -> str:
    """Return numbers as JSON text."""
    return json.dumps(numbers, indent=2, allow_nan=False, ensure_ascii=True)


def _text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def write_figures(folder: Path, drawings: Sequence[Drawing]) -> None:
    """Write figures into a new folder, in both formats; no folder for none."""
    if drawings:
        folder.mkdir()
    for drawing in drawings:
        (folder / f"{drawing.name}.png").write_bytes(drawing.png)
        (folder / f"{drawing.name}.svg").write_bytes(drawing.svg)
