"""A trained ReLU network, opened as the continuous piecewise-linear function that it is.

Names that need compiled kernels or a model's own format are imported when they are first used,
so that `import reluatlas` costs little more than NumPy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from reluatlas import errors
from reluatlas._moved import find_moved_modules
from reluatlas._version import __version__
from reluatlas.affine import AffineMaps
from reluatlas.deadline import time_limit
from reluatlas.domain import Box, Segment, Slice, Space
from reluatlas.network.network import Network

if TYPE_CHECKING:
    from reluatlas import analysis, certify, testing
    from reluatlas.analysis.joining.answer import JoinedCells
    from reluatlas.analysis.joining.join_cells import join_cells
    from reluatlas.analysis.reduction.reduce import ReducedModel, reduce
    from reluatlas.analysis.similarity.compare_maps import similarity, similarity_table
    from reluatlas.analysis.trajectories.trajectory import Trajectory
    from reluatlas.cells.cell import Cell
    from reluatlas.cells.cell_at import cell_at, cells_at
    from reluatlas.cells.exploration import Exploration
    from reluatlas.cells.explore import explore
    from reluatlas.certify.statement import Property
    from reluatlas.clusters.connect import Cluster, cluster
    from reluatlas.comparison.answer import Comparison
    from reluatlas.comparison.compare import compare
    from reluatlas.comparison.structure.answer import StructureComparison
    from reluatlas.comparison.structure.compare_structure import compare_structure
    from reluatlas.complexes.complex import PolyhedralComplex
    from reluatlas.complexes.count import count_cells
    from reluatlas.complexes.enumerate import enumerate_cells
    from reluatlas.complexes.load import load_complex
    from reluatlas.decisions.contributions import Contributions, contributions
    from reluatlas.decisions.explain import Explanation, explain
    from reluatlas.decisions.integrated import IntegratedGradients, integrated_gradients
    from reluatlas.decisions.nearest.answer import NearestClass
    from reluatlas.decisions.nearest.nearest_class import nearest_class
    from reluatlas.figures import plot
    from reluatlas.importers.load import load
    from reluatlas.importers.load_points import load_points
    from reluatlas.live.widget import view
    from reluatlas.network.join import difference
    from reluatlas.network.maps.load import load_maps
    from reluatlas.paths.path import Path, Paths
    from reluatlas.paths.trace import trace
    from reluatlas.properties.answer import PropertyAnswer
    from reluatlas.properties.check import check_property
    from reluatlas.properties.load import load_property
    from reluatlas.simplification.answer import Simplification
    from reluatlas.simplification.simplify import simplify
    from reluatlas.stable.answer import Stability
    from reluatlas.stable.stability import stability

__all__ = [
    "AffineMaps",
    "Box",
    "Cell",
    "Cluster",
    "Comparison",
    "Contributions",
    "Explanation",
    "Exploration",
    "IntegratedGradients",
    "JoinedCells",
    "NearestClass",
    "Network",
    "Path",
    "Paths",
    "PolyhedralComplex",
    "Property",
    "PropertyAnswer",
    "ReducedModel",
    "Segment",
    "Simplification",
    "Slice",
    "Space",
    "Stability",
    "StructureComparison",
    "Trajectory",
    "__version__",
    "analysis",
    "cell_at",
    "cells_at",
    "certify",
    "check_property",
    "cluster",
    "compare",
    "compare_structure",
    "contributions",
    "count_cells",
    "difference",
    "enumerate_cells",
    "errors",
    "explain",
    "explore",
    "integrated_gradients",
    "join_cells",
    "load",
    "load_complex",
    "load_maps",
    "load_points",
    "load_property",
    "nearest_class",
    "plot",
    "reduce",
    "similarity",
    "similarity_table",
    "simplify",
    "stability",
    "testing",
    "time_limit",
    "trace",
    "view",
]

# name: "module:attribute", or "module" where the name is the module itself
_HOME_OF_LAZY_NAME = {
    "Path": "reluatlas.paths.path:Path",
    "Paths": "reluatlas.paths.path:Paths",
    "Exploration": "reluatlas.cells.exploration:Exploration",
    "JoinedCells": "reluatlas.analysis.joining.answer:JoinedCells",
    "Cell": "reluatlas.cells.cell:Cell",
    "Cluster": "reluatlas.clusters.connect:Cluster",
    "Comparison": "reluatlas.comparison.answer:Comparison",
    "Contributions": "reluatlas.decisions.contributions:Contributions",
    "Explanation": "reluatlas.decisions.explain:Explanation",
    "IntegratedGradients": "reluatlas.decisions.integrated:IntegratedGradients",
    "NearestClass": "reluatlas.decisions.nearest.answer:NearestClass",
    "PolyhedralComplex": "reluatlas.complexes.complex:PolyhedralComplex",
    "Property": "reluatlas.certify.statement:Property",
    "PropertyAnswer": "reluatlas.properties.answer:PropertyAnswer",
    "ReducedModel": "reluatlas.analysis.reduction.reduce:ReducedModel",
    "Simplification": "reluatlas.simplification.answer:Simplification",
    "Stability": "reluatlas.stable.answer:Stability",
    "StructureComparison": "reluatlas.comparison.structure.answer:StructureComparison",
    "Trajectory": "reluatlas.analysis.trajectories.trajectory:Trajectory",
    "analysis": "reluatlas.analysis",
    "cell_at": "reluatlas.cells.cell_at:cell_at",
    "cells_at": "reluatlas.cells.cell_at:cells_at",
    "certify": "reluatlas.certify",
    "check_property": "reluatlas.properties.check:check_property",
    "cluster": "reluatlas.clusters.connect:cluster",
    "compare": "reluatlas.comparison.compare:compare",
    "compare_structure": "reluatlas.comparison.structure.compare_structure:compare_structure",
    "contributions": "reluatlas.decisions.contributions:contributions",
    "count_cells": "reluatlas.complexes.count:count_cells",
    "difference": "reluatlas.network.join:difference",
    "enumerate_cells": "reluatlas.complexes.enumerate:enumerate_cells",
    "explain": "reluatlas.decisions.explain:explain",
    "explore": "reluatlas.cells.explore:explore",
    "integrated_gradients": "reluatlas.decisions.integrated:integrated_gradients",
    "join_cells": "reluatlas.analysis.joining.join_cells:join_cells",
    "load": "reluatlas.importers.load:load",
    "load_complex": "reluatlas.complexes.load:load_complex",
    "load_maps": "reluatlas.network.maps.load:load_maps",
    "load_points": "reluatlas.importers.load_points:load_points",
    "load_property": "reluatlas.properties.load:load_property",
    "nearest_class": "reluatlas.decisions.nearest.nearest_class:nearest_class",
    "plot": "reluatlas.figures.plot",
    "reduce": "reluatlas.analysis.reduction.reduce:reduce",
    "similarity": "reluatlas.analysis.similarity.compare_maps:similarity",
    "similarity_table": "reluatlas.analysis.similarity.compare_maps:similarity_table",
    "simplify": "reluatlas.simplification.simplify:simplify",
    "stability": "reluatlas.stable.stability:stability",
    "testing": "reluatlas.testing",
    "trace": "reluatlas.paths.trace:trace",
    "view": "reluatlas.live.widget:view",
}

find_moved_modules()


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF_LAZY_NAME:
        raise AttributeError(f"module `reluatlas` has no attribute `{name}`")
    home, _, attribute = _HOME_OF_LAZY_NAME[name].partition(":")
    module = import_module(home)
    value = getattr(module, attribute) if attribute else module
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
