"""Is what does not fit into memory refused in a sentence, before it is tried?"""

import subprocess
import sys

import numpy as np
import pytest

import reluatlas as ra
from reluatlas import memory
from reluatlas.cells.chart import chart_of
from reluatlas.cells.rows import Composer
from reluatlas.subdivision.program import lower
from reluatlas.subdivision.runner import memory as run_memory

UNDER_4_GB = """
import resource, sys
import numpy as np
import reluatlas as ra
resource.setrlimit(resource.RLIMIT_AS, (4194304 * 1024,) * 2)
rng = np.random.default_rng(0)
try:
    net = ra.load([(rng.normal(size=(n, m)), np.zeros(n)) for m, n in ((2, 9000), (9000, 9000), (9000, 1))])
    ra.count_cells(net, ra.Box(-1, 1, dim=2), max_seconds=20)
except ra.errors.OutOfMemoryError as problem:
    print(problem)
    sys.exit(7)
"""


@pytest.fixture
def little(monkeypatch):
    """Leave a tenth of a gigabyte."""
    for module in (memory, run_memory):
        monkeypatch.setattr(module, "available_memory", lambda: 2**27)


def residual():
    """Return a small residual network of images of 64 x 64, as ResNet-18 begins."""
    torch = pytest.importorskip("torch", reason="torch is not installed")
    from reluatlas.studies.mnist.resnet import BasicBlock

    nn = torch.nn
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(3, 8, 7, 2, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU(), BasicBlock(8, 16, 1),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10),
    )  # fmt: skip
    return ra.load(module.eval(), input_shape=(3, 64, 64))


def test_a_convolutional_network_is_refused_before_its_first_cell(little):
    net = residual()
    plane = ra.Slice.through(list(np.random.default_rng(0).random((3, net.n_inputs))))
    for verb in (ra.count_cells, ra.enumerate_cells):
        with pytest.raises(
            ra.errors.OutOfMemoryError, match=r"convolutions spelled out .* MiB .*Take a smaller network"
        ):
            verb(net, plane)
    cell = ra.cell_at(net, np.random.default_rng(0).random(net.n_inputs))
    assert cell.affine.A.shape == (1, 10, 3, 64, 64)  # what fits is given
    with pytest.raises(ra.errors.OutOfMemoryError, match=r"one cell of this network \(.*rows on 12,288 inputs\)"):
        cell.facets  # noqa: B018


def test_what_is_said_to_be_needed_is_about_what_is_taken():
    import tracemalloc

    torch = pytest.importorskip("torch", reason="torch is not installed")
    nn = torch.nn
    torch.manual_seed(0)
    conv = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 16, 3, padding=1), nn.ReLU(), nn.Flatten(),
        nn.Linear(16 * 16 * 16, 10),
    )  # fmt: skip
    net = ra.load(conv, input_shape=(3, 16, 16))
    plane = ra.Slice.through(list(np.random.default_rng(0).random((3, net.n_inputs))))
    said = []
    lower_room = memory.require_memory

    def heard(need, what, advice):
        said.append(need)
        lower_room(need, what, advice)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lower, "require_memory", heard)
        tracemalloc.start()
        lower.lower(net, plane)
        taken = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert 0.4 * taken < said[0] < 2.5 * taken
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("reluatlas.cells.rows.require_memory", heard)
        pattern = ra.cell_at(net, np.random.default_rng(0).random(net.n_inputs)).pattern
        said.clear()
        tracemalloc.start()
        chart = chart_of(net, None)
        Composer(chart, pattern).rows()
        taken = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert 0.4 * taken < said[0] < 2.5 * taken


@pytest.mark.skipif(sys.platform != "linux", reason="`ulimit -v` holds on Linux")
def test_a_large_network_under_ulimit_ends_in_a_sentence():
    ended = subprocess.run([sys.executable, "-c", UNDER_4_GB], capture_output=True, text=True, check=False)
    assert ended.returncode == 7, ended.stderr[-2000:]
    assert "memory" in ended.stdout and "Traceback" not in ended.stderr


def test_a_command_tells_a_memory_error_in_a_line(monkeypatch, capsys, tmp_path):
    from reluatlas.cli import models
    from reluatlas.cli.main import main

    def huge(self):
        return np.empty(2**58)

    monkeypatch.setattr(models.Source, "load", huge)
    (tmp_path / "m.onnx").write_bytes(b"x")
    assert main(["cells", str(tmp_path / "m.onnx"), "--box", "-1,1"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "not enough memory" in said and "`--jobs`" in said
