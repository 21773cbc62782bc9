"""How far is a run? `reluatlas status`: what its checkpoint says, also while it goes on."""

from __future__ import annotations

from pathlib import Path

from reluatlas.cli import console
from reluatlas.cli.exit_codes import DONE
from reluatlas.report import words
from reluatlas.report.write import as_json as to_json


def status(file: Path, *, as_json: bool) -> int:
    """Print how far the run is that `--resume FILE` keeps."""
    from dataclasses import asdict

    from reluatlas.subdivision.runner.status import status_of

    told = status_of(file)
    if as_json:
        console.result(to_json({**asdict(told), "is_done": told.is_done, "cells_per_second": told.cells_per_second}))
        return DONE
    rate = told.cells_per_second
    left = "not known yet"
    if told.is_done:
        left = "nothing"
    elif told.left_s is not None and told.left_error_s is not None:
        left = f"about {words.seconds(told.left_s)} (standard error {words.seconds(told.left_error_s)})"
    console.pairs(
        [
            ("run", f"{told.does} cells on {told.domain}"),
            ("cells", f"{told.n_cells:,}" + ("" if rate is None else f", {rate:,.0f} a second")),
            (
                "done",
                "all" if told.is_done else "-" if told.share is None else f"{100 * told.share:.1f} % of the volume",
            ),
            ("time", words.seconds(told.seconds)),
            ("left", left),
            ("open", f"{told.n_open:,} items"),
            *(
                (w.worker, f"{w.cells:,} cells of {w.items:,} items in {words.seconds(w.seconds)}")
                for w in told.workers
            ),
        ]
    )
    return DONE
