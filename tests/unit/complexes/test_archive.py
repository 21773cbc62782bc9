"""Complexes on disk: the same when read again, and one clear sentence when they cannot be."""

from __future__ import annotations

import json

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.errors import ResultFileError
from tests.compare import assert_matches_oracle
from tests.edits import renewed
from tests.zoo import FAMILIES, domain_for


@pytest.mark.parametrize("family", ["generic", "max_identical", "leaky_abs_clip", "concat"])
@pytest.mark.parametrize("seed", [1, 3])
def test_a_loaded_complex_is_the_same(family, seed, tmp_path):
    cx = ra.enumerate_cells(FAMILIES[family](seed), domain_for(seed))
    cx.save(tmp_path / "cells.npz")
    again = ra.load_complex(tmp_path / "cells.npz")
    assert_matches_oracle(again)
    assert np.array_equal(again.affine.A, cx.affine.A) and again.exactness == cx.exactness
    assert np.array_equal(again.linear_regions, cx.linear_regions)
    assert len(again.decision_boundary()) == len(cx.decision_boundary())
    again.save(tmp_path / "again.npz")
    assert (tmp_path / "again.npz").read_bytes() == (tmp_path / "cells.npz").read_bytes()


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "cells.npz"
    ra.enumerate_cells(FAMILIES["generic"](1), domain_for(1)).save(path)
    return path


def rewritten(path, **changes):
    with np.load(path) as stored:
        arrays = {name: stored[name] for name in stored.files}
    arrays.update(changes)
    np.savez(path, **renewed({name: value for name, value in arrays.items() if value is not None}))


def head(path, **changes):
    with np.load(path) as stored:
        values = json.loads(bytes(stored["head"]).decode()) | changes
    return np.frombuffer(json.dumps(values).encode(), dtype=np.uint8)


def test_files_that_are_no_complex(saved, tmp_path):
    with pytest.raises(ResultFileError, match="does not exist"):
        ra.load_complex(tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("no archive")
    with pytest.raises(ResultFileError, match="not a saved complex"):
        ra.load_complex(tmp_path / "text.npz")
    whole = saved.read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ResultFileError, match=r"damaged|not a saved complex"):
        ra.load_complex(tmp_path / "cut.npz")
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    with pytest.raises(ResultFileError, match="not a saved complex"):
        ra.load_complex(tmp_path / "other.npz")


def test_another_version_is_named(saved):
    rewritten(saved, head=head(saved, version=99))
    with pytest.raises(ResultFileError, match="version 99"):
        ra.load_complex(saved)


def _certain(stored):
    values = json.loads(bytes(stored["head"]).decode())
    values["exactness"]["status"] = "certain"
    return {"head": np.frombuffer(json.dumps(values).encode(), dtype=np.uint8)}


def _exchanged(stored):
    neighbor = stored["neighbor"].copy()
    i, j = np.flatnonzero(neighbor >= 0)[:2]
    neighbor[[i, j]] = neighbor[[j, i]]
    return {"neighbor": neighbor}


def _with_nan(stored):
    points = stored["points"].copy()
    points[3, 1] = np.nan
    return {"points": points}


@pytest.mark.parametrize(
    ("edit", "what"),
    [
        (lambda stored: {"line": stored["line"][:-1]}, "of one length"),
        (lambda stored: {"radii": stored["radii"][:-1]}, r"`radii` has the shape"),
        (lambda stored: {"offsets": stored["offsets"][::-1]}, "does not split"),
        (lambda stored: {"twin": np.roll(stored["twin"], 1)}, "twin"),
        (lambda stored: {"line": np.where(stored["line"] < 0, -9, stored["line"])}, "names rows"),
        (lambda stored: {"patterns": stored["patterns"] + np.uint8(3)}, "pieces that the network's units do not have"),
        (lambda stored: {"affine_b": stored["affine_b"].astype(np.float32)}, "has the type float32"),
        (_with_nan, "not finite"),
        (_exchanged, "do not name each other"),
        (_certain, "exactness"),
    ],
)
def test_arrays_that_make_no_complex_are_refused_though_their_sums_are_right(saved, edit, what):
    with np.load(saved) as stored:
        rewritten(saved, **edit(stored))
    with pytest.raises(ResultFileError, match=what):
        ra.load_complex(saved)


def test_an_edited_number_is_noticed(saved):
    with np.load(saved) as stored:
        arrays = {name: stored[name] for name in stored.files}
    arrays["affine_b"] = np.nextafter(arrays["affine_b"], np.inf)
    np.savez(saved, **arrays)
    with pytest.raises(ResultFileError, match="`affine_b` was changed"):
        ra.load_complex(saved)


def test_a_missing_array_is_noticed(saved):
    rewritten(saved, points=None)
    with pytest.raises(ResultFileError, match="damaged"):
        ra.load_complex(saved)


def test_pickled_arrays_are_never_opened(saved):
    rewritten(saved, points=np.array([{"code": 1}], dtype=object))
    with pytest.raises(ResultFileError):
        ra.load_complex(saved)


def test_a_folder_that_is_not_there_leaves_nothing(tmp_path):
    cx = ra.enumerate_cells(FAMILIES["generic"](1), domain_for(1))
    with pytest.raises(ResultFileError, match="cannot be written"):
        cx.save(tmp_path / "none" / "cells.npz")
    assert list(tmp_path.iterdir()) == []
