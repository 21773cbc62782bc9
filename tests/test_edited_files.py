"""Result files that were edited: each is refused in a sentence, or gives the same answer; none kills the process."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.analysis.reduction.pieces.estimators import PiecewiseAffineClassifier
from reluatlas.analysis.trajectories.trajectory import Trajectory
from reluatlas.cells.certificate import certificate_of
from reluatlas.certify.archive import load_certificates, save_certificates
from reluatlas.errors import ResultFileError
from tests.zoo import FAMILIES, domain_for

ROOT = Path(__file__).parents[1]
COMPLEXES = {
    "plane": lambda: ra.enumerate_cells(FAMILIES["generic"](1), domain_for(1)),
    "slice": lambda: ra.enumerate_cells(FAMILIES["max_identical"](3), domain_for(3)),
    "pieces": lambda: ra.enumerate_cells(FAMILIES["leaky_abs_clip"](5), domain_for(5)),
    "part": lambda: ra.enumerate_cells(FAMILIES["generic"](6), domain_for(6), max_cells=4),
    "solid": lambda: ra.enumerate_cells(FAMILIES["generic"](3), ra.Box(-1, 1, dim=3)),
    "space": lambda: ra.enumerate_cells(FAMILIES["max_identical"](1), ra.Space(2)),
}


def edit(kind: str, path: Path, seed: int, n: int, *, forged: bool = False) -> list[str]:
    """Edit a file n times in another process; return what became of each."""
    command = [sys.executable, "-m", "tests.edits", kind, str(path), str(seed), str(n), "forged" if forged else "plain"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    lines = done.stdout.splitlines()
    assert done.returncode == 0, f"seed {seed}: ended with {done.returncode} after {lines[-2:]}: {done.stderr[-2000:]}"
    assert len(lines) == n
    return lines


def faults(lines: list[str], allowed: tuple[str, ...]) -> list[str]:
    return [line for line in lines if not line.endswith(allowed)]


def trajectory(path: Path) -> None:
    rng = np.random.default_rng(0)
    layers = [[(rng.normal(size=(3, 2)), rng.normal(size=3)), (rng.normal(size=(2, 3)), rng.normal(size=2))]] * 2
    Trajectory.from_layers(
        layers, domain=ra.Box(-1, 1, dim=2), X=rng.normal(size=(4, 2)), y=[0, 1, 0, 1], info={"seed": 1}
    ).save(path)


def pieces(path: Path) -> None:
    X = np.random.default_rng(0).normal(size=(60, 3))
    PiecewiseAffineClassifier(2, random_state=0).fit(X, (X[:, 0] > 0).astype(int)).save(path)


def certificates(path: Path) -> None:
    net = FAMILIES["generic"](1)
    save_certificates(path, domain_for(1), [certificate_of(ra.cell_at(net, [0.1, -0.2], domain_for(1)))])


@pytest.mark.parametrize("name", COMPLEXES)
def test_edited_complexes(name, tmp_path):
    path = tmp_path / "cells.npz"
    COMPLEXES[name]().save(path)
    lines = edit("complex", path, 1, 36)
    assert faults(lines, (": refused", ": same")) == []
    assert sum(line.endswith(": refused") for line in lines) > 20


@pytest.mark.parametrize("name", COMPLEXES)
def test_complexes_edited_by_one_who_renews_the_sums(name, tmp_path):
    path = tmp_path / "cells.npz"
    COMPLEXES[name]().save(path)
    lines = edit("complex", path, 2, 36, forged=True)
    # numbers that no other contradicts, such as those of a map, are believed then
    assert faults(lines, (": refused", ": same", ": other")) == []
    believed = [line for line in lines if line.endswith(": other")]
    assert not [line for line in believed if " neighbor" in line or " twin" in line or " offsets" in line]


@pytest.mark.parametrize(
    ("kind", "make"), [("trajectory", trajectory), ("pieces", pieces), ("certificates", certificates)]
)
@pytest.mark.parametrize("forged", [False, True])
def test_edited_results_of_other_kinds(kind, make, forged, tmp_path):
    path = tmp_path / "result.npz"
    make(path)
    lines = edit(kind, path, 3, 20, forged=forged)
    assert faults(lines, (": refused", ": same", *([": other"] if forged else []))) == []


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "cells.npz"
    COMPLEXES["plane"]().save(path)
    return path


def repacked(path, change):
    """Write the archive again with `change(name, bytes)` in place of each part, and what it adds."""
    with zipfile.ZipFile(path) as source:
        parts = {name: source.read(name) for name in source.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for name, data in change(parts).items():
            target.writestr(name, data)


def zeros(n: int) -> bytes:
    out = io.BytesIO()
    np.lib.format.write_array_header_1_0(out, {"descr": "<f8", "fortran_order": False, "shape": (n,)})
    return out.getvalue() + bytes(8 * n)


def peak_of_loading(path: Path) -> tuple[str, float]:
    """Return what loading said, and by how many MB it took memory beyond what the package takes."""
    code = (
        "import sys, resource, reluatlas as ra\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "from reluatlas.complexes.load import load_complex\n"
        "try:\n    load_complex(sys.argv[1])\n    said = 'loaded'\n"
        "except ra.errors.ResultFileError as error:\n    said = str(error)\n"
        "print(said)\nprint((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    said, grown = done.stdout.splitlines()
    return said, float(grown)


@pytest.mark.parametrize("name", ["more.npy", "radii.npy", "network/1/bias.npy"])
def test_a_part_that_unpacks_to_much_is_not_unpacked(saved, name):
    repacked(saved, lambda parts: parts | {name: zeros(2**26)})
    assert saved.stat().st_size < 2**21
    said, grown = peak_of_loading(saved)
    assert "damaged" in said and grown < 300  # half of what it would be, and what compiled code takes


def test_an_array_that_says_it_is_huge_takes_no_memory(saved):
    def declared(parts):
        old = parts["points.npy"]
        at = old.index(b"'shape': (") + len(b"'shape': (")
        end = old.index(b",", at)
        head = old[:at] + b"1099511627776"[: end - at].ljust(end - at) + old[end:]
        return parts | {"points.npy": head}

    repacked(saved, declared)
    with pytest.raises(ResultFileError, match=r"not as large|cannot be read|lists"):
        ra.load_complex(saved)


def test_sums_in_the_head_are_looked_at(saved):
    with zipfile.ZipFile(saved) as stored:
        head = json.loads(stored.read("head.npy")[128:])
    assert set(head["arrays"]) == {n.removesuffix(".npy") for n in zipfile.ZipFile(saved).namelist()} - {"head"}


def test_certificates_are_whole_after_reading(tmp_path):
    certificates(tmp_path / "c.npz")
    _, (given,) = load_certificates(tmp_path / "c.npz")
    net = FAMILIES["generic"](1)
    assert ra.cell_at(net, [0.1, -0.2], domain_for(1)).pattern.tolist() == given.pattern.tolist()
