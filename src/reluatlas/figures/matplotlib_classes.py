"""What do our figures do that matplotlib's own do not? Files with fonts that can be edited, and sharp pictures in them.

The only file that imports matplotlib when it is imported itself: import it where something is drawn.
"""

from __future__ import annotations

from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

FONTS: dict[Any, Any] = {"pdf.fonttype": 42, "ps.fonttype": 42}
"""TrueType, as journals ask for; matplotlib's own Type 3 cannot be edited or searched well."""
VECTOR_DPI = 300
"""Of what is rasterized inside a vector file, where no other resolution is asked for."""
_VECTOR = (".pdf", ".svg", ".svgz", ".ps", ".eps")


class AtlasFigure(Figure):
    """A figure that saves PDF and PostScript with TrueType fonts (Type 42), and rasterizes finely inside vector files.

    Settings of matplotlib are left as they are.
    """

    def savefig(self, fname: Any, **keywords: Any) -> None:
        """Save as `Figure.savefig` does."""
        kind = keywords.get("format") or str(getattr(fname, "name", fname))
        if f".{kind.lower()}".endswith(_VECTOR):
            keywords.setdefault("dpi", VECTOR_DPI)
        with rc_context(FONTS):
            super().savefig(fname, **keywords)


class Picture(AxesImage):
    """An image with more pixels than the page: smoothed on a screen, whole in a vector file."""

    def draw(self, renderer: Any, *arguments: Any, **keywords: Any) -> None:
        """Draw as `AxesImage.draw` does."""
        self.set_interpolation("none" if renderer.option_scale_image() else "antialiased")
        super().draw(renderer, *arguments, **keywords)
