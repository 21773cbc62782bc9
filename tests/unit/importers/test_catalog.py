"""The documentation's table of operators is complete and up to date."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from reluatlas.importers.catalog import GROUPS, markdown
from reluatlas.importers.onnx import refused
from reluatlas.importers.onnx.operators import table as onnx_operators
from reluatlas.importers.torch.operators import masks
from reluatlas.importers.torch.operators import table as torch_operators


def test_every_operator_is_in_one_group():
    torch = {
        *torch_operators.OPERATORS,
        *torch_operators.REARRANGING,
        *torch_operators.UNCHANGED,
        *masks.MASK_OPERATORS,
    }
    for table, given in (
        (set(onnx_operators.OPERATORS), [set(g.onnx) for g in GROUPS]),
        (torch, [set(g.torch) for g in GROUPS]),
    ):
        counts = Counter(name for names in given for name in names)
        assert {n for n, c in counts.items() if c > 1} == set()
        assert set(counts) == table


def test_refused_operators_are_not_supported():
    assert not set(refused.REASONS) & set(onnx_operators.OPERATORS)
    assert not set(torch_operators.REASONS) & {
        *torch_operators.OPERATORS,
        *torch_operators.REARRANGING,
        *masks.MASK_OPERATORS,
    }


def test_page_is_up_to_date():
    page = Path(__file__).resolve().parents[3] / "docs" / "operators.md"
    assert page.read_text(encoding="utf-8") == markdown(), "run scripts/operators_table.py"
