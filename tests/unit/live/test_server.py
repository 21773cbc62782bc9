"""The server over real sockets: right windows for its own page, nothing for anybody else."""

from __future__ import annotations

import contextlib
import json
import random
import socket
import struct
import threading
import time

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.errors import ArgumentError, DimensionError
from reluatlas.live.guard import Guard
from reluatlas.live.messages import WindowRequest
from reluatlas.live.server import MOST_CLIENTS, application, listen
from reluatlas.live.windows import Windows, open_windows
from tests.unit.atlas.read_page import patterns
from tests.unit.figures.fake import layers_of

pytest.importorskip("starlette")
uvicorn = pytest.importorskip("uvicorn")
client = pytest.importorskip("websockets.sync.client")
errors = pytest.importorskip("websockets.exceptions")


class Server:
    """A server in a thread."""

    def __init__(self, windows):
        self.listening = listen(0)
        self.guard = Guard(self.listening.getsockname()[1])
        config = uvicorn.Config(
            application(windows, self.guard), ws="websockets-sansio", ws_max_size=64 * 1024, log_level="critical",
            lifespan="off", timeout_graceful_shutdown=0,
        )  # fmt: skip
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [self.listening]})
        self.thread.start()

    @property
    def host(self):
        return f"127.0.0.1:{self.guard.port}"

    def close(self):
        self.server.should_exit = True
        self.thread.join(20)
        self.listening.close()
        assert not self.thread.is_alive()

    def get(self, path, host=None, method="GET", more=""):
        """Return status, headers and body of a request that is written by hand."""
        with socket.create_connection(("127.0.0.1", self.guard.port), 20) as raw:
            raw.sendall(
                f"{method} {path} HTTP/1.1\r\nHost: {host or self.host}\r\nConnection: close\r\n{more}\r\n".encode()
            )
            data = b"".join(iter(lambda: raw.recv(65536), b""))
        head, _, body = data.partition(b"\r\n\r\n")
        return int(head.split()[1]), head.decode().lower(), body

    def connect(self, **more):
        origin = more.pop("origin", f"http://{self.host}")
        token = more.pop("token", self.guard.token)
        return client.connect(f"ws://{self.host}/cells?token={token}", origin=origin, max_size=None, **more)


@pytest.fixture(scope="module")
def windows():
    net = ra.load(layers_of((4, 14, 12, 3)))
    X = np.random.default_rng(0).normal(size=(7, 4))
    return Windows(net, ra.Slice.through(X[:3]), title="a test", inputs=X, labels=[*"abcdefg"])


@pytest.fixture(scope="module")
def server(windows):
    made = Server(windows)
    yield made
    made.close()


def read(data):
    """Return the number, the words and the arrays of a message, by what docs/files.md says of arrays."""
    number, length = struct.unpack_from("<QI", data)
    told = json.loads(data[12 : 12 + length])
    rest = data[12 + length :]
    arrays = {
        a["name"]: np.frombuffer(rest, "<" + a["kind"], count=a["length"], offset=a["at"]) for a in told["arrays"]
    }
    return number, told, arrays


def ask(page, window, number=1):
    page.send(json.dumps({"id": number, "window": [float(v) for v in window]}))
    while True:
        found = read(page.recv(60))
        if found[0] == number and found[1]["is_last"]:
            return found[1:]


def some_windows(windows, n, seed=0):
    rng, box = np.random.default_rng(seed), windows.domain.box
    for k in range(n):
        half = (box.high - box.low) * 2.0 ** -rng.uniform(1, 20 if k % 2 else 4)
        middle = rng.uniform(box.low, box.high)
        yield np.maximum(middle - half, box.low), np.minimum(middle + half, box.high)


def test_windows_are_those_of_enumerate_cells(server, windows):
    with server.connect() as page:
        for k, (low, high) in enumerate(some_windows(windows, 12)):
            told, arrays = ask(page, [*low, *high], k)
            part = ra.Slice(windows.domain.origin, windows.domain.basis, box=ra.Box(low, high))
            cx = ra.enumerate_cells(windows.network, part)
            assert told["n_cells"] == cx.n_cells and np.array_equal(patterns(arrays), cx.patterns)
            assert np.array_equal(arrays["xy"].reshape(-1, 2), cx.vertices.points)
            assert np.array_equal(
                arrays["outputs"].reshape(cx.n_cells, -1, 3)[:, :, :2], cx.affine.A.astype(np.float32)
            )


