"""How does a network of the study learn? By its recipe, from a seed; kept in a cache, and resumed after a stop.

After every epoch all that the next ones depend on is written: weights, momentum, and the state of the random numbers.
A run that was interrupted goes on from there and ends with the same weights as one that was not.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import cos, pi
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reluatlas.datasets.mnist import Images
from reluatlas.errors import ArgumentError, ModelFileError
from reluatlas.progress import Counted
from reluatlas.storage.atomic import whole_file
from reluatlas.studies.mnist.networks import Recipe, build, import_torch

FORMAT = "reluatlas mnist network 1"
_PULSE = 50
_AT_ONCE = 500


@dataclass(frozen=True)
class Trained:
    """A trained network in a file.

    Attributes
    ----------
    path : Path
        Weights, `.safetensors`.
    recipe : Recipe
    seed : int
        Of the study; each network of a study draws its own start from it.
    side : int
        Of the images.
    info : dict
        Correct out of the test images, losses of the epochs, seconds of training (None where part of it was done by a
        version that did not measure), versions.
    """

    path: Path
    recipe: Recipe
    seed: int
    side: int
    info: dict[str, Any]

    def module(self) -> Any:
        """Return the torch module with these weights, in evaluation mode."""
        from safetensors.torch import load_file

        module = build(self.recipe.kind, self.side)
        module.load_state_dict(load_file(self.path))
        return module.eval()

    def load(self) -> Any:
        """Return the network, opened by `reluatlas.load`."""
        from reluatlas.importers.load import load

        return load(self.path, module=build(self.recipe.kind, self.side).eval(), input_shape=(1, self.side, self.side))


def train(
    recipe: Recipe, data: Images, *, seed: int, folder: Path, device: str = "cpu", progress: Counted | None = None
) -> Trained:
    """Return a network trained by a recipe; from the cache where it is there, whole or begun.

    Parameters
    ----------
    recipe : Recipe
    data : Images
    seed : int
    folder : Path
        The cache, made if missing. The file is named for the recipe, the seed, and a hash of all that matters.
    device : str
        "cpu" or what torch calls another one, such as "cuda".
    progress : callable(n_steps_done, n_steps), optional

    Raises
    ------
    ArgumentError
        When the device is not there, or training diverges.
    MissingDependencyError
        When torch or safetensors is missing.

    Guarantees
    ----------
    On the CPU the same weights for the same seed, data and version of torch, on one thread, interrupted or not. Torch's
    own random state and number of threads are left as they were. The test images are opened after the last epoch.
    """
    torch = import_torch()
    before = trained_before(recipe, data, seed=seed, folder=folder, device=device)
    if before is not None:
        return before
    if device != "cpu":
        _check_device(torch, device)
    folder.mkdir(parents=True, exist_ok=True)
    key = key_of(recipe, data, seed, device)
    target, begun = _files(recipe, data, seed, folder, device)
    with _own_state(torch, device):
        run = _Run(torch, recipe, data, seed, device)
        run.resume(begun)
        run.go_on(begun, progress)
        info = {
            "format": FORMAT, "key": key, "data": data.name, "data_digest": data.digest, "seed": seed, "device": device,
            "recipe": recipe.settings, "torch": str(torch.__version__), "losses": run.losses,
            "n_test": len(data.y_test), "n_test_right": run.count_right(data.X_test, data.y_test),
            "n_parameters": sum(p.numel() for p in run.module.parameters()), "seconds": run.seconds,
        }  # fmt: skip
        _save(target, {k: v.cpu() for k, v in run.module.state_dict().items()}, info)
    begun.unlink(missing_ok=True)
    return Trained(target, recipe, seed, data.side, info)


def trained_before(recipe: Recipe, data: Images, *, seed: int, folder: Path, device: str = "cpu") -> Trained | None:
    """Return a trained network from the cache; None when it is not there."""
    target, _ = _files(recipe, data, seed, folder, device)
    info = _info(target)
    return None if info is None else Trained(target, recipe, seed, data.side, info)


def epochs_done(recipe: Recipe, data: Images, *, seed: int, folder: Path) -> int:
    """Return how many epochs of a training on the CPU are in the cache."""
    target, begun = _files(recipe, data, seed, folder, "cpu")
    if target.exists():
        return recipe.epochs
    info = _info(begun)
    return 0 if info is None else len(info["losses"])


def _files(recipe: Recipe, data: Images, seed: int, folder: Path, device: str) -> tuple[Path, Path]:
    target = folder / f"{data.name}-{recipe.name}-seed{seed}-{key_of(recipe, data, seed, device)}.safetensors"
    return target, target.with_name(target.stem + ".begun.safetensors")


def key_of(recipe: Recipe, data: Images, seed: int, device: str) -> str:
    """Return a hash of what the weights depend on; the version of torch is recorded in the file instead."""
    parts = {"format": FORMAT, "recipe": recipe.settings, "data": data.digest, "seed": seed}
    if device != "cpu":
        parts["device"] = device.partition(":")[0]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


class _Run:
    """A training: module, optimizer, and how far it is."""

    def __init__(self, torch: Any, recipe: Recipe, data: Images, seed: int, device: str) -> None:
        self.torch, self.recipe, self.data, self.device = torch, recipe, data, device
        name = int.from_bytes(hashlib.sha256(recipe.name.encode()).digest()[:4], "big")
        torch.manual_seed(int(np.random.SeedSequence([seed, name]).generate_state(1)[0]))
        self.module = build(recipe.kind, data.side).to(device)
        self.optimizer = torch.optim.SGD(
            self.module.parameters(), lr=recipe.learning_rate, momentum=recipe.momentum,
            weight_decay=recipe.weight_decay,
        )  # fmt: skip
        self.losses: list[float] = []
        self.seconds: float | None = 0.0

    def go_on(self, begun: Path, progress: Counted | None) -> None:
        """Train to the last epoch, writing the state after each."""
        torch, recipe = self.torch, self.recipe
        X = torch.from_numpy(self.data.inputs(self.data.X_train)).to(self.device)
        y = torch.from_numpy(self.data.y_train).to(self.device)
        n_steps = -(-len(X) // recipe.batch)
        pulse = min(_PULSE, max(1, n_steps // 4))
        start, before = time.monotonic(), self.seconds
        for epoch in range(len(self.losses), recipe.epochs):
            self.module.train()
            order = torch.randperm(len(X))  # drawn on the CPU on every device
            total = 0.0
            for step in range(n_steps):
                if recipe.falls:
                    share = (epoch + step / n_steps) / recipe.epochs
                    for group in self.optimizer.param_groups:
                        group["lr"] = recipe.learning_rate * 0.5 * (1 + cos(pi * share))
                batch = order[step * recipe.batch : (step + 1) * recipe.batch].to(self.device)
                self.optimizer.zero_grad()
                loss = torch.nn.functional.cross_entropy(self.module(X[batch]), y[batch])
                loss.backward()
                self.optimizer.step()
                if step % pulse == 0:
                    total += loss.item()
                    if progress is not None:
                        progress(epoch * n_steps + step, recipe.epochs * n_steps)
            mean = total / -(-n_steps // pulse)
            if not np.isfinite(mean):
                raise ArgumentError(f"training of {recipe.title} diverged in epoch {epoch + 1}: the loss is {mean}.")
            self.losses.append(mean)
            self.seconds = None if before is None else before + time.monotonic() - start
            if epoch + 1 < recipe.epochs:
                self._keep(begun)
        if progress is not None:
            progress(recipe.epochs * n_steps, recipe.epochs * n_steps)

    def count_right(self, X: NDArray[np.uint8], y: NDArray[np.int64]) -> int:
        """Return how many images the network gets right; refuse one whose outputs are not finite."""
        self.module.eval()
        right, at_once = 0, self.recipe.batch if self.recipe.is_large else _AT_ONCE
        with self.torch.no_grad():
            for at in range(0, len(X), at_once):
                batch = self.torch.from_numpy(self.data.inputs(X[at : at + at_once])).to(self.device)
                outputs = self.module(batch)
                if not bool(outputs.isfinite().all()):
                    n_steps = len(self.losses) * -(-len(self.data.X_train) // self.recipe.batch)
                    raise ArgumentError(
                        f"after {n_steps} training steps the outputs of {self.recipe.title} are not finite in float32: "
                        "the averages of its batch norms have not settled. Train on more images, or for more epochs."
                    )
                right += int((outputs.argmax(1).cpu().numpy() == y[at : at + at_once]).sum())
        return right

    def _keep(self, path: Path) -> None:
        state = {f"weight.{k}": v.cpu() for k, v in self.module.state_dict().items()}
        for i, p in enumerate(self.module.parameters()):
            state[f"momentum.{i}"] = self.optimizer.state[p]["momentum_buffer"].cpu()
        state["random"] = self.torch.get_rng_state()
        if self.device.startswith("cuda"):
            state["random_cuda"] = self.torch.cuda.get_rng_state(self.device)
        _save(path, state, {"format": FORMAT, "losses": self.losses, "seconds": self.seconds})

    def resume(self, path: Path) -> None:
        """Take up the state in a file, where there is a whole one."""
        from safetensors.torch import load_file

        info = _info(path)
        if info is None:
            return
        state = load_file(path)
        self.module.load_state_dict({k[7:]: v for k, v in state.items() if k.startswith("weight.")})
        for i, p in enumerate(self.module.parameters()):
            self.optimizer.state[p]["momentum_buffer"] = state[f"momentum.{i}"].to(self.device)
        self.torch.set_rng_state(state["random"])
        if "random_cuda" in state:
            self.torch.cuda.set_rng_state(state["random_cuda"], self.device)
        self.losses = [float(v) for v in info["losses"]]
        self.seconds = info.get("seconds")


def _save(path: Path, state: dict[str, Any], info: dict[str, Any]) -> None:
    from safetensors.torch import save_file

    with whole_file(path) as temporary:
        save_file({k: v.contiguous() for k, v in state.items()}, temporary, metadata={"reluatlas": json.dumps(info)})


def _info(path: Path) -> dict[str, Any] | None:
    """Return what a file says about itself; None when it is not there."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            info = json.loads((file.metadata() or {})["reluatlas"])
    except FileNotFoundError:
        return None
    except (SafetensorError, OSError, ValueError, KeyError):
        info = {}
    if info.get("format") != FORMAT:
        raise ModelFileError(f"`{path}` is damaged or of another version. Delete it: it is then made again.")
    return info


@contextmanager
def _own_state(torch: Any, device: str) -> Iterator[None]:
    """Hold torch to one thread, and give back its random state and threads."""
    threads, before = torch.get_num_threads(), torch.get_rng_state()
    cuda = torch.cuda.get_rng_state(device) if device.startswith("cuda") else None
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.set_rng_state(before)
        if cuda is not None:
            torch.cuda.set_rng_state(cuda, device)


def _check_device(torch: Any, device: str) -> None:
    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError):
        raise ArgumentError(f"`device={device!r}` is not there for torch. Leave it out for the CPU.") from None
