"""Which model do the options name? A file, and for weights without an architecture the module they belong to."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reluatlas.cli.options import Classes, ClassNames, InputShape, Model, ModelModule, Output
from reluatlas.deadline import grace
from reluatlas.errors import ArgumentError

_GRACE_S = 0.5  # beyond a limit of time: without a network nothing can be told

if TYPE_CHECKING:
    from reluatlas.network.network import Network


@dataclass(frozen=True)
class Source:
    """A model as it was named on the command line."""

    model: Model
    model_module: ModelModule = None
    input_shape: InputShape = None
    output: Output = None
    classes: Classes = "max"
    class_names: ClassNames = None

    def load(self) -> Network:
        """Return the network, checked against the model."""
        from reluatlas.importers.load import load

        try:
            module = None if self.model_module is None else _module(self.model_module)
            with grace(_GRACE_S):
                return load(self.model, module=module, **self._options)
        except SystemExit as problem:  # the user's own code, as it is imported, called or run
            raise ArgumentError(
                f"`--model-module {self.model_module}`: its code ended the program ({_said(problem)}). Take the call "
                "of `sys.exit` out of what is run when the module is imported or used."
            ) from None

    @property
    def _options(self) -> dict[str, Any]:
        """The arguments of `load`, but for those that have their default."""
        out: dict[str, Any] = {}
        if self.input_shape:
            out["input_shape"] = _shapes(self.input_shape)
        if self.output is not None:
            out["output"] = self.output
        if self.classes != "max":
            if self.classes not in ("min", "none"):
                raise ArgumentError(f"`--classes {self.classes}` is unknown; expected max, min or none.")
            out["classes"] = None if self.classes == "none" else self.classes
        if self.class_names is not None:
            out["class_names"] = self.class_names.split(",")
        return out

    @property
    def code(self) -> str:
        """The Python that loads it."""
        more = "".join(f", {name}={value!r}" for name, value in self._options.items())
        if self.model_module is None:
            return f"ra.load({self.model!r}{more})"
        where, _, name = self.model_module.rpartition(":")
        return f"ra.load({self.model!r}, module={name}{more})  # {name}: the torch module of {where}"


def _shapes(texts: list[str]) -> tuple[int, ...] | dict[str, tuple[int, ...]]:
    named = [text.rpartition("=") for text in texts]
    if all(name for name, _, _ in named):
        return {name: _shape(text) for name, _, text in named}
    if len(texts) > 1:
        raise ArgumentError(
            f"`--input-shape` was given {len(texts)} times; expected once, or once for each input by its name, such as "
            "`--input-shape x=2 --input-shape y=1,28,28`."
        )
    return _shape(texts[0])


def _shape(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise ArgumentError(f"`--input-shape {text}` is not whole numbers with commas, such as 1,28,28.") from None


def _module(spec: str) -> Any:
    where, separator, name = spec.rpartition(":")
    if not separator or not where or not name:
        raise ArgumentError(f"`--model-module {spec}` is not WHERE:NAME; expected FILE.py:NAME or package.module:NAME.")
    home = _import(where, spec)
    if not hasattr(home, name):
        raise ArgumentError(f"`--model-module {spec}`: `{where}` has no `{name}`. Check the name.")
    found = getattr(home, name)
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(found, torch.nn.Module):
        return found
    if not callable(found):
        raise ArgumentError(
            f"`--model-module {spec}` is a {type(found).__name__}; "
            "expected a torch module or a function that makes one."
        )
    try:
        return found()
    except Exception as problem:  # the user's own code: whatever it raises
        raise ArgumentError(f"`--model-module {spec}`: calling it failed with {_said(problem)}.") from None


def _import(where: str, spec: str) -> Any:
    try:
        if not where.endswith(".py"):
            if "" not in sys.path:
                sys.path.insert(0, "")
            return importlib.import_module(where)
        if not Path(where).is_file():
            raise ArgumentError(f"`--model-module {spec}`: there is no file `{where}`. Check the path.")
        plan = importlib.util.spec_from_file_location(Path(where).stem, where)
        assert plan is not None and plan.loader is not None
        home = importlib.util.module_from_spec(plan)
        plan.loader.exec_module(home)
        return home
    except ArgumentError:
        raise
    except Exception as problem:  # the user's own code: whatever it raises
        raise ArgumentError(f"`--model-module {spec}`: importing `{where}` failed with {_said(problem)}.") from None


def _said(problem: BaseException) -> str:
    return f"{type(problem).__name__}: {problem}".rstrip(".: ")
