"""What does reluatlas do? `reluatlas demo`: the main job with nothing given."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from reluatlas.cli import cells, console
from reluatlas.cli.answer import line, show
from reluatlas.cli.domains import Chosen
from reluatlas.cli.exit_codes import exit_code
from reluatlas.cli.groups import Budget, Common
from reluatlas.domain import Slice
from reluatlas.report import facts

FOLDER = Path("reluatlas-demo")
MARGIN = 0.5
_CODE = """import reluatlas as ra
from reluatlas.datasets.demo import load_demo_digits

digits = load_demo_digits()
plane = ra.Slice.through(digits.points, margin={margin!r})
cx = ra.enumerate_cells(digits.network, plane)
print(cx.n_cells, cx.n_linear_regions, cx.exactness)"""


def demo(common: Common, *, jobs: int | None, typed: Sequence[str]) -> int:
    """Open the shipped network on the plane through three digits and write the report."""
    from reluatlas.datasets.demo import load_demo_digits
    from reluatlas.report.common import About
    from reluatlas.report.drawings import Mark
    from reluatlas.report.folder import check_folder
    from reluatlas.report.write import write_report

    quiet = common.quiet
    folder = FOLDER if common.out is None else common.out
    check_folder(folder)
    digits = load_demo_digits()
    plane = Slice.through(digits.points, margin=MARGIN)
    chosen = Chosen(plane, "")
    cx = cells.enumerate_(digits.network, chosen, Budget(jobs=jobs), quiet=quiet)
    numbers = {
        **facts.of_command("demo", digits.path.name, common.seed),
        "test_accuracy": digits.test_accuracy,
        "digits": list(digits.labels),
        "network": facts.of_network(digits.network),
        "domain": facts.of_domain(plane),
        **facts.of_complex(cx),
    }
    a, b, c = digits.labels
    heading = (
        f"A {digits.architecture} network that reads handwritten digits ({digits.n_test_right} of {digits.n_test} test "
        f"images right, {100 * digits.test_accuracy:.1f} %), opened on the plane through a {a}, a {b} and an {c}."
    )
    console.notice("Drawing the report.", quiet=quiet)
    marks = [
        Mark(f"digit {label}", plane.coordinates(x), image)
        for label, x, image in zip(digits.labels, digits.points, digits.images, strict=True)
    ]
    about = About(
        title=f"A digits network on the plane through a {a}, a {b} and an {c}",
        intro=f"{heading} On that plane the network is exactly the affine pieces below.",
        command=line(typed),
        code=_CODE.format(margin=MARGIN),
    )
    page = write_report(cx, folder, numbers, about, marks=marks)
    show(numbers, heading, as_json=common.json, out=None, quiet=quiet)
    if not common.json:
        console.result()
        console.result(f"Open {page.resolve()}")
    return exit_code(numbers)
