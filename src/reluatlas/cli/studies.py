"""Which studies are there, with which options? Parsed here; the work is in `reluatlas.cli.study`."""

from __future__ import annotations

import typer

from reluatlas.cli.help import Grouped
from reluatlas.cli.options import Jobs, Json, Out, Quiet
from reluatlas.cli.study_options import (
    Cache,
    DataDir,
    Epochs,
    FewImages,
    Film,
    FirstSeed,
    ImageData,
    KeepMaps,
    Net,
    Networks,
    Problem,
    Seeds,
    SeedsOfEach,
    TrainOn,
)

study = typer.Typer(
    help="The studies of the paper, end to end, done exactly.",
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    no_args_is_help=False,
)


@study.callback(invoke_without_command=True)
def _no_study_given(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help())


@study.command(cls=Grouped, name="toy", short_help="Watch networks cut the plane while they learn.")
def _study_toy(
    problem: Problem = "circle",
    net: Net = "2-8-8-8-2",
    seeds: Seeds = 3,
    film: Film = "html",
    json: Json = False,
    out: Out = None,
    seed: FirstSeed = 0,
    jobs: Jobs = None,
    quiet: Quiet = False,
) -> int:
    """Train networks on a toy problem, open every batch exactly, and compare them; needs torch.

    A minimal network is trained beside the one asked for. Writes report.html, figures, a film of each network, the
    weights of every batch and numbers.json, into ./reluatlas-toy-PROBLEM when no folder is given. Exit code 3 when a
    network never reached the target; its best attempt is kept.

    Example: reluatlas study toy --problem circle --net 2-8-8-8-2 --seeds 3
    """
    from reluatlas.cli.study import toy

    return toy(
        problem=problem, net=net, seeds=seeds, film=film, as_json=json, out=out, seed=seed, jobs=jobs, quiet=quiet
    )


@study.command(cls=Grouped, name="mnist", short_help="Compare and reduce the affine maps of networks for digits.")
def _study_mnist(
    data: ImageData = "digits",
    data_dir: DataDir = None,
    networks: Networks = "dense,conv1,conv2",
    seeds: SeedsOfEach = 1,
    device: TrainOn = None,
    cache: Cache = None,
    images: FewImages = None,
    epochs: Epochs = None,
    keep_maps: KeepMaps = False,
    json: Json = False,
    out: Out = None,
    seed: FirstSeed = 0,
    jobs: Jobs = None,
    quiet: Quiet = False,
) -> int:
    """Train networks on images, open them at every image, compare and reduce their affine maps; needs torch.

    Writes report.html (the paper's tables beside ours), tables as CSV, numbers as JSON, figures, and models that need
    no network, into ./reluatlas-mnist-DATA when no folder is given. A run that was stopped goes on in the same folder;
    what is done is not done again.

    Example: reluatlas study mnist --data mnist --data-dir ~/mnist --seeds 3
    """
    from reluatlas.cli.study import Wanted, mnist

    return mnist(
        Wanted(data, data_dir, networks, seeds, seed, device, cache, images, epochs, keep_maps, jobs),
        as_json=json, out=out, quiet=quiet,
    )  # fmt: skip
