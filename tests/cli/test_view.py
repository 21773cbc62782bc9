from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import reluatlas as ra
from tests.browser import Browser, find_browser
from tests.cli.run import dense_layers, save_points, write_onnx

for name in ("starlette", "uvicorn", "websockets"):
    pytest.importorskip(name)


@pytest.fixture
def model(tmp_path):
    path = write_onnx(tmp_path / "net.onnx", dense_layers((5, 12, 10, 3), seed=1))
    points = np.random.default_rng(1).normal(size=(3, 5))
    return path, points, *save_points(tmp_path, points)


class Viewing:
    """The command, running."""

    def __init__(self, model):
        path, _, *corners = model
        arguments = ["view", str(path), "--no-browser", *(f"--through={corner}" for corner in corners)]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "reluatlas", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
        self.address = self.process.stdout.readline().strip()

    def __enter__(self):
        return self

    def __exit__(self, *nothing):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


def test_the_address_comes_and_ctrl_c_ends_it(model):
    with Viewing(model) as viewing:
        assert viewing.address.startswith("http://127.0.0.1:") and len(viewing.address.partition("token=")[2]) == 32
        time.sleep(1.0)
        begin = time.monotonic()
        viewing.process.send_signal(signal.SIGINT)
        out, err = viewing.process.communicate(timeout=30)
        assert time.monotonic() - begin < 5.0  # one second on a machine that does nothing else
        assert viewing.process.returncode == 0 and "Traceback" not in err and out == ""


def settled(browser):
    """Wait until the same window stands there, complete, for half a second: on the way others may."""
    seen, since = None, time.monotonic()
    while seen is None or time.monotonic() - since < 0.5:
        now = browser.run("JSON.stringify([document.querySelector('#atlas').dataset, reluatlas.complex.told.window])")
        if now != seen or json.loads(now)[0]["last"] != "true":
            seen, since = now, time.monotonic()
        time.sleep(0.05)


@pytest.mark.skipif(not find_browser(), reason="no chromium: the page cannot be opened in a browser")
def test_what_is_seen_at_a_depth_is_the_engines_answer(model):
    net = ra.load(model[0])
    plane = ra.Slice.through(model[1])
    with Viewing(model) as viewing, Browser(str(find_browser()), width=1400, height=900) as browser:
        browser.call("Page.navigate", url=viewing.address)
        browser.wait_for("window.reluatlas?.complex.told.is_last ?? false", seconds=300)
        secret = viewing.address.partition("token=")[2]
        assert browser.run("location.href") == viewing.address.partition("?")[0]
        assert secret not in browser.run("document.documentElement.outerHTML + reluatlas.state.hash()")
        whole = ra.enumerate_cells(net, plane)
        assert browser.run("reluatlas.complex.n") == whole.n_cells
        corner = whole.vertices.points[whole.vertices.offsets[int(np.argmax(whole.volumes))]]
        for zoom in (3, 12, 20):
            before = browser.run("document.querySelector('#atlas').dataset.window ?? ''")
            browser.run(f"reluatlas.state.set({{zoom: {zoom}, x: {float(corner[0])!r}, y: {float(corner[1])!r}}})")
            browser.wait_for(
                f"(({{ dataset }}) => dataset.last === 'true' && dataset.window !== {json.dumps(before)})"
                "(document.querySelector('#atlas'))", seconds=60,
            )  # fmt: skip
            settled(browser)
            x0, y0, x1, y1 = browser.run("reluatlas.complex.told.window")
            there = ra.enumerate_cells(net, ra.Slice(plane.origin, plane.basis, box=ra.Box([x0, y0], [x1, y1])))
            assert browser.run("reluatlas.complex.n") == there.n_cells >= 2
            for cell in range(there.n_cells):
                assert browser.run(f"[...reluatlas.info.pattern({cell})]") == there.patterns[cell].tolist()
            assert browser.run("[...reluatlas.complex.cells.xy]") == there.vertices.points.reshape(-1).tolist()
            # vertices on the screen: within half a pixel of where exact arithmetic puts them
            at, s = browser.run(
                "(() => { const p = reluatlas.plane, s = reluatlas.main.sizeNow(), c = p.camera(s);"
                "return [[...reluatlas.complex.cells.xy].reduce((out, _, i, xy) => i % 2 ? out : "
                "[...out, p.pixel(c, s, xy[i], xy[i + 1])], []), [s.width, s.height, c.x, c.y, c.sx, c.sy]]; })()"
            )
            width, height, x, y, sx, sy = map(np.longdouble, s)
            expected = [
                [width / 2 + (np.longdouble(u) - x) * sx, height / 2 - (np.longdouble(v) - y) * sy]
                for u, v in there.vertices.points.tolist()
            ]
            assert np.abs(np.array(at) - np.array(expected, dtype=np.float64)).max() < 0.5
        assert browser.complaints() == []
        hosts = {url.split("/")[2] for url in browser.requests() if url.startswith(("http", "ws"))}
        assert hosts == {viewing.address.split("/")[2]}


def test_what_does_not_go_together_is_one_line(command, tmp_path):
    flat = write_onnx(tmp_path / "flat.onnx", dense_layers((2, 5, 2)))
    other = write_onnx(tmp_path / "other.onnx", dense_layers((2, 5, 3)))
    learned, broken = tmp_path / "learned.npz", tmp_path / "broken.npz"
    ra.Trajectory.from_layers([dense_layers((2, 5, 2))] * 2, domain=ra.Box(-1, 1, dim=2)).save(learned)
    broken.write_bytes(learned.read_bytes()[:200])
    for arguments, reason in (
        ((flat, "--box", "-1,1", "--beside", other), "outputs of shape (2,) but `g` of shape (3,)"),
        ((flat, "--box", "-1,1", "--beside", tmp_path / "none.onnx"), "does not exist"),
        ((learned, "--box", "-1,1"), "has a plane of its own"),
        ((learned, "--beside", flat), "`--beside` does not go with a trajectory"),
        ((broken,), "truncated or damaged"),
        ((flat,), "no domain was given"),
    ):
        outcome = command("view", *map(str, arguments), "--no-browser")
        assert outcome.code == 2 and reason in outcome.err and outcome.err.count("\n") == 1


def test_bad_input_is_one_line(command, model):
    path = model[0]
    assert command("view", path, "--box", "-1,1").code == 2  # five inputs are no plane
    flat = write_onnx(path.with_name("flat.onnx"), dense_layers((2, 5, 2)))
    outcome = command("view", flat, "--box", "-1,1", "--port", "70000")
    assert outcome.code == 2 and "`--port 70000`" in outcome.err and outcome.err.count("\n") == 1
