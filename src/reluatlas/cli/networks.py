"""How does one ask whether two networks are the same, or for a smaller one? `compare`, `simplify`: their options."""

from __future__ import annotations

import typer

from reluatlas.cli.groups import Budget, Common, Proofs, grouped
from reluatlas.cli.help import Grouped
from reluatlas.cli.models import Source
from reluatlas.cli.network_options import (
    CompareMethod,
    Eps,
    NetworkFile,
    NormName,
    Objective,
    OtherModel,
    Reshape,
    SettleSeconds,
    Tolerance,
    WrittenType,
)
from reluatlas.cli.options import (
    BoxSides,
    Json,
    Margin,
    OneJob,
    Points,
    Quiet,
    Seed,
    Through,
)
from reluatlas.cli.points import PointUnits
from reluatlas.deadline import Deadline, under

networks_app = typer.Typer()


@networks_app.command(cls=Grouped, name="simplify", short_help="Find a smaller network, the same on a box or a plane.")
@grouped
def _simplify(
    *,
    box: BoxSides = None,
    through: Through = None,
    margin: Margin = 0.2,
    tolerance: Tolerance = 0.0,
    objective: Objective = "units",
    max_seconds: SettleSeconds = 60.0,
    out: NetworkFile = None,
    dtype: WrittenType = "float64",
    units: PointUnits,
    source: Source,
    json: Json = False,
    seed: Seed = 0,
    jobs: OneJob = None,
    quiet: Quiet = False,
) -> int:
    """Find a smaller network that is the same function on a box or a plane, with a proof; write it.

    Units that never bend there go, units that read the same up to a factor become one, what no output depends on goes.
    With --tolerance more go, and no output changes by more.

    Example: reluatlas simplify model.onnx --box 0,1 --out smaller.onnx
    """
    from reluatlas.cli.domains import Asked
    from reluatlas.cli.simplify import Wanted, simplify

    asked = Asked(box or [], through or [], margin, units=units, takes_space=False)
    wanted = Wanted(tolerance, objective, max_seconds, out, dtype)
    return simplify(source, asked, wanted, as_json=json, seed=seed, quiet=quiet)


@networks_app.command(
    cls=Grouped, name="compare", short_help="Say whether two models are the same, and where they differ."
)
@grouped
def _compare(
    *,
    context: typer.Context,
    data: Points = None,
    box: BoxSides = None,
    through: Through = None,
    margin: Margin = 0.2,
    norm: NormName = "inf",
    method: CompareMethod = None,
    eps: Eps = None,
    proofs: Proofs,
    reshape: Reshape = False,
    units: PointUnits,
    budget: Budget,
    source: Source,
    other: OtherModel,
    common: Common,
) -> int:
    """Say how two models differ, exactly: on a box or a plane, or at points; where classes differ, and by how much.

    MODEL is f, OTHER is g; options of the model are of both. A box or plane has up to six dimensions; with --method
    boxes, which only tells how far apart outputs are, any number. With --out: a report with all numbers and a figure.

    Example: reluatlas compare model.onnx pruned.onnx --box -1,1 --out result
    """
    from reluatlas.cli.compare import Asked, compare

    asked = Asked(data or [], box or [], through or [], margin, norm, reshape, units, method, eps, proofs)
    with under(Deadline.after(budget.max_seconds)):
        return compare(source, other, asked, budget, common, typed=context.obj)
