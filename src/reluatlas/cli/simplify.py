"""Which smaller network is the same function on a domain? `reluatlas simplify`."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from reluatlas.cli import console
from reluatlas.cli.exit_codes import DONE, INCOMPLETE
from reluatlas.cli.models import Source
from reluatlas.errors import ArgumentError, ReluAtlasError
from reluatlas.report import facts, words

if TYPE_CHECKING:
    from reluatlas.cli.domains import Asked
    from reluatlas.exporters.rounded import Written
    from reluatlas.simplification.answer import Simplification

_SIZES = (("units", "units"), ("numbers", "stored numbers"), ("multiply_adds", "multiplications"))


@dataclass(frozen=True)
class Wanted:
    """What is wanted, as the options say it.

    Raises
    ------
    ArgumentError
        When an option has a value that it does not take.
    """

    tolerance: float
    objective: str
    max_seconds: float
    out: Path | None
    dtype: str

    def __post_init__(self) -> None:
        if self.objective not in ("units", "numbers"):
            raise ArgumentError(f"`--objective {self.objective}` is not offered; expected units or numbers.")
        if self.dtype not in ("float64", "float32"):
            raise ArgumentError(f"`--dtype {self.dtype}` is not offered; expected float64 or float32.")
        if self.out is None:
            return
        if self.out.suffix != ".onnx":
            raise ArgumentError(f"`--out {self.out}` must end with .onnx.")
        if self.out.is_dir():
            raise ArgumentError(f"`--out {self.out}` is a folder. Name a file in it.")
        if not self.out.parent.is_dir():
            raise ArgumentError(f"`--out {self.out}`: there is no folder `{self.out.parent}`. Make it first.")


def simplify(source: Source, asked: Asked, wanted: Wanted, *, as_json: bool, seed: int, quiet: bool) -> int:
    """Find a smaller network, write it, and say what went and why."""
    out = wanted.out
    if out is not None and out.exists() and Path(source.model).exists() and out.samefile(source.model):
        raise ArgumentError(f"`--out {out}` is the model itself. Name another file.")
    net = source.load()
    chosen = asked.fit(net, quiet=quiet)
    from reluatlas.simplification.simplify import simplify as find

    start = time.monotonic()
    found = find(
        net,
        cast("Any", chosen.domain),
        wanted.tolerance,
        objective=cast("Any", wanted.objective),
        max_seconds=wanted.max_seconds,
    )
    written = _write(found, wanted)
    numbers = {
        **facts.of_command("simplify", source.model, seed),
        "domain": facts.of_domain(chosen.domain),
        "tolerance": wanted.tolerance,
        "objective": wanted.objective,
        "is_complete": found.is_complete,
        "n_programs": found.n_programs,
        "error_bound": found.error_bound,
        "before": found.before._asdict(),
        "after": found.after._asdict(),
        "reasons": found.reasons,
        "layers": [
            {"node": layer.node, "name": layer.name, "kind": layer.kind, "before": layer.before, "after": layer.after,
             "reasons": layer.reasons}
            for layer in found.layers
        ],
        "out": None if out is None else str(out),
        "dtype": None if written is None else written.dtype,
        "weights_bound": None if written is None else _number(written.weights_bound),
        "runtime_bound": None if written is None else _number(written.runtime_bound),
        "seconds": round(time.monotonic() - start, 3),
    }  # fmt: skip
    if not found.is_complete:
        console.notice(
            f"stopped after {wanted.max_seconds:g} s: some units were not tried, and may have stayed without need. "
            "Allow more with --max-seconds.",
            quiet=quiet,
        )
    if as_json:
        from reluatlas.report.write import as_json as to_json

        console.result(to_json(numbers))
    else:
        console.result(
            console.one_line(f"{Path(source.model).name}: {words.network(net)}. Domain: {words.domain(chosen.domain)}.")
        )
        _show(found, written, numbers)
    return DONE if found.is_complete else INCOMPLETE


def _write(found: Simplification, wanted: Wanted) -> Written | None:
    if wanted.out is None:
        return None
    try:
        return found.save_onnx(wanted.out, dtype=cast("Any", wanted.dtype))
    except ReluAtlasError:  # such as a limit of time, which is an OSError, too
        raise
    except OSError as problem:
        raise ArgumentError(f"`--out {wanted.out}` cannot be written: {problem.strerror or problem}.") from None


def _number(value: float) -> float | None:
    return value if value < float("inf") else None


def _show(found: Simplification, written: Written | None, numbers: facts.Facts) -> None:
    console.result()
    console.result(said(found))
    console.result()
    rows = [(name, f"{getattr(found.before, field):,}", f"{getattr(found.after, field):,}") for field, name in _SIZES]
    console.table(("", "before", "after"), rows, right=(1, 2))
    console.result()
    layers = [
        (
            str(layer.node), layer.name, f"{layer.before:,}", f"{layer.after:,}",
            ", ".join(f"{n:,} {reason}" for reason, n in layer.reasons.items()),
        )
        for layer in found.layers
    ]  # fmt: skip
    console.table(("node", "name", "before", "after", "gone"), layers, right=(0, 2, 3))
    console.result()
    pairs = [("linear programs", f"{found.n_programs:,}")]
    if written is not None:
        pairs.append(("written", f"{written.path} ({written.dtype}): {_promise(written)}"))
    console.pairs([*pairs, ("time", words.seconds(numbers["seconds"]))])


def said(found: Simplification) -> str:
    """Return the answer in one sentence."""
    n, rest = found.before.units, found.after.units
    units = f"{rest:,} of {words.counted(n, 'unit')} {'is' if rest == 1 else 'are'} needed"
    if found.error_bound == 0.0:
        return f"On the domain {units}: the smaller network is the same function there, proven."
    return f"On the domain {units}: no output differs by more than {found.error_bound:.6g} there, proven."


def _promise(written: Written) -> str:
    weights = (
        "its weights are the network's"
        if written.weights_bound == 0.0
        else f"its weights, rounded, change no output by more than {written.weights_bound:.3g}"
    )
    return f"{weights}; what a runtime computes is at most {written.runtime_bound:.3g} off"
