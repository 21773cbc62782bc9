"""Which modules that pages once named have another name now? Their old names still lead to them, with a warning."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.abc import Loader
else:
    Loader = object  # the class of the library takes 40 ms to import

_PACKAGE = "reluatlas."
MOVED = {
    "analysis.dual_points": "analysis.maps.dual_points",
    "analysis.pieces": "analysis.reduction.pieces",
    "analysis.pieces.estimators": "analysis.reduction.pieces.estimators",
    "analysis.pieces.files": "analysis.reduction.pieces.files",
    "analysis.transport": "analysis.maps.transport",
    "cells.certificate_file": "certify.archive",
    "network.graph": "network.network",
    "studies.toy_alike": "studies.toy.alike",
    "studies.toy_sample": "studies.toy.sample",
    "studies.toy_train": "studies.toy.train",
}
"""Old name: new name, both within the package. Nothing else stands in for a module that is gone."""


class _Alias(Loader):
    """Finds and loads modules under their old names; asked last, when no file has the name."""

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: object = None) -> ModuleSpec | None:
        """Return how to import a module under its old name; None when it is no such name."""
        old = fullname.removeprefix(_PACKAGE)
        if old == fullname or old not in MOVED:
            return None
        return ModuleSpec(fullname, self, is_package=any(name.startswith(f"{old}.") for name in MOVED))

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Leave it to Python to make the module."""

    def exec_module(self, module: ModuleType) -> None:
        """Let the module under the old name give what the one under the new name has."""
        new = _PACKAGE + MOVED[module.__name__.removeprefix(_PACKAGE)]
        found = import_module(new)
        message = f"`{module.__name__}` is `{new}` now. Import that, or the public name in the pages of reluatlas."
        warnings.warn(message, DeprecationWarning, stacklevel=2)
        module.__doc__ = found.__doc__
        module.__dict__["__getattr__"] = lambda name: getattr(found, name)


def find_moved_modules() -> None:
    """Let modules be imported under their old names, too."""
    if not any(isinstance(finder, _Alias) for finder in sys.meta_path):
        sys.meta_path.append(_Alias())
