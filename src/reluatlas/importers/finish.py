"""How does every importer begin and end? The user's units in front, the check behind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from reluatlas.importers.check import ModelRuns, check_import
from reluatlas.importers.ends import LARGEST_DECIDES, Meaning, names_that_fit
from reluatlas.importers.lowering.fuse import fuse
from reluatlas.importers.lowering.tensors import Lowering, Tensor, rearrange, scale_shift
from reluatlas.importers.lowering.weights import FloatArray, normalization, per_part
from reluatlas.network.build import Builder
from reluatlas.network.network import Network, Part, Shape
from reluatlas.network.parts import parts_of

Normalization = tuple[FloatArray, FloatArray]


@dataclass(frozen=True)
class Imported:
    """What an importer made: a network under construction and how to run the model itself.

    Attributes
    ----------
    low : Lowering
    output : Tensor
    runs : ModelRuns
    normalization : (mean, std) or None
    source : str
        Where the network came from, for messages.
    class_names : tuple of str
        What the model calls its classes; empty when it does not.
    """

    low: Lowering
    output: Tensor
    runs: ModelRuns
    normalization: Normalization | None
    source: str
    class_names: tuple[str, ...] = ()


def begin(
    input_shape: Sequence[int],
    *,
    has_batch: bool,
    mean: Any = None,
    std: Any = None,
    name: str = "input",
    parts: tuple[Part, ...] = (),
) -> tuple[Lowering, Tensor, Normalization | None]:
    """Return an empty network, the tensor that enters the model, and what normalizes the user's inputs.

    Parameters
    ----------
    input_shape : sequence of int
        Of one input, without a batch axis.
    has_batch : bool
        Whether the model's tensors have a batch axis, of length 1, in front.
    mean, std : array_like or None
        The network takes `x` in the user's units, the model `(x - mean) / std`.
    name : str
    parts : tuple of Part
        Those of a joint input; `mean` and `std` may then be given by name.
    """
    shape: Shape = tuple(int(s) for s in input_shape)
    low = Lowering(Builder(shape, name, parts), has_batch=has_batch)
    (center, moved), (spread, stretched) = per_part(mean, parts, "mean"), per_part(std, parts, "std")
    x, unit = _normalized(low, Tensor(0, (1, *shape) if has_batch else shape), shape, center, spread)
    low.note_rounding(moved or stretched, "mean and std are rounded to float64")
    return low, x, unit


def begin_joint(
    named: Sequence[tuple[str, Shape]], *, has_batch: bool, mean: Any = None, std: Any = None
) -> tuple[Lowering, dict[str, Tensor], Normalization | None]:
    """Do what `begin` does for a model with several inputs: return the tensor of each, by its name.

    Parameters
    ----------
    named : sequence of (name, shape)
        Shapes as the model's tensors have them, a batch axis of length 1 included.
    has_batch : bool
        Whether any has a batch axis.
    mean, std : array_like, mapping or None
        As in `begin`, of the joint input; or by name, of each input.
    """
    inner = [(name, shape[1:] if has_batch and len(shape) > 1 and shape[0] == 1 else shape) for name, shape in named]
    parts = parts_of(inner)
    total = sum(part.size for part in parts)
    low, joint, unit = begin((total,), has_batch=False, mean=mean, std=std, parts=parts)
    low.has_batch = has_batch
    tensors = {}
    for part, (name, shape) in zip(parts, named, strict=True):
        low.name, low.operator = name, "input"
        tensors[name] = rearrange(low, [joint], np.arange(part.start, part.start + part.size).reshape(shape))
    return low, tensors, unit


def _normalized(low: Lowering, x: Tensor, shape: Shape, mean: Any, std: Any) -> tuple[Tensor, Normalization | None]:
    if mean is None and std is None:
        return x, None
    low.name, low.operator = "normalization", "input"
    scale, offset, rounded = normalization(mean, std, shape)
    low.note_rounding(rounded, "1 / std and -mean / std are rounded to float64")
    x = scale_shift(low, x, scale.reshape(x.shape), offset.reshape(x.shape))
    unit = normalization(mean, None, shape)[1], normalization(None, std, shape)[0]
    return x, (-unit[0], 1.0 / unit[1])


def finish(imported: Imported, meaning: Meaning = LARGEST_DECIDES) -> Network:
    """Return the network, once it was found to compute what the model does.

    Raises
    ------
    ImportMismatchError
        When it does not.
    DimensionError
        When there are names for other than all classes.
    """
    low, builder = imported.low, imported.low.builder
    output = imported.output.node
    shape = low.node_shape(imported.output.shape)
    if output == 0:  # the identity: a node of its own, so that the output is not the input
        output = builder.scale(0, name="output")
    output, checkpoints = fuse(builder, output, low.checkpoints)
    last = builder.nodes[output]
    builder.nodes[output] = replace(last, shape=shape)
    network = builder.finish(output, source=imported.source)
    given = meaning.class_names
    names = imported.class_names if given is None and meaning.classes is not None else given or ()
    network = replace(network, classes=meaning.classes, class_names=names_that_fit(names, network.n_outputs))
    note = check_import(network, checkpoints, imported.runs, normalization=imported.normalization)
    return network if note is None else replace(network, notes=(*network.notes, note))
