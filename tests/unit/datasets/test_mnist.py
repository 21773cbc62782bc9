from __future__ import annotations

import gzip
import hashlib
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from reluatlas.datasets import mnist
from reluatlas.datasets.idx import read_idx, unpacked
from reluatlas.datasets.mnist import PARTS, held_out, load_images
from reluatlas.errors import ArgumentError, DataFileError
from tests.data import data_folder


def idx(array: np.ndarray) -> bytes:
    sizes = b"".join(n.to_bytes(4, "big") for n in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.astype(np.uint8).tobytes()


def small_files(seed: int = 0) -> dict[str, bytes]:
    rng = np.random.default_rng(seed)
    arrays = [
        rng.integers(0, 256, (40, 5, 5)),
        np.arange(40) % 10,
        rng.integers(0, 256, (20, 5, 5)),
        np.arange(20) % 10,
    ]
    return dict(zip(PARTS, map(idx, arrays), strict=True))


@pytest.fixture
def own_digests(monkeypatch):
    """Small files that pass as MNIST."""
    files = small_files()
    monkeypatch.setattr(mnist, "_MNIST_CONTENT", tuple(hashlib.sha256(d).hexdigest() for d in files.values()))
    packed = {name: gzip.compress(data, mtime=0) for name, data in files.items()}
    monkeypatch.setattr(mnist, "_MNIST_PACKED", tuple(hashlib.sha256(d).hexdigest() for d in packed.values()))
    monkeypatch.delenv("RELUATLAS_DATA", raising=False)
    return files, packed


@pytest.mark.parametrize("shape", [(3,), (2, 3), (4, 2, 3), (2, 1, 3, 2), (0, 4)])
def test_an_idx_file_is_read_back(shape):
    array = np.random.default_rng(1).integers(0, 256, shape).astype(np.uint8)
    assert np.array_equal(read_idx(idx(array), "x"), array)


@pytest.mark.parametrize("data", [b"", b"\0\0\x08", b"\0\0\x0d\x01\0\0\0\0", b"\1\0\x08\x01\0\0\0\0", b"\0\0\x08\x00"])
def test_what_is_no_idx_file_of_bytes_is_refused(data):
    with pytest.raises(DataFileError, match="`x` is no idx file"):
        read_idx(data, "x")


@pytest.mark.parametrize("change", [lambda d: d[:-1], lambda d: d + b"\0", lambda d: d[:6]])
def test_another_length_than_the_header_says_is_refused(change):
    with pytest.raises(DataFileError, match="its header says"):
        read_idx(change(idx(np.zeros((3, 4)))), "x")


def test_packed_or_not(tmp_path):
    (tmp_path / "a").write_bytes(b"12")
    (tmp_path / "b").write_bytes(gzip.compress(b"12"))
    assert unpacked(tmp_path / "a") == unpacked(tmp_path / "b") == b"12"
    (tmp_path / "c").write_bytes(gzip.compress(b"1" * 1000)[:-12])
    with pytest.raises(DataFileError, match="cannot be read"):
        unpacked(tmp_path / "c")
    with pytest.raises(DataFileError, match="does not exist"):
        unpacked(tmp_path / "d")


@pytest.mark.parametrize("where", [".", "mnist"])
@pytest.mark.parametrize("by", ["argument", "variable"])
def test_files_are_found_in_a_folder(tmp_path, monkeypatch, own_digests, where, by):
    files, packed = own_digests
    folder = tmp_path / where
    folder.mkdir(exist_ok=True)
    for i, name in enumerate(PARTS):  # of both kinds
        (folder / (f"{name}.gz" if i % 2 else name)).write_bytes(packed[name] if i % 2 else files[name])
    if by == "variable":
        monkeypatch.setenv("RELUATLAS_DATA", str(tmp_path))
    data = load_images("mnist", data_dir=tmp_path if by == "argument" else None)
    assert data.X_train.shape == (40, 5, 5) and data.y_test.tolist() == list(range(10)) * 2
    assert np.array_equal(data.X_train, read_idx(files[PARTS[0]], ""))


def test_another_content_is_refused_with_both_digests(tmp_path, own_digests):
    files, _ = own_digests
    other = bytearray(files[PARTS[2]])
    other[-1] ^= 1
    for name in PARTS:
        (tmp_path / name).write_bytes(bytes(other) if name == PARTS[2] else files[name])
    with pytest.raises(DataFileError) as caught:
        load_images("mnist", data_dir=tmp_path)
    message = str(caught.value)
    assert str(tmp_path / PARTS[2]) in message and "\n" not in message
    assert hashlib.sha256(files[PARTS[2]]).hexdigest() in message and hashlib.sha256(other).hexdigest() in message


def test_a_missing_file_is_named(tmp_path, own_digests):
    files, _ = own_digests
    for name in PARTS[:3]:
        (tmp_path / name).write_bytes(files[name])
    with pytest.raises(DataFileError, match=rf"{PARTS[3]}.* is missing"):
        load_images("mnist", data_dir=tmp_path)
    with pytest.raises(DataFileError, match="holds none of the files of mnist"):
        load_images("mnist", data_dir=tmp_path / "..")
    with pytest.raises(DataFileError, match="is no folder"):
        load_images("mnist", data_dir=tmp_path / "nowhere")
    with pytest.raises(ArgumentError, match="no data set"):
        load_images("cifar")  # type: ignore[arg-type]


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format, *args):
        pass


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """A folder that is served as the mirror of MNIST, and an empty cache."""
    served = tmp_path / "served"
    served.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(served)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    address = f"http://127.0.0.1:{server.server_address[1]}/"
    monkeypatch.setattr(mnist, "_MIRRORS", {"mnist": (address + "missing/", address)})
    monkeypatch.setenv("RELUATLAS_CACHE", str(tmp_path / "cache"))
    yield served
    server.shutdown()
    server.server_close()
    thread.join()


