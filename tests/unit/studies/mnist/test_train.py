from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from reluatlas.datasets.mnist import load_images
from reluatlas.errors import ArgumentError, ModelFileError
from reluatlas.studies.mnist.networks import RECIPES, build, recipe
from reluatlas.studies.mnist.train import key_of, train

torch = pytest.importorskip("torch", reason="torch is not installed: nothing can be trained")


@pytest.fixture(scope="module")
def digits():
    return load_images("digits")


def short(name: str, epochs: int = 3):
    return replace(recipe(name, "digits"), batch=64, epochs=epochs)


def weights(trained) -> dict[str, np.ndarray]:
    return {k: v.numpy() for k, v in trained.module().state_dict().items()}


@pytest.mark.parametrize("name", ["dense", "conv1", "small-resnet"])
@pytest.mark.parametrize("at", [0.2, 0.5, 0.9])
def test_a_run_that_was_stopped_ends_like_one_that_was_not(tmp_path, digits, name, at):
    once = train(short(name), digits, seed=3, folder=tmp_path / "once")

    def stop(done: int, of: int) -> None:
        if done >= at * of:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(short(name), digits, seed=3, folder=tmp_path / "twice", progress=stop)
    begun = list((tmp_path / "twice").glob("*.begun.safetensors"))
    assert len(begun) == (at > 0.34)
    steps = []
    again = train(short(name), digits, seed=3, folder=tmp_path / "twice", progress=lambda d, n: steps.append(d / n))
    assert steps[0] == pytest.approx(np.floor(at * 3) / 3)  # the epochs that were whole are not done again
    assert [p.name for p in (tmp_path / "twice").iterdir()] == [once.path.name]
    one, two = weights(once), weights(again)
    assert one.keys() == two.keys() and all(np.array_equal(one[k], two[k]) for k in one)
    told, twice = ({k: v for k, v in t.info.items() if k != "seconds"} for t in (once, again))
    assert told == twice and again.info["seconds"] > 0


def test_a_trained_network_is_taken_from_the_cache(tmp_path, digits, monkeypatch):
    first = train(short("dense", 1), digits, seed=0, folder=tmp_path)
    stamp = first.path.stat().st_mtime_ns
    monkeypatch.setattr("reluatlas.studies.mnist.train._Run", None)
    again = train(short("dense", 1), digits, seed=0, folder=tmp_path)
    assert again.info == first.info and again.path.stat().st_mtime_ns == stamp


def test_the_hash_depends_on_all_that_matters(digits):
    dense = short("dense")
    others = [
        key_of(dense, digits, 1, "cpu"),
        key_of(short("conv1"), digits, 0, "cpu"),
        key_of(short("conv2"), digits, 0, "cpu"),
        key_of(replace(dense, weight_decay=0.0), digits, 0, "cpu"),
        key_of(dense, replace(digits, digest="0"), 0, "cpu"),
        key_of(dense, digits, 0, "cuda"),
    ]
    assert len({key_of(dense, digits, 0, "cpu"), *others}) == 7
    assert key_of(replace(dense, title="x"), digits, 0, "cpu") == key_of(dense, digits, 0, "cpu")


def test_random_state_and_threads_are_left_as_they_were(tmp_path, digits):
    torch.manual_seed(5)
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    train(short("dense", 1), digits, seed=0, folder=tmp_path)
    assert torch.equal(before, torch.get_rng_state()) and torch.get_num_threads() == threads


def test_two_conv_networks_of_one_seed_differ_and_learn(tmp_path, digits):
    one, two = (train(recipe(name, "digits"), digits, seed=0, folder=tmp_path) for name in ("conv1", "conv2"))
    assert not np.array_equal(weights(one)["0.weight"], weights(two)["0.weight"])
    assert min(one.info["n_test_right"], two.info["n_test_right"]) > 0.9 * one.info["n_test"]


