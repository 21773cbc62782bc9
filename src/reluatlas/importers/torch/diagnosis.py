"""Why does a torch module not run, or not show its graph? The true cause in a sentence, and what helps against it."""

from __future__ import annotations

import inspect
import re
from typing import Any

from reluatlas.errors import ArgumentError, DimensionError, ReluAtlasError, UnsupportedLayerError
from reluatlas.importers.torch.copies import first_line

_OF_SHAPES = re.compile(
    r"shape|size|dimension|channels|Expected \dD|expected \dD|input\.ndim|must match|view\(|numel|groups=|"
    r"not enough values to unpack|too many values to unpack|spatial|out of range|tuple index"
)
_OF_WHOLE_NUMBERS = re.compile(
    r"argument #1 'indices'|one_hot is only applicable|used as indices must be|"
    r"expected scalar type (Long|Int)|only integer tensors"
)
_OF_TYPES = re.compile(r"same dtype|expected scalar type|expected m1 and m2|should be the same|not implemented for")
_OF_DEVICES = re.compile(r"on the same device|CUDA|cuda|NVIDIA|mps")
_OF_DATA = re.compile(r"[Dd]ata.dependent|_local_scalar_dense|unbacked|Could not guard|control flow|DynamicOutputShape")


def why_it_does_not_run(module: Any, shape: tuple[int, ...], problem: Exception, source: str) -> ReluAtlasError:
    """Return the error that says why a module does not take one input of a shape."""
    text = str(problem)
    if isinstance(problem, NotImplementedError) and 'missing the required "forward"' in text:
        return UnsupportedLayerError(
            f"`{source}` has no forward: it holds layers, but does not say how they follow on each other. "
            "Pass the module that calls them."
        )
    if isinstance(problem, TypeError) and "positional argument" in text and not _inputs(module):
        return UnsupportedLayerError(f"`{source}` takes no input; expected one tensor.")
    if _OF_WHOLE_NUMBERS.search(text):
        tables = _named(module, "Embedding", "EmbeddingBag")
        return UnsupportedLayerError(
            f"`{source}` takes whole numbers, which {tables or 'it'} looks up in a table (an embedding); expected a "
            "function of real numbers. Pass the part behind the embedding."
        )
    if "when training" in text:
        return batch_statistics(module, source)
    said = f"`{source}` does not run on one input of shape {shape} (with a batch axis of 1 in front): "
    said += first_line(problem)
    if _OF_DEVICES.search(text):
        return ArgumentError(f"{said}. It must run on the CPU: make tensors on the device of its input.")
    if _OF_TYPES.search(text):
        return ArgumentError(f"{said}. All of it must run in one float type: make tensors in the type of its input.")
    if _OF_SHAPES.search(text):
        return DimensionError(f"{said}. Pass the right `input_shape=`.")
    return ArgumentError(f"{said}. Check that it runs in evaluation mode.")


def why_it_has_no_graph(problem: Exception, source: str) -> ReluAtlasError:
    """Return the error that says why `torch.export` does not capture a module that runs."""
    said = f"torch.export cannot capture `{source}`: {first_line(problem)}."
    text = f"{type(problem).__name__} {problem}"
    if _OF_DATA.search(text):
        return UnsupportedLayerError(
            f"{said} Its forward reads numbers that it computes (a branch, a loop, `.item()`), so that its graph "
            "depends on the data; expected the same operations for every input."
        )
    if "numpy" in text.lower() or "FakeTensor" in text:
        return UnsupportedLayerError(f"{said} All that depends on the input must be computed by torch itself.")
    return UnsupportedLayerError(f"{said} Check it with torch.export.export(module.eval(), (x,)).")


def batch_statistics(module: Any, source: str) -> UnsupportedLayerError:
    """Return the error that a layer normalizes by the statistics of the batch at hand."""
    from torch.nn.modules.batchnorm import _NormBase

    found = [
        f"`{name}`"
        for name, part in module.named_modules()
        if isinstance(part, _NormBase) and (part.running_mean is None or part.training)
    ]
    which = found[0] if found else "a layer"
    return UnsupportedLayerError(
        f"{which} of `{source}` normalizes by the statistics of the batch at hand, not by running ones, which is not "
        "piecewise linear. Train batch norm with track_running_stats=True, and use it in evaluation mode."
    )


def _inputs(module: Any) -> list[str]:
    """Return the names of the inputs that a module cannot do without."""
    try:
        parameters = inspect.signature(module.forward).parameters.values()
    except (TypeError, ValueError):
        return []
    wanted = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [p.name for p in parameters if p.kind in wanted and p.default is inspect.Parameter.empty]


def _named(module: Any, *kinds: str) -> str:
    found = [f"`{name or kind}`" for name, part in module.named_modules() if (kind := type(part).__name__) in kinds]
    return found[0] if found else ""
