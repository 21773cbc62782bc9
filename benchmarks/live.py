"""The live atlas: from a request to its first cells and to all of them, and memory after many moves.

    python benchmarks/live.py [DATA] [--moves N] [--quick] [--out FILE.json]

DATA (or the environment variable RELUATLAS_DATA) holds `models/*.onnx` and `mnist/t10k-images-idx3-ubyte.gz`. Windows
of the plane through three MNIST test images (of networks on CIFAR images: three images of noise), at random places and
depths, each as the server packs it; of those with at most so many cells the medians are told. The first hundred of the
first network are checked: cells, patterns, maps and vertices are those of `enumerate_cells`, bit for bit. Then the
command itself, with the first network: until its address is there, 20 pages at once, a page that vanishes, and Ctrl-C.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import reluatlas as ra
from benchmarks._record import machine, write
from reluatlas.live.messages import WindowRequest
from reluatlas.live.windows import Windows
from tests.unit.atlas.read_page import patterns
from tests.unit.live.test_server import read

MODELS = {"mnist-net_256x4": 10_000, "cifar_base_kw": 3_000, "resnet_2b": 3_000}
CHECKED = {"mnist-net_256x4": 100}
PAGES = 20


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("data", nargs="?", default=os.environ.get("RELUATLAS_DATA"))
    options.add_argument("--moves", type=int, default=1000)
    options.add_argument("--quick", action="store_true", help="the first network, 20 moves")
    options.add_argument("--out", type=Path)
    asked = options.parse_args()
    if not asked.data:
        print("pass DATA, or set RELUATLAS_DATA", file=sys.stderr)
        return 2
    rows = []
    for name, most in list(MODELS.items())[: 1 if asked.quick else None]:
        net = ra.load(Path(asked.data) / "models" / f"{name}.onnx")
        moves = 20 if asked.quick else asked.moves if name.startswith("mnist") else max(20, asked.moves // 20)
        rows.append({"model": name, "most_cells": most, **measured(name, net, Path(asked.data), most, moves)})
        print(rows[-1])
    served = of_the_command(Path(asked.data), 4 if asked.quick else PAGES)
    print(served)
    if asked.out:
        write(asked.out, {**machine(), "rows": rows, "command": served})
    return 0


def plane(net: ra.Network, data: Path) -> ra.Slice:
    if net.n_inputs != 784:
        return ra.Slice.through(np.random.default_rng(0).random((3, *net.input_shape)))
    raw = gzip.decompress((data / "mnist" / "t10k-images-idx3-ubyte.gz").read_bytes())
    images = np.frombuffer(raw, np.uint8, offset=16).reshape(-1, 784) / 255.0
    return ra.Slice.through(images[:3].reshape(3, *net.input_shape))


def measured(name: str, net: ra.Network, data: Path, most: int, moves: int) -> dict[str, Any]:
    """Return the medians over random windows, and the memory after a tenth of them and after all."""
    domain = plane(net, data)
    rng, windows, box = np.random.default_rng(1), Windows(net, domain), domain.box
    first, whole, resident, n_counted = [], [], [], 0
    before = time.process_time()
    for k in range(moves):
        half = (box.high - box.low) / 2 * 2.0 ** -rng.uniform(1 if net.n_inputs == 784 else 3, 20)
        middle = rng.uniform(box.low, box.high)
        window = (*np.maximum(middle - half, box.low).tolist(), *np.minimum(middle + half, box.high).tolist())
        begin, times, last = time.perf_counter(), [], b""
        for last, _, _ in windows.answers(WindowRequest(k, window), threading.Event()):
            if last:  # else nothing is sent
                times.append(time.perf_counter() - begin)
        _, told, arrays = read(bytes(8) + last)
        if k < CHECKED.get(name, 10):
            check(net, domain, window, told, arrays)
        if told["n_cells"] <= most and k:  # the first loads the kernels
            first.append(times[0])
            whole.append(times[-1])
            n_counted += told["n_cells"]
        if k + 1 in (max(1, moves // 10), moves):
            resident.append(_resident_mb())
    return {
        "moves": moves, "processor_s": time.process_time() - before,
        "windows": len(whole), "cells": n_counted / len(whole),
        "first_ms": 1e3 * statistics.median(first),
        "complete_ms": 1e3 * statistics.median(whole),
        "slowest_ms": 1e3 * max(whole), "memory_mb": resident,
    }  # fmt: skip


def check(net: ra.Network, domain: ra.Slice, window: Any, told: dict[str, Any], arrays: dict[str, Any]) -> None:
    """Hold a packed window against the library's own answer there."""
    cx = ra.enumerate_cells(net, ra.Slice(domain.origin, domain.basis, box=ra.Box(window[:2], window[2:])))
    assert told["n_cells"] == cx.n_cells and np.array_equal(patterns(arrays), cx.patterns)
    assert np.array_equal(arrays["xy"].reshape(-1, 2), cx.vertices.points)
    assert np.array_equal(arrays["outputs"].reshape(cx.n_cells, -1, 3)[:, :, :2], cx.affine.A.astype(np.float32))


