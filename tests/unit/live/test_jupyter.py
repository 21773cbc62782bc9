"""The atlas as a widget in JupyterLab: it shows the complex's cells, and its traits follow and lead what is seen."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.request

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.errors import ArgumentError, DimensionError
from tests.browser import Browser, find_browser

for name in ("anywidget", "jupyterlab", "ipykernel"):
    pytest.importorskip(name, reason=f"{name} is not installed: the atlas cannot be shown in JupyterLab")
PROGRAM = find_browser()
needs_browser = pytest.mark.skipif(not PROGRAM, reason="no chromium: JupyterLab cannot be opened in a browser")

SETUP = """
import numpy as np, reluatlas as ra
rng = np.random.default_rng(0)
sizes = (5, 9, 8, 3)
net = ra.load([(rng.normal(size=(m, n)), rng.normal(size=m)) for n, m in zip(sizes, sizes[1:])])
X = rng.normal(size=(6, 5))
plane = ra.Slice.through(X[:3])
cx = ra.enumerate_cells(net, plane)
"""
PANEL = "[...window.jupyterapp.shell.widgets('main')].find((w) => w.sessionContext)"
ATLASES = "[...document.querySelectorAll('.atlas-widget')]"


def setup():
    known = {}
    exec(SETUP, known)
    return known


class Lab:
    """JupyterLab on a notebook, in a browser."""

    def __init__(self, folder):
        cells = [SETUP, "w = cx.view(height=500)\nw", "v = ra.view(net, plane, X=X, height=500)\nv"]
        kind = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        notebook = {
            "nbformat": 4,
            "nbformat_minor": 5,
            "metadata": {"kernelspec": kernel},
            "cells": [{**kind, "id": f"c{i}", "source": text} for i, text in enumerate(cells)],
        }
        (folder / "n.ipynb").write_text(json.dumps(notebook))
        self.token = secrets.token_hex(16)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        homes = {f"JUPYTER_{name}_DIR": str(folder / name) for name in ("CONFIG", "DATA", "RUNTIME")}
        homes |= {"IPYTHONDIR": str(folder / "ipython"), "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings")}
        self.log = (folder / "log").open("w")
        self.process = subprocess.Popen(
            [
                sys.executable, "-m", "jupyterlab", "--no-browser", f"--ServerApp.port={port}",
                "--ServerApp.ip=127.0.0.1", f"--IdentityProvider.token={self.token}",
                f"--ServerApp.root_dir={folder}", "--allow-root",
                "--LabApp.expose_app_in_browser=True", "--LabApp.news_url=None", "--ServerApp.use_redirect_file=False",
                f"--LabApp.workspaces_dir={folder / 'workspaces'}",
            ],
            env={**os.environ, **homes}, stdout=self.log, stderr=self.log, cwd=folder,
        )  # fmt: skip
        self.browser = None
        try:
            self.address = f"http://127.0.0.1:{port}"
            self._wait_for_server()
            self.browser = Browser(str(PROGRAM), width=1400, height=1000)
            self.browser.call("Page.navigate", url=f"{self.address}/lab/tree/n.ipynb?token={self.token}")
            self.browser.wait_for(f"!!window.jupyterapp && !!{PANEL}?.sessionContext.session?.kernel", seconds=60)
            self.browser.run(
                f"(jupyterapp.shell.activateById({PANEL}.id), jupyterapp.commands.execute('notebook:run-all-cells'), 0)"
            )
            self.browser.wait_for(
                f"{ATLASES}.length === 2 && {ATLASES}.every((a) => a.reluatlas?.main.isSharp) && "
                f"{ATLASES}[1].dataset.last === 'true'",
                seconds=150,
            )
        except BaseException:
            self.close()
            raise

    def _wait_for_server(self):
        end = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(f"{self.address}/api?token={self.token}", timeout=5).close()
                return
            except OSError:
                if time.monotonic() > end or self.process.poll() is not None:
                    raise
                time.sleep(0.3)

    def close(self):
        if self.browser is not None:
            self.browser.close()
        self.process.terminate()
        self.process.wait(20)
        self.log.close()

    def run(self, expression):
        return self.browser.run(expression)

    def kernel(self, code):
        """Return what a line of Python prints in the notebook's kernel."""
        return self.run(
            "new Promise((done) => { let text = '';"
            f"const k = {PANEL}.sessionContext.session.kernel;"
            f"const r = k.requestExecute({{code: {json.dumps(code)}}});"
            "r.onIOPub = (m) => { text += m.content.text ?? m.content.evalue ?? ''; };"
            "r.done.then(() => done(text)); })"
        ).strip()

    def told(self, code, expected):
        end = time.monotonic() + 20
        while (found := self.kernel(f"print({code})")) != str(expected):
            assert time.monotonic() < end, f"{code} is {found}, not {expected}"
            time.sleep(0.2)


