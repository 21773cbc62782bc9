"""Certificates on disk: the same numbers come back, false ones are rejected, and so is a file of others."""

from __future__ import annotations

import json
from dataclasses import asdict
from itertools import pairwise

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.cells.certificate import certificate_of
from reluatlas.certify.archive import check_file, load_certificates, packed, save_certificates
from reluatlas.errors import DimensionError, ResultFileError
from reluatlas.storage.archive import json_array
from tests.edits import renewed


def random_net(*sizes, seed=0):
    rng = np.random.default_rng(seed)
    return ra.load([(rng.normal(size=(m, n)), rng.normal(size=m) * 0.5) for n, m in pairwise(sizes)])


DOMAINS = {
    "space": (random_net(3, 6, 5, 2, seed=4), None),
    "reduced": (random_net(12, 5, 4, 3, seed=1), None),
    "box": (random_net(3, 6, 5, 2, seed=4), ra.Box(-1, [1, 1, 0.7])),
    "slice": (random_net(5, 8, 6, 2, seed=2), ra.Slice(np.ones(5) / 3, np.eye(2, 5), box=ra.Box(-1, 1, dim=2))),
}


def written(net, domain, path, n=4):
    """Write the certificates of the cells of a few points; return them."""
    k = net.n_inputs if domain is None else domain.dim
    cells = [ra.cell_at(net, u, domain) for u in np.random.default_rng(0).uniform(-0.6, 0.6, (n, k))]
    given = [certificate_of(cell) for cell in cells]
    save_certificates(path, cells[0].domain, given)
    return given


def plain(certificate):
    """Return a certificate as values that can be compared."""
    values = asdict(certificate)
    return values | {"pattern": values["pattern"].tolist(), "columns": values["columns"].tolist()}


@pytest.mark.parametrize("kind", DOMAINS)
def test_every_number_comes_back_and_holds(kind, tmp_path):
    net, domain = DOMAINS[kind]
    given = written(net, domain, tmp_path / "c.npz")
    read_domain, read = load_certificates(tmp_path / "c.npz")
    assert [plain(c) for c in read] == [plain(c) for c in given]
    assert repr(read_domain) == repr(domain if domain is not None else ra.Space(net.n_inputs))
    reports = check_file(net, tmp_path / "c.npz")
    assert all(r.is_ok for r in reports) and [r.n_facets for r in reports] == [len(c.facets) for c in given]
    first = (tmp_path / "c.npz").read_bytes()
    written(net, domain, tmp_path / "c.npz")
    assert (tmp_path / "c.npz").read_bytes() == first
    if kind == "box":
        assert any(c.implied for c in given)


def test_points_that_float64_does_not_hold(tmp_path):
    # five lines through the origin: the points between are found in fractions
    net = ra.load([(np.array([[1.0, 0], [0, 1], [1, 1], [3, 1], [1, 3]]), np.zeros(5)), (np.ones((1, 5)), np.zeros(1))])
    given = []
    for cell in ra.cells_at(net, [0.0, 0.0]):
        certificate = certificate_of(cell)
        certificate.inside = [v / 3 for v in certificate.inside]  # the cells are cones: still inside
        given.append(certificate)
    save_certificates(tmp_path / "c.npz", ra.Space(2), [packed(c) for c in given])
    _, read = load_certificates(tmp_path / "c.npz")
    assert [c.inside for c in read] == [c.inside for c in given] and len(read) == 10
    assert all(check_file(net, tmp_path / "c.npz"))


def altered(path, **arrays):
    """Replace arrays of a file."""
    with np.load(path, allow_pickle=False) as file:
        kept = {name: file[name] for name in file.files}
    np.savez(path, **renewed(kept | arrays))


