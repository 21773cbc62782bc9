"""Is a property certain? `reluatlas check`: its options, what is asked of the library, and what is printed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reluatlas.cli import console
from reluatlas.cli.exit_codes import BAD_INPUT, DONE, exit_code
from reluatlas.cli.groups import Common
from reluatlas.cli.models import Source
from reluatlas.cli.options import Jobs, MaxSeconds
from reluatlas.errors import ArgumentError

if TYPE_CHECKING:
    from reluatlas.certify.statement import Property
    from reluatlas.network.network import Network
    from reluatlas.properties.answer import PropertyAnswer

PropertyFile = Annotated[
    Path,
    typer.Argument(metavar="PROP", show_default=False, help="What must not happen: a file of VNN-LIB 1.0, .vnnlib."),
]
Proof = Annotated[
    Path | None,
    typer.Option(
        "--certificate", metavar="FILE", show_default=False,
        help="Write what proves that the property holds: `reluatlas check MODEL PROP --verify FILE` checks it.",
    ),
]  # fmt: skip
Verify = Annotated[
    Path | None,
    typer.Option(
        "--verify", metavar="FILE", show_default=False,
        help="Search nothing: check what --certificate wrote, by code that shares nothing with the search.",
    ),
]  # fmt: skip
_SHOWN = 8


def check(
    *,
    source: Source,
    prop: PropertyFile,
    certificate: Proof = None,
    verify: Verify = None,
    max_seconds: MaxSeconds = None,
    jobs: Jobs = None,
    common: Common,
) -> int:
    """Say whether a property of a model holds, is violated, or was not decided in time; never wrongly.

    PROP says which inputs and outputs must not occur together, in the units that the model takes. It holds with a
    certificate, or is violated at an input, exactly; the model's own output there stands beside it. Exit code 0 when
    it is decided, either way; 3 when it is not; 2 when --verify finds that a certificate proves nothing. With --out:
    check.json.

    Example: reluatlas check model.onnx prop.vnnlib --max-seconds 60 --certificate prop.cert
    """
    if verify is not None and certificate is not None:
        raise ArgumentError("`--verify` checks a certificate and `--certificate` writes one; pass one of them.")
    if certificate is not None and (certificate.is_dir() or not certificate.parent.is_dir()):
        raise ArgumentError(f"`--certificate {certificate}` cannot be written there; pass the path of a file.")
    from reluatlas.properties.load import load_property
    from reluatlas.report import facts

    out = common.folder
    net = source.load()
    said = load_property(prop, net)
    begin = facts.of_command("check", source.model, common.seed) | {"property": str(prop), "n_cases": len(said.cases)}
    if verify is not None:
        return _verify(net, said, verify, begin, common)
    from reluatlas.properties.check import check_property
    from reluatlas.report.write import write_numbers

    model = source.model if source.model.lower().endswith((".onnx", ".onnx.gz")) else None
    with console.progress(quiet=common.quiet) as callback:
        found = check_property(
            net, said, max_seconds=max_seconds, jobs=jobs, certificate=certificate, model=model, seed=common.seed,
            progress=callback,
        )  # fmt: skip
    numbers = begin | _numbers(found)
    if out is not None:
        console.notice(f"written to {write_numbers(out, 'check.json', numbers)}", quiet=common.quiet)
    if certificate is not None and found.verdict == "holds":
        text = f"`reluatlas check {source.model} {prop} --verify {certificate}` checks the certificate."
        console.notice(text, quiet=common.quiet)
    _show(found, numbers, common)
    return exit_code(numbers)


def _verify(net: Network, said: Property, file: Path, begin: dict, common: Common) -> int:
    from reluatlas.certify.property_check import check_property_certificate
    from reluatlas.certify.property_form import load_property_certificate
    from reluatlas.report import words
    from reluatlas.report.write import as_json, write_numbers

    with console.progress(quiet=common.quiet) as callback:
        report = check_property_certificate(net, said, load_property_certificate(file), progress=callback)
    numbers = begin | {
        "certificate": str(file),
        "is_ok": report.is_ok,
        "problems": report.problems,
        "n_leaves": report.n_leaves,
        "n_proved": report.n_proved,
        "n_exact": report.n_exact,
        "seconds": round(report.seconds, 4),
    }
    if common.out is not None:
        console.notice(f"written to {write_numbers(common.out, 'check.json', numbers)}", quiet=common.quiet)
    for problem in report.problems:
        console.notice(f"{file}: {problem}", quiet=common.quiet)
    if common.json:
        console.result(as_json(numbers))
    else:
        console.pairs(
            [
                ("certificate", f"{file}: {'the property holds' if report.is_ok else 'DOES NOT PROVE IT'}"),
                ("parts", f"{report.n_proved:,} of {report.n_leaves:,} proved, {report.n_exact:,} of them in ratios"),
                ("time", words.seconds(report.seconds)),
            ]
        )
    return DONE if report.is_ok else BAD_INPUT


def _numbers(found: PropertyAnswer) -> dict:
    numbers: dict = {
        "verdict": found.verdict,
        "is_complete": found.is_complete,
        "stopped_by": found.stopped_by,
        "n_parts": found.n_parts,
        "share_left": found.share_left,
        "n_left": len(found.left),
        "seconds": round(found.seconds, 4),
    }
    if found.report is not None:
        numbers |= {"n_leaves": found.report.n_leaves, "n_exact": found.report.n_exact}
        numbers["check_seconds"] = round(found.report.seconds, 4)
    if found.witness is not None:
        at = found.witness
        numbers["witness"] = {
            "x": at.x.tolist(),
            "y": at.y.tolist(),
            "exact_x": [str(v) for v in at.exact_input],
            "model_y": None if at.model_output is None else at.model_output.tolist(),
            "model_violates": at.model_violates,
        }
    return numbers


def _show(found: PropertyAnswer, numbers: dict, common: Common) -> None:
    from reluatlas.report import words
    from reluatlas.report.write import as_json

    if common.json:
        console.result(as_json(numbers))
        return
    rows = [("verdict", found.verdict)]
    if found.report is not None:
        ratios = f", {found.report.n_exact:,} of them in ratios" if found.report.n_exact else ""
        rows.append(("proved", f"in {found.report.n_leaves:,} parts{ratios}, in {words.seconds(found.report.seconds)}"))
    if found.witness is not None:
        at = found.witness
        rows += [("input", _row(at.x)), ("output", f"{_row(at.y)}, in exact arithmetic it violates the property")]
        if at.model_output is not None:
            what = {True: "violates it, too", False: "does not: rounding decides", None: "is not finite"}
            rows.append(("the model's", f"{_row(at.model_output)}, which {what[at.model_violates]}"))
    if found.verdict == "open":
        why = {"max_seconds": "the time was over", "interrupt": "interrupted"}.get(
            found.stopped_by, "too hard to settle"
        )
        rows.append(("left", f"{found.share_left:.2%} of the boxes, in {len(found.left):,} parts or more: {why}"))
    console.pairs([*rows, ("bounded", f"{found.n_parts:,} parts"), ("time", words.seconds(found.seconds))])


def _row(values) -> str:
    shown = ", ".join(f"{v:.9g}" for v in values[:_SHOWN])
    return f"[{shown}{', ...' if len(values) > _SHOWN else ''}]"
