"""Affine maps in batches: files, memory, threads, types, devices; and what is refused."""

from __future__ import annotations

import itertools
import os
import tracemalloc
from collections import namedtuple

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.errors import ArgumentError, DimensionError, MissingDependencyError, NonFiniteError
from reluatlas.network.batches import Plan, bytes_needed
from reluatlas.network.build import Builder
from reluatlas.network.maps.load import load_maps
from tests.unit.network.nets import FAMILIES, network


def dense(sizes=(40, 24, 5), seed=0):
    rng = np.random.default_rng(seed)
    layers = [(rng.normal(size=(m, n)) / np.sqrt(n), rng.normal(size=m) / 4) for n, m in itertools.pairwise(sizes)]
    return ra.load(layers)


def points(n=900, size=40, seed=1):
    return np.random.default_rng(seed).normal(size=(n, size))


def left_behind(folder) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_file_holds_rows_and_constants(tmp_path, dtype):
    net, X = dense(), points()
    expected, told = net.affine_at(X), []
    path = tmp_path / "maps.npy"
    maps = net.affine_at(X, [3, 0], out=path, dtype=dtype, progress=lambda *a: told.append(a))
    stored = np.load(path)
    assert stored.shape == (900, 2, 41) and stored.dtype == dtype and left_behind(tmp_path) == ["maps.npy"]
    tolerance = 1e-13 if dtype == np.float64 else 2e-6
    assert np.allclose(stored[:, :, :-1], expected.A[:, [3, 0]], rtol=0, atol=tolerance)
    assert np.allclose(stored[:, :, -1], expected.b[:, [3, 0]], rtol=0, atol=tolerance)
    assert isinstance(maps.A, np.memmap) and maps.A.dtype == dtype
    assert np.allclose(maps(X), net(X)[:, [3, 0]], atol=1e3 * tolerance)
    assert np.allclose(maps[5:8](X[5:8]), net(X[5:8])[:, [3, 0]], atol=1e3 * tolerance)
    assert np.array_equal(load_maps(path).A, maps.A)
    assert told[-1] == (900, 900) and all(a < b for (a, _), (b, _) in itertools.pairwise(told))


def test_images_are_stored_in_their_shape(tmp_path):
    b = Builder((1, 4, 5))
    net = b.finish(b.dense(b.relu(b.dense(0, np.random.default_rng(0).normal(size=(6, 20)))), np.ones((2, 6))))
    X = points(7, 20).reshape(7, 1, 4, 5)
    maps = net.affine_at(X, out=tmp_path / "m.npy")
    assert maps.A.shape == (7, 2, 1, 4, 5) and np.allclose(maps(X), net(X), atol=1e-12)
    assert net.affine_at(X[:0], out=tmp_path / "none.npy").A.shape == (0, 2, 1, 4, 5)


def test_threads_and_budgets_change_nothing():
    net, X = dense((40, 24, 24, 5)), points(2000)
    one = net.affine_at(X, jobs=1)
    for options in ({"jobs": 3}, {"memory": 2**17}, {"jobs": 2, "memory": 2**18}):
        other = net.affine_at(X, **options)
        assert np.allclose(one.A, other.A, rtol=0, atol=1e-14) and np.array_equal(one.is_on_face, other.is_on_face)
        assert np.array_equal(net.patterns(X), net.patterns(X, memory=2**17))


@pytest.mark.parametrize("memory", [2**22, 2**24])
def test_the_budget_is_kept(tmp_path, memory):
    net, X = dense((256, 128, 64, 10)), points(4000, 256)
    net.affine_at(X[:600], out=tmp_path / "warm.npy")
    tracemalloc.start()
    try:
        net.affine_at(X, out=tmp_path / "maps.npy", memory=memory)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < memory + 2**20  # a megabyte for what does not grow with the points
    assert 4 * memory < 4000 * 10 * 257 * 8


def test_the_budget_is_kept_with_images(tmp_path):
    rng = np.random.default_rng(0)
    torch = pytest.importorskip("torch", reason="torch is not installed: it makes the network")
    nn = torch.nn
    module = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8 * 81, 4))
    net = ra.load(module, input_shape=(1, 20, 20))
    X = np.where(rng.random((300, 1, 20, 20)) < 0.8, 0.0, rng.random((300, 1, 20, 20)))
    net.affine_at(X[:80])
    memory = 4 * bytes_needed(net, 4, 1)
    for ties in ("perturb", "torch"):
        tracemalloc.start()
        try:
            maps = net.affine_at(X, ties=ties, out=tmp_path / "maps.npy", memory=memory)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < memory + 2**21
        assert np.allclose(maps(X), net(X), atol=1e-12)