class Command:
    """`reluatlas view`, running on the first network."""

    def __init__(self, data: Path, folder: Path) -> None:
        self.net = ra.load(data / "models" / "mnist-net_256x4.onnx")
        self.domain = plane(self.net, data)
        raw = gzip.decompress((data / "mnist" / "t10k-images-idx3-ubyte.gz").read_bytes())
        np.save(folder / "X.npy", np.frombuffer(raw, np.uint8, offset=16).reshape(-1, 784)[:3] / 255.0)
        begin = time.perf_counter()
        self.process = subprocess.Popen(
            [
                sys.executable, "-m", "reluatlas", "view", str(data / "models" / "mnist-net_256x4.onnx"), "--through",
                f"{folder / 'X.npy'}:0,1,2", "--no-browser", "--quiet",
            ],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().strip()
        self.address_s = time.perf_counter() - begin
        self.address_processor_s = self.processor_s()

    def page(self) -> Any:
        """Return a socket to it."""
        from websockets.sync.client import connect

        home, _, token = self.address.partition("/?token=")
        return connect(f"{home.replace('http', 'ws')}/cells?token={token}", origin=home, max_size=None, legacy=True)  # type: ignore

    def processor_s(self) -> float:
        """Return the processor time that the process took so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def idle_after_s(self) -> float:
        """Return after how long the process has nothing to do."""
        begin, before = time.perf_counter(), self.processor_s()
        while True:
            time.sleep(0.1)
            now = self.processor_s()
            if now - before <= 0.01:
                return time.perf_counter() - begin - 0.1
            before = now


def answered(page: Any, window: Any) -> tuple[float, Any]:
    """Return after how long a window is complete, and what came."""
    begin = time.perf_counter()
    page.send(json.dumps({"id": 1, "window": None if window is None else list(window)}))
    while True:
        found = read(page.recv(120))
        if found[1]["is_last"]:
            return time.perf_counter() - begin, found


def of_the_command(data: Path, n_pages: int) -> dict[str, Any]:
    """Return what is measured of the running command."""
    with tempfile.TemporaryDirectory() as folder:
        command = Command(data, Path(folder))
        try:
            box, rng = command.domain.box, np.random.default_rng(4)
            windows = []
            for _ in range(n_pages):
                half = (box.high - box.low) / 2 * 2.0 ** -rng.uniform(3, 12)
                middle = rng.uniform(box.low, box.high)
                windows.append(
                    (*np.maximum(middle - half, box.low).tolist(), *np.minimum(middle + half, box.high).tolist())
                )
            pages = [command.page() for _ in windows]
            answered(pages[0], windows[0])  # loads the kernels
            alone = [answered(page, window)[0] for page, window in zip(pages, windows, strict=True)]
            together: list[Any] = [None] * n_pages
            threads = [
                threading.Thread(target=lambda k=k: together.__setitem__(k, answered(pages[k], windows[k])))
                for k in range(n_pages)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            for window, (_, (_, told, arrays)) in zip(windows, together, strict=True):
                check(command.net, command.domain, window, told, arrays)
            gone = pages.pop()
            gone.send(json.dumps({"id": 2, "window": None}))  # some seconds of work
            time.sleep(0.5)
            gone.socket.close()
            vanished = command.idle_after_s()
            pages[0].send(json.dumps({"id": 2, "window": None}))
            time.sleep(0.5)
            begin = time.perf_counter()
            command.process.send_signal(signal.SIGINT)
            command.process.wait(60)
            ended = time.perf_counter() - begin
            assert command.process.returncode == 0
        finally:
            command.process.kill()
    waits = [seconds for seconds, _ in together]
    return {
        "address_s": command.address_s, "address_processor_s": command.address_processor_s,
        "pages": n_pages,
        "alone_s": statistics.median(alone), "slowest_alone_s": max(alone),
        "together_s": statistics.median(waits), "slowest_together_s": max(waits),
        "worst_ratio": max(waits) / statistics.median(alone), "vanished_s": vanished, "ctrl_c_s": ended,
    }  # fmt: skip


def _resident_mb() -> float:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    raise SystemExit(main())
