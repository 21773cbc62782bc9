"""What is wrong about the answers to a case? Every question is asked; each ends right, wrong, refused or in a crash."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import reluatlas as ra
from tests import point_questions, questions
from tests.doors import domain_of, network_of
from tests.oracles.steps import Case
from tests.truth import Truth


@dataclass(frozen=True)
class Fault:
    """A wrong answer ("wrong"), a sentence in place of one ("refused"), or another exception ("foreign")."""

    question: str
    kind: str
    text: str


@dataclass
class Verdict:
    """How many answers were right, and what else came."""

    n_right: int = 0
    faults: list[Fault] = field(default_factory=list)

    def of(self, kind: str) -> list[Fault]:
        """Return the faults of a kind."""
        return [f for f in self.faults if f.kind == kind]


def verdict(case: Case, *, brief: bool = False) -> Verdict:
    """Return the verdict on all answers about a case; `brief`: with fewer points and segments, which take longest."""
    truth, out = Truth(case), Verdict()
    _ = truth.cells, truth.behind  # the oracle's own assertions are not the engine's faults

    made: dict = {}

    def load() -> int:
        made["net"], made["domain"] = network_of(case), domain_of(case)
        return 1

    def enumerate_cells() -> int:
        made["cx"] = ra.enumerate_cells(made["net"], made["domain"], jobs=1)
        return questions.cells(truth, made["cx"])

    _ask(out, "load", load)
    if not made:
        return out
    net, domain = made["net"], made["domain"]
    _ask(out, "count", lambda: questions.count(truth, net, domain))
    _ask(out, "cells", enumerate_cells)
    asked = point_questions.points(truth)
    if not out.faults:
        cx = made["cx"]
        for name in ("maps", "vertices", "volumes", "facets", "counts", "decision_boundary"):
            _ask(out, name, lambda name=name: getattr(questions, name)(truth, cx))
        _ask(out, "look_up", lambda: point_questions.look_up(truth, cx, asked[:: 2 if brief else 1]))
    _ask(out, "evaluated", lambda: point_questions.evaluated(truth, net, asked))
    singles = [*case.points[:1], *asked[-2:], asked[0]]
    for x in singles[:2] if brief else singles:
        _ask(out, "one_cell", lambda x=x: point_questions.one_cell(truth, net, domain, x))
    ends = point_questions.ends(truth, asked)
    for a, b in ends[:1] if brief else ends:
        _ask(out, "traced", lambda a=a, b=b: point_questions.traced(truth, net, a, b))
    return out


def _ask(out: Verdict, name: str, question: Callable[[], int]) -> None:
    try:
        out.n_right += question()
    except AssertionError as error:
        out.faults.append(Fault(name, "wrong", str(error)))
    except ra.errors.InternalError as error:
        out.faults.append(Fault(name, "foreign", f"InternalError: {error}"))
    except ra.errors.ReluAtlasError as error:
        out.faults.append(Fault(name, "refused", f"{type(error).__name__}: {error}"))
    except Exception as error:
        out.faults.append(Fault(name, "foreign", f"{type(error).__name__}: {error}"))
