"""How does every importer begin and end? The user's units in front, the check behind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from reluatlas.importers.check import ModelRuns, check_import
from reluatlas.importers.fuse import fuse
from reluatlas.importers.lowering import Lowering, Tensor, scale_shift
from reluatlas.importers.weights import FloatArray, normalization
from reluatlas.network.build import Builder
from reluatlas.network.graph import Network, Shape

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
    """

    low: Lowering
    output: Tensor
    runs: ModelRuns
    normalization: Normalization | None
    source: str


def begin(
    input_shape: Sequence[int], *, has_batch: bool, mean: Any = None, std: Any = None, name: str = "input"
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
    """
    shape: Shape = tuple(int(s) for s in input_shape)
    low = Lowering(Builder(shape, name), has_batch=has_batch)
    x = Tensor(0, (1, *shape) if has_batch else shape)
    if mean is None and std is None:
        return low, x, None
    low.name, low.operator = "normalization", "input"
    scale, offset, rounded = normalization(mean, std, shape)
    low.note_rounding(rounded, "1 / std and -mean / std are rounded to float64")
    x = scale_shift(low, x, scale.reshape(x.shape), offset.reshape(x.shape))
    unit = normalization(mean, None, shape)[1], normalization(None, std, shape)[0]
    return low, x, (-unit[0], 1.0 / unit[1])


def finish(imported: Imported) -> Network:
    """Return the network, once it was found to compute what the model does.

    Raises
    ------
    ImportMismatchError
        When it does not.
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
    note = check_import(network, checkpoints, imported.runs, normalization=imported.normalization)
    return network if note is None else replace(network, notes=(*network.notes, note))
