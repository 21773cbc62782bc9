"""Verdicts equal those of a rational oracle: on random small properties, with bounds that are met exactly or missed."""

from __future__ import annotations

from fractions import Fraction
from random import Random

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.certify.statement import Case, Inequality
from reluatlas.testing import FAMILIES
from tests.convert import to_nodes
from tests.oracles import properties as oracle

SEEDS = range(3)
SHIFTS = [Fraction(0), Fraction(0), Fraction(1, 10**6), Fraction(1, 10**12), Fraction(1, 10**40)]


def ends(rng: Random, n: int) -> tuple[tuple[Fraction, ...], tuple[Fraction, ...]]:
    """Return a box with ends that float64 does not hold; flat in some inputs, sometimes in all."""
    share = rng.choice([0.0, 0.0, 0.4, 1.0 if rng.random() < 0.3 else 0.0])
    low, high = [], []
    for _ in range(n):
        a, b = sorted((Fraction(rng.randint(-10, 10), rng.choice([1, 7, 10])), Fraction(rng.randint(-12, 12), 9)))
        low.append(a)
        high.append(a if rng.random() < share else b)
    return tuple(low), tuple(high)


def inequality(rng: Random, n: int, m: int) -> oracle.Inequality:
    """Return an inequality of one or two outputs, and sometimes inputs."""
    outputs = {j: Fraction(rng.choice([-2, -1, 1, 3]), rng.choice([1, 3])) for j in rng.sample(range(m), rng.randint(1, min(2, m)))}  # fmt: skip  # noqa: E501
    inputs = {rng.randrange(n): Fraction(rng.randint(-5, 5) or 1, 7)} if rng.random() < 0.25 else {}
    return inputs, outputs, Fraction(rng.randint(-10, 10), 10)


def random_case(rng: Random, net: ra.Network) -> Case:
    """Return a case whose last bound is the least that can be met, or off by so little."""
    nodes, output = to_nodes(net), net.output
    low, high = ends(rng, net.n_inputs)
    rows = [inequality(rng, net.n_inputs, net.n_outputs) for _ in range(rng.choice([1, 1, 2, 3]))]
    least = oracle.least_bound(nodes, output, (low, high), rows)
    if least is not None and rng.random() < 0.9:
        rows[-1] = (*rows[-1][:2], least + rng.choice([-1, 1]) * rng.choice(SHIFTS))
    return Case(low, high, tuple(Inequality(*row) for row in rows))


def problem(family: str, seed: int) -> tuple[ra.Network, ra.Property]:
    """Return a network and a property of one to three cases."""
    net = FAMILIES[family](seed)
    rng = Random(f"{family} {seed}")
    cases = [random_case(rng, net) for _ in range(rng.choice([1, 1, 1, 2, 3]))]
    if len(cases) > 1 and rng.random() < 0.5:
        cases = [Case(cases[0].low, cases[0].high, case.inequalities) for case in cases]
    return net, ra.Property(net.n_inputs, net.n_outputs, tuple(cases))


@pytest.mark.parametrize("seed", SEEDS)
def test_verdicts_equal_the_oracle(seed):
    seen = set()
    for family in FAMILIES:
        net, prop = problem(family, seed)
        nodes = to_nodes(net)
        expected = any(
            oracle.is_violated(
                nodes, net.output, (c.low, c.high), [(r.inputs, r.outputs, r.bound) for r in c.inequalities]
            )
            for c in prop.cases
        )
        answer = ra.check_property(net, prop, max_seconds=60, jobs=1)
        assert answer.verdict == ("violated" if expected else "holds"), (family, seed)
        seen.add(answer.verdict)
        if answer.witness is None:
            assert answer.certificate is not None and answer.report
            continue
        x, y = answer.witness.exact_input, answer.witness.exact_output
        assert oracle.value(nodes, net.output, x) == list(y)
        case = answer.witness.case
        assert case in prop.cases
        assert all(a <= v <= b for a, v, b in zip(case.low, x, case.high, strict=True))
        for row in case.inequalities:
            total = sum(c * x[i] for i, c in row.inputs.items()) + sum(c * y[j] for j, c in row.outputs.items())
            assert total <= row.bound
        assert np.allclose(net(answer.witness.x).reshape(-1), answer.witness.y)
    assert seen == {"holds", "violated"}
