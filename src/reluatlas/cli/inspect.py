"""What is this model? `reluatlas inspect`."""

from __future__ import annotations

from pathlib import Path

from reluatlas.cli import console
from reluatlas.cli.main import DONE
from reluatlas.cli.models import Source
from reluatlas.report import facts, words
from reluatlas.report.folder import check_folder
from reluatlas.report.write import as_json as to_json
from reluatlas.report.write import write_numbers


def inspect(source: Source, *, as_json: bool, out: Path | None, seed: int, quiet: bool) -> int:
    """Load a model and print what it is."""
    if out is not None:
        check_folder(out)
    net = source.load()
    from reluatlas.importers import check

    network = facts.of_network(net)
    numbers = {
        "reluatlas": facts.versions()["reluatlas"],
        "command": "inspect",
        "model": source.model,
        "seed": seed,
        **network,
        "check": {
            "passed": True,
            "n_points": check.N_POINTS,
            "float64_tolerance": check.FLOAT64_TOLERANCE,
            "native_tolerance": check.NATIVE_TOLERANCE,
        },
    }
    if out is not None:
        console.notice(f"written to {write_numbers(out, 'network.json', numbers)}", quiet=quiet)
    if as_json:
        console.result(to_json(numbers))
        return DONE
    console.pairs(
        [
            ("model", source.model),
            ("inputs", _shape(network["input_shape"])),
            ("outputs", _shape(network["output_shape"])),
            ("neurons", f"{net.n_neurons:,}"),
            ("max windows", f"{net.n_windows:,}"),
            ("parameters", f"{network['n_parameters']:,}"),
            (
                "check",
                f"equal to the model at {check.N_POINTS} random inputs: to {check.FLOAT64_TOLERANCE:g} in float64, to "
                f"{check.NATIVE_TOLERANCE:g} at its own precision (relative to each tensor)",
            ),
        ]
    )
    _nodes(network)
    _notes(network)
    return DONE


def _shape(dims: list[int]) -> str:
    return words.shape(tuple(dims))


def _nodes(network: facts.Facts) -> None:
    console.result()
    rows = [
        (
            str(n["index"]), n["name"], n["kind"], ",".join(map(str, n["reads"])), _shape(n["shape"]),
            f"{n['units']:,}" if n["units"] else "", f"{n['parameters']:,}" if n["parameters"] else "",
        )
        for n in network["nodes"]
    ]  # fmt: skip
    console.table(("node", "name", "kind", "reads", "shape", "units", "parameters"), rows, right=(0, 5, 6))


def _notes(network: facts.Facts) -> None:
    console.result()
    if not network["notes"]:
        console.result("Nothing was rounded, folded or dropped.")
        return
    console.table(("import", "node", "how"), [(n["kind"], n["node"], n["text"]) for n in network["notes"]])
