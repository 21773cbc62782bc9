"""The atlas in a real browser: it opens, and what it shows and says are the complex's own numbers."""

from __future__ import annotations

import base64
import contextlib
import io
import re
import time

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.atlas.marks import Mark
from reluatlas.atlas.page import write_page
from tests.browser import Browser, find_browser

PROGRAM = find_browser()
pytestmark = pytest.mark.skipif(not PROGRAM, reason="no chromium: the page cannot be opened in a browser")
SHARP = "window.reluatlas?.main.isSharp ?? false"
MIDDLE = "document.querySelector('.atlas-stage canvas')"


@pytest.fixture(scope="module")
def cx():
    # images of 4 x 4 pixels, through a convolution and a max-pool: the map has to be composed through all kinds of node
    torch = pytest.importorskip("torch")
    torch.manual_seed(3)
    layers = torch.nn
    model = layers.Sequential(
        layers.Conv2d(1, 3, 3, padding=1), layers.LeakyReLU(0.1), layers.MaxPool2d(2), layers.Flatten(),
        layers.Linear(12, 9), layers.ReLU(), layers.Linear(9, 3),
    )  # fmt: skip
    net = ra.load(model, input_shape=(1, 4, 4))
    return ra.enumerate_cells(net, ra.Slice.through(np.random.default_rng(5).random((3, 1, 4, 4)) * 3))


@pytest.fixture(scope="module")
def path(cx, tmp_path_factory):
    path = tmp_path_factory.mktemp("atlas") / "atlas.html"
    write_page(cx, path, title="The cells of a test", marks=[Mark("a", np.zeros(2))])
    return path


@pytest.fixture
def browser(path):
    with Browser(str(PROGRAM), width=1400, height=900) as browser:
        show(browser, path)
        yield browser
        assert browser.complaints() == []
        assert {url.split(":")[0] for url in browser.requests()} <= {"file", "data", "blob"}


def show(browser, path, fragment=""):
    browser.open(path, fragment)
    browser.wait_for(SHARP)


def reload(browser):
    """Load the page again; what is asked in between may be asked of the old one."""
    browser.run("void (window.isOld = true)")
    browser.call("Page.reload")
    end = time.monotonic() + 30
    while time.monotonic() < end:
        with contextlib.suppress(RuntimeError):  # between two documents
            if browser.run(f"!window.isOld && ({SHARP})"):
                return
        time.sleep(0.05)
    raise TimeoutError("the page did not come back")


def pointer(browser, x, y, *kinds, **more):
    left, top = browser.run(f"(() => {{ const r = {MIDDLE}.getBoundingClientRect(); return [r.left, r.top]; }})()")
    for kind in kinds:
        browser.call("Input.dispatchMouseEvent", type=kind, x=left + x, y=top + y, **more)


def press(browser, key):
    text = {"text": key} if len(key) == 1 else {}
    browser.call("Input.dispatchKeyEvent", type="keyDown", key=key, **text)
    browser.call("Input.dispatchKeyEvent", type="keyUp", key=key)


def pixel(browser, u):
    """Return where a place of the plane is on the canvas."""
    return browser.run(
        f"(() => {{ const p = reluatlas.plane, s = reluatlas.main.sizeNow();"
        f"return p.pixel(p.camera(s), s, {float(u[0])!r}, {float(u[1])!r}); }})()"
    )


def frames(browser):
    browser.run("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(0))))")


def said(browser, part=".atlas-pointed"):
    return browser.run(f"document.querySelector({part!r}).innerText").replace("−", "-")


def large(cx, n=5):
    """Return the cells that have room for a pointer, the largest first."""
    return np.argsort(-cx.volumes)[:n].tolist()


def colors_of(browser):
    from PIL import Image

    pixels = np.asarray(Image.open(io.BytesIO(browser.picture())).convert("RGB"))
    return np.unique(pixels[130:880, 30:1000].reshape(-1, 3), axis=0).shape[0]