@needs_browser
@pytest.mark.alone
def test_the_atlas_in_jupyterlab(tmp_path):
    known = setup()
    cx, X = known["cx"], known["X"]
    lab = Lab(tmp_path)
    try:
        # of a complex: its cells, and the chosen one and the view both ways
        first = f"{ATLASES}[0].reluatlas"
        assert lab.run(f"{first}.complex.n") == cx.n_cells
        assert lab.run(f"[...{first}.info.pattern(3)]") == cx.patterns[3].tolist()
        lab.run(f"{first}.state.set({{selected: 5, zoom: 2, by: 'value'}})")
        lab.told("w.selected", 5)
        lab.told("(w.view['zoom'], w.view['by'], w.view['name'])", (2, "value", "plane"))
        lab.kernel("w.selected = 7; w.view = {**w.view, 'zoom': 1.5, 'name': 'dual'}")
        lab.browser.wait_for(f"{first}.state.shown.selected === 7 && {first}.state.shown.zoom === 1.5")
        assert lab.run(f"{first}.state.shown.view") == "dual"
        # live: the plane is led from Python, and what comes is the library's answer there
        second = f"{ATLASES}[1].reluatlas"
        assert lab.run(f"{second}.complex.n") == cx.n_cells
        lab.kernel("v.anchors = [[0, 3, 0.5], [1, 3, 0], [4, 3, 0]]")
        there = ra.enumerate_cells(known["net"], ra.Slice.through([X[0] + 0.5 * (X[3] - X[0]), X[1], X[4]]))
        lab.browser.wait_for(f"{second}.complex.n === {there.n_cells} && {ATLASES}[1].dataset.last === 'true'")
        assert lab.run(f"[...{second}.info.pattern(2)]") == there.patterns[2].tolist()
        lab.run(f"{second}.steer.lead([[2, 3, 0], [1, 3, 0], [4, 3, 0.25]])")
        lab.told("v.anchors", [[2, 3, 0], [1, 3, 0], [4, 3, 0.25]])
        # the notebook's own keys stay out of it
        lab.run(f"{ATLASES}[0].querySelector('canvas').focus()")
        n_before = lab.run(f"{PANEL}.content.widgets.length")
        for key in "cvb":
            lab.browser.call(
                "Input.dispatchKeyEvent", type="keyDown", key=key, text=key, windowsVirtualKeyCode=ord(key.upper())
            )
            lab.browser.call("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=ord(key.upper()))
        assert lab.run(f"{PANEL}.content.widgets.length") == n_before
        assert lab.run(f"{first}.state.shown.view") == "surface"  # "v"
        if folder := os.environ.get("RELUATLAS_PICTURES"):
            with open(f"{folder}/jupyter.png", "wb") as file:
                file.write(lab.browser.picture())
    finally:
        lab.close()


def test_what_does_not_fit_is_refused_before_anything_is_shown():
    known = setup()
    net, plane, X, cx = known["net"], known["plane"], known["X"], known["cx"]
    with pytest.raises(ArgumentError, match=r"does not go through the first three of `X`"):
        ra.view(net, ra.Slice.through(X[1:4]), X=X)
    with pytest.raises(DimensionError, match="`labels` has 2 names but `X` 6 inputs"):
        ra.view(net, plane, X=X, labels=["a", "b"])
    with pytest.raises(ArgumentError, match="a live atlas is of a plane"):
        ra.view(net, ra.Space(5))  # type: ignore[arg-type]
    for height in (True, 10, 1e3, "640"):
        with pytest.raises(ArgumentError, match=r"`height=.*whole pixels"):
            cx.view(height=height)


def test_without_anywidget_it_says_what_to_do(monkeypatch):
    from reluatlas.live import widget

    monkeypatch.setattr(widget, "find_spec", lambda name: None)
    widget._kind.cache_clear()
    with pytest.raises(ImportError, match=r"pip install 'reluatlas\[notebook\]'"):
        setup()["cx"].view()


def test_a_complex_of_more_dimensions_has_no_atlas():
    net = ra.load([(np.eye(3), np.zeros(3)), (np.ones((1, 3)), np.zeros(1))])
    with pytest.raises(DimensionError, match="an atlas is of a plane"):
        ra.enumerate_cells(net, ra.Box(-1, 1, dim=3)).view()
