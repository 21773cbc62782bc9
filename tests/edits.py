"""Result files, edited at random: what becomes of them when they are opened. Run as a program, as they may kill one.

`python -m tests.edits KIND PATH SEED N FORGED` edits the file at PATH N times, opens each, and prints a line for each:
what was edited, and "refused", "same", "other" (not forged: a fault) or the exception that came (a fault). With FORGED
the sums in the head are made anew, as one does who knows how: then what is opened is asked everything, and may be
refused there, too.
"""

from __future__ import annotations

import io
import json
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator

import reluatlas as ra
from reluatlas.analysis.reduction.pieces.estimators import PiecewiseAffineClassifier
from reluatlas.analysis.trajectories.trajectory import Trajectory
from reluatlas.certify.archive import load_certificates
from reluatlas.errors import ReluAtlasError
from reluatlas.storage.archive import _sum_of, _sum_of_head, json_array

Arrays = dict[str, Any]
WORDS = ("certain", "exact", "float64", "sampled", "", "max_cells", "Box", "Space", "Slice", "Segment", "Dense", "Max")
WHOLE = (-(2**63), -(2**40), -3, -2, -1, 0, 1, 2, 7, 2**20, 2**31, 2**40, 2**50, 2**63 - 1)
REAL = (np.nan, np.inf, -np.inf, 0.0, -0.0, 1e308, -1.0, 5e-324, 1e-17)


def _array(rng: Generator, arrays: Arrays) -> str:
    names = [name for name in arrays if name != "head" and not name.endswith("layout")]
    return names[rng.integers(len(names))]


def truncate(rng: Generator, arrays: Arrays) -> str:
    """Take the last entries of an array away, along one axis."""
    name = _array(rng, arrays)
    a = arrays[name]
    axis = int(rng.integers(max(1, a.ndim)))
    n = int(rng.integers(1, 3))
    arrays[name] = a[tuple(slice(None, -n) if i == axis else slice(None) for i in range(a.ndim))]
    return f"truncate {name} axis {axis} by {n}"


def extend(rng: Generator, arrays: Arrays) -> str:
    """Repeat the last entries of an array."""
    name = _array(rng, arrays)
    a, axis = arrays[name], int(rng.integers(max(1, arrays[name].ndim)))
    arrays[name] = np.concatenate([a, np.take(a, [-1], axis=axis)], axis=axis) if a.size else np.zeros(2, dtype=a.dtype)
    return f"extend {name} axis {axis}"


def retype(rng: Generator, arrays: Arrays) -> str:
    """Give an array another type, or its bytes the other order."""
    name, kinds = _array(rng, arrays), ("f4", "i4", "i8", "f8", "u1", "u8", "?", "U3", "c16", ">f8", ">i8", "O", "S4")
    kind = kinds[rng.integers(len(kinds))]
    with np.errstate(all="ignore"):
        arrays[name] = arrays[name].astype(kind)
    return f"retype {name} to {kind}"


def reshape(rng: Generator, arrays: Arrays) -> str:
    """Transpose or flatten an array, or store it by columns."""
    name, how = _array(rng, arrays), int(rng.integers(3))
    a = arrays[name]
    arrays[name] = (a.T.copy(), a.reshape(-1), np.asfortranarray(a))[how]
    return f"reshape {name} {('transposed', 'flat', 'by columns')[how]}"


def poke(rng: Generator, arrays: Arrays) -> str:
    """Change one entry to a special number."""
    name = _array(rng, arrays)
    a = arrays[name].copy()
    if not a.size:
        return truncate(rng, arrays)
    at = int(rng.integers(a.size))
    if a.dtype.kind == "f":
        value: Any = REAL[rng.integers(len(REAL))]
    elif a.dtype.kind in "iu":
        info = np.iinfo(a.dtype)
        value = int(np.clip(WHOLE[rng.integers(len(WHOLE))], info.min, info.max))
    else:
        value = not a.flat[at] if a.dtype.kind == "b" else "x"
    a.flat[at] = value
    arrays[name] = a
    return f"poke {name}[{at}] = {value}"


