"""Figures as files: the same bytes in every run, of the size asked for; matplotlib's state is left as it was."""

from __future__ import annotations

import matplotlib
import pytest
from matplotlib import image, pyplot

from reluatlas.report.figure_files import new_figure, on_one, png_and_svg, write_figure

SIZE = (4.0, 2.5)


def _drawn():
    return on_one(lambda ax: ax.plot([0, 1], [0, 1e6], label="a line"), SIZE)


def test_both_formats_are_the_same_bytes_in_every_run_and_name_neither_day_nor_version():
    png, svg = png_and_svg(_drawn)
    assert (png, svg) == png_and_svg(_drawn)
    assert png.startswith(b"\x89PNG") and b"<svg" in svg
    for told in (b"dc:date", b"Matplotlib v", matplotlib.__version__.encode()):
        assert told not in png and told not in svg


@pytest.mark.parametrize("name", ["plain", "net-2-3.5"])
def test_files_are_what_is_returned_beside_each_other_and_have_the_resolution_asked_for(tmp_path, name):
    png, svg = write_figure(_drawn, tmp_path / "new" / name, dpi=50)
    assert {p.name: p.read_bytes() for p in (tmp_path / "new").iterdir()} == {f"{name}.png": png, f"{name}.svg": svg}
    assert image.imread(tmp_path / "new" / f"{name}.png").shape[:2] == (125, 200)  # SIZE at 50 dots per inch


def test_settings_and_open_figures_are_left_as_they_were():
    before, opened = dict(matplotlib.rcParams), pyplot.get_fignums()
    with matplotlib.rc_context({"savefig.facecolor": "black", "svg.fonttype": "none"}):
        dark = png_and_svg(_drawn)
    assert dark == png_and_svg(_drawn)
    assert dict(matplotlib.rcParams) == before and pyplot.get_fignums() == opened
    assert not new_figure(SIZE).axes
