from __future__ import annotations

import json
import re
import shutil

import numpy as np
import pytest
from PIL import Image

import reluatlas as ra
from reluatlas.errors import ArgumentError, MissingDependencyError, ReluAtlasError
from reluatlas.figures.film import video
from reluatlas.figures.film.draw import FilmFigure
from reluatlas.figures.film.frames import make_film, neuron_colors
from reluatlas.figures.film.make import film, still
from tests.unit.analysis.paths import moving


def test_a_frame_holds_the_complex_of_its_time():
    trajectory = moving()
    frames = make_film(trajectory, [0, 4], jobs=1)
    for t, frame in zip((0, 4), frames.frames, strict=True):
        cx = trajectory.complex(t)
        assert (frame.n_cells, frame.n_linear_regions) == (cx.n_cells, cx.n_linear_regions)
        area = sum(_area(shape) for shape in frame.shapes)
        assert area == pytest.approx(4)
        outputs = [trajectory.network(t)(shape) for shape in frame.shapes]
        for values, heights, label in zip(outputs, frame.heights, frame.classes, strict=True):
            assert np.allclose(values[:, 1] - values[:, 0], heights, atol=1e-9)
            assert heights.mean() * (2 * label - 1) > -1e-9
        assert len(frame.dual) == cx.n_affine_maps and frame.dual_shares.sum() == pytest.approx(1)
        assert np.array_equal(frame.boundary, cx.decision_boundary().segments)


def _area(shape):
    x, y = shape.T
    return 0.5 * float(x @ np.roll(y, -1) - np.roll(x, -1) @ y)


def test_frames_are_the_same_on_any_number_of_jobs(tmp_path):
    one = film(moving(), tmp_path / "one.html", jobs=1).read_bytes()
    assert film(moving(), tmp_path / "two.html", jobs=2).read_bytes() == one


def test_the_page_is_whole_and_asks_for_nothing(tmp_path):
    trajectory = moving(n=30)
    page = film(trajectory, tmp_path / "film.html", times=[0, 10, -1], title="A </script> title").read_text("utf-8")
    assert "http" not in re.sub(r'http-equiv="Content-Security-Policy"', "", page)
    assert not re.search(r"<(link|img|iframe)|@import|url\(", page)
    text = re.search(r'<script id="film" type="application/json">(.*?)</script>', page, re.DOTALL)
    content = json.loads(text[1])
    assert content["steps"] == [0, 100, 290] and content["shape"] == "2-4-3-2"
    assert content["cells"] == [trajectory.complex(t).n_cells for t in (0, 10, -1)]
    assert "A &lt;/script&gt; title" in page


def test_axes_and_colors_hold_for_all_frames():
    frames = make_film(moving(), jobs=1)
    drawn = FilmFigure(frames)
    first = drawn.picture(0)
    limits = [(ax.get_xlim(), ax.get_ylim()) for ax in drawn.figure.axes]
    last = drawn.picture(5)
    assert [(ax.get_xlim(), ax.get_ylim()) for ax in drawn.figure.axes] == limits
    assert first.shape == last.shape and first.shape[0] % 2 == first.shape[1] % 2 == 0
    assert (first != last).any(axis=2).mean() > 0.01
    assert np.array_equal(drawn.picture(0), first)
    for position in (0, 5):
        frame = frames.frames[position]
        drawn.show(position)
        for level, lines in enumerate(drawn.own):
            mine = frame.levels == level
            assert np.allclose(lines.get_color()[:, :3], neuron_colors(4)[frame.units[mine]])
    assert len(np.unique(neuron_colors(9), axis=0)) == 9 and neuron_colors(20).shape == (20, 3)


def test_nothing_in_a_still_is_cut_off_or_lies_on_another_panel():
    figure = still(moving((2, 3, 2)), -1)
    renderer = figure.canvas.get_renderer()
    boxes = [ax.get_tightbbox(renderer) for ax in figure.axes]
    width, height = figure.canvas.get_width_height()
    for box in boxes:
        assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height
    twin = {3, len(boxes) - 1}  # accuracy and counts share a panel
    for i, a in enumerate(boxes):
        for j, b in enumerate(boxes[:i]):
            assert {i, j} <= twin or not a.overlaps(b), (i, j)
    with pytest.raises(ArgumentError, match="no frame at time 1"):
        still(moving(), 1, frames=make_film(moving(), [0], jobs=1))


