"""How does an atlas become one page? Its contents as text, and the bundle that shows them, under a strict policy."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reluatlas._version import __version__
from reluatlas.atlas.contents import Contents, contents_of
from reluatlas.atlas.marks import Mark
from reluatlas.atlas.packed import packed
from reluatlas.errors import ArgumentError
from reluatlas.storage.atomic import write_whole

if TYPE_CHECKING:
    from reluatlas.complexes.complex import PolyhedralComplex


def write_page(
    cx: PolyhedralComplex,
    path: str | Path,
    *,
    title: str = "",
    marks: Sequence[Mark] = (),
    image: tuple[int, ...] | None = None,
) -> None:
    """Write the atlas of a complex in the plane: one page that loads nothing.

    Parameters
    ----------
    cx : PolyhedralComplex
    path : path
        Of the file; one that is there is replaced.
    title : str, optional
    marks : sequence of Mark
        Points to point out.
    image : tuple of int, optional
        The shape of inputs that are pictures, where the network does not say.

    Raises
    ------
    ArgumentError
        When the file cannot be written.
    """
    text = page_of(contents_of(cx, marks, image=image), title=title or default_title(cx))
    try:
        write_whole(Path(path), text.encode("utf-8", errors="backslashreplace"))
    except OSError as problem:
        raise ArgumentError(f"`path={str(path)!r}` cannot be written: {problem.strerror}. Pass another path.") from None


def default_title(cx: PolyhedralComplex) -> str:
    """Return what a page is called when nobody says."""
    return f"The cells of {Path(cx.network.source).name}"


def page_of(contents: Contents, *, title: str, report: str = "") -> str:
    """Return the page of an atlas.

    Guarantees: nothing is loaded from anywhere; scripts and styles are those of the bundle and no others, held by
    their hashes; texts of models and users are shown as text.
    """
    table, data = packed(contents.arrays)
    script, style = bundle()
    told = {**contents.told, "arrays": table, "title": title, "report": report, "version": __version__}
    return render(
        title=title,
        alt=alt_of(contents.told),
        policy=policy(script, style),
        script=script,
        style=style,
        told=as_script(told),
        data=base64.b64encode(data).decode("ascii"),
        report=report,
    )


def render(**parts: str) -> str:
    """Return the page's template with its parts put in."""
    return _template().render(**parts)


def alt_of(told: dict[str, Any]) -> str:
    """Return what is seen, in a sentence, for those who do not see it."""
    n, layers = told["n_cells"], len(told["layers"])
    classes = [c["name"] for c in told["classes"] if c["is_seen"]]
    low, high = told["low"], told["high"]
    names = told["coordinates"]
    sides = " and ".join(f"{c} from {a:.4g} to {b:.4g}" for c, a, b in zip(names, low, high, strict=True))
    kinds = f", of the classes {', '.join(classes)}" if classes else ""
    return (
        f"A map of {n:,} cell{'' if n == 1 else 's'}, {sides}{kinds}; their edges were made by "
        f"{layers} layer{'' if layers == 1 else 's'} of units."
    )


def policy(script: str, style: str, connect: str = "'none'") -> str:
    """Return a Content-Security-Policy: one script, one style, pictures from within, nothing else."""
    return (
        f"default-src 'none'; script-src '{_digest(script)}'; style-src '{_digest(style)}'; img-src data: blob:; "
        f"connect-src {connect}; base-uri 'none'; form-action 'none'"
    )


def as_script(told: Any) -> str:
    """Return values as JSON that may stand inside of a script element."""
    text = json.dumps(told, separators=(",", ":"), allow_nan=False, ensure_ascii=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


@cache
def bundle() -> tuple[str, str]:
    """Return the script and the style that `make web` built.

    Raises
    ------
    ArgumentError
        When this installation lacks them.
    """
    return _built("atlas.js"), _built("atlas.css")


@cache
def widget_script() -> str:
    """Return the module of the same atlas for notebooks.

    Raises
    ------
    ArgumentError
        When this installation lacks it.
    """
    return _built("widget.js")


def _built(name: str) -> str:
    try:
        return files("reluatlas.atlas").joinpath("bundle", name).read_text(encoding="utf-8")
    except OSError:
        raise ArgumentError(
            "the atlas is not built. In a checkout run `make web`; else install reluatlas anew."
        ) from None


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}"


@cache
def _template() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    loader = FileSystemLoader(Path(__file__).parent, encoding="utf-8")
    return Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True
    ).get_template("page.html")
