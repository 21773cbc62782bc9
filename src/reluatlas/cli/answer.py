"""How is an answer told? What the commands share when they print: beginning, numbers of cells, what was typed."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path

from reluatlas.cli import console
from reluatlas.report import words
from reluatlas.report.facts import Facts


def begin(numbers: Facts, heading: str, stopped: Callable[[Facts], str], *, as_json: bool, quiet: bool) -> bool:
    """Say why an answer is incomplete; print it as JSON, or its heading. Return whether the rest is to be told."""
    if not numbers["is_complete"]:
        console.notice(stopped(numbers), quiet=quiet)
    if as_json:
        from reluatlas.report.write import as_json as to_json

        console.result(to_json(numbers))
        return False
    console.result(console.one_line(heading))
    console.result()
    return True


def show(numbers: Facts, heading: str, *, as_json: bool, out: Path | None, quiet: bool) -> None:
    """Print the numbers of the cells of a domain, and say on stderr when they are not of all of it."""
    if not begin(numbers, heading, _stopped, as_json=as_json, quiet=quiet):
        return
    console.pairs(_rows(numbers) + ([("written", str(out))] if out is not None else []))


def _stopped(numbers: Facts) -> str:
    return words.stopped(numbers["stopped_by"], numbers["share_done"], words.measure(_dim(numbers)))


def _rows(numbers: Facts) -> list[tuple[str, str]]:
    so_far = "" if numbers["is_complete"] else "  (INCOMPLETE)"
    rows = [("cells", f"{numbers['n_cells']:,}{so_far}")]
    if "f_vector" in numbers:
        faces = numbers["f_vector"]
        signs = "V - E + F" if faces is not None and len(faces) == 3 else "alternating sum"
        rows += [
            ("linear regions", words.number(numbers["n_linear_regions"])),
            ("affine maps", words.number(numbers["n_affine_maps"])),
            (
                "f-vector",
                words.number(None)
                if faces is None
                else f"{words.faces(faces)}; {signs} = {numbers['euler_characteristic']}",
            ),
        ]
    if numbers.get("n_bounded", numbers["n_cells"]) != numbers["n_cells"]:
        rows.append(("bounded", f"{numbers['n_bounded']:,}"))
    if numbers["volume"] is not None:
        of = "of bounded cells" if numbers["domain_volume"] is None else f"of {numbers['domain_volume']:.9g}"
        rows.append((words.measure(_dim(numbers)), f"{numbers['volume']:.9g} {of}"))
    if numbers["method"] != "polygons":
        rows.append(("found by", f"{'' if numbers['method'] == 'linear programs' else 'cutting '}{numbers['method']}"))
    return [
        *rows,
        ("exactness", words.exactness(numbers["exactness"])),
        ("time", words.seconds(numbers["seconds"])),
    ]


def _dim(numbers: Facts) -> int:
    """Return the dimension of the domain that numbers are of."""
    domain = numbers["domain"]
    return len(domain["low"]) if "low" in domain else domain["n_inputs"]


def line(typed: Sequence[str]) -> str:
    """Return arguments as one would type them."""
    return shlex.join(["reluatlas", *typed])
