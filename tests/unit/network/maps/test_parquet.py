"""Affine maps in Parquet files: what is in them, that they come back to the bit, and what is refused."""

from __future__ import annotations

import json
import threading

import numpy as np
import pyarrow.parquet as pq
import pytest

import reluatlas as ra
from reluatlas.errors import ArgumentError, DimensionError, MissingDependencyError, ResultFileError
from reluatlas.network.build import Builder
from reluatlas.network.maps.parquet import MapsTable, TableMaps
from tests.unit.network.maps.test_affine_stream import dense, left_behind, points


def small(chosen=None, n=20):
    net = dense((4, 6, 3))
    return net, points(n, 4), chosen


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("ties", ["perturb", "torch"])
def test_a_table_holds_what_the_arrays_hold(tmp_path, dtype, ties):
    net, X = dense(), points(1500)
    X[7] = 0.0
    expected, told = net.affine_at(X, [3, 0, 3], dtype=dtype, ties=ties), []
    path = tmp_path / "maps.parquet"
    maps = net.affine_at(
        X, [3, 0, 3], out=path, dtype=dtype, ties=ties, memory=2**21, jobs=3, progress=lambda *a: told.append(a)
    )
    assert told[-1] == (1500, 1500) and left_behind(tmp_path) == ["maps.parquet"]
    for again in (maps, ra.load_maps(path)):
        assert again.shape == (1500, 3, 40) and again.dtype == dtype and len(again) == 1500
        assert again.A.dtype == again.b.dtype == dtype
        assert np.array_equal(again.b, net.affine_at(X, [3, 0, 3], dtype=dtype, ties=ties, memory=2**21).b)
        assert np.allclose(again.A, expected.A, rtol=0, atol=1e-6 if dtype == np.float32 else 1e-13)
        assert np.allclose(again[3:9](X[3:9].astype(dtype)), expected(X.astype(dtype))[3:9], atol=1e-4)
    assert np.array_equal(maps.is_on_face, expected.is_on_face)
    faces = ra.load_maps(path).is_on_face
    assert faces is None if ties == "torch" else np.array_equal(faces, expected.is_on_face)


def test_the_table_reads_without_reluatlas(tmp_path):
    b = Builder((1, 2, 3))
    net = b.finish(b.dense(b.relu(b.dense(0, np.random.default_rng(0).normal(size=(4, 6)))), np.ones((2, 4))))
    X = points(5, 6).reshape(5, 1, 2, 3)
    maps = net.affine_at(X, out=tmp_path / "m.parquet")
    table = pq.read_table(tmp_path / "m.parquet")
    assert table.column_names == ["point", "output", "A", "b", "is_on_face"]
    assert table["point"].to_pylist() == [p for p in range(5) for _ in range(2)]
    assert table["output"].to_pylist() == [0, 1] * 5
    assert np.array_equal(np.array(table["A"].to_pylist()).reshape(5, 2, 1, 2, 3), net.affine_at(X).A)
    head = json.loads(table.schema.metadata[b"reluatlas"])
    assert head == {
        "format": "reluatlas affine maps", "version": 1, "n_maps": 5, "input_shape": [1, 2, 3], "outputs": [0, 1],
        "dtype": "float64",
    }  # fmt: skip
    assert maps.A.shape == (5, 2, 1, 2, 3) and "in a file" in repr(maps)
    assert ra.load_maps(tmp_path / "m.parquet", input_shape=(6,)).A.shape == (5, 2, 6)


def test_row_groups_follow_the_batches_in_their_order(tmp_path):
    net, X = dense(), points(900)
    net.affine_at(X, out=tmp_path / "a.parquet", memory=2**19, jobs=4)
    net.affine_at(X, out=tmp_path / "b.parquet", memory=2**19, jobs=4)
    with pq.ParquetFile(tmp_path / "a.parquet") as file:
        assert file.num_row_groups > 5
        assert np.all(np.diff(file.read(columns=["point"])["point"].to_numpy()) >= 0)
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_nothing_to_write(tmp_path):
    net, X, _ = small()
    for points_, outputs, shape in ((X[:0], None, (0, 3, 4)), (X, [], (20, 0, 4))):
        maps = net.affine_at(points_, outputs, out=tmp_path / "none.parquet")
        assert maps.A.shape == ra.load_maps(tmp_path / "none.parquet").A.shape == shape