def test_the_plane_is_led_through_other_inputs(server, windows):
    X = windows.inputs
    with server.connect() as page:
        for number, (anchors, points) in enumerate(
            [
                ([[3, 3, 0], [1, 1, 0], [6, 6, 0]], X[[3, 1, 6]]),
                ([[0, 0, 0], [1, 1, 0], [2, 5, 0.25]], [X[0], X[1], X[2] + 0.25 * (X[5] - X[2])]),
            ]
        ):
            page.send(json.dumps({"id": number, "window": None, "plane": anchors}))
            while not (found := read(page.recv(60)))[1]["is_last"]:
                pass
            plane = ra.Slice.through(points)
            cx = ra.enumerate_cells(windows.network, plane)
            assert found[0] == number and np.array_equal(patterns(found[2]), cx.patterns)
            assert np.array_equal(found[2]["origin"], plane.origin) and found[1]["low"] == plane.box.low.tolist()
            at = np.array([mark["u"] for mark in found[1]["marks"]])
            np.testing.assert_allclose(plane.embed(at), points, atol=1e-12)
        for anchors, reason in (([[0, 0, 0]] * 3, "on a line"), ([[0, 0, 0], [1, 1, 0], [7, 7, 0]], "no such inputs")):
            page.send(json.dumps({"id": 9, "window": None, "plane": anchors}))
            assert reason in json.loads(page.recv(20))["error"]


def test_the_page_has_its_policy_and_needs_the_token(server):
    status, head, body = server.get(f"/?token={server.guard.token}")
    assert status == 200 and f"connect-src ws://{server.host}".encode() in body
    assert "referrer-policy: no-referrer" in head and "access-control-allow-origin" not in head and "no-store" in head
    for path in ("/", "/?token=", f"/?token={'0' * 32}", f"/?token={server.guard.token[:-1]}", "/?token=%C3%A9"):
        status, _, body = server.get(path)
        assert status == 403 and server.guard.token.encode() not in body


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "[::1]:{port}", "localhost.evil:{port}"]
)
def test_a_foreign_host_is_refused(server, host):
    name = host.format(port=server.guard.port)
    for path in (f"/?token={server.guard.token}", "/nothing", "/cells"):
        assert server.get(path, name)[0] == 403
    with pytest.raises(errors.InvalidStatus) as refused:
        server.connect(origin=f"http://{name}", additional_headers={"Host": name})
    assert refused.value.response.status_code in (400, 403)


@pytest.mark.parametrize(
    "path", ["/..%2f..%2fetc/passwd", "/../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/atlas.js", "/cells"]
)
def test_there_are_no_files(server, path):
    status, _, body = server.get(path)
    assert status in (400, 404) and b"root:" not in body and b"Traceback" not in body


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE"])
def test_nothing_can_be_done_but_read(server, method):
    assert server.get(f"/?token={server.guard.token}", method=method)[0] in (400, 404, 405)


@pytest.mark.parametrize(
    "origin",
    [None, "null", "http://evil.example", "https://127.0.0.1:{port}", "http://127.0.0.1", "http://localhost:{port}"],
)
def test_a_foreign_origin_is_refused(server, origin):
    with pytest.raises(errors.InvalidStatus) as refused:
        server.connect(origin=origin and origin.format(port=server.guard.port))
    assert refused.value.response.status_code == 403


def test_a_wrong_token_is_refused(server):
    for token in ("", "0" * 32, server.guard.token[:-1], server.guard.token + "0"):
        with pytest.raises(errors.InvalidStatus) as refused:
            server.connect(token=token)
        assert refused.value.response.status_code == 403


def test_what_is_no_request_ends_the_connection_with_a_reason(server):
    for message in ("{}", b"\0\1", '{"id": 1, "window": [0, 0, 1, NaN]}'):
        with server.connect() as page:
            page.send(message)
            with pytest.raises(errors.ConnectionClosed) as closed:
                page.recv(20)
            assert closed.value.rcvd.code == 1008 and closed.value.rcvd.reason


