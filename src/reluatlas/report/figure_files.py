"""How does a figure become files? Drawn where no window opens, as PNG and SVG, the same bytes in every run.

matplotlib's settings and its list of open figures are left as they were.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from reluatlas.deadline import look
from reluatlas.storage.atomic import write_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DPI = 160
_SALT = "reluatlas"


def new_figure(size: tuple[float, float]) -> Figure:
    """Return a figure without axes, laid out so that no label is cut off."""
    # not by pyplot: no window system is asked for, and nothing stays open
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="compressed")
    FigureCanvasAgg(figure)
    return figure


def on_one(paint: Callable[[Axes], Any], size: tuple[float, float], projection: str | None = None) -> Figure:
    """Return a figure of one axes, which `paint` draws on."""
    figure = new_figure(size)
    paint(figure.add_subplot(projection=projection))
    return figure


def png_and_svg(draw: Callable[[], Figure]) -> tuple[bytes, bytes]:
    """Return what `draw` returns in both formats, laid out once for both."""
    with _settings():
        figure = draw()
        engine = figure.get_layout_engine()
        if engine is not None:  # once, not for each file: to find places, all is drawn to nowhere
            engine.execute(figure)
            figure.set_layout_engine("none")
        return _bytes(figure, _DPI, _DPI)


def write_figure(draw: Callable[[], Figure], stem: Path, *, dpi: int) -> tuple[bytes, bytes]:
    """Write what `draw` returns to `stem`.png and `stem`.svg, each laid out for itself; return the bytes of both."""
    with _settings():
        png, svg = _bytes(draw(), dpi, "figure")
    stem.parent.mkdir(parents=True, exist_ok=True)
    write_whole(stem.with_name(f"{stem.name}.svg"), svg)
    write_whole(stem.with_name(f"{stem.name}.png"), png)
    return png, svg


def _settings() -> Any:
    import matplotlib

    return matplotlib.rc_context({"svg.hashsalt": _SALT, "svg.fonttype": "path", "savefig.facecolor": "white"})


def _bytes(figure: Figure, png_dpi: int, svg_dpi: int | Literal["figure"]) -> tuple[bytes, bytes]:
    """Return a figure in both formats, with nothing of the day or the versions in them."""
    png, svg = io.BytesIO(), io.BytesIO()
    look()
    figure.savefig(svg, format="svg", dpi=svg_dpi, metadata={"Date": None, "Creator": None})
    look()
    figure.savefig(png, format="png", dpi=png_dpi, metadata={"Software": None})
    return png.getvalue(), svg.getvalue()
