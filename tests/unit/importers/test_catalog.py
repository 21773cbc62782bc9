"""The documentation's table of operators is complete and up to date."""

from __future__ import annotations

from pathlib import Path

from reluatlas.importers.catalog import groups_of_onnx, groups_of_torch, markdown
from reluatlas.importers.groups import GROUPS
from reluatlas.importers.onnx import refused
from reluatlas.importers.onnx.operators import table as onnx_operators
from reluatlas.importers.torch.operators import masks
from reluatlas.importers.torch.operators import table as torch_operators


def test_every_operator_is_in_a_group_of_the_page():
    titles = [g.title for g in GROUPS]
    assert len(set(titles)) == len(titles)
    given = [groups_of_onnx(), groups_of_torch()]
    assert {title for groups in given for title in groups.values()} == set(titles)
    assert set(onnx_operators.OPERATORS) == set(given[0])
    assert given[1].keys() >= {*torch_operators.OPERATORS, *masks.MASK_OPERATORS, *torch_operators.UNCHANGED}


def test_no_operator_is_in_two_groups():
    moved = dict.fromkeys(torch_operators.REARRANGING, "moving entries")
    unchanged = dict.fromkeys(torch_operators.UNCHANGED, "casts, dropout, identity")
    rows = [
        {name: row.group for name, row in table.items()} for table in (torch_operators.OPERATORS, masks.MASK_OPERATORS)
    ]
    seen: dict[str, set[str]] = {}
    for groups in (moved, unchanged, *rows):
        for name, title in groups.items():
            seen.setdefault(name, set()).add(title)
    assert [name for name, found in seen.items() if len(found) > 1] == []


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
