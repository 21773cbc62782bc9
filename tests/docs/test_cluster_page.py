"""What the page on clusters says of files that run elsewhere: they are parsed, and their commands are ours."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest
from click.core import Context

from reluatlas.cli.app import command

PAGE = (Path(__file__).parents[2] / "docs" / "cluster.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    """Return the only block of a language."""
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    return found


def assert_is_ours(line: str) -> None:
    """A command line is one that `reluatlas` takes."""
    words = shlex.split(line)
    assert words[0] == "reluatlas"
    group = command()
    name, sub, rest = group.resolve_command(Context(group), words[1:])
    assert sub is not None
    parsed = sub.make_context(name, rest, resilient_parsing=False)
    assert parsed.params["ray"] == "auto" and parsed.params["resume"] is not None and parsed.params["count_only"]


def test_the_job_for_kubernetes_is_one():
    yaml = pytest.importorskip("yaml", reason="Ray is not installed, which brings PyYAML")
    job = yaml.safe_load(block("yaml"))
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    spec = job["spec"]["rayClusterSpec"]
    head, workers = spec["headGroupSpec"], spec["workerGroupSpecs"]
    images = {container["image"] for group in (head, *workers) for container in group["template"]["spec"]["containers"]}
    assert len(images) == 1 and images.pop().endswith(spec["rayVersion"])
    assert all(group["minReplicas"] <= group["replicas"] <= group["maxReplicas"] for group in workers)
    mounted = {m["name"] for m in head["template"]["spec"]["containers"][0]["volumeMounts"]}
    assert mounted == {v["name"] for v in head["template"]["spec"]["volumes"]}
    assert_is_ours(job["spec"]["entrypoint"])


def test_the_script_for_slurm_is_one():
    script = block("bash")
    done = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True, check=False)
    assert done.returncode == 0 and not done.stderr
    line = re.sub(r"\\\n\s*", "", script).split(" -- ")[1]
    assert_is_ours(line.strip())