def test_numbers_that_prove_nothing_are_rejected(tmp_path):
    net, domain = DOMAINS["box"]
    path = tmp_path / "c.npz"
    given = written(net, domain, path, n=1)
    with np.load(path) as file:
        points, factors = file["points"].copy(), json.loads(bytes(file["factors"]))
        rows, high = file["facet_rows"].copy(), file["high"].copy()
    for i in range(len(points)):
        changed = points.copy()
        changed[i] = points[0] if i else points[0] + 100.0
        altered(path, points=changed)
        assert not check_file(net, path)[0]
    altered(path, points=points)
    assert check_file(net, path)[0]
    for i, text in enumerate(factors):
        changed = [*factors[:i], "-" + text, *factors[i + 1 :]]
        altered(path, factors=np.frombuffer(json.dumps(changed).encode(), dtype=np.uint8))
        assert not check_file(net, path)[0]
    altered(path, factors=np.frombuffer(json.dumps(factors).encode(), dtype=np.uint8))
    altered(path, facet_rows=rows[::-1])
    assert not check_file(net, path)[0]
    altered(path, facet_rows=rows, high=high - 1.5)
    assert not check_file(net, path)[0]
    assert len(given) == 1


def test_files_of_others(tmp_path):
    net, domain = DOMAINS["box"]
    path = tmp_path / "c.npz"
    written(net, domain, path)
    with pytest.raises(DimensionError, match="11 units in 3 inputs but the network has 14 units and 5 inputs"):
        check_file(DOMAINS["slice"][0], path)
    with pytest.raises(ResultFileError, match="does not exist"):
        load_certificates(tmp_path / "missing.npz")
    (tmp_path / "junk.npz").write_bytes(b"junk")
    with pytest.raises(ResultFileError, match="is not a file of certificates"):
        load_certificates(tmp_path / "junk.npz")
    np.savez(tmp_path / "other.npz", a=np.zeros(2))
    with pytest.raises(ResultFileError, match="it holds other arrays"):
        load_certificates(tmp_path / "other.npz")
    altered(path, head=json_array({"format": "reluatlas cell certificates", "version": 7}))
    with pytest.raises(ResultFileError, match="version 2"):
        load_certificates(path)


def test_files_with_one_thing_changed(tmp_path):
    """Whatever array or entry is another one: refused in a sentence, a problem, or still a proof of the list."""
    net, domain = DOMAINS["box"]
    path = tmp_path / "c.npz"
    facets = [[sorted(keys) for keys, _ in c.facets] for c in written(net, domain, path, n=2)]
    with np.load(path, allow_pickle=False) as file:
        whole = {name: file[name] for name in file.files}
    n_refused = n_problems = 0

    def check(**arrays):
        nonlocal n_refused, n_problems
        altered(path, **(whole | arrays))
        try:
            reports = check_file(net, path)
        except (ResultFileError, DimensionError) as error:
            n_refused += 1
            assert str(error).startswith(f"`{path}` ") and "\n" not in str(error)
            return
        n_problems += not all(reports)
        domain_, read = load_certificates(path)
        if all(reports) and repr(domain_) == repr(domain):
            assert [[sorted(keys) for keys, _ in c.facets] for c in read] == facets

    for name, array in whole.items():
        if name in ("head", "exact", "factors"):
            value = json.loads(bytes(array))
            leaves = list(value) if isinstance(value, dict) else range(len(value))
            for leaf in list(leaves)[:8]:
                for other in (None, -1, 0, 2**70, 1.5, float("inf"), "", "x", "1/0", "-1/3", "f" * 9000 + "/1", [], {}):
                    changed = json.loads(bytes(array))
                    changed[leaf] = other
                    check(**{name: json_array(changed)})
            for other in (None, 1, "x", [], {}, {"9999": ["1/1"]}, ["1/1"] * 1000):
                check(**{name: json_array(other)})
            check(**{name: array[:-3]})
            continue
        for changed in (
            array[:-1], array[1:], np.concatenate([array, array]), array.astype(float) + 0.5, array - 1, -array,
            array[..., None], array.reshape(-1), array.astype("U5"), array * 0, array[:0], array.astype(np.uint8),
        ):  # fmt: skip
            check(**{name: changed})
        flat = array.reshape(-1).astype(float if array.dtype.kind == "f" else np.int64)
        for i in range(0, flat.size, max(1, flat.size // 8)):
            for other in (-1, 0, 1, 10**6, 2**62):
                changed = flat.copy()
                changed[i] = other
                check(**{name: changed.reshape(array.shape)})
    assert n_refused > 100 and n_problems > 50


def test_no_certificate_is_a_file_too(tmp_path):
    save_certificates(tmp_path / "c.npz", ra.Space(3), [])
    assert check_file(random_net(3, 2, 1), tmp_path / "c.npz") == []
