"""The atlas of 100,000 cells in Chromium without a graphics card: opening, moving, sharp again, pointing.

    python benchmarks/atlas.py [--quick] [--out FILE.json]

A random network cuts a square into 100,000 cells or more; its page is opened at 1400 x 900. Measured in the page: the
time until the first sharp picture; frames a second while the plane is dragged; from the last move to the sharp picture,
in each coloring; from a move of the pointer to the frame that tells the cell. Beside it, the same polygons filled by
the canvas' own paths. Medians of several rounds; the numbers that the page tells are compared with the complex first.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import reluatlas as ra
from benchmarks._record import machine, write
from tests.browser import Browser, find_browser

SHARP = "window.reluatlas?.main.isSharp ?? false"
DRAG = """new Promise((done) => {
  const m = reluatlas.main, began = performance.now();
  let frames = 0;
  const tick = () => {
    const now = performance.now();
    if (now - began > 2000) return done((1000 * frames) / (now - began));
    frames++;
    m.view.drag(8 * Math.sin(frames / 9), 8 * Math.cos(frames / 7), m.sizeNow(), false);
    m.touch();
    requestAnimationFrame(tick);
  };
  requestAnimationFrame(tick);
})"""
REST = """new Promise((done) => {
  const m = reluatlas.main, began = performance.now();
  m.view.drag(5, 3, m.sizeNow(), false);
  m.touch();
  const look = () => (m.isSharp ? done(performance.now() - began) : requestAnimationFrame(look));
  requestAnimationFrame(look);
})"""
POINT = """new Promise((done) => {
  const m = reluatlas.main, times = [];
  const next = (k) => {
    if (k === 40) return done(times.sort((a, b) => a - b)[20]);
    const began = performance.now();
    m.point(200 + 15 * k, 120 + 14 * k);
    requestAnimationFrame(() => requestAnimationFrame(() => { times.push(performance.now() - began); next(k + 1); }));
  };
  next(0);
})"""
PATHS = """(() => {
  const cx = reluatlas.complex, p = reluatlas.plane, s = reluatlas.main.sizeNow(), camera = p.camera(s);
  const canvas = document.createElement("canvas");
  canvas.width = s.width, canvas.height = s.height;
  const c = canvas.getContext("2d"), began = performance.now();
  for (let i = 0; i < cx.n; i++) {
    c.beginPath();
    for (let v = cx.cells.starts[i]; v < cx.cells.starts[i + 1]; v++) {
      c.lineTo(...p.pixel(camera, s, cx.cells.xy[2 * v], cx.cells.xy[2 * v + 1]));
    }
    c.closePath();
    c.fillStyle = `rgb(${i & 255},${(i >> 3) & 255},90)`;
    c.fill();
    c.lineWidth = 0.5;
    c.stroke();
  }
  c.getImageData(0, 0, 1, 1);
  return performance.now() - began;
})()"""


def network(width: int) -> ra.Network:
    """Return a random network from the plane to four outputs."""
    rng, sizes = np.random.default_rng(0), (2, width, width, width, 4)
    return ra.load([(rng.normal(size=(m, n)) / np.sqrt(n), 0.3 * rng.normal(size=m)) for n, m in pairwise(sizes)])


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--quick", action="store_true", help="a small network, one round")
    options.add_argument("--out", type=Path)
    asked = options.parse_args()
    program = find_browser()
    if program is None:
        print("no chromium on the PATH", file=sys.stderr)
        return 2
    cx = ra.enumerate_cells(network(40 if asked.quick else 240), ra.Box(-1, 1, dim=2))
    assert asked.quick or cx.n_cells >= 100_000, cx.n_cells
    rounds = 1 if asked.quick else 5
    with tempfile.TemporaryDirectory() as folder, Browser(program, width=1400, height=900) as browser:
        path = Path(folder) / "atlas.html"
        begin = time.perf_counter()
        cx.to_html(path)
        made = time.perf_counter() - begin
        browser.call("Emulation.setDeviceMetricsOverride", width=1400, height=900, deviceScaleFactor=1, mobile=False)
        opened = [_opened(browser, path) for _ in range(rounds)]
        cell = int(np.argmax(cx.volumes))
        assert browser.run(f"reluatlas.complex.area[{cell}]") == cx.volumes[cell]
        assert browser.run(f"[...reluatlas.info.pattern({cell})]") == cx.patterns[cell].tolist()
        sharp = {by: _median(browser, REST, rounds, by) for by in ("class", "map", "layer", "value")}
        figures: dict[str, Any] = {
            "cells": cx.n_cells,
            "write_s": made,
            "megabytes": path.stat().st_size / 1e6,
            "open_s": statistics.median(opened),
            "frames_per_s": _median(browser, DRAG, rounds, "class"),
            "sharp_ms": sharp,
            "hover_ms": _median(browser, POINT, rounds, "class"),
            "paths_ms": _median(browser, PATHS, rounds, "class"),
        }
    for name, value in figures.items():
        print(f"{name:14} {value}")
    if asked.out:
        write(asked.out, {**machine(), **figures})
    return 0


def _opened(browser: Browser, path: Path) -> float:
    browser.open(Path(path.parent), "")
    begin = time.perf_counter()
    browser.open(path)
    browser.wait_for(SHARP, seconds=60)
    return time.perf_counter() - begin


def _median(browser: Browser, expression: str, rounds: int, by: str) -> float:
    browser.run(f"reluatlas.state.set({{by: {by!r}}})")
    browser.wait_for(SHARP)
    found = []
    for _ in range(rounds):
        found.append(browser.run(expression))
        browser.wait_for(SHARP)
    return statistics.median(found)


if __name__ == "__main__":
    raise SystemExit(main())