def test_a_message_that_is_too_long(server):
    with server.connect() as page:
        with contextlib.suppress(errors.ConnectionClosed):
            page.send("x" * (80 * 1024))
        with pytest.raises(errors.ConnectionClosed) as closed:
            page.recv(20)
        assert closed.value.rcvd is None or closed.value.rcvd.code == 1009


def test_a_window_that_is_nowhere_is_told_without_insides(server):
    with server.connect() as page:
        page.send(json.dumps({"id": 5, "window": [1e6, 1e6, 2e6, 2e6]}))
        assert json.loads(page.recv(20)) == {"id": 5, "error": "the window lies outside of the domain"}


def test_a_thousand_malformed_messages_and_the_server_lives(server, windows):
    rng = random.Random(3)
    for _ in range(50):
        with contextlib.suppress(errors.ConnectionClosed), server.connect() as page:
            for _ in range(20):
                page.send(bytes(rng.randrange(256) for _ in range(rng.randrange(40))))
    with server.connect() as page:
        box = windows.domain.box
        assert ask(page, [*box.low, *box.high])[0]["n_cells"] > 10


def test_there_are_so_many_connections_and_no_more(server):
    with contextlib.ExitStack() as stack:
        pages = [stack.enter_context(server.connect()) for _ in range(MOST_CLIENTS)]
        with server.connect() as one_more, pytest.raises(errors.ConnectionClosed) as closed:
            one_more.recv(20)
        assert closed.value.rcvd.code == 1013 and pages


def test_only_the_last_window_is_waited_for(server, windows):
    box = windows.domain.box
    with server.connect() as page:
        for number in range(50):
            page.send(json.dumps({"id": number, "window": [*box.low, *box.high]}))
        seen = set()
        while 49 not in seen:
            seen.add(read(page.recv(60))[0])
        assert len(seen) < 25


def test_a_page_that_does_not_read_holds_up_nobody(server, windows):
    box = windows.domain.box
    with socket.create_connection(("127.0.0.1", server.guard.port), 20) as raw:
        raw.sendall(
            f"GET /cells?token={server.guard.token} HTTP/1.1\r\nHost: {server.host}\r\nOrigin: http://{server.host}\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
        )
        assert raw.recv(12) == b"HTTP/1.1 101"
        text = json.dumps({"id": 1, "window": None}).encode()
        for _ in range(200):
            raw.sendall(bytes([0x81, 0x80 | len(text), 0, 0, 0, 0]) + text)
            time.sleep(0.002)
        with server.connect() as page:
            begin = time.monotonic()
            assert ask(page, [*box.low, *box.high])[0]["n_cells"] > 10
            assert time.monotonic() - begin < 20


def test_several_pages_get_each_their_own(server, windows):
    found = {}

    def look(k):
        low, high = next(iter(some_windows(windows, 1, seed=k)))
        with server.connect() as page:
            found[k] = (low, high, *ask(page, [*low, *high]))

    threads = [threading.Thread(target=look, args=(k,)) for k in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(found) == 20
    for low, high, told, _ in found.values():
        part = ra.Slice(windows.domain.origin, windows.domain.basis, box=ra.Box(low, high))
        assert told["n_cells"] == ra.enumerate_cells(windows.network, part).n_cells


def test_the_work_for_a_page_that_is_gone_is_called_off():
    stop = threading.Event()
    threading.Timer(0.5, stop.set).start()
    large = Windows(ra.load(layers_of((2, 400, 400, 400, 2))), ra.Box(-1, 1, dim=2), most_cells=10**7)
    begin = time.monotonic()
    answers = list(large.answers(WindowRequest(0, None), stop))
    assert time.monotonic() - begin < 0.5 + 3.0 and not any(answer.is_last for answer in answers)


def test_refusals(windows):
    taken = listen(0)
    with taken, pytest.raises(ArgumentError, match=r"cannot be used: .*in use"):
        listen(taken.getsockname()[1])
    with pytest.raises(ArgumentError, match="cannot be used"):
        listen(70_000)
    with pytest.raises(DimensionError, match="dimension 3 but a live atlas is of a plane"):
        open_windows(ra.load(layers_of((3, 5, 2))), ra.Box(-1, 1, dim=3))
    with pytest.raises(ArgumentError, match="a live atlas is of a plane"):
        open_windows(windows.network, ra.Space(4))