def test_with_torchs_choice_faces_are_found_when_asked(monkeypatch):
    import reluatlas.network.maps.affine_at as home

    net, X = network("ternary", 1, n_inputs=3, width=5), np.zeros((4, 3))
    calls = []
    plain = home._faces
    monkeypatch.setattr(home, "_faces", lambda *a: calls.append(1) or plain(*a))
    maps = net.affine_at(X, ties="torch")
    part = maps[1:3]
    assert not calls
    assert np.array_equal(part.is_on_face, net.affine_at(X).is_on_face[1:3])
    assert maps.is_on_face is maps.is_on_face and len(calls) == 1


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_device_of_torch(family, dtype):
    pytest.importorskip("torch", reason="torch is not installed: it has no devices")
    net = network(family, 3, n_inputs=4, depth=2)
    X = np.concatenate([np.zeros((2, 4)), points(30, 4)])
    for ties in ("perturb", "torch"):
        ours, theirs = net.affine_at(X, ties=ties), net.affine_at(X, ties=ties, device="cpu", dtype=dtype)
        scale = max(1.0, np.abs(ours.A).max(), np.abs(ours.b).max())
        tolerance = scale * (1e-12 if dtype == np.float64 else 1e-4)
        assert theirs.A.dtype == dtype
        assert np.allclose(ours.A, theirs.A, rtol=0, atol=tolerance)
        assert np.allclose(ours.b, theirs.b, rtol=0, atol=tolerance)


def test_a_graphics_card_when_there_is_one():
    torch = pytest.importorskip("torch", reason="torch is not installed: it has no devices")
    net, X = dense(), points(50)
    if not torch.cuda.is_available():
        with pytest.raises(ArgumentError, match=r"`device='cuda'` cannot be used by torch.*leave `device=` out"):
            net.affine_at(X, device="cuda")
        return
    assert np.allclose(net.affine_at(X, device="cuda").A, net.affine_at(X).A, rtol=0, atol=1e-12)


def test_a_device_without_torch(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    with pytest.raises(MissingDependencyError, match=r"`device='cpu'` needs torch"):
        dense().affine_at(points(3), device="cpu")


def test_what_is_refused_leaves_nothing(tmp_path):
    net, X = dense(), points(600)
    (tmp_path / "old.npy").write_bytes(b"kept")
    (tmp_path / "folder.npy").mkdir()
    before = left_behind(tmp_path)
    X[599, 3] = np.nan
    with pytest.raises(NonFiniteError, match="NaN"):
        net.affine_at(X, out=tmp_path / "old.npy")
    for bad, error, text in (
        ({"out": tmp_path / "maps.bin"}, ArgumentError, r"must end with \.npy"),
        ({"out": tmp_path / "folder.npy"}, ArgumentError, "is a folder"),
        ({"out": tmp_path / "no" / "maps.npy"}, ArgumentError, "there is no folder"),
        ({"dtype": np.int64}, ArgumentError, r"np\.float64 or np\.float32"),
        ({"dtype": "thing"}, ArgumentError, "is not offered"),
        ({"memory": 100}, ArgumentError, "pass at least"),
        ({"memory": 2.5}, ArgumentError, "whole number of bytes"),
        ({"jobs": 0}, ArgumentError, "at least 1"),
        ({"ties": "first"}, ArgumentError, "ties"),
        ({"outputs": [9]}, ArgumentError, "output 9"),
    ):
        with pytest.raises(error, match=text):
            net.affine_at(points(3), **bad)
    with pytest.raises(DimensionError, match="shape"):
        net.affine_at(np.zeros((3, 7)), out=tmp_path / "old.npy")
    assert left_behind(tmp_path) == before and (tmp_path / "old.npy").read_bytes() == b"kept"


def test_a_full_disk_is_seen_before_anything_is_written(tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage(10**6, 10**6 - 1000, 1000))
    with pytest.raises(ArgumentError, match=r"needs 1\.5 MB but the disk has 0\.0 MB free.*np\.float32"):
        dense().affine_at(points(900), out=tmp_path / "m.npy")
    assert left_behind(tmp_path) == []


def test_a_failure_halfway_keeps_the_old_file(tmp_path):
    net, X, path = dense(), points(3000), tmp_path / "maps.npy"
    path.write_bytes(b"kept")

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        net.affine_at(X, out=path, memory=2**18, progress=stop)
    assert path.read_bytes() == b"kept" and left_behind(tmp_path) == ["maps.npy"]


def test_a_plan_uses_no_more_than_it_may():
    net = dense()
    each = bytes_needed(net, 5, 1)
    for memory in (each, 10 * each, 10**7, None):
        plan = Plan.of(net, 10**6, memory, width=5, jobs=4)
        assert plan.size * plan.threads * each <= (memory or 2**28)
        assert plan.size >= 1 and plan.threads >= 1
    assert os.cpu_count() and Plan.of(net, 5, None, width=5).threads == 1
