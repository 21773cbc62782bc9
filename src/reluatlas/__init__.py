"""A trained ReLU network, opened as the continuous piecewise-linear function that it is.

Names that need compiled kernels or a model's own format are imported when they are first used,
so that `import reluatlas` costs little more than NumPy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from reluatlas import errors
from reluatlas._version import __version__
from reluatlas.affine import AffineMaps
from reluatlas.deadline import time_limit
from reluatlas.domain import Box, Segment, Slice, Space
from reluatlas.network.graph import Network

if TYPE_CHECKING:
    from reluatlas.analysis.reduce import ReducedModel, reduce
    from reluatlas.analysis.similarity import similarity, similarity_table
    from reluatlas.analysis.trajectory import Trajectory
    from reluatlas.cells.cell import Cell
    from reluatlas.cells.cell_at import cell_at, cells_at
    from reluatlas.cells.complex import PolyhedralComplex
    from reluatlas.cells.count import count_cells
    from reluatlas.cells.enumerate import enumerate_cells
    from reluatlas.cells.explore import Exploration, explore
    from reluatlas.cells.files import load_complex
    from reluatlas.cells.path import Path, Paths
    from reluatlas.cells.trace import trace
    from reluatlas.figures import plot
    from reluatlas.importers.load import load
    from reluatlas.network.load_maps import load_maps
    from reluatlas.stable.answer import Stability
    from reluatlas.stable.stability import stability

__all__ = [
    "AffineMaps",
    "Box",
    "Cell",
    "Exploration",
    "Network",
    "Path",
    "Paths",
    "PolyhedralComplex",
    "ReducedModel",
    "Segment",
    "Slice",
    "Space",
    "Stability",
    "Trajectory",
    "__version__",
    "cell_at",
    "cells_at",
    "count_cells",
    "enumerate_cells",
    "errors",
    "explore",
    "load",
    "load_complex",
    "load_maps",
    "plot",
    "reduce",
    "similarity",
    "similarity_table",
    "stability",
    "time_limit",
    "trace",
]

# name: "module:attribute", or "module" where the name is the module itself
_HOME_OF_LAZY_NAME = {
    "Path": "reluatlas.cells.path:Path",
    "Paths": "reluatlas.cells.path:Paths",
    "Exploration": "reluatlas.cells.explore:Exploration",
    "Cell": "reluatlas.cells.cell:Cell",
    "PolyhedralComplex": "reluatlas.cells.complex:PolyhedralComplex",
    "ReducedModel": "reluatlas.analysis.reduce:ReducedModel",
    "Stability": "reluatlas.stable.answer:Stability",
    "Trajectory": "reluatlas.analysis.trajectory:Trajectory",
    "cell_at": "reluatlas.cells.cell_at:cell_at",
    "cells_at": "reluatlas.cells.cell_at:cells_at",
    "count_cells": "reluatlas.cells.count:count_cells",
    "enumerate_cells": "reluatlas.cells.enumerate:enumerate_cells",
    "explore": "reluatlas.cells.explore:explore",
    "load": "reluatlas.importers.load:load",
    "load_complex": "reluatlas.cells.files:load_complex",
    "load_maps": "reluatlas.network.load_maps:load_maps",
    "plot": "reluatlas.figures.plot",
    "reduce": "reluatlas.analysis.reduce:reduce",
    "similarity": "reluatlas.analysis.similarity:similarity",
    "similarity_table": "reluatlas.analysis.similarity:similarity_table",
    "stability": "reluatlas.stable.stability:stability",
    "trace": "reluatlas.cells.trace:trace",
}


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
