"""Check an installed reluatlas: it comes from the environment, imports fast, and does a minimal run without extras.

Usage: python -I .ci/check_wheel.py SOURCE_ROOT
"""

import subprocess
import sys
import time
from pathlib import Path

IMPORT_LIMIT_S = 0.5
NOT_AT_IMPORT = ("jinja2", "matplotlib", "numba", "onnx", "scipy", "sklearn", "torch", "typer")


def best_import_time(tries: int = 7) -> float:
    """Return the least of several wall times of `import reluatlas` in a fresh interpreter, without its start."""

    def run(code: str) -> float:
        start = time.perf_counter()
        subprocess.run([sys.executable, "-I", "-c", code], check=True)
        return time.perf_counter() - start

    run("import reluatlas")
    return min(run("import reluatlas") for _ in range(tries)) - min(run("pass") for _ in range(tries))


def main() -> None:
    """Run the checks; an assertion fails with what was found."""
    seconds = best_import_time()
    print(f"import reluatlas: {seconds:.2f} s")
    assert seconds < IMPORT_LIMIT_S, f"importing takes {seconds:.2f} s; the limit is {IMPORT_LIMIT_S} s"

    import reluatlas as ra

    early = [name for name in NOT_AT_IMPORT if name in sys.modules]
    assert not early, f"`import reluatlas` imports {early}; import them where they are used"
    source = Path(sys.argv[1]).resolve()
    where = Path(ra.__file__).resolve()
    assert not where.is_relative_to(source), f"reluatlas came from the source tree: {where}"

    relu_of_sum = ra.load([([[1.0, 1.0], [1.0, -1.0]], [0.0, 0.0]), ([[1.0, 1.0]], [0.0])])
    cells = ra.enumerate_cells(relu_of_sum, ra.Box(-1, 1, dim=2))
    assert cells.n_cells == 4 and cells.is_complete, cells
    assert abs(sum(cells.volumes) - 4.0) < 1e-12, cells.volumes
    print(f"reluatlas {ra.__version__} from {where.parent}: {cells.n_cells} cells, as two crossing lines make")


if __name__ == "__main__":
    main()
