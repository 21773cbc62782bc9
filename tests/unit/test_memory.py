"""Does it fit into memory? What is there, what is refused, and what a `MemoryError` is told as."""

import subprocess
import sys

import numpy as np
import pytest

import reluatlas as ra
from reluatlas import memory


def test_the_least_of_all_limits_is_what_there_is(monkeypatch, tmp_path):
    monkeypatch.setattr(memory, "_installed", lambda: 8 * 2**30)
    monkeypatch.setattr(memory, "_left_of_limit", lambda: None)
    group = tmp_path / "memory.max"
    monkeypatch.setattr(memory, "_GROUPS", (str(group),))
    assert memory.available_memory() == 8 * 2**30
    group.write_text("max\n")
    assert memory.available_memory() == 8 * 2**30
    group.write_text(f"{3 * 2**30}\n")
    assert memory.available_memory() == 3 * 2**30
    monkeypatch.setattr(memory, "_left_of_limit", lambda: 2**30)
    assert memory.available_memory() == 2**30


def test_what_does_not_fit_is_refused_with_the_numbers(monkeypatch):
    monkeypatch.setattr(memory, "available_memory", lambda: 2**31)
    memory.require_memory(2**31, "this", "Take less.")
    with pytest.raises(ra.errors.OutOfMemoryError) as refused:
        memory.require_memory(17 * 2**30, "one cell of this network", "Take a smaller one.")
    assert str(refused.value) == (
        "one cell of this network takes about 17.0 GiB of memory, more than the 2.0 GiB that there is. "
        "Take a smaller one."
    )
    assert isinstance(refused.value, MemoryError) and isinstance(refused.value, ra.errors.ReluAtlasError)
    monkeypatch.setattr(memory, "available_memory", lambda: None)
    memory.require_memory(2**60, "this", "Take less.")


def test_an_array_that_does_not_fit_is_told_in_a_sentence():
    @memory.in_a_sentence
    def much():
        return np.empty(2**58)

    with pytest.raises(ra.errors.OutOfMemoryError, match=r"not enough memory \(for an array of shape .*GiB\)"):
        much()


@pytest.mark.skipif(sys.platform != "linux", reason="`ulimit -v` holds on Linux")
def test_what_ulimit_leaves_is_seen():
    code = (
        "import resource; from reluatlas.memory import available_memory as a, _left_of_limit as l\n"
        "assert l() is None; resource.setrlimit(resource.RLIMIT_AS, (2**40, 2**40)); n = l()\n"
        "assert n < 2**40; x = bytearray(2**28); assert l() <= n - 2**28, (n, l())"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
