"""How is a fitted model kept? One `.npz` file without pickle, with a format version, that needs no network."""

from __future__ import annotations

import os
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reluatlas.analysis.reduction.pieces.model import GatedPieces
from reluatlas.errors import ArgumentError, ResultFileError
from reluatlas.storage.archive import Archive

ARCHIVE = Archive("reluatlas gated pieces", 2, what="a saved model of affine pieces", again="Fit the model again")
CLASSIFIER = "PiecewiseAffineClassifier"  # the kind that has classes
_AXES = {"mean": 1, "basis": 2, "gate_slopes": 2, "gate_offsets": 1, "slopes": 3, "offsets": 2}
_MORE = "classes"


def write_pieces(path: str | os.PathLike[str], pieces: GatedPieces, head: dict[str, Any], **more: NDArray) -> None:
    """Write pieces, a head of JSON values, and further arrays; the file appears only when it is whole."""
    target = Path(path)
    if target.suffix.lower() != ".npz":
        raise ArgumentError(f"`path={str(path)!r}` must end with .npz.")
    ARCHIVE.write(target, head, {name: getattr(pieces, name) for name in _AXES} | more)


def read_pieces(path: str | os.PathLike[str]) -> tuple[GatedPieces, dict[str, Any], dict[str, NDArray]]:
    """Return what `write_pieces` wrote: pieces, head, further arrays. Needs numpy only.

    Raises
    ------
    ResultFileError
        When the file is missing, truncated, of another version, changed since it was written, or
        holds something else.
    """
    with ARCHIVE.opening(path) as (head, parts):
        pieces = GatedPieces(*[parts.take(name, np.float64, (None,) * axes) for name, axes in _AXES.items()])
        return pieces, head, {_MORE: parts[_MORE]} if _MORE in parts else {}


def save_estimator(estimator: Any, path: str | os.PathLike[str]) -> None:
    """Write a fitted estimator: pieces, settings, classes."""
    settings = {}
    for name, value in estimator.get_params().items():
        if name == "random_state":
            value = int(value) if isinstance(value, Integral) else None
        settings[name] = value.item() if isinstance(value, np.generic) else value
    head = {"kind": type(estimator).__name__, "settings": settings, "is_flat": estimator.is_flat_}
    more = {}
    if hasattr(estimator, "classes_"):
        classes = estimator.classes_
        if classes.dtype == object:  # strings of pandas and the like
            if not all(isinstance(name, str) for name in classes):
                raise ArgumentError("the classes are neither numbers nor strings; they cannot be saved without pickle.")
            classes = classes.astype(str)
        more[_MORE] = classes
    write_pieces(path, estimator.pieces_, head, **more)


def load_estimator(kind: type[Any], path: str | os.PathLike[str]) -> Any:
    """Return the fitted estimator of that class in a file."""
    pieces, head, more = read_pieces(path)
    name = Path(path).name
    if head.get("kind") != kind.__name__:
        raise ResultFileError(f"`{name}` holds `{head.get('kind')}`, not `{kind.__name__}`. Load it with its class.")
    settings, is_flat = head.get("settings"), head.get("is_flat")
    try:
        if not isinstance(settings, dict) or not isinstance(is_flat, bool):
            raise TypeError
        estimator = kind(**settings)
    except TypeError:
        raise ResultFileError(f"`{name}` cannot be read: its settings are not those of `{kind.__name__}`.") from None
    estimator.pieces_, estimator.n_features_in_, estimator.is_flat_ = pieces, pieces.n_inputs, is_flat
    if head["kind"] == CLASSIFIER:
        classes = more.get(_MORE, np.zeros(0))
        if classes.ndim != 1 or not classes.size == np.unique(classes).size == pieces.n_outputs:
            raise ResultFileError(f"`{name}` cannot be read: its classes and outputs do not agree.")
        estimator.classes_ = classes
    return estimator
