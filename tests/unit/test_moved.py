"""Modules that pages once named are found under their old names, with a warning that says the new one."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import pytest

from reluatlas._moved import MOVED


@pytest.mark.parametrize("old", MOVED)
def test_an_old_name_leads_to_the_module(old):
    new = import_module(f"reluatlas.{MOVED[old]}")
    if not new.__file__.endswith("__init__.py"):
        pytest.importorskip("sklearn") if "estimators" in old else None
    sys.modules.pop(f"reluatlas.{old}", None)
    with pytest.warns(DeprecationWarning, match=rf"`reluatlas.{old}` is `reluatlas.{MOVED[old]}` now") as caught:
        alias = import_module(f"reluatlas.{old}")
    assert len(caught) == 1
    named = [name for name in vars(new) if not name.startswith("_")]
    assert all(getattr(alias, name) is getattr(new, name) for name in named)
    assert import_module(f"reluatlas.{MOVED[old]}") is new and new.__spec__.name == new.__name__


def test_the_lines_that_pages_once_had_work():
    code = """
from reluatlas.analysis.bounds import bounds, zaslavsky
from reluatlas.analysis.maps.dual_points import dual_points
from reluatlas.analysis.reduction.pieces.files import read_pieces
from reluatlas.analysis.maps.transport import transport_distance
from reluatlas.cells.certificate import certificate_of, check_cell
from reluatlas.certify.archive import check_file, save_certificates
from reluatlas.figures.film.make import still
from reluatlas.network.network import Affine
from reluatlas.studies.toy.alike import reduction_curve, scattered
from reluatlas.studies.toy.sample import sample_regions
from reluatlas.studies.toy.train import train_toy
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_other_names_are_still_no_modules():
    for name in ("reluatlas.cells.certificate_fil", "reluatlas.network.grap", "reluatlas.dual_points"):
        with pytest.raises(ModuleNotFoundError):
            import_module(name)
