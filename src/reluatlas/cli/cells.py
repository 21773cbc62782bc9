"""Which cells are there? `reluatlas cells`: count or enumerate, print, and write a report."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from reluatlas.cli import console
from reluatlas.cli.answer import line, show
from reluatlas.cli.domains import Asked, Chosen
from reluatlas.cli.exit_codes import exit_code
from reluatlas.cli.groups import Budget, Common
from reluatlas.cli.models import Source
from reluatlas.deadline import current, pauses, under
from reluatlas.progress import Callback
from reluatlas.report import facts, words

_FOR_CELLS = 0.7  # of the time; of networks of many units less, as the patterns take most of what is written then
_UNITS_HALVED = 10_000
_FOR_NUMBERS = 0.25  # of what is left then

if TYPE_CHECKING:
    from reluatlas.cli.figures import Drawn
    from reluatlas.clusters.connect import Cluster
    from reluatlas.complexes.complex import PolyhedralComplex
    from reluatlas.network.network import Network


def cells(
    source: Source,
    asked: Asked,
    budget: Budget,
    common: Common,
    *,
    count_only: bool,
    drawn: Drawn,
    checkpoint: Path | None,
    certificate: Path | None,
    ray: str | None,
    typed: Sequence[str],
) -> int:
    """Find the cells of a model on a domain, print the numbers, and write the report."""
    out, quiet = common.folder, common.quiet
    with _machines(ray, quiet=quiet) as runner:
        return _cells(
            source, asked, budget, common, out, count_only=count_only, drawn=drawn, checkpoint=checkpoint,
            certificate=certificate, runner=runner, typed=typed,
        )  # fmt: skip


@contextmanager
def _machines(address: str | None, *, quiet: bool) -> Iterator[Cluster | None]:
    """Yield the cluster that `--ray` names, for as long as it is needed."""
    if address is None:
        yield None
        return
    from reluatlas.clusters.connect import cluster

    console.notice("Joining the cluster." if address != "local" else "Starting Ray.", quiet=quiet)
    pauses.begin()  # its start is under no limit
    try:
        joined = cluster(address)
    finally:
        pauses.end()
    with joined:
        console.notice(f"Working on {joined}.", quiet=quiet)
        yield joined


def _cells(
    source: Source,
    asked: Asked,
    budget: Budget,
    common: Common,
    out: Path | None,
    *,
    count_only: bool,
    drawn: Drawn,
    checkpoint: Path | None,
    certificate: Path | None,
    runner: Cluster | None,
    typed: Sequence[str],
) -> int:
    quiet = common.quiet
    net = source.load()
    chosen = asked.fit(net, quiet=quiet)
    if certificate is not None:
        from reluatlas.complexes.count import require_provable

        require_provable(chosen.domain, checkpoint)
    figures = drawn.chosen(net, chosen.domain, count_only=count_only, has_folder=out is not None)
    numbers = {
        **facts.of_command("cells", source.model, common.seed),
        "network": facts.of_network(net),
        "domain": facts.of_domain(chosen.domain),
    }
    if count_only:
        numbers |= count(
            net, chosen, budget, checkpoint=checkpoint, certificate=certificate, runner=runner, quiet=quiet
        )
        if out is not None:
            _write_numbers(out, numbers)
    else:
        begin = time.monotonic()
        cx = enumerate_(net, chosen, budget, checkpoint=checkpoint, runner=runner, quiet=quiet)
        with under(current().share(_FOR_NUMBERS if out is not None else 1.0)):
            numbers |= facts.of_complex(cx)
        if certificate is not None and cx.is_complete:
            from reluatlas.certify.tree_write import save_tree

            save_tree(certificate, net, chosen.domain, cx.patterns)
        unasked_s = time.monotonic() - begin
        if out is not None and cx.method == "linear programs":
            _write_numbers(out, numbers)
        elif out is not None:
            console.notice("Writing the report." if figures == () else "Drawing the report.", quiet=quiet)
            _write(cx, out, numbers, source, chosen, budget, typed, figures, unasked_s)
    if numbers.get("left_out"):
        console.notice(words.left_out(numbers["left_out"]), quiet=quiet)
    if numbers.get("not_drawn"):
        console.notice(words.not_drawn(numbers["not_drawn"]), quiet=quiet)
    show(numbers, _heading(source, net, chosen), as_json=common.json, out=out, quiet=quiet)
    if certificate is not None:
        console.notice(words.certificate(str(certificate), source.model, numbers["is_complete"]), quiet=quiet)
    if checkpoint is not None and not numbers["is_complete"]:
        console.notice(words.goes_on(numbers["stopped_by"], str(checkpoint)), quiet=quiet)
    return exit_code(numbers)


def _write_numbers(out: Path, numbers: facts.Facts) -> None:
    from reluatlas.report.write import INDEX, write_numbers

    write_numbers(out, INDEX, numbers)


def count(
    net: Network,
    chosen: Chosen,
    budget: Budget,
    *,
    checkpoint: Path | None = None,
    certificate: Path | None = None,
    runner: Cluster | None = None,
    quiet: bool,
) -> facts.Facts:
    """Count the cells, with progress."""
    console.announce_compiling(quiet=quiet)
    from reluatlas.complexes.count import count_cells

    with console.progress(quiet=quiet) as callback:
        tell = _telling_of_start(callback, checkpoint, words.measure(chosen.domain.dim), quiet=quiet)
        found = count_cells(
            net, chosen.domain, progress=tell, checkpoint=checkpoint, certificate=certificate, runner=runner,
            **{**budget.keywords, "max_seconds": None},
        )  # fmt: skip
    return facts.of_count(found, chosen.domain)


def enumerate_(
    net: Network,
    chosen: Chosen,
    budget: Budget,
    *,
    checkpoint: Path | None = None,
    runner: Cluster | None = None,
    quiet: bool,
) -> PolyhedralComplex:
    """Enumerate the cells, with progress."""
    console.announce_compiling(quiet=quiet)
    from reluatlas.complexes.enumerate import enumerate_cells

    with console.progress(quiet=quiet) as callback:
        tell = _telling_of_start(callback, checkpoint, words.measure(chosen.domain.dim), quiet=quiet)
        # what is left of the time is for the numbers and figures of what was found
        with under(current().share(_FOR_CELLS / (1.0 + (net.n_neurons + net.n_windows) / _UNITS_HALVED))):
            return enumerate_cells(
                net,
                chosen.domain,
                progress=tell,
                checkpoint=checkpoint,
                runner=runner,
                **{**budget.keywords, "max_seconds": None},
            )


def _telling_of_start(
    callback: Callback | None, checkpoint: Path | None, measure: str, *, quiet: bool
) -> Callback | None:
    """Return a callback that first says from where a run goes on: the library calls it before any work then."""
    if checkpoint is None:
        return callback
    is_first = True

    def tell(what: str, n_cells: int, share: float) -> None:
        nonlocal is_first
        if is_first and n_cells:
            console.notice(words.going_on(n_cells, share, str(checkpoint), measure), quiet=quiet)
        is_first = False
        if callback is not None:
            callback(what, n_cells, share)

    return tell


def _heading(source: Source, net: Network, chosen: Chosen) -> str:
    return f"{Path(source.model).name}: {words.network(net)}. Domain: {words.domain(chosen.domain)}."


def _write(
    cx: PolyhedralComplex,
    out: Path,
    numbers: facts.Facts,
    source: Source,
    chosen: Chosen,
    budget: Budget,
    typed: Sequence[str],
    figures: Sequence[str] | None,
    unasked_s: float,
) -> None:
    from reluatlas.report.common import About
    from reluatlas.report.drawings import Mark
    from reluatlas.report.write import write_report

    marks = [Mark(p.label, u) for p, u in zip(chosen.points, chosen.coordinates, strict=True)]
    about = About(
        title=f"The cells of {Path(source.model).name}",
        command=line(typed),
        code=python(source.code, chosen, budget),
    )
    write_report(cx, out, numbers, about, marks=marks, figures=figures, unasked_s=unasked_s)


def python(load: str, chosen: Chosen, budget: Budget) -> str:
    """Return Python that finds the same cells."""
    limit = "" if budget.max_cells is None else f", max_cells={budget.max_cells}"
    numpy = "import numpy as np\n" if "np." in chosen.code else ""
    return (
        f"{numpy}import reluatlas as ra\n\nnet = {load}\ndomain = {chosen.code}\n"
        f"cx = ra.enumerate_cells(net, domain{limit})\nprint(cx.n_cells, cx.n_linear_regions, cx.exactness)"
    )
