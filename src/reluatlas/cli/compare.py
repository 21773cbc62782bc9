"""Are two models the same? `reluatlas compare`: print, and write a report."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from reluatlas.cli import console
from reluatlas.cli.answer import line
from reluatlas.cli.domains import Asked as AskedDomain
from reluatlas.cli.exit_codes import exit_code
from reluatlas.cli.groups import Budget, Common, Proofs
from reluatlas.cli.models import Source
from reluatlas.cli.points import Point, PointUnits, read_files
from reluatlas.deadline import current, under
from reluatlas.errors import ArgumentError, DimensionError, DomainError, MissingDependencyError
from reluatlas.report import facts, words

if TYPE_CHECKING:
    from reluatlas.comparison.answer import Comparison, PointComparison
    from reluatlas.comparison.replay import Replay
    from reluatlas.network.network import Network

_FOR_CELLS = 0.7  # of the time; the rest is for figures


@dataclass(frozen=True)
class Asked:
    """Where two models are to be compared, as the options say it.

    Raises
    ------
    ArgumentError
        When nothing, or several things, are named.
    """

    data: list[str]
    box: list[str]
    through: list[str]
    margin: float
    norm: str
    reshape: bool = False
    units: PointUnits = field(default_factory=PointUnits)
    method: str | None = None
    eps: float | None = None
    proofs: Proofs = field(default_factory=Proofs)

    def __post_init__(self) -> None:
        named = [
            name for name, given in (("--data", self.data), ("--box", self.box), ("--through", self.through)) if given
        ]
        if len(named) != 1:
            raise ArgumentError(
                (
                    "nothing was given to compare at"
                    if not named
                    else f"{' and '.join(f'`{n}`' for n in named)} were given"
                )
                + ". Pass one of `--data X.npy` (at points), `--box -1,1` (on a box) and `--through a.npy b.npy c.npy` "
                "(on the plane through three inputs)."
            )
        if self.norm not in ("inf", "1", "2"):
            raise ArgumentError(f"`--norm {self.norm}` is unknown; expected inf, 1 or 2.")
        if self.method not in (None, "cells", "boxes"):
            raise ArgumentError(f"`--method {self.method}` is unknown; expected cells or boxes.")
        if self.data and (self.method is not None or self.eps is not None):
            raise ArgumentError(
                "`--method` and `--eps` are for `--box` and `--through`, not for points. Leave them out."
            )
        if self.data and (self.proofs.certificate is not None or self.proofs.replay or self.proofs.exact):
            raise ArgumentError(
                "`--certificate`, `--replay` and `--exact` are for `--box` and `--through`, not for points. Leave them "
                "out."
            )

    @property
    def ways(self) -> dict[str, Any]:
        """What was said of how to compare, as arguments of `compare`."""
        exact = self.proofs.exact or None
        given = {"method": self.method, "eps": self.eps, "certificate": self.proofs.certificate, "exact": exact}
        return {name: value for name, value in given.items() if value is not None}

    @property
    def norm_value(self) -> Any:
        """The norm as `compare` takes it."""
        return self.norm if self.norm == "inf" else int(self.norm)


def compare(source: Source, other: str, asked: Asked, budget: Budget, common: Common, *, typed: Sequence[str]) -> int:
    """Compare two models, print the numbers, and write the report."""
    out, quiet = common.folder, common.quiet
    second = replace(source, model=other)
    f, g = source.load(), second.load()
    other_code = second.code
    if asked.reshape:
        g, other_code = g.reshaped(f.input_shape), f"{second.code}.reshaped(f.input_shape)"
    where, code, more = _where(f, asked, quiet=quiet)
    console.announce_compiling(quiet=quiet)
    from reluatlas.comparison.compare import compare as compare_

    start = time.monotonic()
    share = current().share(_FOR_CELLS if out is not None else 1.0)
    limits = {**budget.keywords, "max_seconds": None}
    with console.progress(quiet=quiet) as told, under(share), _as_options():
        answer: Any = compare_(f, g, **where, norm=asked.norm_value, progress=told, **limits)
    runs = _replays(answer) if asked.proofs.replay else []
    numbers = {
        **facts.of_command("compare", source.model, common.seed),
        "other_model": other,
        "f": facts.of_network(f),
        "g": facts.of_network(g),
        **more,
        **_finite(answer.to_dict()),
        **({"replays": [_finite(run.to_dict()) for run in runs]} if asked.proofs.replay else {}),
        "seconds": round(time.monotonic() - start, 4),
    }
    if out is not None:
        from reluatlas.report.common import About
        from reluatlas.report.comparison_page import write_comparison_report

        console.notice("Drawing the report.", quiet=quiet)
        numpy = "import numpy as np\n" if "np." in code else ""
        about = About(
            title=f"{Path(source.model).name} and {Path(other).name}", command=line(typed),
            code=f"{numpy}import reluatlas as ra\n\nf = {source.code}\ng = {other_code}\nprint({code}.summary())",
        )  # fmt: skip
        write_comparison_report(answer, out, numbers, about)
    if numbers.get("left_out"):
        console.notice(words.left_out(numbers["left_out"]), quiet=quiet)
    if asked.proofs.certificate is not None:
        console.notice(
            words.equality(str(asked.proofs.certificate), source.model, other, numbers["is_equal"]), quiet=quiet
        )
    _show(answer, numbers, f, g, [run.words for run in runs], as_json=common.json, out=out, quiet=quiet)
    return exit_code(numbers)


def _replays(answer: Comparison) -> list[Replay]:
    """Return what the runtimes that are installed give at the witness.

    Raises
    ------
    MissingDependencyError
        When there is none.
    """
    from reluatlas.comparison.replay import RUNTIMES

    found = []
    for runtime in RUNTIMES:
        with suppress(MissingDependencyError):
            found.append(answer.replay(runtime))
    if not found:
        raise MissingDependencyError(
            "`--replay` needs onnxruntime or torch, and neither is installed. Install one: `pip install onnxruntime`."
        )
    return found


@contextmanager
def _as_options() -> Iterator[None]:
    """Tell what to do in options of the command, where the library tells it in Python."""
    try:
        yield
    except (DimensionError, DomainError) as problem:
        text = re.sub(r"pass `g\.reshaped\(.*\)`", "pass `--reshape`", str(problem))
        text = text.replace("`where` has", "the domain has").replace("Pass a `Slice`, such as "
            "`ra.Slice.through(X[:3])`, or points as `X=`.", "Pass `--through a.npy b.npy c.npy` (a plane) or "
            "`--data X.npy` (points).")  # fmt: skip
        raise type(problem)(text) from None


def _where(f: Network, asked: Asked, *, quiet: bool) -> tuple[dict[str, Any], str, facts.Facts]:
    """Return where to compare as arguments of `compare`, the Python of the call, and what is told of it."""
    more = "" if asked.norm == "inf" else f", norm={asked.norm}"
    more += "".join(f", {name}={value!r}" for name, value in asked.ways.items() if name != "certificate")
    if asked.data:
        points: list[Point] = read_files(asked.data, f.input_shape, "--data", units=asked.units, quiet=quiet)
        if not points:
            raise ArgumentError("`--data` holds no points. Pass a file with at least one.")
        X = np.stack([p.x.reshape(-1) for p in points])
        code = f"ra.compare(f, g, X=ra.load_points({asked.data[0]!r}, f.input_shape){more})"
        return {"X": X}, code, {"data": list(asked.data)}
    chosen = AskedDomain(asked.box, asked.through, asked.margin, units=asked.units).fit(f, quiet=quiet)
    code = f"ra.compare(f, g, {chosen.code}{more})"
    return {"where": chosen.domain, **asked.ways}, code, {"domain": facts.of_domain(chosen.domain)}


def _finite(value: Any) -> Any:
    """Return numbers as JSON has them: what is infinite, or not a number, is None."""
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _show(
    answer: Comparison | PointComparison, numbers: facts.Facts, f: Network, g: Network, more: Sequence[str], *,
    as_json: bool, out: Path | None, quiet: bool,
) -> None:  # fmt: skip
    if as_json:
        from reluatlas.report.write import as_json as to_json

        console.result(to_json(numbers))
        return
    console.result(console.one_line(f"f = {Path(f.source).name}: {words.network(f)}."))
    console.result(console.one_line(f"g = {Path(g.source).name}: {words.network(g)}."))
    console.result()
    for sentence in (*answer.words, *more):
        console.result(sentence)
    console.result()
    rows = [("time", words.seconds(numbers["seconds"]))]
    if "n_cells" in numbers:
        so_far = "" if numbers["is_complete"] else "  (INCOMPLETE)"
        upper = "no bound found in time" if numbers["upper"] is None else f"{numbers['upper']:.9g}"
        ends = [("largest |f - g|", f"{numbers['lower']:.9g} to {upper}")] if numbers["boxes"] else []
        parts = [("boxes", f"{numbers['boxes']['n_boxes']:,}")] if numbers["boxes"] else []
        found = [
            ("cells", f"{numbers['n_cells']:,} of the common refinement{so_far}"),
            ("exactness", words.exactness(numbers["exactness"])),
        ]
        rows = [*ends, *(found if numbers["method"] != "boxes" else []), *parts, *rows]
    console.pairs([*rows, *([("written", str(out))] if out is not None else [])])
