"""Which affine map holds at each point of a file? `reluatlas affine`."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from reluatlas.cli import console
from reluatlas.cli.exit_codes import DONE
from reluatlas.cli.models import Source
from reluatlas.cli.points import open_array
from reluatlas.errors import ArgumentError, NonFiniteError
from reluatlas.report import facts, words

if TYPE_CHECKING:
    from reluatlas.affine import AffineMaps
    from reluatlas.network.network import Network

DTYPES = {"float64": np.float64, "float32": np.float32}
_STREAMED = (".npy", ".parquet")
_TIES = {"perturb": "the map of a cell that holds the point", "torch": "the derivative that torch takes"}


@dataclass(frozen=True)
class Wanted:
    """Which maps are wanted, as the options say it.

    Raises
    ------
    ArgumentError
        When an option has a value that it does not take.
    """

    data: str
    out: Path
    outputs: str | None = None
    dtype: str = "float64"
    ties: str = "perturb"
    megabytes: int | None = None
    jobs: int | None = None
    device: str | None = None

    def __post_init__(self) -> None:
        if self.dtype not in DTYPES:
            raise ArgumentError(f"`--dtype {self.dtype}` is not offered; expected float64 or float32.")
        if self.ties not in _TIES:
            raise ArgumentError(f"`--ties {self.ties}` is unknown; expected perturb or torch.")
        if self.out.suffix.lower() not in (*_STREAMED, ".npz"):
            raise ArgumentError(
                f"`--out {self.out}` must end with .npy (one array), .parquet (a table) or .npz (A and b)."
            )
        if self.out.is_dir():
            raise ArgumentError(f"`--out {self.out}` is a folder. Name a file in it.")
        if not self.out.parent.is_dir():
            raise ArgumentError(f"`--out {self.out}`: there is no folder `{self.out.parent}`. Make it first.")
        if self.out.exists() and os.path.exists(self.data) and self.out.samefile(self.data):
            raise ArgumentError(f"`--out {self.out}` is the file of `--data`. Name another one.")

    @property
    def positions(self) -> list[int] | None:
        """The numbers of `--outputs`; None for all."""
        if self.outputs is None:
            return None
        try:
            return [int(part) for part in self.outputs.split(",")]
        except ValueError:
            raise ArgumentError(f"`--outputs {self.outputs}` is not whole numbers with commas, such as 0,3.") from None


def affine(source: Source, wanted: Wanted, *, as_json: bool, seed: int, quiet: bool) -> int:
    """Write the affine maps at the points of a file, and print what was written."""
    positions = wanted.positions
    points = open_array(Path(wanted.data), "--data")
    if points.dtype.kind not in "fiub":
        raise ArgumentError(
            f"`{wanted.data}` has type {points.dtype}; expected real numbers. Convert it and save it again."
        )
    net = source.load()
    console.announce_compiling(quiet=quiet)
    start = time.monotonic()
    options: dict[str, Any] = {
        "ties": wanted.ties,
        "dtype": DTYPES[wanted.dtype],
        "memory": None if wanted.megabytes is None else wanted.megabytes * 10**6,
        "device": wanted.device,
        "jobs": wanted.jobs,
    }
    with console.counting("maps", quiet=quiet) as callback:
        try:
            maps = _written(net, points, wanted, positions, options | {"progress": callback})
        except NonFiniteError:
            raise NonFiniteError(f"`{wanted.data}` holds NaN or an infinite number. Pass finite inputs.") from None
    # with torch's choice, faces are computed only when asked for
    on_face = maps.is_on_face if wanted.ties == "perturb" else None
    numbers = {
        **facts.of_command("affine", source.model, seed),
        "network": facts.of_network(net),
        "data": wanted.data,
        "n_maps": len(maps),
        "outputs": list(range(net.n_outputs)) if positions is None else positions,
        "dtype": wanted.dtype,
        "ties": wanted.ties,
        "n_on_face": None if on_face is None else int(on_face.sum()),
        "out": str(wanted.out),
        "content": content(wanted.out, maps, with_faces=on_face is not None),
        "bytes": wanted.out.stat().st_size,
        "seconds": round(time.monotonic() - start, 3),
    }
    if as_json:
        from reluatlas.report.write import as_json as to_json

        console.result(to_json(numbers))
        return DONE
    console.result(console.one_line(f"{Path(source.model).name}: {words.network(net)}."))
    console.result()
    faces = "" if on_face is None else f" ({numbers['n_on_face']:,} of the points lie on a face)"
    console.pairs(
        [
            ("affine maps", f"{numbers['n_maps']:,} points, {len(numbers['outputs']):,} outputs"),
            ("ties", f"{_TIES[wanted.ties]}{faces}"),
            ("written", f"{wanted.out} ({numbers['bytes']:,} bytes): {numbers['content']}"),
            ("time", words.seconds(numbers["seconds"])),
        ]
    )
    return DONE


def content(path: Path, maps: AffineMaps, *, with_faces: bool) -> str:
    """Return what a file of maps holds."""
    shape, kind = maps.shape, maps.dtype
    n, m, size = shape[0], shape[1], int(np.prod(shape[2:]))
    more = f", is_on_face bool ({n},)" if with_faces else ""
    if path.suffix.lower() == ".npy":
        return f"{kind} ({n}, {m}, {size + 1}): the row of A of each output, and b in the last column"
    if path.suffix.lower() == ".parquet":
        faces = ", is_on_face" if with_faces else ""
        return f"{n * m} rows with point, output, A (a list of {size} {kind}), b{faces}"
    return f"A {kind} {shape}, b {kind} {shape[:2]}{more}"


def _written(net: Network, points: NDArray, wanted: Wanted, outputs: list[int] | None, options: dict) -> AffineMaps:
    if wanted.out.suffix.lower() in _STREAMED:
        return net.affine_at(points, outputs, out=wanted.out, **options)
    maps = net.affine_at(points, outputs, **options)
    draft = wanted.out.with_name(f".{wanted.out.name}.{os.getpid()}.tmp")
    try:
        with draft.open("wb") as file:
            faces: dict[str, Any] = {"is_on_face": maps.is_on_face} if wanted.ties == "perturb" else {}
            np.savez(file, A=maps.A, b=maps.b, **faces)
        os.replace(draft, wanted.out)
    except OSError as problem:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise ArgumentError(f"`--out {wanted.out}` cannot be written: {problem.strerror or problem}.") from None
    return maps
