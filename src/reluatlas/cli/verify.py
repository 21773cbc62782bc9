"""Does a certificate prove its count, or that two models are equal? `reluatlas verify`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from reluatlas.cli import console
from reluatlas.cli.exit_codes import BAD_INPUT, DONE
from reluatlas.cli.groups import Common
from reluatlas.cli.models import Source
from reluatlas.report import facts, words
from reluatlas.report.write import as_json as to_json
from reluatlas.report.write import write_numbers


def verify(file: Path, source: Source, other: str | None, common: Common) -> int:
    """Walk the tree of a certificate again, by code that shares nothing with the search, and say what was found."""
    from reluatlas.certify.tree import check_equal, check_tree

    out = common.folder
    net = source.load()
    second = None if other is None else replace(source, model=other).load()
    with console.progress(quiet=common.quiet) as callback:
        if second is None:
            report = check_tree(net, file, progress=callback)
        else:
            report = check_equal(net, second, file, progress=callback)
    numbers = {
        **facts.of_command("verify", source.model, common.seed),
        **({} if other is None else {"other_model": other}),
        "certificate": str(file),
        "domain": None if report.domain is None else facts.of_domain(report.domain),
        "is_ok": report.is_ok,
        "problems": report.problems,
        "n_cells": report.n_cells,
        "n_claimed": report.n_claimed,
        "n_nodes": report.n_nodes,
        "n_settled": report.n_settled,
        "claims": report.claims,
        "seconds": report.seconds,
    }
    if out is not None:
        console.notice(f"written to {write_numbers(out, 'verify.json', numbers)}", quiet=common.quiet)
    for problem in report.problems:
        console.notice(f"{file}: {problem}", quiet=common.quiet)
    where = "" if report.domain is None else words.domain(report.domain)
    if common.json:
        console.result(to_json(numbers))
    else:
        said = "all leaves are cells, each once" if report.is_ok else "DOES NOT HOLD"
        zero = [("outputs", "0 on the whole domain" if second is None else "equal on the whole domain")]
        zero = zero if report.is_ok and report.claims else []
        console.pairs(
            [
                ("certificate", f"{file}: {said}"),
                ("cells", f"{report.n_cells:,}" + ("" if report.is_ok else f" of {report.n_claimed:,} claimed")),
                ("domain", where),
                ("nodes", f"{report.n_nodes:,}"),
                ("in whole numbers", f"{report.n_settled:,} signs that float64 left open"),
                *zero,
                ("time", words.seconds(report.seconds)),
            ]
        )
    return DONE if report.is_ok else BAD_INPUT
