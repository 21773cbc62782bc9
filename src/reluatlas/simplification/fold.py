"""Which affine nodes can be put into those that read them, with every new coefficient exact? `folded`.

So layers collapse where nothing bends between them, and branches that cancel go: their coefficients sum to zero.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import fields, replace

import numpy as np

from reluatlas.arithmetic.constants import SLACK_PATH
from reluatlas.network.interpret import sources
from reluatlas.network.operators import Sparse
from reluatlas.network.record import Affine, Breakpoints, Max, Node
from reluatlas.simplification.channels import merged_channels
from reluatlas.simplification.draft import Draft, Writer
from reluatlas.simplification.removals import Removal
from reluatlas.simplification.rows import Rows, as_affine, roughly_substituted, rows_of, substituted
from reluatlas.typing import FloatArray, IntArray


def folded(draft: Draft, gone: list[Removal]) -> Draft:
    """Return a draft in which affine nodes read through other affine ones, where that is exact and no larger.

    An entry of an affine node is replaced where it is read by the row that makes it: when that row is one number, or is
    read once, or when all rows together take no more numbers so. Nodes that are equal become one.
    """
    draft = merged_channels(_without_doubles(draft, gone))
    sizes, uses = draft.sizes(), _uses(draft)
    nodes = list(draft.nodes)
    rows: dict[int, Rows] = {}
    for t, node in enumerate(nodes):
        found = rows_of(node)
        if found is None:
            continue
        assert isinstance(node, Affine)
        while True:
            better = _once(found, rows, uses, draft, t)
            if better is None:
                break
            found = better
        rows[t] = found
        nodes[t] = as_affine(found, sizes, node)
    return replace(draft, nodes=tuple(nodes))


def roughly_folded(draft: Draft, sizes: list[FloatArray]) -> tuple[Draft, dict[int, FloatArray]]:
    """Return a draft that reads through affine nodes with coefficients rounded, and by how much rows are off.

    `sizes` bound the entries of the draft's tensors on the domain. A row is put in by the same rule as when it is
    exact. Where a row is put in that is off already, what reads it is off by that, times its coefficient, as well.
    """
    uses, lengths = _uses(draft), draft.sizes()
    nodes = list(draft.nodes)
    rows: dict[int, Rows] = {}
    errors: dict[int, FloatArray] = {}
    for t, node in enumerate(nodes):
        found = rows_of(node)
        if found is None:
            continue
        assert isinstance(node, Affine)
        own = np.zeros(found.n)
        while True:
            better = _roughly_once(found, rows, errors, uses, draft, t, sizes)
            if better is None:
                break
            found, more = better
            own = own + more
        rows[t] = found
        nodes[t] = as_affine(found, lengths, node)
        if own.any():
            errors[t] = own
    return replace(draft, nodes=tuple(nodes)), errors


def _roughly_once(
    found: Rows,
    rows: Mapping[int, Rows],
    errors: Mapping[int, FloatArray],
    uses: list[IntArray],
    draft: Draft,
    t: int,
    sizes: list[FloatArray],
) -> tuple[Rows, FloatArray] | None:
    here = {int(s): rows[int(s)] for s in np.unique(found.source) if int(s) in rows}
    easy = {s: (r.counts <= 1) | (uses[s] <= 1) for s, r in here.items()}
    tries = [easy] if here else []
    tries += [{s: np.ones(r.n, dtype=bool)} for s, r in here.items()]
    for i, chosen in enumerate(tries):
        done = roughly_substituted(found, {s: here[s] for s in chosen}, chosen, sizes)
        if done is None:
            continue
        if i > 0:
            (s,) = chosen
            before = found.value.size + (here[s].value.size if _readers(draft, s) == {t} else 0)
            if done[0].value.size > before:
                continue
        carried = np.zeros(found.n)
        for s, mask in chosen.items():
            if s in errors:
                held = np.flatnonzero(found.source == s)
                held = held[mask[found.column[held]]]
                by = np.abs(found.value[held]) * errors[s][found.column[held]]
                carried += np.bincount(found.row[held], weights=by, minlength=found.n)
        return done[0], (done[1] + carried) * SLACK_PATH
    return None


def _once(found: Rows, rows: Mapping[int, Rows], uses: list[IntArray], draft: Draft, t: int) -> Rows | None:
    """Return rows that read through some of the affine nodes that they read; None where that is nowhere better."""
    here = {int(s): rows[int(s)] for s in np.unique(found.source) if int(s) in rows}
    if not here:
        return None
    easy = {s: (r.counts <= 1) | (uses[s] <= 1) for s, r in here.items()}
    done = substituted(found, here, easy)
    if done is not None:
        return done
    for s, other in here.items():
        done = substituted(found, {s: other}, {s: np.ones(other.n, dtype=bool)}, all_or_none=True)
        if done is not None:
            before = found.value.size + (other.value.size if _readers(draft, s) == {t} else 0)
            if done.value.size <= before:
                return done
    return None


def _readers(draft: Draft, s: int) -> set[int]:
    return {t for t, node in enumerate(draft.nodes) if s in sources(node)}


def _uses(draft: Draft) -> list[IntArray]:
    """Return how often each entry of each tensor is read."""
    out = [np.zeros(size, dtype=np.int64) for size in draft.sizes()]
    out[draft.output] += 1
    for node in draft.nodes:
        if isinstance(node, Affine):
            for source, operator in zip(node.inputs, node.operators, strict=True):
                if isinstance(operator, Sparse):
                    out[source] += np.bincount(operator.indices, minlength=operator.n_in)
                else:
                    out[source] += 2
        elif isinstance(node, Breakpoints):
            out[node.input] += 1
        elif isinstance(node, Max):
            out[node.input] += np.bincount(node.candidates, minlength=out[node.input].size)
    return out


def _without_doubles(draft: Draft, gone: list[Removal]) -> Draft:
    """Return a draft in which nodes that compute the same from the same are one, and none gives what it reads."""
    writer = Writer()
    seen: dict[bytes, int] = {}
    for t, node in enumerate(draft.nodes):
        made = writer.moved(node)
        if t != draft.output and isinstance(made, Affine) and _is_identity(made):
            writer.home[t] = made.inputs[0]
            continue
        key = _key(made)
        if key in seen and t != draft.output:
            writer.home[t] = seen[key]
            origin = draft.origins.get(t)
            if origin is not None:
                gone.extend(
                    Removal(int(u), "equal", other=int(v))
                    for u, v in zip(origin, writer.origins[seen[key]], strict=True)
                )
            continue
        writer.home[t] = writer.add(made, draft.origins.get(t))
        seen.setdefault(key, writer.home[t])
    return writer.finish(draft.output)


def _is_identity(node: Affine) -> bool:
    operator = node.operators[0] if len(node.operators) == 1 else None
    return (
        isinstance(operator, Sparse)
        and operator.denominator == 1
        and not node.bias.any()
        and operator.n_in == operator.n_out
        and np.array_equal(operator.indptr, np.arange(operator.n_out + 1))
        and np.array_equal(operator.indices, np.arange(operator.n_in))
        and bool(np.all(operator.values == 1.0))
    )


def _key(node: Node) -> bytes:
    """Return a digest of what a node computes; collisions of 256 bits do not occur."""
    total = hashlib.sha256(type(node).__name__.encode())

    def add(thing: object) -> None:
        for entry in fields(thing):  # type: ignore[arg-type]
            value = getattr(thing, entry.name)
            if entry.name in ("name", "shape"):
                continue
            if isinstance(value, np.ndarray):
                total.update(repr((entry.name, value.dtype.str, value.shape)).encode())
                total.update(np.ascontiguousarray(value).tobytes())
            elif entry.name == "operators":
                for operator in value:
                    total.update(type(operator).__name__.encode())
                    add(operator)
            else:
                total.update(repr((entry.name, value)).encode())

    add(node)
    return total.digest()
