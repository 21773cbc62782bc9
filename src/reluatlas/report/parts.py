"""What are pages made of? Sections, tables, tiles and figures: one look for reports and studies, by templates.

Every part is `Markup`; every text that comes from a model, a path or the user is escaped where it enters a template.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from markupsafe import Markup, escape

from reluatlas._version import __version__

if TYPE_CHECKING:
    from jinja2 import Environment

_TEMPLATES = Path(__file__).with_name("templates")


class Cell(NamedTuple):
    """A cell of a table.

    Attributes
    ----------
    text : str
    kind : str
        "n" for numbers, which end flush; "t" for long texts; "name", "soft", "own".
    small : str
        A second line, in small letters.
    """

    text: str
    kind: str = ""
    small: str = ""


class Figure(NamedTuple):
    """A figure in a frame: `source` is an address of its data; `name` is for links to it, and may be empty."""

    title: str
    source: str
    caption: str = ""
    name: str = ""
    is_wide: bool = True

    @property
    def alt(self) -> str:
        """What is said in its place."""
        return self.title


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(_TEMPLATES, encoding="utf-8"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def _macros() -> Any:
    return _environment().get_template("parts.html").module


def whole_page(title: str, subject: str, body: Iterable[Markup | str], *, intro: Markup | str = "") -> str:
    """Return a page: a head, and the parts of the body that are not empty.

    Guarantees: nothing is loaded from anywhere, figures and style are inside; no script.
    """
    made = _environment().get_template("page.html")
    return made.render(title=title, subject=subject, intro=intro, body=list(body), version=__version__)


def prose(text: str) -> Markup:
    """Return a text; what is in backquotes is code."""
    return Markup(re.sub("`([^`]*)`", r"<code>\1</code>", str(escape(text))))


def section(title: str, *inside: Markup | str) -> Markup:
    """Return parts under a heading."""
    return _macros().section(title, inside)


def heading(title: str) -> Markup:
    """Return a heading within a section."""
    return _macros().heading(title)


def warning(text: str) -> Markup:
    """Return a sentence that is not to be overlooked."""
    return _macros().warning(text)


def paragraph(text: str | Markup) -> Markup:
    """Return a paragraph; what is in backquotes is code."""
    return _macros().paragraph(text if isinstance(text, Markup) else prose(text), "")


def note(text: str | Markup) -> Markup:
    """Return a paragraph of remarks; what is in backquotes is code."""
    return _macros().paragraph(text if isinstance(text, Markup) else prose(text), "soft")


def bullets(lines: Iterable[str]) -> Markup:
    """Return a list of sentences."""
    return _macros().bullets(list(lines))


def code(text: str) -> Markup:
    """Return what is to be typed."""
    return _macros().code(text)


def folded(title: str, inside: Markup) -> Markup:
    """Return a part that opens when its title is chosen."""
    return _macros().folded(title, inside)


def link(address: str, text: str) -> Markup:
    """Return a link."""
    return _macros().link(address, text)


def call(address: str, text: str, more: str) -> Markup:
    """Return a link that stands alone, and what is behind it."""
    return _macros().call(address, text, more)


def tiles(pairs: Iterable[tuple[str, str]]) -> Markup:
    """Return large numbers in a row, each over what it counts."""
    return _macros().tiles(list(pairs))


def columns(head: Sequence[str | Cell], rows: Iterable[Sequence[str | Cell]], right: Sequence[int] = ()) -> Markup:
    """Return a table under names; the columns in `right` end flush."""

    def cells(row: Sequence[str | Cell]) -> list[Cell]:
        return [c if isinstance(c, Cell) else Cell(c, "n" if i in right else "") for i, c in enumerate(row)]

    return _macros().table(cells(head), [cells(row) for row in rows], "td")


def pairs(rows: Iterable[tuple[str, str] | tuple[str, str, str]]) -> Markup:
    """Return a table of names and values, with remarks where there is a third text."""
    kinds = ("", "t", "soft")
    return _macros().table((), [[Cell(c, k) for c, k in zip(row, kinds, strict=False)] for row in rows], "th")


def figures(drawn: Iterable[Figure]) -> Markup:
    """Return figures in frames, side by side unless wide."""
    return _macros().figures(list(drawn))


def pictures(shown: Iterable[tuple[str, str]]) -> Markup:
    """Return small pictures in a row, (label, address of the data) each."""
    return _macros().pictures(list(shown))


def data_address(kind: str, data: bytes) -> str:
    """Return the address of a picture that is inside of the page: `kind` is "png" or "svg+xml"."""
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"
