"""Which cluster is meant, and what is said when there is none: without starting one."""

from __future__ import annotations

import importlib.util
import socket
import subprocess
import sys
import time

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.clusters import connect
from reluatlas.errors import ArgumentError, ClusterError, MissingDependencyError

needs_ray = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed")


@pytest.mark.parametrize("address", ["", "here", "10.0.0.1", "10.0.0.1:", "a:b", ":6379", "a:0", "a:70000", 7, None,
                                     "ray://10.0.0.1:10001"])  # fmt: skip
def test_an_address_that_is_none(address):
    with pytest.raises(ArgumentError, match=r"must be \"auto\", \"local\", or HOST:PORT"):
        ra.cluster(address)


@pytest.mark.parametrize("workers", [0, -1, 1.5, True])
def test_workers_that_are_none(workers):
    with pytest.raises(ArgumentError, match="must be a whole number of at least 1"):
        ra.cluster("local", workers=workers)


def test_without_ray_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingDependencyError, match=r"pip install reluatlas\[cluster\]"):
        ra.cluster("auto")


def test_ray_is_not_imported_before_it_is_asked_for():
    code = (
        "import sys, numpy as np, reluatlas as ra; ra.cluster; ra.Cluster\n"
        "ra.count_cells(ra.load([(np.eye(2), np.zeros(2))]), ra.Box(-1, 1, dim=2))\n"
        "assert 'ray' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@needs_ray
def test_an_address_where_nothing_listens():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(ClusterError, match=f"no Ray cluster at 127.0.0.1:{port}"):
        ra.cluster(f"127.0.0.1:{port}")


@needs_ray
@pytest.mark.slow
@pytest.mark.alone
def test_an_address_that_never_answers(monkeypatch):
    monkeypatch.setattr(connect, "_ANSWER_S", 5.0)
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        begin = time.monotonic()
        with pytest.raises(ClusterError, match="does not answer as a Ray head does"):
            ra.cluster(f"127.0.0.1:{deaf.getsockname()[1]}")
        assert time.monotonic() - begin < 60


def test_environment_comes_back(monkeypatch):
    monkeypatch.setenv("RELUATLAS_A", "mine")
    with connect._environment({"RELUATLAS_A": "theirs", "RELUATLAS_B": "theirs"}):
        import os

        assert (os.environ["RELUATLAS_A"], os.environ["RELUATLAS_B"]) == ("mine", "theirs")
    assert os.environ["RELUATLAS_A"] == "mine" and "RELUATLAS_B" not in os.environ


def test_a_closed_cluster_says_so():
    closed = connect.Cluster(None, "nowhere:1", None, is_ours=False, is_connection_ours=False)
    closed.close()
    net = ra.load([(np.eye(2), np.zeros(2))])
    with pytest.raises(ClusterError, match="the cluster is closed"):
        ra.count_cells(net, ra.Box(-1, 1, dim=2), runner=closed)
    assert repr(closed) == "Cluster(closed)"


@pytest.mark.parametrize(
    ("address", "says"), [("nowhere", "must be"), pytest.param("127.0.0.1:1", "no Ray cluster at", marks=needs_ray)]
)
def test_the_command_line_says_it_in_one_sentence(address, says, tmp_path, capsys):
    from reluatlas.cli.main import main
    from tests.cli.run import dense_layers, write_onnx

    model = write_onnx(tmp_path / "m.onnx", dense_layers((2, 4, 1)))
    assert main(["cells", str(model), "--box", "-1,1", "--count-only", "--ray", address, "--quiet"]) == 2
    told = capsys.readouterr()
    assert says in told.err and len(told.err.strip().splitlines()) == 1 and not told.out
