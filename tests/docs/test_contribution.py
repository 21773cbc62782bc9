"""The worked contribution of CONTRIBUTING.md works as it is written: its case fails before, and passes with its row."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import numpy as np
import pytest

from reluatlas.errors import UnsupportedLayerError
from reluatlas.importers.groups import GROUPS
from reluatlas.importers.load import load
from reluatlas.importers.lowering import tensors
from reluatlas.importers.onnx import graph
from reluatlas.importers.onnx.operators import images, table
from tests.unit.importers.models import by_onnxruntime
from tests.unit.importers.onnx import test_operators

PAGE = Path(__file__).parents[2] / "CONTRIBUTING.md"


def test_worked_contribution(monkeypatch):
    page = PAGE.read_text(encoding="utf-8").split("\n## A worked contribution", 1)[1].split("\n## ", 1)[0]
    case, row, function = (textwrap.dedent(b) for b in re.findall(r" {3}```python\n(.*?) {3}```", page, re.DOTALL))
    ((name, model),) = eval(f"{{{case}}}", vars(test_operators)).items()
    assert name not in table.OPERATORS, f"`{name}` is read now: take another operator as the example"
    with pytest.raises(UnsupportedLayerError, match=name):
        load(model)

    space = {**vars(images), "lo": tensors}
    exec(function, space)
    new = eval(f"{{{row}}}", space)
    assert list(new) == [name] and new[name].group in [g.title for g in GROUPS]
    monkeypatch.setattr(graph, "OPERATORS", {**table.OPERATORS, **new})
    net = load(model)
    points = np.random.default_rng(0).normal(size=(5, *net.input_shape)).astype(np.float32)
    shape = tuple(d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim)
    expected = by_onnxruntime(model, points, shape)
    np.testing.assert_allclose(net(points).reshape(5, -1), expected, rtol=1e-5, atol=1e-5)
