"""What have all reports in common? What a page says of itself, its figures, and at its end the network."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reluatlas.report import facts, parts, words
from reluatlas.report.parts import Cell, Figure

if TYPE_CHECKING:
    from markupsafe import Markup

    from reluatlas.report.drawings import Drawing

_SVG_UP_TO = 600_000
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


def put_together(about: About, subject: str, body: Iterable[Markup | str]) -> str:
    """Return the whole page: a head, and the parts of the body that are not empty."""
    return parts.whole_page(about.title, subject, body, intro=parts.paragraph(about.intro) if about.intro else "")


def figures(drawings: Iterable[Drawing]) -> Markup:
    """Return drawings in frames: as SVG, as PNG where that is smaller by far."""

    def source(drawing: Drawing) -> str:
        is_small = len(drawing.svg) <= _SVG_UP_TO
        return parts.data_address(*(("svg+xml", drawing.svg) if is_small else ("png", drawing.png)))

    return parts.figures(Figure(d.title, source(d), d.caption, d.name, d.is_wide) for d in drawings)


def ending(network: facts.Facts, about: About) -> list[Markup]:
    """Return the last sections: the network, what import changed, how to make the page again."""
    return [
        parts.section("The network", _nodes(network["nodes"]), more(len(network["nodes"]) - _MAX_NODES, "node")),
        parts.section(
            "What import changed", _notes(network["notes"]), more(len(network["notes"]) - _MAX_NOTES, "note")
        ),
        parts.section("How to make it again", *_again(about)),
    ]


def more(number: int, noun: str) -> Markup | str:
    """Return how many more there are than a table shows; nothing when there are none."""
    return parts.note(f"and {words.counted(number, f'more {noun}')}") if number > 0 else ""


def _nodes(nodes: Sequence[facts.Facts]) -> Markup:
    def number(value: int) -> str:
        return f"{value:,}" if value else ""

    rows = [
        (
            f"{n['index']}", Cell(n["name"], "t"), n["kind"], ", ".join(map(str, n["reads"])),
            "×".join(map(str, n["shape"])), number(n["units"]), number(n["parameters"]),
        )
        for n in nodes[:_MAX_NODES]
    ]  # fmt: skip
    return parts.columns(("node", "name", "kind", "reads", "shape", "units", "parameters"), rows, right=(0, 5, 6))


def _notes(notes: Sequence[facts.Facts]) -> Markup:
    if not notes:
        return parts.paragraph("Nothing was rounded, folded or dropped: the network has the model's own numbers.")
    return parts.columns(
        ("what", "node", "how"), [(n["kind"], Cell(n["node"], "t"), n["text"]) for n in notes[:_MAX_NOTES]]
    )


def _again(about: About) -> list[Markup]:
    made = ", ".join(f"{name} {version}" for name, version in facts.versions().items())
    return [
        *((parts.paragraph("On the command line:"), parts.code(about.command)) if about.command else ()),
        *((parts.paragraph("In Python:"), parts.code(about.code)) if about.code else ()),
        parts.note(f"Made with {made}."),
    ]
