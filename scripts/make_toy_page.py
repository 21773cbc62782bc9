"""Write the tutorial `docs/toy.md`: run its code, and put what is printed and drawn into the page.

    python scripts/make_toy_page.py [FOLDER]

Needs torch. FOLDER (default: docs) gets `toy.md` and `toy/`, the pictures and a film. Seeds are fixed; another
version of torch may round sums differently and give other weights, so other numbers.
"""

from __future__ import annotations

import io
import os
import sys
from contextlib import chdir, redirect_stdout
from pathlib import Path

TITLE = "# Watch a network cut the plane while it learns"

# text, then code; what the code prints is put below it
STEPS: tuple[tuple[str, str], ...] = (
    (
        """
A ReLU network with two inputs cuts the plane into convex cells and is one affine map on each. This page trains such
a network on a disc against an annulus ([Sattelberg2023](bibliography.md)), keeps its weights after every batch, and
opens them exactly. It is made by `scripts/make_toy_page.py`, which runs all code below. The whole study, with several
seeds, a minimal network beside the larger one and a report, is one command: `reluatlas study toy`.

## Train

Points are uniform in the square; label 1 where |x|² < 1/4, label 0 where 1/2 < |x|² < 3/4. Mean squared error on
one-hot targets, SGD with learning rate 0.1, momentum 0.9 and weight decay 1e-4, 1,000 batches of 100 points; then
again from another start until the accuracy on a grid reaches 0.98.
""",
        """
from reluatlas.datasets.toy import toy_problem
from reluatlas.studies.toy.train import train_toy

problem = toy_problem("circle", seed=0)
training = train_toy(problem, (2, 8, 8, 8, 2), seed=0)
print(training.reached, training.accuracies)
""",
    ),
    (
        """
The result is a `Trajectory`: the weights over time, a value that can be saved, and complexes on demand.
""",
        """
trajectory = training.trajectory
trajectory.save("circle.npz")
print(trajectory)
print(trajectory.complex(0).n_cells, "cells at the start,", trajectory.complex(-1).n_cells, "at the end")
""",
    ),
    (
        """
## Count, exactly, over time

`measure` opens each network and counts. `times=None` does so after every batch; here every tenth is enough.
""",
        """
import numpy as np

import reluatlas as ra

measures = trajectory.measure(np.arange(0, 1001, 10))
for name, column in measures.to_table().items():
    print(f"{name:20}", *(f"{v:8.3g}" if column.dtype.kind == "f" else f"{v:8}" for v in column[[0, 5, 10, 50, 100]]))
""",
    ),
    (
        """
Dead and always-on neurons are those with one sign in all cells: they cut nothing on this square. The spread is that of
the dual points, the affine maps taken as points, weighted by the area on which each holds.
""",
        """
axes = ra.plot.trajectory(measures)
axes[0].figure.savefig("toy/over-time.png", dpi=80)
""",
    ),
    ("![accuracy, pieces, idle neurons and spread over the batches](toy/over-time.png)", ""),
    (
        """
## Look at it

The film has the decision over the data, the decision function as a surface, the dual points with the exact counts, the
accuracy, and the zeros of each layer. Its page holds everything it needs; a name that ends in `.mp4` or `.gif` makes a
video instead. [Open the film](toy/film.html).
""",
        """
ra.plot.film(trajectory, "toy/film.html", times=np.arange(0, 1001, 20))
ra.plot.still(trajectory).savefig("toy/last.png", dpi=80)
""",
    ),
    ("![the eight panels after the last batch](toy/last.png)", ""),
    (
        """
## How much does sampling miss?

The paper counted regions on a grid of 401 x 401 points, with the maps rounded to two decimals. On the same weights:
""",
        """
from reluatlas.studies.toy.sample import sample_regions

for t in (0, 50, 100, 500, 1000):
    found, exact = sample_regions(trajectory, t), trajectory.complex(t).n_linear_regions
    print(f"batch {t:4}: sampled {found.n_rounded:3}, exact {exact:3}, missed {1 - found.n_rounded / exact:5.1%}")
""",
    ),
    (
        """
## How few maps are enough?

Put the dual points into k groups, by k-means weighted by area, and let each point of the test set take the map of its
group. Distances between dual points are root-mean-square differences of the maps over the square.
""",
        """
from reluatlas.studies.toy.alike import reduction_curve

points = ra.analysis.dual_points(trajectory.complex(-1))
print(len(points), "maps;", "accuracy with 1, 2, ... of them:")
print(*(f"{accuracy:.3f}" for accuracy in reduction_curve(trajectory, points, up_to=12)))
""",
    ),
    (
        """
## Do two networks carry the same maps?

Optimal transport of area over dual points says how far one set of maps is from another, wherever their cells lie. A
network that starts from another seed is compared, and two levels of chance: random points with the same areas, mean
and covariance, and the network before its training.
""",
        """
from reluatlas.studies.toy.alike import scattered

second = train_toy(problem, (2, 8, 8, 8, 2), seed=1).trajectory
other = ra.analysis.dual_points(second.complex(-1))
print(f"another seed:             {ra.analysis.transport_distance(points, other):.2f}")
chance = scattered(other, np.random.default_rng(0))
print(f"same mean and covariance: {ra.analysis.transport_distance(points, chance):.2f}")
start = ra.analysis.dual_points(trajectory.complex(0))
print(f"untrained:                {ra.analysis.transport_distance(points, start):.2f}")
""",
    ),
    (
        """
## Do they cut the plane alike?

`compare_structure` matches linear regions and bent hyperplanes of the two one to one, as well as that can be done:
numbers from 0 to 1, defined in [compare.md](compare.md). Chance is the same with the other
network before its training.
""",
        """
alike = ra.compare_structure(trajectory.network(-1), second.network(-1), trajectory.domain, chance=[second.network(0)])
for name, value in vars(alike.scores).items():
    print(f"{name:11}  {value:.2f}, chance {getattr(alike.chance[0], name):.2f}")
""",
    ),
    (
        """
The report of `reluatlas study toy` has these numbers of all pairs of its networks, within a shape and across shapes,
with their spread over seeds, chance beside, and once more up to the symmetries of the problem.
""",
        "",
    ),
)


def run_steps(folder: Path) -> str:
    """Run all code in a folder, and return the page."""
    (folder / "toy").mkdir(parents=True, exist_ok=True)
    names: dict[str, object] = {"__name__": "__page__"}
    parts = [TITLE]
    with chdir(folder):
        for text, code in STEPS:
            parts.append(text.strip())
            if not code:
                continue
            printed = io.StringIO()
            with redirect_stdout(printed):
                exec(compile(code, "toy.md", "exec"), names)
            parts.append(f"```python\n{code.strip()}\n```")
            if printed.getvalue():
                parts.append(f"```text\n{printed.getvalue().rstrip()}\n```")
    return "\n\n".join(parts) + "\n"


def main() -> None:
    os.environ.setdefault("MPLBACKEND", "Agg")
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / "docs"
    page = run_steps(folder)
    (folder / "circle.npz").unlink()
    (folder / "toy.md").write_text(page, encoding="utf-8")
    print(f"wrote {folder / 'toy.md'}")


if __name__ == "__main__":
    main()
