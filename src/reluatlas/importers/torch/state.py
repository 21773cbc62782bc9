"""Which entries of a checkpoint are a module's weights? Those whose names, without a prefix, are the module's.

Trainers write weights beside other things (`{"model": ..., "epoch": 3}`), and wrappers put their own name in front of
the names of weights (`module.`, `_orig_mod.`). Nothing is guessed: a set of weights fits when its names are exactly
those of the module, and when several sets fit, the file is refused or the choice is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reluatlas.errors import ModelFileError

# what trainers call the weights of the model itself, beside averages and teachers of other names
_USUAL = ("state_dict", "model_state_dict", "model", "net", "network", "module", "weights", "params")
_PREFIXES = ("module", "model", "_orig_mod", "net", "network")
# names that wrappers put inside of names
_WRAPPERS = frozenset({
    "_orig_mod", "_forward_module", "_fsdp_wrapped_module", "_checkpoint_wrapped_module",
})  # fmt: skip
_COUNTER = "num_batches_tracked"
_DEPTH = 3


@dataclass(frozen=True)
class Found:
    """A set of weights that fits: where it was, the prefix that its names have, and the weights by the module's names.

    Attributes
    ----------
    key : str
        Its place in the file, such as `state_dict`; empty when it is the file.
    prefix : str
        What all of its names begin with and the module's do not.
    weights : mapping
    rest : tuple of str
        Names beside them that do not begin with the prefix, and are not read.
    """

    key: str
    prefix: str
    weights: Mapping[str, Any]
    rest: tuple[str, ...] = ()

    @property
    def rank(self) -> tuple[int, int]:
        """How usual the key and the prefix are for the weights of the model itself; 0 is the most usual."""
        keys = [part.partition("[")[0] for part in self.key.split(".") if part]
        parts = [part for part in self.prefix.split(".") if part]
        return sum(k not in _USUAL for k in keys), sum(p not in _PREFIXES and p not in _WRAPPERS for p in parts)

    @property
    def place(self) -> str:
        """What messages call it."""
        return " with prefix ".join(f"`{part}`" for part in (self.key, self.prefix) if part) or "the file itself"


def choose(path: Path, content: Any, module: Any) -> tuple[Mapping[str, Any], list[str]]:
    """Return a module's weights in what a file holds, by the module's names, and remarks on how they were found.

    Raises
    ------
    ModelFileError
        When the file holds no weights, none that fit the module, or several sets that do.
    """
    sets = list(_sets(content))
    if not sets:
        raise ModelFileError(
            f"`{path}` holds a {type(content).__name__} that is no state dict. Save module.state_dict()."
        )
    names = list(module.state_dict())
    found = [fit for key, entries in sets for fit in _fits(key, entries, names)]
    found = [fit for fit in found if _same_shapes(fit.weights, module)] or found
    if not found:
        return _plain(sets), []
    best = min(fit.rank for fit in found)
    first, *others = sorted(found, key=lambda fit: fit.rank != best)
    rivals = [fit for fit in others if fit.rank == best and not _same(fit.weights, first.weights)]
    if rivals:
        raise ModelFileError(
            f"`{path}` holds several sets of weights that fit `{type(module).__name__}`: "
            f"{', '.join(fit.place for fit in (first, *rivals))}. Save the one that is meant alone."
        )
    remarks = []
    if first.key:
        remarks.append(f"the weights are `{first.key}` of the file")
    if first.prefix:
        remarks.append(f"the prefix `{first.prefix}` of the weights' names left out")
    if first.rest:
        remarks.append(f"{len(first.rest)} entries beside the weights not read, such as `{first.rest[0]}`")
    if others:
        remarks.append(f"other weights that fit not read: {', '.join(fit.place for fit in others)}")
    return first.weights, remarks


def _sets(content: Any, key: str = "", depth: int = _DEPTH) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield every mapping of names to tensors in what a file holds, and its place."""
    import torch

    if isinstance(content, Mapping):
        own = {k: v for k, v in content.items() if isinstance(k, str) and isinstance(v, torch.Tensor)}
        if own:
            yield key, own
        inner = [(f"{key}.{k}" if key else str(k), v) for k, v in content.items()]
    elif isinstance(content, list | tuple):
        inner = [(f"{key}[{i}]", v) for i, v in enumerate(content)]
    else:
        return
    if depth:
        for name, value in inner:
            yield from _sets(value, name, depth - 1)


def _plain(sets: list[tuple[str, Mapping[str, Any]]]) -> Mapping[str, Any]:
    """Return the set that the message is to speak of when none fits: the most usual one."""
    return min(sets, key=lambda s: (Found(s[0], "", s[1]).rank, -len(s[1])))[1]


def _fits(key: str, entries: Mapping[str, Any], names: Sequence[str]) -> Iterator[Found]:
    """Yield how a set of weights fits a module's names: as it is, or without a prefix or the names of wrappers."""
    if _complete(entries, names):
        yield Found(key, "", entries)
        return
    ours = {_bare(name): name for name in names}
    theirs = {_bare(name): name for name in entries}
    if len(ours) < len(names) or len(theirs) < len(entries):
        return
    one = next((own for own in ours if not own.endswith(_COUNTER)), "")
    for prefix in sorted({t.removesuffix(one) for t in theirs if t.endswith(one)}):
        inside = {t[len(prefix) :]: name for t, name in theirs.items() if t.startswith(prefix)}
        weights = {ours[t]: entries[name] for t, name in inside.items() if t in ours}
        if len(weights) == len(inside) and (not prefix or prefix.endswith(".")) and _complete(weights, names):
            rest = tuple(name for name in entries if name not in inside.values())
            yield Found(key, _front(inside[one], one), weights, rest)


def _front(name: str, own: str) -> str:
    """Return what stands in front of a weight's own name: a prefix, or the names of wrappers inside of it."""
    if name.endswith(own):
        return name.removesuffix(own)
    return ".".join(part for part in name.split(".") if part in _WRAPPERS) + "."


def _complete(entries: Iterable[str], names: Iterable[str]) -> bool:
    missing = set(names) - set(entries)
    # files of torch before 0.4.1 do not count the batches that batch norm has seen
    return set(entries) <= set(names) and all(name.endswith(_COUNTER) for name in missing)


def _bare(name: str) -> str:
    return ".".join(part for part in name.split(".") if part not in _WRAPPERS)


def _same_shapes(weights: Mapping[str, Any], module: Any) -> bool:
    from torch.nn.parameter import is_lazy

    own = module.state_dict()
    return all(is_lazy(own[name]) or own[name].shape == tensor.shape for name, tensor in weights.items())


def _same(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    import torch

    return all(a[name].shape == b[name].shape and torch.equal(a[name], b[name]) for name in a if name in b)