def nudge(rng: Generator, arrays: Arrays) -> str:
    """Change the sign of one entry, add one to it, or its last bit."""
    name, how = _array(rng, arrays), int(rng.integers(3))
    a = arrays[name].copy()
    if not a.size or a.dtype.kind not in "iuf":
        return poke(rng, arrays)
    at = int(rng.integers(a.size))
    with np.errstate(all="ignore"):
        if how == 0:
            a.flat[at] = -a.flat[at]
        elif how == 1:
            a.flat[at] += a.dtype.type(1)
        else:
            a.flat[at] = np.nextafter(a.flat[at], np.inf) if a.dtype.kind == "f" else a.flat[at] ^ a.dtype.type(1)
    arrays[name] = a
    return f"nudge {name}[{at}] {('sign', 'one more', 'last bit')[how]}"


def swap(rng: Generator, arrays: Arrays) -> str:
    """Exchange two entries or rows, or put all in another order."""
    name, how = _array(rng, arrays), int(rng.integers(3))
    a = arrays[name].copy()
    if a.ndim == 0 or len(a) < 2:
        return poke(rng, arrays)
    if how == 2:
        a = a[rng.permutation(len(a))]
    else:
        i, j = rng.choice(len(a), 2, replace=False)
        a[[i, j]] = a[[j, i]]
    arrays[name] = a
    return f"swap {name} {'all' if how == 2 else 'two'}"


def members(rng: Generator, arrays: Arrays) -> str:
    """Leave an array out, add one, or exchange two."""
    name, how = _array(rng, arrays), int(rng.integers(3))
    if how == 0:
        del arrays[name]
    elif how == 1:
        arrays["more"] = np.zeros(int(rng.integers(5)))
    else:
        other = _array(rng, arrays)
        arrays[name], arrays[other] = arrays[other], arrays[name]
    return f"members {name} {('left out', 'one more', 'exchanged')[how]}"


def words(rng: Generator, arrays: Arrays) -> str:
    """Change, drop or add one value of the JSON texts."""
    texts = [name for name in arrays if name == "head" or name.endswith("layout")]
    name = texts[rng.integers(len(texts))]
    value = json.loads(bytes(arrays[name]))
    places = list(_places(value))
    where, key = places[rng.integers(len(places))]
    choices: tuple[Any, ...] = (*WORDS, *WHOLE, None, True, [], {}, [1], 0.5, "x" * 100)
    new = choices[rng.integers(len(choices))]
    how = int(rng.integers(4))
    if how == 0:
        del where[key]
    elif how == 1 and isinstance(where, dict):
        where["more"] = new
    else:
        where[key] = new
    arrays[name] = json_array(value)
    return f"words {name} {key} {('gone', 'beside', 'changed', 'changed')[how]}: {new!r:.20}"


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            if key not in ("arrays", "sum"):
                yield value, key
                yield from _places(value[key])


EDITS: tuple[Callable[[Generator, Arrays], str], ...] = (
    truncate, extend, retype, reshape, poke, poke, nudge, nudge, swap, swap, members, words, words,
)  # fmt: skip


def renewed(arrays: Arrays) -> Arrays:
    """Return the arrays of a file with a head that lists them as they are now, and has their sums."""
    try:
        head = json.loads(bytes(arrays["head"]))
    except (TypeError, ValueError):  # a head that says nothing cannot list anything
        return dict(arrays)
    rest = {name: np.asarray(a) for name, a in arrays.items() if name != "head"}
    if isinstance(head, dict):
        head["arrays"] = {
            name: [a.dtype.str, list(a.shape), _sum_of(a) if a.dtype != object else ""] for name, a in rest.items()
        }
        head.pop("sum", None)
        head["sum"] = _sum_of_head(head)
    return rest | {"head": json_array(head)}


def edited_arrays(rng: Generator, content: bytes, forged: bool) -> tuple[str, bytes]:
    """Return what was edited, and the file: one edit of what is in it, packed again."""
    with np.load(io.BytesIO(content)) as stored:
        arrays = {name: stored[name] for name in stored.files}
    said = EDITS[rng.integers(len(EDITS))](rng, arrays)
    if forged:
        arrays = renewed(arrays)
    out = io.BytesIO()
    np.savez_compressed(out, **arrays)
    return said, out.getvalue()


def edited_bytes(rng: Generator, content: bytes) -> tuple[str, bytes]:
    """Return what was edited, and the file: bytes changed, cut off, added, or an array that says it is huge."""
    how = int(rng.integers(6))
    data = bytearray(content)
    if how <= 2:
        first = max(0, len(data) - 600) if how == 2 else 0  # the archive's directory is at the end
        places = rng.integers(first, len(data), 3 if how == 1 else 1).tolist()
        for i in places:
            data[i] ^= int(rng.integers(1, 256))
        return f"bytes {places} of {len(data)}", bytes(data)
    if how == 3:
        n = int(rng.integers(1, len(data)))
        return f"cut at {n}", bytes(data[:n])
    if how == 4:
        return "bytes added", bytes(data) + bytes(rng.integers(0, 256, 20, dtype=np.uint8))
    return _huge(rng, content)


