"""Which options go together? Dataclasses whose fields are options; a command takes them as one argument each."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, get_type_hints

from reluatlas.cli.network_options import EqualCertificate, ExactMeans, Replayed
from reluatlas.cli.options import Jobs, Json, MaxCells, MaxSeconds, Out, Quiet, Seed


@dataclass(frozen=True)
class Common:
    """Where an answer goes, and what is said on the way."""

    json: Json = False
    out: Out = None
    seed: Seed = 0
    quiet: Quiet = False

    @property
    def folder(self) -> Path | None:
        """The folder of `--out`, found to be one that can be written to.

        Raises
        ------
        ArgumentError
            When it cannot, or holds files of others.
        """
        if self.out is not None:
            from reluatlas.report.folder import check_folder

            check_folder(self.out)
        return self.out


@dataclass(frozen=True)
class Budget:
    """How much may be spent."""

    max_cells: MaxCells = None
    max_seconds: MaxSeconds = None
    jobs: Jobs = None

    @property
    def keywords(self) -> dict[str, Any]:
        """The arguments of `enumerate_cells`, `count_cells` and `trace`."""
        return {"max_cells": self.max_cells, "max_seconds": self.max_seconds, "jobs": self.jobs}


@dataclass(frozen=True)
class Proofs:
    """What is to be shown to others of how two models differ."""

    certificate: EqualCertificate = None
    replay: Replayed = False
    exact: ExactMeans = False


def grouped(command: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function with an argument for each option of the groups that `command` takes.

    A group is a parameter whose annotation is a dataclass; its fields are annotated as options.
    """
    signature = inspect.signature(command, eval_str=True)
    groups: dict[str, Any] = {
        name: p.annotation for name, p in signature.parameters.items() if is_dataclass(p.annotation)
    }
    options = [option for p in signature.parameters.values() for option in _options(p)]

    @functools.wraps(command)
    def run(**given: Any) -> Any:
        made = {name: group(**{f.name: given.pop(f.name) for f in fields(group)}) for name, group in groups.items()}
        return command(**given, **made)

    run.__signature__ = inspect.Signature(options)  # type: ignore[attr-defined]
    run.__annotations__ = {option.name: option.annotation for option in options}
    return run


def _options(parameter: inspect.Parameter) -> list[inspect.Parameter]:
    """Return the parameters that stand for one: itself, or one for each field of its group."""
    if not is_dataclass(parameter.annotation):
        return [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)]
    hints = get_type_hints(parameter.annotation, include_extras=True)
    return [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if field.default is MISSING else field.default,
            annotation=hints[field.name],
        )
        for field in fields(parameter.annotation)
    ]
