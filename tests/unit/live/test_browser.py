"""The live atlas in a real browser: the plane is led by hand, and what comes is the library's own answer there."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.analysis.trajectories.trajectory import Trajectory
from reluatlas.atlas.marks import Mark
from reluatlas.live.windows import Windows
from tests.browser import Browser, find_browser
from tests.unit.figures.fake import layers_of

pytest.importorskip("uvicorn")
pytest.importorskip("starlette")
pytest.importorskip("websockets")

from tests.unit.live.test_server import Server

PROGRAM = find_browser()
pytestmark = pytest.mark.skipif(not PROGRAM, reason="no chromium: the page cannot be opened in a browser")
SIZES = (16, 14, 12, 3)
INPUTS = np.random.default_rng(0).random((7, 16))
LABELS = [f"x[{i}]" for i in range(7)]
ROOT = "document.querySelector('#atlas')"


def network(noise=0.0):
    rng = np.random.default_rng(1)
    return ra.load([(W + noise * rng.normal(size=W.shape), b) for W, b in layers_of(SIZES)])


def on_inputs(**more):
    plane = ra.Slice.through(INPUTS[:3])
    marks = [Mark(label, u) for label, u in zip(LABELS, plane.coordinates(INPUTS[:3]), strict=False)]
    return Windows(network(), plane, marks, title="t", inputs=INPUTS, labels=LABELS, image=(4, 4), **more)


class Page:
    """A live atlas in a browser, and what is done to it by hand."""

    def __init__(self, windows, width=1400):
        self.windows, self.server = windows, Server(windows)
        try:
            self.browser = Browser(str(PROGRAM), width=width, height=900)
            self.run = self.browser.run
            self.browser.call("Page.navigate", url=self.server.guard.address)
            self.settled()
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, kind, *rest):
        complaints = [] if kind else self.browser.complaints()
        hosts = {url.split("?")[0] for url in self.browser.requests() if url.split(":")[0] not in ("data", "blob")}
        self.close()
        assert complaints == [] and (kind or hosts <= {f"http://{self.server.host}/", f"ws://{self.server.host}/cells"})

    def close(self):
        if hasattr(self, "browser"):
            self.browser.close()
        self.server.close()

    def settled(self):
        """Wait until nothing is asked for any more and all is there."""
        time.sleep(0.35)  # longer than a page waits before it asks for the rest
        which = "".join(f" && {ROOT}.dataset.last{k} === 'true'" for k in (1, 2)) if self.windows.beside else ""
        self.browser.wait_for(f"window.reluatlas?.main.isSharp && {ROOT}.dataset.last === 'true'{which}", seconds=60)

    def mouse(self, kind, x, y, **more):
        left, top = self.run(
            "(({left, top}) => [left, top])(document.querySelector('.atlas-stage canvas').getBoundingClientRect())"
        )
        self.browser.call("Input.dispatchMouseEvent", type=kind, x=left + x, y=top + y, **more)

    def marker(self, k):
        return np.array(self.pixel(*self.run(f"reluatlas.complex.told.marks[{k}].u")))

    def pixel(self, u, v):
        return self.run(
            "(() => { const p = reluatlas.plane, s = reluatlas.main.sizeNow();"
            f"return p.pixel(p.camera(s), s, {u}, {v}); }})()"
        )

    def slide(self, selector, value):
        self.run(
            f"(() => {{ const bar = document.querySelector({selector!r}); bar.value = '{value}';"
            "bar.dispatchEvent(new Event('input', {bubbles: true})); })()"
        )
        self.settled()

    def anchors(self):
        return [tuple(a) for a in self.run("reluatlas.steer.anchors")]

    def is_of(self, points, *, margin=0.2, net=None):
        """Hold what the page has against the library's cells on the plane through some points."""
        plane = ra.Slice.through(points, margin=margin)
        cx = ra.enumerate_cells(net or self.windows.network, plane)
        assert self.run("reluatlas.complex.n") == cx.n_cells
        np.testing.assert_allclose(
            self.run("[...reluatlas.complex.get('origin')]"), plane.origin.reshape(-1), atol=1e-12
        )
        assert self.patterns(range(0, cx.n_cells, 9)) == cx.patterns[::9].tolist()
        return cx

    def patterns(self, cells):
        return self.run(f"{json.dumps(list(cells))}.map((i) => [...reluatlas.info.pattern(i)])")