def _huge(rng: Generator, content: bytes) -> tuple[str, bytes]:
    source, out = zipfile.ZipFile(io.BytesIO(content)), io.BytesIO()
    names = source.namelist()
    chosen = names[rng.integers(len(names))]
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        for name in names:
            data = source.read(name)
            if name == chosen:
                data = data.replace(b"'shape': (", b"'shape': (1099511627776, ", 1)
            target.writestr(name, data)
    return f"2**40 in {chosen}", out.getvalue()


def _complex(path: Path) -> Any:
    cx = ra.load_complex(path)
    names = ("on", "rows")
    return [
        cx.patterns, cx.affine.A, cx.affine.b, cx.volumes, cx.vertices.points, cx.vertices.radii, cx.vertices.is_ray,
        *(getattr(cx.vertices, n) for n in names if getattr(cx.vertices, n) is not None), cx.facets.neighbor,
        cx.facets.twin, cx.facets.level, cx.facets.unit, cx.facets.line, repr(cx), cx.exactness, cx.stopped_by,
        cx.network(np.full((1, cx.network.n_inputs), 0.3)),
    ]  # fmt: skip


def _asked(path: Path) -> None:
    cx = ra.load_complex(path)
    for ask in (
        lambda: cx.f_vector, lambda: cx.volumes, lambda: cx.n_linear_regions, lambda: cx.decision_boundary(),
        lambda: cx.interior_points, lambda: cx.cells_of(np.zeros((20, cx.domain.dim))), lambda: cx.dual_graph(),
        lambda: cx.to_table(), lambda: cx._repr_html_(), lambda: cx.bent_hyperplane(0, 0),
    ):  # fmt: skip
        try:
            ask()
        except Exception:  # of cells that are not those of the network: anything but an end of the process
            continue


def _trajectory(path: Path) -> Any:
    made = Trajectory.load(path)
    return [made.weights, made.steps, made.sizes, *made.domain.frame(), made.domain.box.low, made.domain.box.high,
            made.X, made.y, dict(made.info), type(made.domain)]  # fmt: skip


def _pieces(path: Path) -> Any:
    made = PiecewiseAffineClassifier.load(path)
    return [made.pieces_(np.ones((1, made.n_features_in_))), made.classes_, str(made.get_params()), made.is_flat_]


def _certificates(path: Path) -> Any:
    domain, given = load_certificates(path)
    return [repr(domain), [(c.pattern.tolist(), c.depth, c.prime, c.columns.tolist(), c.inside, c.facets, c.implied)
                           for c in given]]  # fmt: skip


READERS: dict[str, Callable[[Path], Any]] = {
    "complex": _complex, "trajectory": _trajectory, "pieces": _pieces, "certificates": _certificates,
}  # fmt: skip


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray):
        return isinstance(other, np.ndarray) and one.dtype == other.dtype and np.array_equal(one, other, equal_nan=True)
    if isinstance(one, list):
        return isinstance(other, list) and len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other)


def main() -> None:
    """Edit, open and tell."""
    kind, path, seed, n, forged = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), sys.argv[5]
    content, read, asked = path.read_bytes(), READERS[kind], forged == "forged"
    truth = read(path)
    target = path.with_name(f"edited-{seed}.npz")
    for i in range(n):
        rng = np.random.default_rng([seed, i])
        if rng.random() < 0.25 and not asked:
            said, data = edited_bytes(rng, content)
        else:
            said, data = edited_arrays(rng, content, asked)
        target.write_bytes(data)
        print(i, said, end=": ", flush=True)
        try:
            if asked and kind == "complex":
                _asked(target)
            found = read(target)
        except ReluAtlasError as error:
            end = "refused" if len(str(error)) < 600 and "\n" not in str(error) else f"long: {error}"
        except BaseException as error:  # whatever else comes is what is looked for
            end = f"fault: {type(error).__name__}: {error}"
        else:
            end = "same" if _same(truth, found) else "other"
        print(end, flush=True)


if __name__ == "__main__":
    main()
