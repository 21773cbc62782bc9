"""How is the toy study told? In words, and as numbers for JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from reluatlas._version import __version__
from reluatlas.studies.toy.alike import Alike
from reluatlas.studies.toy.cuts import AllCuts
from reluatlas.studies.toy.record import Sampling, ToyRun, ToyStudyRecord

FORMAT = "reluatlas toy study"
VERSION = 1


def numbers(study: ToyStudyRecord) -> dict[str, Any]:
    """Return all numbers of a study as plain lists, numbers and text."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "reluatlas": __version__,
        "is_complete": True,
        "problem": study.problem,
        "shapes": study.names,
        "reached": study.reached,
        "runs": [_run(run) for run in study.runs],
        "sampling": [
            {
                "shape": s.shape,
                "steps": s.steps.tolist(),
                "exact_linear_regions": s.exact.tolist(),
                "sampled_patterns": s.patterns.tolist(),
                "sampled_rounded_maps": s.rounded.tolist(),
            }
            for s in study.sampling
        ],
        "fewest": {shape: study.fewest(shape) for shape in study.names},
        "accuracy_with_k_maps": study.curves,
        "maps_enough": {shape: study.maps_enough(shape) for shape in study.names},
        "distances": _distances(study.alike),
        "distances_up_to_symmetry": _distances(study.alike_up_to_symmetry),
        "cuts": _cuts(study.cuts),
        "cuts_up_to_symmetry": _cuts(study.cuts_up_to_symmetry),
    }


def _distances(alike: Alike) -> dict[str, Any]:
    return {kind: asdict(pairs) for kind, pairs in alike.items()}


def _cuts(cuts: AllCuts) -> dict[str, Any]:
    return {kind: asdict(each) for kind, each in cuts.items()}


def _run(run: ToyRun) -> dict[str, Any]:
    table = {name: column.tolist() for name, column in run.measures.to_table().items()}
    for name in ("accuracy", "spread"):
        table[name] = [None if np.isnan(v) else v for v in table[name]]
    return {
        "shape": run.trajectory.name,
        "reached": run.training.reached,
        "accuracies_of_attempts": list(run.training.accuracies),
        "training": dict(run.trajectory.info),
        "measures": table,
    }


def summary(study: ToyStudyRecord) -> str:
    """Return the main numbers of a study, a line each."""
    n = len(study.of_shape(study.names[0]))
    lines = [f"{study.problem}: {', '.join(study.names)}; {n} {'seed' if n == 1 else 'seeds'} each"]
    for run in study.runs:
        lines.append(f"  {run_line(run)}")
    for shape in study.names:
        lines.append(f"  {enough_line(study, shape)}")
    lines += [f"  {sampling_line(s)}" for s in study.sampling]
    lines += [f"  {line}" for line in distance_lines(study)]
    lines += [f"  {line}" for line in cut_lines(study)]
    if not study.reached:
        lines.append(f"  {missed_line(study)}")
    return "\n".join(lines)


def run_line(run: ToyRun) -> str:
    """Return the outcome of one training and the counts of its last network."""
    m, n = run.measures, len(run.training.accuracies)
    exact = "exact" if m.is_exact.all() else f"exact at {int(m.is_exact.sum()):,} of {len(m):,} times"
    return (
        f"{run.trajectory.name}, seed {run.seed}: accuracy {run.training.accuracy:.3f} at attempt "
        f"{run.trajectory.info['attempt']} of {n}; {m.n_cells[-1]:,} cells, {m.n_linear_regions[-1]:,} linear regions, "
        f"{m.n_boundary_pieces[-1]:,} boundary pieces; {len(m):,} complexes, {exact}"
    )


def enough_line(study: ToyStudyRecord, shape: str) -> str:
    """Return how few cells and maps were enough."""
    fewest, k = study.fewest(shape), study.maps_enough(shape)
    target = float(study.of_shape(shape)[0].trajectory.info["target"])
    if fewest is None:
        return f"{shape}: no network reached the accuracy {target:g}"
    text = (
        f"{shape}: the fewest cells at accuracy {target:g} are {fewest['n_cells']:,} "
        f"(seed {fewest['seed']}, batch {fewest['step']:,})"
    )
    if k is None:
        return f"{text}; its last maps in {len(study.curves[shape])} groups do not reach it"
    return f"{text}; {k} groups of the last network's {len(study.dual[shape]):,} maps still reach it"


def sampling_line(sampling: Sampling) -> str:
    """Return by how much sampling misses."""
    missed = sampling.missed
    never = "never above" if np.all(sampling.rounded <= sampling.exact) else "NOT always below"
    return (
        f"{sampling.shape}: sampling 401 x 401 points with 2 decimals misses {missed.mean():.1%} of the linear regions "
        f"on average, {missed.max():.1%} at worst ({len(sampling.steps):,} batches; {never} the exact count)"
    )


def distance_lines(study: ToyStudyRecord) -> list[str]:
    """Return the distances between the sets of maps, as they are and up to the symmetries of the problem."""
    out = []
    for what, alike in (("", study.alike), (", up to symmetries of the problem", study.alike_up_to_symmetry)):
        told = [
            f"{kind} {np.mean(p.distances):.2f} ({min(p.distances):.2f} to {max(p.distances):.2f}; chance "
            f"{np.mean(p.same_moments):.2f} with the same mean and covariance, {np.mean(p.untrained):.2f} untrained)"
            for kind, p in alike.items()
        ]
        if told:
            out.append(f"distance between sets of maps in output units{what}: " + "; ".join(told))
    return out


def cut_lines(study: ToyStudyRecord) -> list[str]:
    """Return how alike networks cut the plane, as they are and up to the symmetries of the problem."""
    out = []
    for what, cuts in (("", study.cuts), (", up to symmetries of the problem", study.cuts_up_to_symmetry)):
        told = []
        for kind, each in cuts.items():
            (regions, by_chance), (overlap, other_chance) = each.values("regions"), each.values("overlap")
            told.append(
                f"{kind} {np.mean(regions):.2f} ({min(regions):.2f} to {max(regions):.2f}; chance "
                f"{np.mean(by_chance):.2f}), by area alone {np.mean(overlap):.2f} (chance {np.mean(other_chance):.2f})"
            )
        if told:
            out.append(f"similarity of linear regions{what}: " + "; ".join(told))
    return out


def missed_line(study: ToyStudyRecord) -> str:
    """Return which networks never reached the target."""
    runs = [run for run in study.runs if not run.training.reached]
    names = ", ".join(f"{run.trajectory.name} seed {run.seed} ({run.training.accuracy:.3f})" for run in runs)
    info = runs[0].trajectory.info
    return (
        f"not reached: {names} stayed below the accuracy {info['target']:g} in {info['max_attempts']} attempts; "
        "the best attempt is kept"
    )
