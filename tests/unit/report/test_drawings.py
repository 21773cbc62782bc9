from __future__ import annotations

import numpy as np

from reluatlas.report import words
from reluatlas.report.drawings import NAMES, Mark, draw


def test_all_figures_in_both_formats(drawn):
    assert tuple(d.name for d in drawn) == NAMES
    for d in drawn:
        assert d.png.startswith(b"\x89PNG") and b"<svg" in d.svg[:1000] and d.svg.rstrip().endswith(b"</svg>")
        assert d.title and d.caption.endswith(".")
        pixels = _pixels(d.png)
        border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
        assert border.min() > 0.99, f"{d.name} is cut off at the border"
        assert pixels.std() > 0.02


def _pixels(png):
    from io import BytesIO

    from matplotlib.image import imread

    return imread(BytesIO(png))[..., :3]


def test_equal_bytes_in_every_run(drawn, whole):
    again = list(draw(whole, [Mark("here", np.array([0.5, 0.5]))]))
    assert [d.svg for d in drawn] == [d.svg for d in again] and [d.png for d in drawn] == [d.png for d in again]


def test_marks_are_on_the_cells_only(drawn, whole):
    plain = {d.name: d.svg for d in draw(whole)}
    marked = {d.name for d in drawn if b'id="mark"' in d.svg}
    assert marked == {"cells-by-map", "cells-by-class", "cells-by-layer"}
    assert all(b'id="mark"' not in svg for svg in plain.values())


def test_matplotlib_is_left_as_it_was(whole):
    import matplotlib
    from matplotlib import pyplot

    before, open_figures = dict(matplotlib.rcParams), pyplot.get_fignums()
    next(iter(draw(whole)))
    assert dict(matplotlib.rcParams) == before and pyplot.get_fignums() == open_figures


def test_captions_speak_of_what_is_there(whole, cut_short):
    assert "13 neurons" in words.by_map(whole) and "17 neurons" in words.by_map(cut_short)
    assert "output 1 minus output 0" in words.surface(whole) and "largest output" in words.surface(cut_short)
    assert "for each output" in words.dual(cut_short) and "for each output" not in words.dual(whole)
