"""Does every verb end when its time is over, preparation included, with what is there by then?

Measured is the least of wall-clock and processor time: on a machine with other work the former says little. A limit is
promised to hold to 1 s and a tenth; a second more is allowed here, for busy machines. `benchmarks/limits.py` measures.
"""

import json
import time
from contextlib import redirect_stdout
from io import StringIO
from itertools import pairwise

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.cli.main import main
from reluatlas.deadline import Deadline, under
from tests.data import data_folder
from tests.unit.test_deadline import interrupted_after

DATA = data_folder()
MODELS = DATA and DATA / "models"
needs_models = pytest.mark.skipif(MODELS is None, reason="no data folder (RELUATLAS_DATA)")
LIMIT = 1.0


def deep(n_in=2, width=96, depth=5, m=10, seed=0):
    rng = np.random.default_rng(seed)
    sizes = [n_in, *[width] * depth, m]
    return ra.load([(rng.normal(size=(b, a)) * np.sqrt(2 / a), rng.normal(size=b) * 0.1) for a, b in pairwise(sizes)])


class timed:
    """How long a block took; `check` refuses more than the limit, two seconds and a tenth."""

    def __enter__(self):
        self.begin = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_):
        self.took = min(time.perf_counter() - self.begin[0], time.process_time() - self.begin[1])

    def check(self, limit=LIMIT):
        assert self.took <= 1.1 * limit + 2.0, f"took {self.took:.1f} s with a limit of {limit} s"


def enumerated(net, domain):
    cx = ra.enumerate_cells(net, domain, max_seconds=LIMIT)
    return cx.n_cells, cx.stopped_by


def counted(net, domain):
    found = ra.count_cells(net, domain, max_seconds=LIMIT)
    return found.n_cells, found.stopped_by


def explored(net, domain):
    x = 0.5 * (domain.low + domain.high) + 0.01 * np.random.default_rng(0).normal(size=domain.dim)
    found = ra.explore(net, x, max_cells=10**6, max_seconds=LIMIT)
    return found.n_cells, found.stopped_by


def traced(net, domain):
    ends = np.random.default_rng(0).normal(size=(400, domain.dim)) * 1e3
    found = ra.trace(net, ends, max_seconds=LIMIT, jobs=1)
    return found.n_pieces_joined, found.stopped_by


PLANE, SOLID, SPACE = (2, 320), (4, 48), (9, 40)
CASES = [
    (enumerated, PLANE), (enumerated, SOLID), (enumerated, SPACE), (counted, PLANE), (counted, SOLID), (counted, SPACE),
    (explored, PLANE), (explored, (60, 120)), (traced, (20, 200)),
]  # fmt: skip


@pytest.mark.parametrize(("verb", "size"), CASES, ids=[f"{v.__name__}-{s[0]}" for v, s in CASES])
def test_a_verb_gives_what_is_there_when_the_time_is_over(verb, size):
    net, domain = deep(*size), ra.Box(-1, 1, dim=size[0])
    verb(net, domain)  # kernels that compile are apart
    with timed() as clock:
        n, stopped_by = verb(net, domain)
    assert stopped_by == "max_seconds" and n > 0
    clock.check()


def test_a_limit_that_is_over_at_once_gives_nothing_and_says_so():
    net, plane = deep(), ra.Box(-1, 1, dim=2)
    cx = ra.enumerate_cells(net, plane, max_seconds=1e-9)
    assert cx.n_cells == 0 and cx.stopped_by == "max_seconds" and not cx.is_complete
    assert cx.n_affine_maps == cx.n_linear_regions == 0
    found = ra.count_cells(net, plane, max_seconds=1e-9)
    assert found.n_cells == 0 and found.stopped_by == "max_seconds"
    cube = ra.enumerate_cells(deep(3, 8, 1), ra.Box(-1, 1, dim=3), max_seconds=1e-9)
    assert cube.n_cells == 0 and cube.volumes.size == 0
    with pytest.raises(ra.errors.TimeLimitError):
        ra.explore(net, [0.1, 0.2], max_cells=10, max_seconds=1e-9)


def test_the_first_cells_are_those_of_a_run_without_a_limit():
    net, plane = deep(2, 24, 3), ra.Box(-1, 1, dim=2)
    whole = ra.enumerate_cells(net, plane)
    assert whole.is_complete
    same = ra.enumerate_cells(net, plane, max_seconds=1e6)
    assert np.array_equal(same.patterns, whole.patterns) and np.array_equal(same.facets.neighbor, whole.facets.neighbor)
    cell = ra.cell_at(net, [0.1, 0.2])
    limited = ra.cell_at(net, [0.1, 0.2], max_seconds=1e6)
    assert np.array_equal(cell.pattern, limited.pattern) and len(cell.facets) == len(limited.facets)
    assert limited.exactness.status == "exact"