def led(anchors):
    return [INPUTS[i] + share * (INPUTS[j] - INPUTS[i]) for i, j, share in anchors]


def test_the_plane_is_steered_by_hand():
    with Page(on_inputs()) as page:
        page.is_of(INPUTS[:3])
        # drag the first anchor along its arrow
        at, way = page.marker(0), np.array(page.run("reluatlas.complex.told.ways[0]"))
        scale = page.run("reluatlas.plane.camera(reluatlas.main.sizeNow()).sx")
        step = way * scale * (1, -1)
        assert np.hypot(*step) > 40
        n_before = page.run("reluatlas.main.canvas.dataset.sharp")
        page.mouse("mouseMoved", *at)
        page.mouse("mousePressed", *at, button="left", clickCount=1)
        for k in range(1, 11):
            page.mouse("mouseMoved", *(at + 0.04 * k * step), button="left", buttons=1)
            time.sleep(0.05)
        assert (
            int(page.run("reluatlas.main.canvas.dataset.sharp")) >= int(n_before) + 2
        )  # it follows while the hand moves
        page.mouse("mouseReleased", *(at + 0.4 * step), button="left", clickCount=1)
        page.settled()
        first, second, third = page.anchors()
        assert first[:2] == (0, 3) and first[2] == pytest.approx(0.4, abs=0.02) and (second[2], third[2]) == (0, 0)
        page.is_of(led(page.anchors()))
        # another input from the strip, by the keyboard
        page.run("document.querySelectorAll('.atlas-strip .atlas-tabs button')[1].click()")
        page.run("document.querySelectorAll('.atlas-input')[5].focus()")
        page.browser.call(
            "Input.dispatchKeyEvent", type="keyDown", key="Enter", code="Enter", windowsVirtualKeyCode=13, text="\r"
        )
        page.browser.call("Input.dispatchKeyEvent", type="keyUp", key="Enter", code="Enter", windowsVirtualKeyCode=13)
        page.settled()
        assert page.anchors()[1][0] == 5
        page.is_of(led(page.anchors()))
        # turned about an anchor, which stays where it is
        page.slide(".atlas-steer input[aria-label^='by how many']", 50)
        cx = page.is_of(led([page.anchors()[0]]) + turned_by_hand(led(page.anchors()), np.radians(50)))
        assert isinstance(cx.domain, ra.Slice)
        assert cx.domain.coordinates(led(page.anchors())[0]) == pytest.approx(
            page.run("reluatlas.complex.told.marks[0].u"), abs=1e-9
        )
        # walked, half of the way to the first input of the path
        page.slide(".atlas-steer input[aria-label^='how far along']", 0.5)
        assert page.anchors()[2] == (2, 3, 0.5)


def turned_by_hand(points, angle):
    """Return the second and third point, turned about the first toward input 3: by the rotation that does it."""
    p, a, b = (np.array(x) for x in points)
    axis = (b - a) / np.linalg.norm(b - a)
    foot = a + axis * ((p - a) @ axis)
    arm = (foot - p) / np.linalg.norm(foot - p)
    out = INPUTS[3] - p
    out = out - (out @ axis) * axis - (out @ arm) * arm
    out /= np.linalg.norm(out)
    rotation = (
        np.eye(p.size)
        + (np.cos(angle) - 1) * (np.outer(arm, arm) + np.outer(out, out))
        + np.sin(angle) * (np.outer(out, arm) - np.outer(arm, out))
    )
    return [p + rotation @ (x - p) for x in (a, b)]


def test_colors_by_map_are_those_of_the_figures():
    from reluatlas.figures.colors import of_maps

    with Page(on_inputs()) as page:
        page.run("reluatlas.state.set({by: 'map'})")
        page.settled()
        page.browser.wait_for("!!reluatlas.complex.find('color')")
        cx = page.is_of(INPUTS[:3])
        colors = np.array(page.run("[...reluatlas.complex.find('color')]")).reshape(-1, 3)
        assert np.array_equal(colors, np.round(255 * of_maps(cx)))
        page.run("reluatlas.state.set({zoom: 2})")
        page.settled()
        assert page.run("reluatlas.complex.find('color').length") == 3 * page.run("reluatlas.complex.n")


