"""How is a network opened? `load`, which finds out what kind of model it was given."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from reluatlas.errors import ArgumentError, ModelFileError
from reluatlas.importers.ends import Shapes, checked_meaning, checked_shapes, only_shape
from reluatlas.importers.finish import Imported, finish
from reluatlas.importers.foreign_files import foreign_form
from reluatlas.network.network import Network

WEIGHT_ENDINGS = (".pt", ".pth", ".safetensors", ".ckpt", ".bin", ".pth.tar", ".pt.tar", ".pkl")
_WEIGHTS = f"{', '.join(WEIGHT_ENDINGS[:-1])} or {WEIGHT_ENDINGS[-1]}"
_KINDS = (
    "a path (.onnx, .onnx.gz; .pt, .pth, .ckpt or .safetensors with `module=`), a torch module, an ONNX ModelProto, a "
    "fitted scikit-learn MLP (also in a pipeline), or a list of layers [(W, b), ...]"
)


def load(
    model: Any,
    *,
    module: Any = None,
    input_shape: Sequence[int] | Mapping[str, Sequence[int]] | None = None,
    output: str | int | None = None,
    classes: Literal["max", "min"] | None = "max",
    class_names: Sequence[str] | None = None,
    mean: Any = None,
    std: Any = None,
) -> Network:
    """Return the network that a model is, checked against the model itself.

    The network's coefficients are the model's stored weights, upcast exactly to float64; everything
    that had to be rounded, folded or dropped (a softmax at the end) is in `Network.notes`. Before it
    is returned, network and model are run on the same random inputs, tensor by tensor.

    Parameters
    ----------
    model : path, module or list
        `.onnx` or `.onnx.gz` file; file of weights (`.pt`, `.pth`, `.ckpt`, `.bin`, `.pth.tar`, `.pkl`,
        `.safetensors`), with `module`; `torch.nn.Module`; `onnx.ModelProto`; fitted scikit-learn
        `MLPClassifier`, `MLPRegressor` or linear model, also at the end of a `Pipeline` of affine steps, chosen
        by a search, or with scaled targets; or layers `[(W, b), ...]` with ReLU between them, `W` of shape
        (out, in), of arrays or tensors.
    module : torch.nn.Module, optional
        The architecture that weights belong to. It is copied, never changed. Weights wider than its own are
        not rounded; what trainers and wrappers put around weights (a key, one common prefix) is found, with a note.
    input_shape : sequence of int, or mapping, optional
        Shape of one input, without a batch axis. Needed where the model does not fix it. For a model with several
        inputs, a shape for each by its name.
    output : str or int, optional
        Which output, by its name or position, of an ONNX model or torch module that has several.
    classes : {"max", "min"} or None
        What decides on a class: the largest output, the smallest (networks that give costs, such as ACAS Xu), or
        nothing: the outputs are no classes (regression).
    class_names : sequence of str, optional
        A name for each class, for figures and tables; those of the model when it has any.
    mean, std : array_like or mapping, optional
        The network takes inputs in the user's units and the model gets `(x - mean) / std`. Numbers,
        one number per channel, or arrays of the input's shape; of several inputs, also by name.

    Raises
    ------
    ModelFileError
        The file is missing, empty, truncated, not a model, or not safe to read.
    UnsupportedLayerError
        An operator is not continuous piecewise linear, or not supported; names the node.
    NonFiniteError
        A weight is NaN or infinite.
    DimensionError, ArgumentError
        Shapes do not fit, or an argument makes no sense.
    ImportMismatchError
        Network and model differ; names the first node where they part.
    MissingDependencyError
        The model needs a package that is not installed.

    A model with several inputs gives a network of one joint input: their entries, one after another
    (`Network.input_parts`). `net.join({"x": ..., "y": ...})` and `net.box({"x": (-1, 1), ...})` make points and
    boxes of it; the network's own methods take such mappings of points, too.

    Guarantees: exact coefficients but for the roundings in `Network.notes`; deterministic. The
    user's model is never changed, and no code stored in a file is ever run.

    Examples
    --------
    >>> import numpy as np
    >>> net = load([(np.array([[1.0], [-1.0]]), np.zeros(2)), (np.array([[1.0, 1.0]]), np.zeros(1))])
    >>> float(net([-3.0])[0])  # relu(x) + relu(-x) = |x|
    3.0
    """
    shape, meaning = checked_shapes(input_shape), checked_meaning(classes, class_names)
    units = {"mean": mean, "std": std}
    return finish(_imported(model, module, shape, output, units), meaning)


def _imported(
    model: Any, module: Any, shape: Shapes | None, output: str | int | None, units: dict[str, Any]
) -> Imported:
    options = {"input_shape": shape, "output": output, **units}
    if isinstance(model, str | Path):
        path = Path(model)
        if path.name.lower().endswith(WEIGHT_ENDINGS):
            return _from_state_file(path, module, options)
        if module is not None:
            raise ArgumentError(f"`module` was given with `{path}`; it is for files of weights only: {_WEIGHTS}.")
        if not path.name.lower().endswith((".onnx", ".onnx.gz")):
            foreign = foreign_form(path)
            if foreign is not None:
                raise ModelFileError(f"`{path}` {foreign}")
            known = "" if path.exists() else " (and there is no such file)"
            raise ModelFileError(
                f"`{path}` has no known ending{known}; expected .onnx, .onnx.gz, or for weights {_WEIGHTS}."
            )
        from reluatlas.importers.onnx.graph import from_onnx_file

        return from_onnx_file(path, **options)
    if module is not None:
        raise ArgumentError("`module` was given, but `model` is no file; expected a .pt, .pth or .safetensors path.")
    if _is_a(model, "torch.nn", "Module"):
        from reluatlas.importers.torch.export import from_module

        return from_module(model, **options)
    if _is_a(model, "onnx", "ModelProto"):
        from reluatlas.importers.onnx.graph import from_onnx_model

        return from_onnx_model(model, **options)
    if _is_a(model, "sklearn.base", "BaseEstimator"):
        from reluatlas.importers.scikit.estimators import from_scikit

        return _same_ends(from_scikit(model, **units), shape, output)
    if isinstance(model, list | tuple):
        from reluatlas.importers.arrays import from_arrays

        return _same_ends(from_arrays(model, **units), shape, output)
    if isinstance(model, type):
        raise ArgumentError(f"`model` is the class `{model.__name__}`; expected an instance of it, with its weights.")
    raise ArgumentError(f"`model` is of type `{type(model).__name__}`; expected {_KINDS}.")


def _from_state_file(path: Path, module: Any, options: dict[str, Any]) -> Imported:
    from reluatlas.importers.torch.export import from_module
    from reluatlas.importers.torch.files import with_state

    if module is not None and not _is_a(module, "torch.nn", "Module"):
        raise ArgumentError(f"`module` is a {type(module).__name__}; expected a torch.nn.Module instance.")
    loaded, remarks = with_state(path, module)
    return from_module(loaded, source=path.name, remarks=remarks, **options)


def _is_a(model: Any, package: str, name: str) -> bool:
    # an object of a class can only exist where its package is imported: nothing is imported here
    home = sys.modules.get(package)
    return home is not None and isinstance(model, getattr(home, name, ()))


def _same_ends(imported: Imported, shapes: Shapes | None, output: str | int | None) -> Imported:
    fixed, shape = imported.low.builder.shape(0), only_shape(shapes)
    if output is not None:
        raise ArgumentError(f"`output={output!r}` was given, but the model has one output. Leave it out.")
    if shape is not None and shape != fixed:
        raise ArgumentError(f"`input_shape` is {shape} but the model takes inputs of shape {fixed}. Leave it out.")
    return imported
