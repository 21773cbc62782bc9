"""Which inputs span a plane or a path? `--through a.npy b.npy c.npy`, or rows of one file."""

from __future__ import annotations

import re

from reluatlas.cli.points import Point, PointUnits, read_files
from reluatlas.errors import DomainError

OPTION = "--through"
N_POINTS = 3
_MODEL = re.compile(r"\.(onnx|onnx\.gz|pt|pth|safetensors)$", re.IGNORECASE)
_TAKES_MANY = {"at": (OPTION, "--data"), "view": (OPTION, "--data"), "explore": (OPTION, "--data")}


def spread(arguments: list[str]) -> list[str]:
    """Return the arguments with `--through a b c` spelled `--through a --through b --through c`.

    A parser of options gives each a fixed number of values. Values end before the next option and
    before a model's file, so the model may stand on either side. `at` and `explore` take `--data` so, too.
    """
    many = _TAKES_MANY.get(arguments[0] if arguments else "", (OPTION,))
    out: list[str] = []
    gathering = ""
    for position, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        if argument == "--":
            return out + arguments[position:]
        if name in many:
            gathering = name
            out += [name, value] if equals else [name]
        elif argument.startswith("-") or (gathering and _MODEL.search(argument)):
            gathering = ""
            out.append(argument)
        elif gathering and out[-1] != gathering:
            out += [gathering, argument]
        else:
            out.append(argument)
    return out


def read_points(
    items: list[str],
    input_shape: tuple[int, ...],
    *,
    n_points: int | None = N_POINTS,
    units: PointUnits | None = None,
    quiet: bool = False,
) -> list[Point]:
    """Return the points that `--through` names: three of a plane, or with `n_points=None` two or more of a line.

    Parameters
    ----------
    items : list of str
        Each `FILE.npy`, holding one point or one point per row, or `FILE.npy:0,5,9`, some of its rows.
    input_shape : tuple of int
        Of the network.
    units, quiet
        As in `read_files`.

    Raises
    ------
    ArgumentError, DomainError, DimensionError
        When a file is missing or no array of numbers, a shape does not fit, or there are not three points.
    """
    points = read_files(items, input_shape, OPTION, units=units, quiet=quiet, most=n_points)
    if n_points is None:
        if len(points) < 2:
            raise DomainError(f"`{OPTION}` names {len(points)} point; expected 2 or more, the corners of the path.")
    elif len(points) != n_points:
        rows = f" Choose rows: `{OPTION} {items[0].partition(':')[0]}:0,1,2`." if len(items) == 1 else ""
        raise DomainError(f"`{OPTION}` names {len(points)} points; expected {n_points}, which span a plane.{rows}")
    return points