def test_two_networks_in_step_and_their_difference():
    other = network(0.15)
    with Page(on_inputs(beside=other, names=["one.onnx", "two.onnx"])) as page:
        plane = ra.Slice.through(INPUTS[:3])
        found = ra.compare(page.windows.network, other, plane)
        told = page.run("reluatlas.beside.others[1].cx.told.difference")
        assert told["largest"] == pytest.approx(found.lower, rel=1e-9) and told["output"] == found.output
        assert told["share"] == pytest.approx(found.disagreement, abs=1e-9)
        assert page.run("reluatlas.beside.others[1].cx.n") == found.n_pieces
        assert page.run("reluatlas.beside.others[0].cx.n") == ra.enumerate_cells(other, plane).n_cells
        # the window is one for all
        page.run("reluatlas.plane.drag(60, -30, reluatlas.main.sizeNow()); reluatlas.main.zoomBy(4)")
        page.settled()
        x, y, zoom = (page.run(f"reluatlas.state.shown.{name}") for name in ("x", "y", "zoom"))
        for k in (0, 1):
            shown = page.run(f"(({{x, y, zoom}}) => [x, y, zoom])(reluatlas.beside.others[{k}].state.shown)")
            assert shown == [x, y, zoom]
            assert page.run(f"reluatlas.beside.others[{k}].cx.told.window") == page.run("reluatlas.complex.told.window")
        # and so is the place that is pointed at
        size = page.run("(({width, height}) => [width, height])(reluatlas.main.sizeNow())")
        page.mouse("mouseMoved", size[0] / 2 + 3, size[1] / 2)
        page.browser.wait_for("document.querySelector('.atlas-here tbody') !== null")
        at = page.run("reluatlas.state.shown.at")
        point = plane.embed(np.array(at)).reshape(1, -1)
        f, g = page.windows.network(point)[0], other(point)[0]
        rows = page.run(
            "[...document.querySelectorAll('.atlas-here tbody tr')].map((r) => [...r.cells].map((c) => c.textContent))"
        )
        assert rows[0][0] == "class" and rows[0][3] == ("same" if f.argmax() == g.argmax() else "differ")
        for name, *values in rows[1:]:
            numbers = [float(v.replace("−", "-")) for v in values]
            np.testing.assert_allclose(numbers, [f[int(name)], g[int(name)], (f - g)[int(name)]], rtol=1e-3, atol=1e-5)


def test_a_slider_goes_through_a_training():
    layers = layers_of((2, 9, 8, 2))
    rows = [[(W * (1 + 0.1 * t), b + 0.05 * t) for W, b in layers] for t in range(6)]
    trajectory = Trajectory.from_layers(rows, domain=ra.Box(-2, 2, dim=2), steps=[0, 10, 20, 30, 50, 80])
    windows = Windows(trajectory.network(0), trajectory.domain, title="t", trajectory=trajectory)
    with Page(windows) as page:
        for t in (4, 2, 0):
            page.slide(".atlas-training input", t)
            page.browser.wait_for(f"{ROOT}.dataset.step === '{t}'")
            page.settled()
            cx = trajectory.complex(t)
            assert (
                page.run("document.querySelector('.atlas-training output').textContent")
                == f"step {trajectory.steps[t]}"
            )
            assert page.run("reluatlas.complex.n") == cx.n_cells
            assert page.patterns(range(cx.n_cells)) == cx.patterns.tolist()
            slopes = page.run("[...reluatlas.info.slopes(1, Float64Array.from([0, 1]))]")
            np.testing.assert_allclose(slopes, cx.input_affine(1).A[0, 1].reshape(-1), atol=1e-12)
        page.browser.click(".atlas-training .atlas-play")
        page.browser.wait_for(f"{ROOT}.dataset.step === '5'", seconds=30)
