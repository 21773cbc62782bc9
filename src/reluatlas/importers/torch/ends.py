"""How does a torch module with several inputs or outputs become one of one input and one output? It is wrapped."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from reluatlas.errors import ArgumentError, UnsupportedLayerError
from reluatlas.importers.ends import Shapes, chosen_output
from reluatlas.network.network import Part, Shape
from reluatlas.network.parts import parts_of


def with_one_end(
    module: Any, shapes: Shapes | None, output: str | int | None, source: str
) -> tuple[Any, Shape | None, tuple[Part, ...]]:
    """Return a module of one input and one output, the shape of the input if it is known, and the input's parts.

    The module itself where it is one already; else a module that holds it, whose input joins all inputs (flat), and
    whose output is the one chosen.

    Raises
    ------
    ArgumentError
        When shapes do not name the module's inputs, or it has several inputs and there is not a shape for each.
    """
    names, required = _inputs(module)
    if not isinstance(shapes, Mapping):
        if len(required) > 1:
            example = ", ".join(f"{name!r}: (...)" for name in required[:3]) + (", ..." if len(required) > 3 else "")
            raise ArgumentError(
                f"`{source}` takes {len(required)} inputs ({', '.join(required)}). Pass as `input_shape` the shape of "
                f"each by its name: {{{example}}}."
            )
        return (module if output is None else _wrapped(module, (), output, source)), shapes, ()
    unknown = [name for name in shapes if names and name not in names]
    missing = [name for name in required if name not in shapes]
    if unknown or missing:
        wrong = f"names `{unknown[0]}`, which it does not take" if unknown else f"lacks `{missing[0]}`"
        raise ArgumentError(f"`input_shape` {wrong}; the inputs of `{source}` are {', '.join(names) or 'not named'}.")
    ordered = [name for name in (names or tuple(shapes)) if name in shapes]
    parts = parts_of([(name, shapes[name]) for name in ordered])
    return _wrapped(module, parts, output, source), (sum(part.size for part in parts),), parts


def tensors_of(made: Any) -> list[tuple[str, Any]]:
    """Return the tensors that a module's result holds, with names: keys, fields, or positions, joined by dots."""
    import torch
    from torch.utils import _pytree

    def named(path: Any) -> str:
        words = [getattr(p, "key", getattr(p, "name", getattr(p, "idx", None))) for p in path]
        return ".".join(str(word) for word in words) or "output"

    leaves, _ = _pytree.tree_flatten_with_path(made)
    return [(named(path), leaf) for path, leaf in leaves if isinstance(leaf, torch.Tensor)]


def require_one_tensor(made: Any, source: str) -> None:
    """Raise when a module gives something other than one tensor.

    Raises
    ------
    ArgumentError
        When it gives several: an output is to be chosen.
    UnsupportedLayerError
        When it gives none.
    """
    import torch

    if isinstance(made, torch.Tensor):
        return
    found = tensors_of(made)
    if not found:
        raise UnsupportedLayerError(f"`{source}` gives a {type(made).__name__} without a tensor; expected a tensor.")
    names = [name for name, _ in found]
    raise ArgumentError(
        f"`{source}` gives a {type(made).__name__} of {len(names)} tensors ({', '.join(names[:8])}). Choose one: "
        f"`output={names[0]!r}` (on the command line: --output {names[0]})."
    )


def _inputs(module: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names of what a module's `forward` takes, and of those that have no default."""
    try:
        parameters = inspect.signature(module.forward).parameters.values()
    except (TypeError, ValueError):
        return (), ()
    plain = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    return tuple(p.name for p in plain), tuple(p.name for p in plain if p.default is p.empty)


def _wrapped(module: Any, parts: Sequence[Part], output: str | int | None, source: str) -> Any:
    import torch

    class OneEnd(torch.nn.Module):
        """Cuts a joint input into parts, runs a module on them, and gives one of its outputs."""

        def __init__(self) -> None:
            super().__init__()
            self.module = module

        def forward(self, x: Any) -> Any:
            if parts:
                named = {p.name: x[:, p.slice].reshape(1, *p.shape) for p in parts}
                made = self.module(**named)
            else:
                made = self.module(x)
            if isinstance(made, torch.Tensor) and output is None:
                return made
            found = tensors_of(made)
            return found[chosen_output([name for name, _ in found], output, source)][1]

    return OneEnd()
