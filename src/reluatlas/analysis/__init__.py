"""Answers about networks and complexes: bounds on numbers of cells, maps as points, models of few pieces.

`reduce`, `similarity` and `Trajectory` are named by `reluatlas` itself.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reluatlas.analysis.bounds import Bound, count_bounds, zaslavsky
    from reluatlas.analysis.maps.dual_points import DualPoints, dual_points
    from reluatlas.analysis.maps.transport import transport_distance
    from reluatlas.analysis.reduction.pieces.estimators import PiecewiseAffineClassifier, PiecewiseAffineRegressor
    from reluatlas.analysis.reduction.pieces.files import read_pieces

__all__ = [
    "Bound",
    "DualPoints",
    "PiecewiseAffineClassifier",
    "PiecewiseAffineRegressor",
    "count_bounds",
    "dual_points",
    "read_pieces",
    "transport_distance",
    "zaslavsky",
]

_HOME_OF_LAZY_NAME = {
    "Bound": "reluatlas.analysis.bounds:Bound",
    "DualPoints": "reluatlas.analysis.maps.dual_points:DualPoints",
    "PiecewiseAffineClassifier": "reluatlas.analysis.reduction.pieces.estimators:PiecewiseAffineClassifier",
    "PiecewiseAffineRegressor": "reluatlas.analysis.reduction.pieces.estimators:PiecewiseAffineRegressor",
    "count_bounds": "reluatlas.analysis.bounds:count_bounds",
    "dual_points": "reluatlas.analysis.maps.dual_points:dual_points",
    "read_pieces": "reluatlas.analysis.reduction.pieces.files:read_pieces",
    "transport_distance": "reluatlas.analysis.maps.transport:transport_distance",
    "zaslavsky": "reluatlas.analysis.bounds:zaslavsky",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF_LAZY_NAME:
        raise AttributeError(f"module `reluatlas.analysis` has no attribute `{name}`")
    home, _, attribute = _HOME_OF_LAZY_NAME[name].partition(":")
    value = getattr(import_module(home), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
