"""Every function that takes a network says of a model that it is to be opened first."""

from __future__ import annotations

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.analysis.bounds import bounds
from reluatlas.analysis.path_density import path_density
from reluatlas.errors import ArgumentError

X = np.zeros((3, 2))
BOX = ra.Box(-1, 1, dim=2)
VERBS = {
    "enumerate_cells": lambda model: ra.enumerate_cells(model, BOX),
    "count_cells": lambda model: ra.count_cells(model, BOX),
    "trace": lambda model: ra.trace(model, ra.Segment([0.0, 0.0], [1.0, 0.0])),
    "cell_at": lambda model: ra.cell_at(model, [0.1, 0.2]),
    "cells_at": lambda model: next(ra.cells_at(model, [0.1, 0.2])),
    "explore": lambda model: ra.explore(model, X, max_cells=3),
    "similarity": lambda model: ra.similarity(model, model, X, X),
    "similarity_table": lambda model: ra.similarity_table({"a": model, "b": model}, X, X),
    "reduce": lambda model: ra.reduce(model, X, 1),
    "bounds": bounds,
    "path_density": lambda model: path_density(model, X, [0, 0, 1]),
}


@pytest.mark.parametrize("verb", VERBS)
def test_a_model_is_to_be_opened_first(verb):
    layers = [(np.eye(2), np.zeros(2))]
    for model in (layers, "model.onnx", None, object()):
        with pytest.raises(ArgumentError, match=r"expected a network. Pass the model through `ra\.load` first"):
            VERBS[verb](model)


def test_a_torch_module_is_named():
    torch = pytest.importorskip("torch", reason="torch is not installed")
    with pytest.raises(ArgumentError, match="`net` is of type `Sequential`; expected a network"):
        ra.enumerate_cells(torch.nn.Sequential(torch.nn.Linear(2, 1)), BOX)