def test_a_damaged_file_and_a_missing_device_are_refused(tmp_path, digits):
    made = train(short("dense", 1), digits, seed=0, folder=tmp_path)
    made.path.write_bytes(made.path.read_bytes()[:50])
    with pytest.raises(ModelFileError, match="Delete it"):
        train(short("dense", 1), digits, seed=0, folder=tmp_path)
    with pytest.raises(ArgumentError, match="no_such"):
        train(short("dense", 1), digits, seed=1, folder=tmp_path, device="no_such")
    with pytest.raises(ArgumentError, match="no network of the study"):
        recipe("lenet", "mnist")


@pytest.mark.parametrize("name", ["dense", "conv1", "small-inception", "small-resnet"])
@pytest.mark.parametrize("side", [8, 28])
def test_what_is_opened_computes_what_torch_does(tmp_path, digits, name, side):
    from reluatlas import load

    torch.manual_seed(1)
    module = build(recipe(name, "mnist").kind, side)
    X = torch.randn(4, 1, side, side)
    module.train()
    module(torch.randn(16, 1, side, side))  # gives batch norm some statistics
    module.eval()
    net = load(module, input_shape=(1, side, side))
    maps = net.affine_at(X.numpy())
    expected = module.double()(X.double()).detach().numpy()
    assert np.abs(maps(X.double().numpy()) - expected).max() < 1e-9 * (1 + np.abs(expected).max())


def test_sizes_are_those_of_the_paper():
    counts = {k: sum(p.numel() for p in build(RECIPES[k].kind, 28).parameters()) for k in ("dense", "conv1")}
    assert counts == {"dense": 784 * 128 + 128 + 1290, "conv1": 260 + 5020 + 320 * 50 + 50 + 510}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["inception", "resnet"])
def test_the_large_networks_take_a_step(name):
    torch.manual_seed(0)
    module = build(name, 28)
    n = sum(p.numel() for p in module.parameters())
    # torchvision: Inception v3 without its head has 21.8 million weights but for the last layer; 72 blocks here
    assert (21.5e6 < n < 22e6) if name == "inception" else (1.1e8 < n < 1.2e8)
    module.train()
    X, y = torch.randn(2, 1, 28, 28), torch.tensor([1, 2])
    optimizer = torch.optim.SGD(module.parameters(), lr=0.01, momentum=0.9)
    before = module(X).detach()
    assert before.shape == (2, 10) and torch.isfinite(before).all()
    torch.nn.functional.cross_entropy(module(X), y).backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in module.parameters())
    optimizer.step()


def test_outputs_that_are_not_finite_are_told(tmp_path, digits, monkeypatch):
    def never_settled(kind, side):
        nn = torch.nn
        norms = [nn.BatchNorm1d(8, eps=1e-30, momentum=0.0) for _ in range(3)]
        for norm in norms:
            norm.running_var.zero_()  # averages that no step changes: each multiplies by 1e15
        return nn.Sequential(nn.Flatten(), nn.Linear(side * side, 8), *norms, nn.Linear(8, 10))

    monkeypatch.setattr("reluatlas.studies.mnist.train.build", never_settled)
    with pytest.raises(ArgumentError, match="after 46 training steps the outputs of Dense are not finite"):
        train(short("dense", 2), digits, seed=0, folder=tmp_path)
    assert not any(p.name.endswith(".safetensors") and "begun" not in p.name for p in tmp_path.iterdir())


def test_processes_train_the_same_networks_as_one_after_the_other(tmp_path, digits, monkeypatch):
    from reluatlas.studies.mnist import train_all as module
    from reluatlas.studies.mnist.train_all import train_all

    monkeypatch.setattr(module, "_WORTH_A_PROCESS", 0)
    wanted = [(short("dense", 2), 0), (short("conv1", 2), 0)]
    told: list[tuple[str, int, int]] = []
    both = [
        train_all(
            wanted, digits, folder=tmp_path / str(jobs), device="cpu", jobs=jobs, tell=lambda *now: told.append(now)
        )
        for jobs in (1, 2)
    ]
    for one, two in zip(*both, strict=True):
        first, second = weights(one), weights(two)
        assert all(np.array_equal(first[k], second[k]) for k in first) and one.info["losses"] == two.info["losses"]
    assert any(what.startswith("training Conv1 (seed 0), Dense (seed 0)") for what, *_ in told)
