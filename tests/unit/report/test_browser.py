"""The page in a real browser: it loads nothing, complains about nothing, and shows its figures."""

from __future__ import annotations

import http.server
import os
import re
import shutil
import subprocess
import threading
from contextlib import contextmanager

import numpy as np
import pytest

from reluatlas.cli.main import main
from reluatlas.report.common import About
from reluatlas.report.complex_page import page
from tests.cli.run import dense_layers, write_onnx

BROWSER = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), ""
)
pytestmark = pytest.mark.skipif(not BROWSER, reason="no chromium: the page cannot be opened in a browser")

POLICY = re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>')
SHOWN = """<script>
addEventListener("load", () => {
  const broken = [...document.images].filter((i) => !i.complete || i.naturalWidth === 0).length;
  const wide = document.documentElement.scrollWidth > document.documentElement.clientWidth;
  document.title = `images ${document.images.length} broken ${broken} wide ${wide}`;
});
</script>"""


def browse(url, profile, *options):
    return subprocess.run(
        [
            BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run",
            "--disable-component-update", "--disable-sync", "--hide-scrollbars", f"--user-data-dir={profile}",
            "--enable-logging=stderr", "--v=0",
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", *options, url,
        ],
        capture_output=True, text=True, timeout=120, env={**os.environ, "HOME": str(profile)},
    )  # fmt: skip


@pytest.fixture(scope="module")
def text(whole, drawn):
    return page(whole, About("The cells of a test", code="import reluatlas"), drawn)


@contextmanager
def served(text):
    """Serve a page; yield its address and the list of every request."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            is_page = self.path == "/report.html"
            self.send_response(200 if is_page else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(text.encode() if is_page else b"")

        def log_message(self, format, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/report.html", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_one_request_no_error_and_a_picture(text, tmp_path):
    shot = tmp_path / "page.png"
    with served(text) as (url, asked):
        ended = browse(url, tmp_path / "p", "--window-size=1300,1800", f"--screenshot={shot}")
    assert ended.returncode == 0, ended.stderr
    assert asked == ["/report.html"]
    assert "CONSOLE" not in ended.stderr, ended.stderr
    from matplotlib.image import imread

    pixels = imread(shot)[..., :3]
    assert pixels.shape[:2] == (1800, 1300) and np.unique(pixels.reshape(-1, 3), axis=0).shape[0] > 500


@pytest.mark.parametrize("width", [1300, 500])
def test_every_image_is_shown_and_nothing_is_too_wide(text, tmp_path, width):
    assert POLICY.search(text)
    path = tmp_path / "report.html"
    path.write_text(POLICY.sub("", text).replace("</head>", SHOWN + "</head>"), encoding="utf-8")
    ended = browse(
        path.as_uri(), tmp_path / "p", f"--window-size={width},900", "--virtual-time-budget=5000", "--dump-dom"
    )
    found = re.search(r"<title>(.*?)</title>", ended.stdout)
    assert found and found[1] == "images 6 broken 0 wide false", ended.stdout[:300]


def test_a_page_that_loads_something_would_be_noticed(text, tmp_path):
    more = text.replace("<main>", '<main><img src="/extra.png" alt="">', 1)
    with served(more) as (url, asked):
        ended = browse(url, tmp_path / "p", f"--screenshot={tmp_path / 'page.png'}")
    assert asked == ["/report.html"] and "CONSOLE" in ended.stderr and "Content Security Policy" in ended.stderr
    with served(POLICY.sub("", more)) as (url, asked):
        browse(url, tmp_path / "p", f"--screenshot={tmp_path / 'page.png'}")
    assert asked == ["/report.html", "/extra.png"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with pages of `at` (of a point, and of one on a face) and `explore` (around, along a line)."""
    home = tmp_path_factory.mktemp("pages")
    model = write_onnx(home / "net.onnx", dense_layers((3, 8, 6, 2)))
    octants = write_onnx(home / "octants.onnx", [(np.eye(3), np.zeros(3)), (np.ones((1, 3)), np.zeros(1))])
    asked = {
        "point": ("at", model, "--at", "0.1,0.2,0.3", "--box", "-1,1", "--check"),
        "face": ("at", octants, "--at", "0,0,1", "--at", "1,2,3"),
        "around": ("explore", model, "--at", "0.1,0.2,0.3", "--max-cells", "30"),
        "line": ("explore", model, "--at", "0.1,0.2,0.3", "--target", "-0.9,0.8,-0.7", "--max-cells", "99"),
    }
    for name, arguments in asked.items():
        assert main([*map(str, arguments), "--out", str(home / name), "--quiet"]) in (0, 3)
    return home


@pytest.mark.parametrize("width", [1300, 500])
@pytest.mark.parametrize("name", ["point", "face", "around", "line"])
def test_pages_of_cells_and_searches(folder, tmp_path, name, width):
    text = (folder / name / "report.html").read_text(encoding="utf-8")
    with served(text) as (url, asked):
        ended = browse(url, tmp_path / "p", f"--screenshot={tmp_path / 'page.png'}")
    assert asked == ["/report.html"] and "CONSOLE" not in ended.stderr, ended.stderr
    path = tmp_path / "report.html"
    path.write_text(POLICY.sub("", text).replace("</head>", SHOWN + "</head>"), encoding="utf-8")
    ended = browse(
        path.as_uri(), tmp_path / "q", f"--window-size={width},900", "--virtual-time-budget=5000", "--dump-dom"
    )
    found = re.search(r"<title>(.*?)</title>", ended.stdout)
    assert found and found[1] == "images 1 broken 0 wide false", ended.stdout[:300]
