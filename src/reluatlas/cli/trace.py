"""Where does a network bend between inputs? `reluatlas trace`: print, and write a report."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path as FilePath
from typing import TYPE_CHECKING

import numpy as np

from reluatlas.cli import console
from reluatlas.cli.answer import begin, line
from reluatlas.cli.exit_codes import exit_code
from reluatlas.cli.groups import Budget, Common
from reluatlas.cli.models import Source
from reluatlas.cli.points import Point
from reluatlas.cli.through import read_points
from reluatlas.deadline import current, under
from reluatlas.errors import ArgumentError, DomainError
from reluatlas.network.decision import class_label
from reluatlas.report import facts, words

if TYPE_CHECKING:
    from reluatlas.network.network import Network
    from reluatlas.paths.path import Paths

_SHOWN = 12
_FOR_PIECES = 0.8  # of the time; the rest is for figures


def trace(source: Source, through: list[str], budget: Budget, common: Common, *, typed: Sequence[str]) -> int:
    """Trace a model along a path, print the numbers, and write the report."""
    if not through:
        raise ArgumentError("no path was given. Pass `--through a.npy b.npy`: the inputs that it joins, in order.")
    out, quiet = common.folder, common.quiet
    net = source.load()
    points = read_points(through, net.input_shape, n_points=None)
    _require_moves(points)
    console.announce_compiling(quiet=quiet)
    from reluatlas.paths.trace import trace as trace_

    start = time.monotonic()
    share = current().share(_FOR_PIECES if out is not None else 1.0)
    with console.counting("pieces", quiet=quiet) as told, under(share):
        paths = trace_(
            net, np.stack([p.x for p in points]), **{**budget.keywords, "max_seconds": None},
            progress=None if told is None else lambda n, share: told(n, round(n / share) if share > 0 else 0),
        )  # fmt: skip
    labels = [p.label for p in points]
    numbers = {
        **facts.of_command("trace", source.model, common.seed),
        "network": facts.of_network(net),
        **of_paths(paths, labels),
        "seconds": round(time.monotonic() - start, 4),
    }
    if out is not None:
        from reluatlas.report.page import About
        from reluatlas.report.path_page import write_path_report

        console.notice("Drawing the report.", quiet=quiet)
        about = About(
            title=f"A path through {FilePath(source.model).name}", command=line(typed), code=_python(source, points)
        )
        write_path_report(net, paths, labels, out, numbers, about)
    if numbers.get("left_out"):
        console.notice(words.left_out(numbers["left_out"]), quiet=quiet)
    _show(
        numbers, net, f"{FilePath(source.model).name}: {words.network(net)}.", as_json=common.json, out=out, quiet=quiet
    )
    return exit_code(numbers)


def of_paths(paths: Paths, labels: Sequence[str]) -> facts.Facts:
    """Return the numbers of a path, leg by leg."""
    legs = []
    for k, path in enumerate(paths):
        legs.append(
            {
                "from": labels[k],
                "to": labels[k + 1],
                "length": float(paths.lengths[k]),
                "is_complete": path.is_complete,
                "reached": float(path.reached),
                "n_pieces": path.n_pieces,
                "n_linear_regions": path.n_linear_regions,
                "n_changes": path.n_changes,
                "hamming": path.hamming,
                "classes": path.classes.tolist(),
                "class_changes": path.class_changes.tolist(),
                "breakpoints": path.breakpoints.tolist(),
                "radii": path.radii.tolist(),
            }
        )
    done = sum(leg["reached"] * leg["length"] for leg in legs) / sum(leg["length"] for leg in legs)
    return {
        "is_complete": paths.is_complete,
        "stopped_by": paths.stopped_by,
        "share_done": 1.0 if paths.is_complete else min(1.0, done),
        "n_pieces": paths.n_pieces_joined,
        "exactness": facts.of_exactness(paths[0].exactness),
        "legs": legs,
    }


def _require_moves(points: list[Point]) -> None:
    for p, q in pairwise(points):
        if np.array_equal(p.x, q.x):
            raise DomainError(
                f"`--through` names the same point twice in a row: {p.label} and {q.label}. Leave one of them out."
            )


def _show(
    numbers: facts.Facts, net: Network, heading: str, *, as_json: bool, out: FilePath | None, quiet: bool
) -> None:
    if not begin(numbers, heading, words.path_stopped, as_json=as_json, quiet=quiet):
        return
    console.table(
        ("from", "to", "pieces", "regions", "changes", "Hamming", "classes"),
        [
            (
                leg["from"], leg["to"], f"{leg['n_pieces']:,}", f"{leg['n_linear_regions']:,}",
                f"{leg['n_changes']:,}", f"{leg['hamming']:,}", _classes(leg, net),
            )
            for leg in numbers["legs"]
        ],
        right=(2, 3, 4, 5),
    )  # fmt: skip
    console.result()
    so_far = "" if numbers["is_complete"] else "  (INCOMPLETE)"
    console.pairs(
        [
            ("pieces", f"{numbers['n_pieces']:,}{so_far}: cells on the way"),
            ("exactness", words.exactness(numbers["exactness"])),
            ("time", words.seconds(numbers["seconds"])),
            *([("written", str(out))] if out is not None else []),
        ]
    )


def _classes(leg: facts.Facts, net: Network) -> str:
    if not leg["classes"]:
        return ""
    parts = [class_label(net, leg["classes"][0])]
    for t, after in zip(leg["class_changes"], leg["classes"][1:], strict=True):
        parts.append(f"{class_label(net, after)} from t = {t:.4g}")
    more = len(parts) - _SHOWN
    return ", ".join(parts[:_SHOWN]) + (f" and {more:,} more" if more > 0 else "")


def _python(source: Source, points: list[Point]) -> str:
    corners = ", ".join(f"{p.code}.reshape(-1)" for p in points)
    return (
        f"import numpy as np\nimport reluatlas as ra\n\nnet = {source.code}\n"
        f"paths = ra.trace(net, np.stack([{corners}]))\nprint(paths.n_pieces, paths.hamming, paths[0].exactness)"
    )