def test_a_gif_is_drawn_by_two_processes(tmp_path, monkeypatch):
    monkeypatch.setattr(video, "_WORTH_A_PROCESS", 2)
    trajectory, seen = moving((2, 3, 2), 6), []
    path = film(trajectory, tmp_path / "film.gif", jobs=2, progress=lambda done, of: seen.append((done, of)))
    assert seen[-1] == (6, 6)
    with Image.open(path) as picture:
        assert picture.n_frames == 6 and picture.info["duration"] == 50
        pictures = []
        for i in (0, 5):
            picture.seek(i)
            pictures.append(np.asarray(picture.convert("RGB")).astype(int))
        # the last part was drawn by another process: the same as drawn here
        here = Image.fromarray(FilmFigure(make_film(trajectory, jobs=1)).picture(5))
        here = np.asarray(here.resize(picture.size, Image.Resampling.LANCZOS)).astype(int)
    assert np.abs(here - pictures[1]).mean() < 3 < np.abs(pictures[0] - pictures[1]).mean()
    assert [p.name for p in tmp_path.iterdir()] == ["film.gif"]


def test_a_process_that_fails_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(video, "_WORTH_A_PROCESS", 1)
    monkeypatch.setattr(video.np, "save", lambda path, what: path.write_bytes(b"no array"))
    with pytest.raises(ReluAtlasError, match="a process that draws frames failed"):
        film(moving((2, 3, 2), 2), tmp_path / "film.gif", jobs=2)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="no ffmpeg: no MP4 can be made")
def test_an_mp4(tmp_path):
    path = film(moving((2, 3, 2), 4), tmp_path / "film.mp4", jobs=1)
    assert path.read_bytes()[4:8] == b"ftyp" and path.stat().st_size > 5_000


def test_an_mp4_goes_through_ffmpeg_as_pictures_in_order(tmp_path, monkeypatch):
    program = tmp_path / "bin" / "ffmpeg"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\nfor last; do :; done\ncat > "$last"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    content = film(moving((2, 3, 2), 3), tmp_path / "film.mp4", jobs=1).read_bytes()
    assert content.count(b"\x89PNG\r\n") == 3 and content.startswith(b"\x89PNG")
    program.write_text("#!/bin/sh\ncat > /dev/null; echo no such codec >&2; exit 1\n")
    with pytest.raises(ReluAtlasError, match="no such codec"):
        film(moving((2, 3, 2), 3), tmp_path / "other.mp4", jobs=1)
    assert not (tmp_path / "other.mp4").exists()


def test_what_makes_no_sense_is_refused(tmp_path, monkeypatch):
    trajectory = moving()
    with pytest.raises(ArgumentError, match="names no kind of film"):
        film(trajectory, tmp_path / "film.avi")
    for fps in (0, -1, float("nan"), True, "fast"):
        with pytest.raises(ArgumentError, match="fps"):
            film(trajectory, tmp_path / "film.gif", fps=fps)
    with pytest.raises(ArgumentError, match="times 0 to 5"):
        film(trajectory, tmp_path / "film.html", times=[9])
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingDependencyError, match="ffmpeg"):
        film(trajectory, tmp_path / "film.mp4")
    assert list(tmp_path.iterdir()) == []


def test_a_network_that_is_constant_and_one_with_three_outputs_can_be_filmed(tmp_path):
    box = ra.Box(-1, 1, dim=2)
    flat = ra.Trajectory((2, 2, 2), np.zeros((2, 12)), domain=box)
    rows = np.random.default_rng(0).uniform(-1, 1, (2, 21))
    three = ra.Trajectory((2, 3, 3), rows, domain=box, X=np.zeros((1, 2)), y=[2])
    for trajectory in (flat, three):
        film(trajectory, tmp_path / "film.html", jobs=1)
        film(trajectory, tmp_path / "film.gif", jobs=1)


def test_the_measures_are_drawn_on_four_axes():
    measures = moving().measure(jobs=1)
    axes = ra.plot.trajectory([measures, moving(seed=1).measure(jobs=1)])
    assert axes.shape == (4,) and [len(ax.lines) for ax in axes] == [2, 6, 4, 2]
    drawn = {line.get_label(): line.get_ydata() for line in axes[1].lines}
    assert np.array_equal(drawn["cells"], measures.n_cells)
    for bad in ([], [1]):
        with pytest.raises(ArgumentError, match="measures"):
            ra.plot.trajectory(bad)
    with pytest.raises(ArgumentError, match="4 panels"):
        ra.plot.trajectory(measures, axes=axes[:2])
    axes[0].figure.clear()
