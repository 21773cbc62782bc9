"""What is this model? `reluatlas inspect`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reluatlas.cli import console
from reluatlas.cli.exit_codes import DONE
from reluatlas.cli.groups import Common
from reluatlas.cli.models import Source
from reluatlas.report import facts, words
from reluatlas.report.write import as_json as to_json
from reluatlas.report.write import write_numbers

if TYPE_CHECKING:
    from reluatlas.cli.domains import Asked
    from reluatlas.network.network import Network

_NAMES = 10
_LARGEST = 10**12  # numbers from here on are given by their logarithm


def inspect(source: Source, asked: Asked | None, common: Common) -> int:
    """Load a model and print what it is, and which of its units can change on a domain."""
    out = common.folder
    net = source.load()
    there = None if asked is None else _on_domain(net, asked)
    from reluatlas.importers import check

    network = facts.of_network(net)
    known = _bounds(net)
    numbers = {
        **facts.of_command("inspect", source.model, common.seed),
        **network,
        "bounds": known,
        "check": {
            "passed": True,
            "n_points": check.N_POINTS,
            "float64_tolerance": check.FLOAT64_TOLERANCE,
            "native_tolerance": check.NATIVE_TOLERANCE,
        },
        **({} if there is None else there),
    }
    if out is not None:
        console.notice(f"written to {write_numbers(out, 'network.json', numbers)}", quiet=common.quiet)
    if common.json:
        console.result(to_json(numbers))
        return DONE
    console.pairs(
        [
            ("model", source.model),
            ("inputs", _shape(network["input_shape"]) + _parts(network)),
            ("outputs", f"{_shape(network['output_shape'])}; {_meaning(network)}"),
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
    if there is not None:
        _show_stability(there["stability"])
    _show_bounds(net, known)
    _notes(network)
    return DONE


def _on_domain(net: Network, asked: Asked) -> facts.Facts:
    """Return the domain, and which units can change there, by layer."""
    from reluatlas.stable.stability import stability

    domain = asked.fit(net).domain
    found = stability(net, domain)  # type: ignore[arg-type]  # a space cannot be asked for
    layers = [
        {
            "node": layer.node,
            "name": layer.name,
            "kind": layer.kind,
            "n_units": layer.n_units,
            "n_open": layer.n_open,
            "n_bent": layer.n_bent,
        }
        for layer in found.layers
    ]
    totals = {"n_units": found.n_units, "n_open": found.n_open, "n_bent": found.n_bent}
    outputs = {"low": found.low.tolist(), "high": found.high.tolist()}
    return {"domain": facts.of_domain(domain), "stability": {**totals, "layers": layers, "outputs": outputs}}


def _show_stability(found: facts.Facts) -> None:
    console.result()
    console.result("Which units can change on the domain, by certain bounds (at most so many):")
    rows = [
        (
            str(layer["node"]), layer["name"], layer["kind"], f"{layer['n_units']:,}", f"{layer['n_open']:,}",
            f"{layer['n_bent']:,}",
        )
        for layer in [*found["layers"], {"node": "", "name": "all", "kind": "", **found}]
    ]  # fmt: skip
    console.table(
        ("node", "name", "kind", "there are", "change their piece", "bend their function"), rows, right=(0, 3, 4, 5)
    )


def _parts(network: facts.Facts) -> str:
    parts = ", ".join(f"{part['name']} {_shape(part['shape'])}" for part in network["input_parts"])
    return f", joined from {parts}" if parts else ""


def _meaning(network: facts.Facts) -> str:
    names = ", ".join(network["class_names"][:_NAMES]) + (", ..." if len(network["class_names"]) > _NAMES else "")
    said = f" ({names})" if names else ""
    if network["classes"] is None:
        return "no classes"
    if network["output_shape"] == [1]:
        return f"the class is the sign{said}"
    return f"the {'smallest' if network['classes'] == 'min' else 'largest'} is the class{said}"


def _bounds(net: Network) -> list[facts.Facts]:
    from reluatlas.analysis.bounds import bounds

    return [
        {
            "dim": k,
            "name": bound.name,
            "kind": bound.kind,
            "log10": None if bound.log10 is None else round(bound.log10, 6),
            "value": bound.value if bound.value is not None and bound.value < _LARGEST else None,
            "source": bound.source,
            "reason": bound.reason,
        }
        for k in dict.fromkeys((min(1, net.n_inputs), min(2, net.n_inputs), net.n_inputs))
        for bound in bounds(net, k)
    ]


def _show_bounds(net: Network, known: list[facts.Facts]) -> None:
    console.result()
    console.result("How many cells networks of this architecture can have (not this one's number):")
    rows = [
        (
            "all of the input space" if b["dim"] == net.n_inputs else f"{b['dim']}-dimensional slices",
            "at most" if b["kind"] == "upper" else "some have at least",
            f"{b['value']:,}" if b["value"] is not None else f"10^{b['log10']:.1f}",
            f"{b['name']}: {b['reason']}",
        )
        for b in known
        if b["log10"] is not None
    ]
    console.table(("where", "cells", "bound", "source"), rows, right=(2,))
    left_out = {f"{b['name']} ({b['reason']})" for b in known if b["log10"] is None and b["dim"] == net.n_inputs}
    if left_out:
        console.result("Do not apply here: " + "; ".join(sorted(left_out)) + ".")


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