def test_files_are_downloaded_once_from_the_mirror_that_has_them(mirror, tmp_path, own_digests):
    _, packed = own_digests
    for name, data in packed.items():
        (mirror / f"{name}.gz").write_bytes(data)
    first = load_images("mnist")
    for path in mirror.iterdir():
        path.unlink()
    assert load_images("mnist").digest == first.digest and first.source == str(tmp_path / "cache" / "mnist")


def test_a_download_of_another_content_is_refused_and_not_kept(mirror, tmp_path, own_digests):
    _, packed = own_digests
    for name, data in packed.items():
        (mirror / f"{name}.gz").write_bytes(data + b"x")
    with pytest.raises(DataFileError) as caught:
        load_images("mnist")
    expected, found = (hashlib.sha256(packed[PARTS[0]] + tail).hexdigest() for tail in (b"", b"x"))
    assert expected in str(caught.value) and found in str(caught.value) and "\n" not in str(caught.value)
    assert not (tmp_path / "cache" / "mnist" / f"{PARTS[0]}.gz").exists()


def test_the_digits_are_there_without_files():
    data = load_images("digits")
    assert data.X_train.shape == (1438, 8, 8) and data.X_test.shape == (359, 8, 8)
    X = data.inputs(data.X_train)
    assert X.shape == (1438, 1, 8, 8) and X.dtype == np.float32 and abs(X.mean()) < 0.01 and abs(X.std() - 1) < 0.01
    fit, held = data.held_out()
    assert len(fit) + len(held) == 1438 and not set(fit) & set(held) and abs(len(held) - 1438 / 6) < 5


def test_held_out_is_the_same_each_time_and_in_proportion():
    y = np.random.default_rng(0).integers(0, 10, 6000)
    kept = held_out(y)
    assert np.array_equal(kept, held_out(y))
    for label in range(10):
        assert kept[y == label].sum() == round((y == label).sum() / 6)


@pytest.mark.skipif(data_folder() is None, reason="no data folder")
def test_the_original_files(monkeypatch):
    data = load_images("mnist", data_dir=data_folder())
    assert data.X_train.shape == (60000, 28, 28) and data.X_test.shape == (10000, 28, 28)
    assert np.bincount(data.y_test).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    with pytest.raises(DataFileError, match="expected SHA-256 3aede38d"):
        load_images("fashion-mnist", data_dir=data_folder() / "mnist")


def test_few_images_are_the_first_of_each_class():
    data = load_images("digits")
    few = data.few(125)
    assert np.array_equal(np.bincount(few.y_train), np.full(10, 12)) and np.bincount(few.y_test).tolist() == [2] * 10
    for c in range(10):
        assert np.array_equal(few.X_train[few.y_train == c], data.X_train[data.y_train == c][:12])
        assert np.array_equal(few.X_test[few.y_test == c], data.X_test[data.y_test == c][:2])
    where = [int(np.flatnonzero((data.X_train == x).all(axis=(1, 2)))[0]) for x in few.X_train]
    assert where == sorted(where) and few.digest not in (data.digest, data.few(126).few(10).digest)
    assert data.few(120).digest == few.digest and data.few(10**6).digest == data.digest
    for wrong in (9, 0, True, 12.5):
        with pytest.raises(ArgumentError, match="at least 10"):
            data.few(wrong)
