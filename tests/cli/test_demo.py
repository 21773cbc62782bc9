from __future__ import annotations

from reluatlas.datasets.demo import load_demo_digits
from tests.cli.run import contents
from tests.cli.test_cells import EVERYTHING


def test_the_demo_writes_a_report_and_says_what_it_found(command, tmp_path):
    outcome = command("demo")
    assert outcome.code == 0
    assert set(contents(tmp_path / "reluatlas-demo")) == EVERYTHING
    assert f"Open {tmp_path / 'reluatlas-demo' / 'report.html'}" in outcome.out.splitlines()
    digits = load_demo_digits()
    assert f"{digits.n_test_right} of {digits.n_test} test images right" in outcome.out
    page = (tmp_path / "reluatlas-demo" / "report.html").read_text(encoding="utf-8")
    assert page.count('src="data:image/png;base64,') >= 3 and "digit 8" in page
    again = command("demo", "--json", "--quiet", "--out", "digits")
    assert again.err == "" and again.numbers["digits"] == [3, 5, 8] and again.numbers["is_complete"]
    assert f"{again.numbers['n_cells']:,}" in outcome.out
    assert set(contents(tmp_path / "digits")) == EVERYTHING
