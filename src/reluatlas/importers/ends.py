"""What goes into a model and what comes out? Inputs with names and shapes, an output by its name, and what it means.

A model with several inputs becomes a network of one joint input: the entries of all of them, one after another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from reluatlas.errors import ArgumentError, DimensionError
from reluatlas.network.network import Shape

Shapes = Shape | Mapping[str, Shape]
"""The shape of one input, or, of a model with several, of each."""


@dataclass(frozen=True)
class Meaning:
    """What the outputs of a network are.

    Attributes
    ----------
    classes : {"max", "min"} or None
        See `Network.classes`.
    class_names : tuple of str or None
        Given by the user; None: those of the model, if it has any.
    """

    classes: Literal["max", "min"] | None = "max"
    class_names: tuple[str, ...] | None = None


LARGEST_DECIDES = Meaning()


def checked_shapes(input_shape: Any) -> Shapes | None:
    """Return what was given as `input_shape`, as tuples of whole numbers.

    Raises
    ------
    ArgumentError
        When it is neither None, a shape, nor a mapping of names to shapes.
    """
    if input_shape is None:
        return None
    if isinstance(input_shape, Mapping):
        if not input_shape:
            raise ArgumentError("`input_shape` names no input; expected a shape for each, such as {'x': (2,)}.")
        return {str(name): _checked(shape, f"input_shape[{name!r}]") for name, shape in input_shape.items()}
    return _checked(input_shape, "input_shape")


def _checked(given: Any, label: str) -> Shape:
    try:
        shape = tuple(int(s) for s in given)
        whole = all(int(s) == s for s in given)
    except (TypeError, ValueError):
        shape, whole = (), False
    if not shape or not whole or any(s < 1 for s in shape):
        raise ArgumentError(f"`{label}` is {given!r}; expected positive whole numbers, such as (1, 28, 28).")
    return shape


def shape_of(shapes: Shapes | None, name: str, names: Sequence[str], source: str) -> Shape | None:
    """Return the shape that was given for one of a model's inputs, or None.

    Raises
    ------
    ArgumentError
        When shapes are given by names that the model lacks, or one shape for several inputs.
    """
    if shapes is None:
        return None
    if isinstance(shapes, Mapping):
        unknown = [given for given in shapes if given not in names]
        if unknown:
            raise ArgumentError(
                f"`input_shape` names `{unknown[0]}`, but the inputs of `{source}` are {', '.join(names)}."
            )
        return shapes.get(name)
    if len(names) > 1:
        raise ArgumentError(
            f"`input_shape` is one shape but `{source}` has {len(names)} inputs ({', '.join(names)}). "
            f"Pass a shape for each: input_shape={{{names[0]!r}: (...), ...}}."
        )
    return shapes


def only_shape(shapes: Shapes | None) -> Shape | None:
    """Return the shape that was given for a model that has one input without a name.

    Raises
    ------
    ArgumentError
        When shapes were given by name.
    """
    if isinstance(shapes, Mapping):
        raise ArgumentError("`input_shape` names inputs, but the model has one, without a name. Pass one shape.")
    return shapes


def chosen_output(names: Sequence[str], wanted: str | int | None, source: str) -> int:
    """Return the position of the output that is wanted among a model's outputs.

    Raises
    ------
    ArgumentError
        When it is none of them, or none was chosen of several.
    """
    listed = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
    if wanted is None:
        if len(names) == 1:
            return 0
        raise ArgumentError(
            f"`{source}` has {len(names)} outputs ({listed}). Choose one: `output={names[0]!r}` "
            f"(on the command line: --output {names[0]})."
        )
    if isinstance(wanted, int) and not isinstance(wanted, bool) and 0 <= wanted < len(names):
        return int(wanted)
    if isinstance(wanted, str) and wanted in names:
        return list(names).index(wanted)
    if isinstance(wanted, str) and wanted.isdecimal() and int(wanted) < len(names):
        return int(wanted)
    raise ArgumentError(f"`output={wanted!r}` is no output of `{source}`; it has {listed}.")


def checked_meaning(classes: Any, class_names: Any) -> Meaning:
    """Return what outputs are said to be.

    Raises
    ------
    ArgumentError
        When `classes` is none of "max", "min" and None, or names are no texts.
    """
    if classes not in ("max", "min", None):
        raise ArgumentError(
            f'`classes={classes!r}` makes no sense; expected "max" (the largest output decides), "min" (the smallest), '
            "or None (the outputs are no classes)."
        )
    if class_names is None:
        return Meaning(classes)
    if isinstance(class_names, str) or not isinstance(class_names, Sequence):
        raise ArgumentError(f"`class_names={class_names!r}` is no list; expected a name for each class.")
    names = tuple(str(name) for name in class_names)
    if len(set(names)) != len(names):
        raise ArgumentError("`class_names` has a name twice; expected a different one for each class.")
    return Meaning(classes, names)


def names_that_fit(names: tuple[str, ...], n_outputs: int) -> tuple[str, ...]:
    """Return names of classes, once there is one for each.

    Raises
    ------
    DimensionError
        When there are more or fewer.
    """
    n = max(2, n_outputs)
    if names and len(names) != n:
        of = "a single output has two, for values of at most 0 and above" if n_outputs == 1 else "one for each output"
        raise DimensionError(f"`class_names` has {len(names)} names; expected {n}: {of}.")
    return names