def test_hover_says_the_numbers_of_the_complex(browser, cx):
    maps, regions = cx.affine_map_ids, cx.linear_regions
    for cell in large(cx):
        at = cx.interior_points[cell]
        pointer(browser, *pixel(browser, at), "mouseMoved")
        frames(browser)
        text = said(browser)
        assert text.startswith(f"Cell {cell}\n")
        assert float(re.search(r"area\s+(\S+) ·", text)[1]) == pytest.approx(cx.volumes[cell], rel=1e-5)
        assert f"{maps[cell]}, {regions[cell]}" in text
        assert re.search(rf"corners\s+{len(cx.polygon(cell))}\b", text)
        place = browser.run("reluatlas.state.shown.at")
        outputs = cx.network(cx.domain.embed(place).reshape(1, *cx.network.input_shape))[0]
        rows = re.findall(r"^(\d)\t(\S+)\t(\S+)\t(\S+)$", text, re.M)
        assert len(rows) == 3
        for c, here, a, b in rows:
            expected = [outputs[int(c)], *cx.affine.A[cell, int(c)]]
            np.testing.assert_allclose([float(v) for v in (here, a, b)], expected, rtol=6e-4, atol=1e-6)
        assert f"class {outputs.argmax()}" in text


def test_patterns_and_input_maps_of_every_cell(browser, cx):
    for cell in range(0, cx.n_cells, 7):
        assert browser.run(f"[...reluatlas.info.pattern({cell})]") == cx.patterns[cell].tolist()
        expected = cx.input_affine(cell).A[0].reshape(3, -1)
        for c in range(3):
            weights = f"Float64Array.from([0, 1, 2], (i) => +(i === {c}))"
            np.testing.assert_allclose(
                browser.run(f"[...reluatlas.info.slopes({cell}, {weights})]"), expected[c], atol=1e-12
            )


def test_a_click_tells_facets_neighbors_and_what_flips(browser, cx):
    cell = large(cx)[0]
    pointer(
        browser,
        *pixel(browser, cx.interior_points[cell]),
        "mouseMoved",
        "mousePressed",
        "mouseReleased",
        button="left",
        clickCount=1,
    )
    browser.wait_for("!document.querySelector('.atlas-chosen').hidden")
    text = said(browser, ".atlas-chosen")
    assert text.startswith(f"Facets of cell {cell}")
    facets = range(cx.facets.offsets[cell], cx.facets.offsets[cell + 1])
    inner = [j for j in facets if cx.facets.neighbor[j] >= 0]
    links = re.findall(r"cell (\d+)$", text.partition("\n")[2], re.M)
    assert [int(n) for n in links] == cx.facets.neighbor[inner].tolist()
    assert text.count("the domain ends here") == len(facets) - len(inner)
    names = cx.dual_graph().edge_attributes["name"]
    order = np.flatnonzero(np.repeat(np.arange(cx.n_cells), np.diff(cx.dual_graph().indptr)) == cell)
    for name in names[order]:
        assert name in text
    browser.click(".atlas-facets .atlas-link")
    assert browser.run("reluatlas.state.shown.selected") == cx.facets.neighbor[inner[0]]