def test_batches_that_wait_end_when_another_fails(tmp_path):
    table = MapsTable(
        tmp_path / "m.parquet", (4, 1, 2), np.dtype(float), input_shape=(2,), outputs=np.array([0]), with_faces=False
    )
    ended = []

    def late():
        table.room(slice(2, 4), slice(0, 1))
        table.write(slice(2, 4), slice(0, 1), None)
        ended.append(True)

    thread = threading.Thread(target=late)
    thread.start()
    thread.join(0.2)
    assert not ended
    table.drop()
    thread.join(10)
    assert ended and left_behind(tmp_path) == []
    table.drop()


@pytest.mark.parametrize("name", ["maps.parquet", "maps.npy"])
def test_a_failure_in_a_thread_keeps_the_old_file(tmp_path, monkeypatch, name):
    import reluatlas.network.maps.affine_at as home

    net, X, path, plain = dense(), points(3000), tmp_path / name, home.backward
    path.write_bytes(b"kept")
    calls = []

    def fails(*arguments, **options):
        calls.append(1)
        if len(calls) == 3:
            raise RuntimeError("broken")
        return plain(*arguments, **options)

    monkeypatch.setattr(home, "backward", fails)
    with pytest.raises(RuntimeError, match="broken"):
        net.affine_at(X, out=path, memory=2**20, jobs=3)
    assert path.read_bytes() == b"kept" and left_behind(tmp_path) == [name]


def test_an_interrupt_keeps_the_old_file(tmp_path):
    net, X, path = dense(), points(3000), tmp_path / "maps.parquet"
    path.write_bytes(b"kept")

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        net.affine_at(X, out=path, memory=2**20, progress=stop)
    assert path.read_bytes() == b"kept" and left_behind(tmp_path) == ["maps.parquet"]


def test_without_pyarrow_one_sentence_says_so(tmp_path, monkeypatch):
    net, X, _ = small()
    net.affine_at(X, out=tmp_path / "m.parquet")
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    for call in (lambda: net.affine_at(X, out=tmp_path / "n.parquet"), lambda: ra.load_maps(tmp_path / "m.parquet")):
        with pytest.raises(
            MissingDependencyError, match=r"needs pyarrow, which is not installed.*reluatlas\[parquet\]"
        ):
            call()
    assert left_behind(tmp_path) == ["m.parquet"]


def test_files_that_are_refused(tmp_path):
    net, X, _ = small()
    path = tmp_path / "m.parquet"
    net.affine_at(X, out=path)
    table = pq.read_table(path)
    (tmp_path / "cut.parquet").write_bytes(path.read_bytes()[:-50])
    pq.write_table(table.slice(0, 57), tmp_path / "short.parquet")
    pq.write_table(table.replace_schema_metadata({}), tmp_path / "other.parquet")
    head = json.loads(table.schema.metadata[b"reluatlas"]) | {"version": 99}
    pq.write_table(table.replace_schema_metadata({"reluatlas": json.dumps(head)}), tmp_path / "new.parquet")
    np.save(tmp_path / "flat.npy", np.zeros(3))
    (tmp_path / "text.npy").write_text("no array")
    for name, text in (
        ("none.parquet", "does not exist"), ("none.npy", "does not exist"), ("cut.parquet", "damaged"),
        ("other.parquet", "not a file of affine maps"), ("new.parquet", "version 99"), ("flat.npy", "not affine maps"),
        ("text.npy", "is not an .npy file"),
    ):  # fmt: skip
        with pytest.raises(ResultFileError, match=text):
            ra.load_maps(tmp_path / name)
    with pytest.raises(ResultFileError, match="rows are not those"):
        _ = ra.load_maps(tmp_path / "short.parquet").A
    with pytest.raises(ArgumentError, match=r"\.npy or \.parquet"):
        ra.load_maps(tmp_path / "m.csv")
    for name in ("m.parquet", "m.npy"):
        net.affine_at(X, out=tmp_path / name)
        with pytest.raises(DimensionError, match="has 6 numbers"):
            ra.load_maps(tmp_path / name, input_shape=(2, 3))
    with pytest.raises(ArgumentError, match="is a folder"):
        (tmp_path / "d.parquet").mkdir()
        net.affine_at(X, out=tmp_path / "d.parquet")
    assert isinstance(ra.load_maps(path), TableMaps)
