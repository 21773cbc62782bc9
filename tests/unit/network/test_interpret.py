"""Walks through a network: what an algebra is told, in which order, and what is let go."""

from __future__ import annotations

import weakref

import numpy as np
import pytest

from reluatlas.deadline import Deadline, under
from reluatlas.errors import TimeLimitError
from reluatlas.network.interpret import last_uses, outcome, sources, through, walk
from reluatlas.network.operators import Dense
from reluatlas.network.record import Affine, Breakpoints, Graph, Input, Max

ONE = Dense(np.ones((2, 2)))
KNOT = np.zeros((2, 1)), np.array([[0.0, 1.0]] * 2), np.zeros((2, 2))


def graph(output: int = 5) -> Graph:
    """Return a skip connection, and behind it windows and a node that reads them twice; node 3 is read by none."""
    return Graph(
        (
            Input((2,)),
            Affine((0,), (ONE,), np.zeros(2), (2,)),
            Breakpoints(1, *KNOT, (2,)),
            Breakpoints(1, *KNOT, (2,)),
            Max(2, np.array([0, 1, 2]), np.array([0, 1]), (2,)),
            Affine((0, 4, 4), (ONE, ONE, ONE), np.zeros(2), (2,)),
        ),
        output,
    )


class Term:
    """What a node is made of, as text."""

    def __init__(self, text: str) -> None:
        self.text = text


class Terms:
    """An algebra that writes down what it is asked, and how much of it there is at that time."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []
        self.alive: list[set[str]] = []
        self._made: weakref.WeakSet[Term] = weakref.WeakSet()

    def _term(self, kind: str, t: int, node, done) -> Term:
        self.asked.append((kind, t))
        self.alive.append({term.text for term in self._made})
        made = Term(f"{kind}({', '.join(done[s].text for s in sources(node))})")
        self._made.add(made)
        return made

    def affine(self, t, node, done) -> Term:
        return self._term("affine", t, node, done)

    def breakpoints(self, t, node, done) -> Term:
        return self._term("bent", t, node, done)

    def max(self, t, node, done) -> Term:
        return self._term("max", t, node, done)


WINDOWS = "max(bent(affine(x)))"


def test_a_walk_keeps_what_is_made_of_every_node_in_order():
    terms = Terms()
    found = [term.text for term in walk(graph(), Term("x"), terms)]
    bent = "bent(affine(x))"
    assert found == ["x", "affine(x)", bent, bent, WINDOWS, f"affine(x, {WINDOWS}, {WINDOWS})"]
    assert terms.asked == [("affine", 1), ("bent", 2), ("bent", 3), ("max", 4), ("affine", 5)]
    assert [term.text for term in walk(graph(), Term("x"), Terms(), upto=2)] == found[:3]
    assert [term.text for term in walk(graph(), Term("x"), Terms(), upto=0)] == ["x"]
    assert walk(graph(), Term("x"), Terms(), upto=-1) == []


def test_an_outcome_is_that_of_the_output_and_what_no_later_node_reads_is_let_go():
    terms = Terms()
    assert outcome(graph(), Term("x"), terms).text == f"affine(x, {WINDOWS}, {WINDOWS})"
    # node 3 is read by none, so nothing says when it may go
    bent = "bent(affine(x))"
    assert terms.alive == [set(), {"affine(x)"}, {"affine(x)", bent}, {bent}, {bent, WINDOWS}]
    assert outcome(graph(), Term("x"), Terms(), upto=4).text == WINDOWS
    assert outcome(graph(), Term("x"), Terms(), upto=0).text == "x"
    for output in range(6):
        terms = Terms()
        assert outcome(graph(output), Term("x"), terms).text == walk(graph(), Term("x"), Terms())[output].text
        assert len(terms.asked) == 5  # also what comes behind the output is gone through


def test_a_node_reads_nodes_before_it():
    assert [sources(node) for node in graph().nodes] == [(), (0,), (1,), (1,), (2,), (0, 4, 4)]


def test_the_last_use_of_a_node_is_the_last_that_reads_it():
    assert last_uses(graph()) == [5, 3, 4, 3, 5, 6]
    assert last_uses(graph(output=1)) == [5, 6, 4, 3, 5, 5]  # the output is needed at the end
    assert last_uses(graph(output=1), output=2) == [5, 3, 6, 3, 5, 5]


def test_one_node_alone_is_made_of_what_is_known():
    known = {0: Term("a"), 4: Term("b")}
    assert through(Terms(), 5, graph().nodes[5], known).text == "affine(a, b, b)"


def test_a_walk_looks_at_the_clock():
    clock = iter(range(100))  # a second goes by with every look
    deadline = Deadline(4.0, clock=lambda: float(next(clock)))
    terms = Terms()
    with pytest.raises(TimeLimitError), under(deadline):
        walk(graph(), Term("x"), terms)
    assert terms.asked == [("affine", 1)]
