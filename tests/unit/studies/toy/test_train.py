from __future__ import annotations

import sys

import numpy as np
import pytest

from reluatlas.datasets.toy import toy_problem
from reluatlas.errors import ArgumentError, DimensionError, MissingDependencyError
from reluatlas.studies.toy.train import Settings, initial_weights, train_toy


def test_without_torch_one_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'reluatlas\[torch\]'"):
        train_toy(toy_problem("xor", n_train=400), (2, 2, 2))


@pytest.mark.parametrize(
    ("sizes", "more", "error", "what"),
    [
        ((3, 4, 2), {}, DimensionError, "`sizes=3-4-2` does not fit a toy problem"),
        ((2, 4, 3), {}, DimensionError, "2 classes"),
        ((2, 2), {}, ArgumentError, "no shape"),
        ((2, 4, 2), {"seed": -1}, ArgumentError, "seed=-1"),
        ((2, 4, 2), {"seed": 0.5}, ArgumentError, "seed=0.5"),
    ],
)
def test_a_shape_or_seed_that_makes_no_sense_is_refused(sizes, more, error, what):
    with pytest.raises(error, match=what):
        train_toy(toy_problem("circle", n_train=200), sizes, **more)


@pytest.mark.parametrize(
    "more", [{"batch": 0}, {"epochs": 1.5}, {"max_attempts": True}, {"learning_rate": -1.0}, {"target": 1.5}]
)
def test_settings_that_make_no_sense_are_refused(more):
    with pytest.raises(ArgumentError, match=next(iter(more))):
        Settings(**more)


torch = pytest.importorskip("torch", reason="torch is not installed: nothing can be trained")


def test_every_step_is_the_one_that_torch_takes_on_its_own_modules():
    problem = toy_problem("circle", n_train=1000, seed=5)
    shape = (2, 4, 3, 2)
    training = train_toy(problem, shape, seed=7, settings=Settings(target=0.0))
    rng = np.random.default_rng([7, 1])
    start = initial_weights(shape, rng)
    model = torch.nn.Sequential(
        torch.nn.Linear(2, 4), torch.nn.ReLU(), torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2)
    )
    torch.nn.utils.vector_to_parameters(torch.tensor(start), model.parameters())
    assert np.array_equal(training.trajectory.weights[0], start)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
    order = rng.permutation(1000)
    for step in range(10):
        batch = order[100 * step : 100 * step + 100]
        X = torch.tensor(problem.X_train[batch], dtype=torch.float32)
        target = torch.eye(2)[torch.tensor(problem.y_train[batch])]
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(model(X), target).backward()
        optimizer.step()
        now = torch.nn.utils.parameters_to_vector(model.parameters()).detach().numpy()
        assert np.allclose(training.trajectory.weights[step + 1], now, atol=1e-6)
    assert len(training.trajectory) == 11


def test_a_seed_gives_the_same_weights_and_torch_is_left_as_it_was():
    problem = toy_problem("moons", n_train=500)
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    before = torch.get_num_threads()
    one = train_toy(problem, (2, 4, 2), seed=1, settings=Settings(target=0.0)).trajectory
    assert torch.equal(torch.rand(3), expected) and torch.get_num_threads() == before
    two = train_toy(problem, (2, 4, 2), seed=1, settings=Settings(target=0.0)).trajectory
    other = train_toy(problem, (2, 4, 2), seed=2, settings=Settings(target=0.0)).trajectory
    assert np.array_equal(one.weights, two.weights) and not np.array_equal(one.weights[0], other.weights[0])


def test_it_starts_again_until_the_accuracy_is_reached():
    seen = []
    training = train_toy(
        toy_problem("xor", n_train=40_000),
        (2, 2, 2),
        progress=lambda attempt, done, of: seen.append((attempt, done, of)),
    )
    assert training.reached and training.accuracy == 1.0
    assert len(training.accuracies) > 1 and max(training.accuracies[:-1]) < 0.98
    assert training.trajectory.info["attempt"] == len(training.accuracies) == seen[-1][0]
    assert seen[-1][1:] == (400, 400)
    assert training.trajectory.accuracy(-1) == 1.0


def test_a_training_that_never_gets_there_keeps_its_best_attempt():
    training = train_toy(toy_problem("spiral", n_train=500), (2, 1, 2), settings=Settings(max_attempts=3, target=1.0))
    assert not training.reached and not training.trajectory.info["reached"]
    assert len(training.accuracies) == 3 and training.accuracy == max(training.accuracies)
    assert training.trajectory.accuracy(-1) == training.accuracy


def test_a_training_that_diverges_says_so():
    with pytest.raises(ArgumentError, match="diverged in all 2 attempts"):
        train_toy(toy_problem("circle", n_train=3000), (2, 4, 2), settings=Settings(learning_rate=1e9, max_attempts=2))
