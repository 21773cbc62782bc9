"""The page of a film in a real browser: it plays, the slider moves, picture and counts change, nothing is asked for."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reluatlas.figures.film.make import film
from tests.browser import Browser, find_browser
from tests.unit.analysis.paths import moving

PROGRAM = find_browser()
pytestmark = pytest.mark.skipif(PROGRAM is None, reason="no chromium: the page cannot be opened")
N = 12
PANELS = ("decision", "surface", "dual", "accuracy", "layer-1", "layer-2", "output")
_INK = """(() => {
  const c = document.getElementById("%s"), w = c.width, p = c.getContext("2d").getImageData(0, 0, w, w).data;
  let inside = 0, rim = 0;
  for (let i = 0; i < w; i++) for (let j = 0; j < w; j++) if (p[4 * (j * w + i) + 3]) {
    inside++;
    if (!i || !j || i === w - 1 || j === w - 1) rim++;
  }
  return [inside, rim, w];
})()"""


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Path:
    return film(
        moving((2, 5, 4, 2), N, seed=1), tmp_path_factory.mktemp("film") / "film.html", jobs=1, title="<b>Two & one</b>"
    )


@pytest.fixture
def browser() -> Iterator[Browser]:
    assert PROGRAM is not None
    with Browser(PROGRAM) as opened:
        yield opened


def _pixels(browser: Browser) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(browser.picture())).convert("RGB")).astype(int)


def _panel(browser: Browser, name: str) -> str:
    return browser.run(f"document.getElementById('{name}').toDataURL()")


def test_the_page_shows_the_frame_asked_for_with_its_exact_counts(browser, page):
    trajectory = moving((2, 5, 4, 2), N, seed=1)
    browser.open(page, "#frame=7")
    assert browser.run("document.body.dataset.frame") == "7" and browser.run("slider.value") == "7"
    cx = trajectory.complex(7)
    expected = f"{cx.n_linear_regions} regions, {cx.n_cells} cells"
    assert expected in browser.run("document.getElementById('dual-title').textContent")
    text = browser.run("now.textContent")
    assert f"batch 70 of 110 · accuracy {trajectory.accuracy(7):.3f} · {cx.n_linear_regions} linear regions" == text
    assert browser.run("document.querySelector('h1').textContent") == "<b>Two & one</b>"
    assert browser.run("[...document.querySelectorAll('canvas')].map(c => c.id)") == list(PANELS)
    assert browser.complaints() == []
    assert [r for r in browser.requests() if not r.startswith("file:")] == []


def test_every_panel_is_drawn_inside_its_place(browser, page):
    browser.open(page, "#frame=3")
    boxes = browser.run("[...document.querySelectorAll('figure')].map(f => f.getBoundingClientRect().toJSON())")
    for a in boxes:
        assert a["left"] >= 0 and a["right"] <= 1300 and a["width"] > 200
        for b in boxes:
            beside = a["right"] <= b["left"] or b["right"] <= a["left"]
            assert a == b or beside or a["bottom"] <= b["top"] or b["bottom"] <= a["top"]
    assert browser.run("document.documentElement.scrollWidth") <= 1300
    for name in PANELS:
        inside, on_rim, width = browser.run(_INK % name)
        assert inside > width and on_rim == 0, name


def test_moving_the_slider_changes_picture_and_counts(browser, page):
    browser.open(page)
    assert browser.run("document.body.dataset.frame") == "0"
    before, text = _pixels(browser), browser.run("now.textContent")
    panels = {name: _panel(browser, name) for name in PANELS}
    browser.run("slider.focus()")
    for _ in range(5):
        browser.call(
            "Input.dispatchKeyEvent", type="keyDown", key="ArrowRight", code="ArrowRight", windowsVirtualKeyCode=39
        )
        browser.call(
            "Input.dispatchKeyEvent", type="keyUp", key="ArrowRight", code="ArrowRight", windowsVirtualKeyCode=39
        )
    browser.wait_for("document.body.dataset.frame === '5'")
    assert browser.run("now.textContent") != text
    assert (np.abs(_pixels(browser) - before).max(axis=2) > 30).mean() > 0.005
    assert all(_panel(browser, name) != panels[name] for name in PANELS)
    assert browser.complaints() == []


def test_play_runs_to_the_end_and_pause_stops_it(browser, page):
    browser.open(page)
    browser.run("speed.value = '0.25'")
    browser.click("#play")
    browser.wait_for("Number(document.body.dataset.frame) >= 2")
    assert browser.run("document.body.dataset.playing") == "true" and browser.run("play.textContent") == "Pause"
    browser.click("#play")
    stopped = browser.run("document.body.dataset.frame")
    assert browser.run("document.body.dataset.playing") == "false"
    browser.run("new Promise(done => setTimeout(done, 500))")
    assert browser.run("document.body.dataset.frame") == stopped
    browser.run("speed.value = '4'")
    browser.click("#play")
    browser.wait_for(f"document.body.dataset.frame === '{N - 1}' && document.body.dataset.playing === 'false'")
    assert browser.run("play.textContent") == "Play"
    assert browser.complaints() == []


def test_dragging_turns_the_surface_alone(browser, page):
    browser.open(page, "#frame=4")
    panels = {name: _panel(browser, name) for name in PANELS}
    x, y = browser.middle("#surface")
    browser.call("Input.dispatchMouseEvent", type="mousePressed", x=x, y=y, button="left", clickCount=1)
    browser.call("Input.dispatchMouseEvent", type="mouseMoved", x=x + 60, y=y + 20, button="left", buttons=1)
    browser.call("Input.dispatchMouseEvent", type="mouseReleased", x=x + 60, y=y + 20, button="left", clickCount=1)
    changed = [name for name in PANELS if _panel(browser, name) != panels[name]]
    assert changed == ["surface"]