def test_wheel_and_keys_zoom_to_a_depth_of_2_to_the_20(browser, cx):
    vertex = cx.vertices.points[cx.vertices.offsets[large(cx)[0]]]
    browser.run(f"{MIDDLE}.focus()")
    for k in range(200):
        x, y = pixel(browser, vertex)
        pointer(browser, x, y, "mouseWheel", deltaX=0, deltaY=-240) if k % 2 else press(browser, "+")
        browser.run(
            f"(() => {{ const s = reluatlas.main.sizeNow(); reluatlas.plane.drag(s.width / 2 - {x}, 0, s); }})()"
        )
        if browser.run("reluatlas.state.shown.zoom") >= 20:
            break
    browser.run(f"reluatlas.state.set({{x: {float(vertex[0])!r}, y: {float(vertex[1])!r}}})")
    browser.wait_for(SHARP)
    width, height = browser.run("(({ width, height }) => [width, height])(reluatlas.main.sizeNow())")
    np.testing.assert_allclose(pixel(browser, vertex), [width / 2, height / 2], atol=0.5)
    # the cells around the vertex, asked from the engine for exactly this window
    scale = browser.run("reluatlas.plane.camera(reluatlas.main.sizeNow()).sx")
    half = np.array([width, height]) / 2 / scale
    low, high = np.maximum(vertex - half, cx.box.low), np.minimum(vertex + half, cx.box.high)
    window = ra.Slice(cx.domain.origin, cx.domain.basis, box=ra.Box(low, high))
    there = ra.enumerate_cells(cx.network, window)
    share = there.volumes / there.volumes.sum()
    seen = browser.run(
        "(() => { const m = reluatlas.main, s = m.sizeNow(), out = new Set();"
        "for (let x = 1; x < s.width; x += 4) for (let y = 1; y < s.height; y += 4) out.add(m.at(x, y));"
        "return [...out]; })()"
    )
    known = {row.tobytes(): i for i, row in enumerate(cx.patterns.astype(there.patterns.dtype))}
    expected = {known[row.tobytes()] for row, s in zip(there.patterns, share, strict=True) if s > 2e-3}
    assert len(expected) >= 2 and expected <= set(seen)
    assert set(seen) - {-1} <= {known[row.tobytes()] for row in there.patterns}
    for _ in range(60):
        press(browser, "+")
    assert "the end of float64" in said(browser, ".atlas-readout")
    press(browser, "0")
    assert browser.run("reluatlas.state.shown.zoom") == 0


def test_layers_are_toggled_from_the_key(browser):
    def dark():
        browser.wait_for(SHARP)
        return browser.run("reluatlas.main.raster.pixels.reduce((n, p) => n + ((p & 255) < 110), 0)")

    browser.run("reluatlas.state.set({by: 'map', boundary: false})")
    before = dark()
    browser.click('.atlas-key input[data-layer="0"]')
    assert browser.run("[...reluatlas.state.shown.hidden]") == [0] and dark() < before
    press(browser, "1")
    assert browser.run("reluatlas.state.shown.hidden.size") == 0 and dark() == before


def test_views_colors_and_search_by_keys(browser, cx):
    for view in ("dual", "surface", "plane"):
        press(browser, "v")
        assert browser.run("reluatlas.state.shown.view") == view
        browser.wait_for(SHARP)
        assert colors_of(browser) > 20
    seen = set()
    for _ in range(4):
        press(browser, "c")
        seen.add(browser.run("reluatlas.state.shown.by"))
    assert seen == {"class", "map", "layer", "value"}
    press(browser, "/")
    cell = large(cx)[1]
    for key in f"cell {cell}":
        press(browser, key)
    browser.call(
        "Input.dispatchKeyEvent", type="keyDown", key="Enter", code="Enter", windowsVirtualKeyCode=13, text="\r"
    )
    assert browser.run("reluatlas.state.shown.selected") == cell
    browser.run("document.activeElement.blur()")
    press(browser, "Escape")
    assert browser.run("reluatlas.state.shown.selected") == -1


def test_a_link_leads_to_the_same_view(browser, path, cx):
    cell = large(cx)[2]
    browser.run(
        "reluatlas.state.set({view: 'surface', by: 'value', output: 2, hidden: new Set([1]), zoom: 3.5, azimuth: 0.4,"
        f"selected: {cell}}})"
    )
    link = browser.run("reluatlas.state.hash()")
    show(browser, path, link)
    reload(browser)
    found = browser.run("({...reluatlas.state.shown, hidden: [...reluatlas.state.shown.hidden]})")
    expected = {
        "view": "surface",
        "by": "value",
        "output": 2,
        "selected": cell,
        "hidden": [1],
        "zoom": 3.5,
        "azimuth": 0.4,
    }
    assert {k: found[k] for k in expected} == expected