def test_facets_that_are_cut_off_are_incomplete_not_float64():
    net = deep(200, 300, 3)
    x = np.random.default_rng(0).normal(size=200)
    cell = ra.cell_at(net, x, max_seconds=1e9)
    cell.max_seconds = 1e-9
    assert len(cell.facets) == 0 and cell.facets.n_undecided > 0
    assert cell.exactness.status == "incomplete" and cell.exactness.n_uncertain == cell.facets.n_undecided
    assert np.allclose(cell.affine.A[0].reshape(10, 200) @ x + cell.affine.b[0], net(x))
    again = ra.cell_at(net, x, max_seconds=LIMIT)
    with timed() as clock:
        n = len(again.facets) + again.facets.n_undecided
    assert n > 0
    clock.check()


def test_lazy_answers_are_bound_by_a_limit_around_them():
    net, plane = deep(2, 40, 4), ra.Box(-1, 1, dim=2)
    cx = ra.enumerate_cells(net, plane, max_cells=2000)
    with pytest.raises(ra.errors.TimeLimitError), ra.time_limit(1e-9):
        cx.n_affine_maps  # noqa: B018
    with pytest.raises(ra.errors.TimeLimitError), ra.time_limit(1e-9):
        cx.decision_boundary()
    assert cx.n_affine_maps > 0  # nothing half-done was kept


def test_a_limit_around_a_verb_binds_it():
    with under(Deadline(LIMIT)), timed() as clock:
        cx = ra.enumerate_cells(deep(*PLANE), ra.Box(-1, 1, dim=2))
    assert cx.stopped_by == "max_seconds"
    clock.check()


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("dim", [2, 3, 8])
def test_ctrl_c_gives_what_is_there(jobs, dim):
    net, box = deep(dim, *{2: (320, 5), 3: (96, 5), 8: (14, 2)}[dim]), ra.Box(-1, 1, dim=dim)
    ra.enumerate_cells(net, box, max_cells=5)
    try:
        with timed() as clock, interrupted_after(1.0):
            cx = ra.enumerate_cells(net, box, jobs=jobs, max_cells=10**7)
    except KeyboardInterrupt:
        pytest.fail("the interrupt was not heard by the verb")
    assert cx.stopped_by == "interrupt"
    clock.check(2.0)


def run(*arguments):
    out = StringIO()
    with timed() as clock, redirect_stdout(out):
        code = main([str(a) for a in arguments])
    return code, out.getvalue(), clock


@pytest.fixture
def digits(tmp_path):
    np.save(tmp_path / "x.npy", np.random.default_rng(0).random((3, 784)))
    return tmp_path / "x.npy"


@needs_models
@pytest.mark.parametrize("limit", [4.0])
@pytest.mark.parametrize("command", ["cells", "cells --count-only", "at", "explore", "trace"])
def test_a_command_shares_one_limit_among_all_its_steps(command, limit, digits, tmp_path):
    assert MODELS is not None
    model = MODELS / "mnist-net_256x4.onnx"
    options = {
        "cells": ["--through", f"{digits}:0", f"{digits}:1", f"{digits}:2", "--out", tmp_path / "out"],
        "cells --count-only": ["--through", f"{digits}:0", f"{digits}:1", f"{digits}:2"],
        "at": ["--data", digits, "--out", tmp_path / "out"],
        "explore": ["--data", f"{digits}:0", "--max-cells", 100_000],
        "trace": ["--through", *[f"{digits}:{i % 3}" for i in range(12)]],
    }[command]
    ra.enumerate_cells(deep(2, 4, 1), ra.Box(-1, 1, dim=2))
    code, out, clock = run(*command.split(), model, *options, "--max-seconds", limit, "--json", "--quiet")
    clock.check(limit)
    numbers = json.loads(out)
    assert code == (0 if numbers["is_complete"] and not numbers.get("left_out") else 3)


@needs_models
@pytest.mark.parametrize("name", ["Convnet_maxpool", "cifar_base_kw"])
def test_a_cell_of_a_convolutional_network_keeps_its_limit(name):
    assert MODELS is not None
    net = ra.load(MODELS / f"{name}.onnx")
    with timed() as clock:
        cell = ra.cell_at(net, np.random.default_rng(0).random(net.n_inputs), max_seconds=LIMIT)
    clock.check()
    with timed() as clock:
        facets = cell.facets
    assert len(facets) + facets.n_undecided > 0
    clock.check()


@needs_models
def test_neighbors_are_within_the_limit_of_an_enumeration():
    assert MODELS is not None
    net = ra.load(MODELS / "Convnet_maxpool.onnx")
    plane = ra.Slice.through(list(np.random.default_rng(0).random((3, net.n_inputs))), margin=0.2)
    ra.enumerate_cells(net, plane, max_seconds=LIMIT)
    with timed() as clock:
        cx = ra.enumerate_cells(net, plane, max_seconds=3)
    assert cx.n_cells > 0
    clock.check(3)