@pytest.mark.parametrize(
    "fragment", ["#zoom=1e999&x=NaN&cell=-7&view=constructor&hide=99.x&by=__proto__", "#&&==%", "#cell=1e300"]
)
def test_a_broken_link_shows_the_whole(browser, path, fragment):
    show(browser, path, fragment)
    reload(browser)
    assert browser.run("[reluatlas.state.shown.view, reluatlas.state.shown.selected]") == ["plane", -1]


@pytest.mark.parametrize("width", [1400, 420])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_too_wide_or_empty(browser, width, scheme):
    browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    browser.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
    frames(browser)
    browser.wait_for(SHARP)
    assert browser.run("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert colors_of(browser) > 20
    controls = "[...document.querySelectorAll('.atlas button, .atlas select')]"
    small = f"{controls}.filter((b) => b.checkVisibility() && b.getBoundingClientRect().height < 24)"
    assert browser.run(f"{small}.length") == 0


def test_every_control_has_a_name(browser):
    nodes = browser.call("Accessibility.getFullAXTree")["nodes"]
    roles = {"button", "checkbox", "combobox", "slider", "searchbox", "link"}
    controls = [n for n in nodes if n.get("role", {}).get("value") in roles and not n.get("ignored")]
    assert len(controls) > 12
    assert [n for n in controls if not n.get("name", {}).get("value")] == []


def touch(browser, kind, *points):
    left, top = browser.run(f"(() => {{ const r = {MIDDLE}.getBoundingClientRect(); return [r.left, r.top]; }})()")
    fingers = [{"x": left + x, "y": top + y, "id": i} for i, (x, y) in enumerate(points)]
    browser.call("Input.dispatchTouchEvent", type=kind, touchPoints=fingers)
    frames(browser)


def test_fingers_move_zoom_and_choose(browser, cx):
    browser.call("Emulation.setTouchEmulationEnabled", enabled=True, maxTouchPoints=2)
    cell = large(cx)[0]
    x, y = pixel(browser, cx.interior_points[cell])
    touch(browser, "touchStart", (x, y))
    touch(browser, "touchEnd")
    assert browser.run("reluatlas.state.shown.selected") == cell
    before = np.array(pixel(browser, (0.0, 0.0)))
    touch(browser, "touchStart", (400, 300))
    for k in range(1, 5):
        touch(browser, "touchMove", (400 + 20 * k, 300 + 10 * k))
    touch(browser, "touchEnd")
    np.testing.assert_allclose(np.array(pixel(browser, (0.0, 0.0))) - before, [80, 40], atol=1.0)
    touch(browser, "touchStart", (400, 300), (500, 300))
    for k in range(1, 6):
        touch(browser, "touchMove", (400 - 10 * k, 300), (500 + 10 * k, 300))
    touch(browser, "touchEnd")
    assert browser.run("reluatlas.state.shown.zoom") == pytest.approx(1.0, abs=0.2)  # twice as far apart


def test_what_is_printed_is_the_picture_and_not_what_works_it(browser):
    size = browser.run("(({width, height}) => [width, height])(reluatlas.main.canvas)")
    browser.call("Emulation.setEmulatedMedia", media="print")
    frames(browser)
    hidden = (
        "[...document.querySelectorAll('.atlas-tools, .atlas-corner, .atlas nav')].every((e) => !e.checkVisibility())"
    )
    assert browser.run(hidden)
    # the picture is as wide to its height as it was drawn, whatever room the paper has
    shape = browser.run("(({width, height}) => [width, height])(reluatlas.main.canvas.getBoundingClientRect())")
    now = browser.run("(({width, height}) => [width, height])(reluatlas.main.canvas)")
    assert shape[0] / shape[1] == pytest.approx(now[0] / now[1], rel=0.02) and size[0] > 300
    data = base64.b64decode(browser.call("Page.printToPDF", printBackground=False)["data"])
    assert data.startswith(b"%PDF") and re.search(rb"/Subtype\s*/Image", data)
