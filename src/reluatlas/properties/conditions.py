"""What does a condition of a `.vnnlib` file say? Linear terms in ratios, inequalities, and how they are combined.

Decimal constants are read as ratios of whole numbers, and never pass through float64.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Literal

from reluatlas.properties.expressions import Expression

MOST_CASES = 100_000
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_LARGEST = Fraction(2**500)
_MOST_DIGITS, _MOST_EXPONENT = 2000, 400

Variable = tuple[Literal["X", "Y"], int]


@dataclass(frozen=True, eq=False)
class Term:
    """A linear function of inputs and outputs."""

    factors: Mapping[Variable, Fraction]
    constant: Fraction

    def plus(self, other: Term, times: Fraction) -> Term:
        """Return the sum with a multiple of another term."""
        factors = dict(self.factors)
        for variable, factor in other.factors.items():
            factors[variable] = factors.get(variable, Fraction(0)) + times * factor
        return Term({v: f for v, f in factors.items() if f}, self.constant + times * other.constant)


ZERO = Term({}, Fraction(0))


@dataclass(frozen=True, eq=False)
class Atom:
    """A term that is at most 0, and where that was said."""

    term: Term
    where: Expression


@dataclass(frozen=True, eq=False)
class Condition:
    """An atom, or all, or one, of some conditions."""

    kind: Literal["atom", "and", "or"]
    parts: tuple[Condition, ...] = ()
    atom: Atom | None = None


def condition(at: Expression, known: Mapping[str, Variable]) -> Condition:
    """Return what an expression says; `known` are the variables that are declared.

    Raises
    ------
    PropertyError
        When it says something that a property of this library cannot, by name.
    """
    if not at.is_list:
        at.refuse(f"`{at.shown}` is not a condition; expected `(<= a b)`, `(>= a b)`, `(and ...)` or `(or ...)`.")
    head, parts = at.head, at.parts[1:]
    if head in ("and", "or"):
        if not parts:
            at.refuse(f"`({head})` has no conditions. Write at least one.")
        return Condition("and" if head == "and" else "or", tuple(condition(part, known) for part in parts))
    if head in ("<", ">"):
        at.refuse(
            f"`{at.shown}` is strict, but a property is about closed sets, which hold their borders. Write `{head}=`, "
            "or move the constant."
        )
    if head in ("<=", ">=", "="):
        if len(parts) < 2:
            at.refuse(f"`{head}` compares two terms or more; got {len(parts)}.")
        terms = [term(part, known) for part in parts]
        atoms = []
        for one, other in pairwise(terms):
            if head in ("<=", "="):
                atoms.append(Condition("atom", atom=Atom(one.plus(other, Fraction(-1)), at)))
            if head in (">=", "="):
                atoms.append(Condition("atom", atom=Atom(other.plus(one, Fraction(-1)), at)))
        return atoms[0] if len(atoms) == 1 else Condition("and", tuple(atoms))
    if head in ("not", "=>", "xor", "distinct", "ite", "let", "forall", "exists"):
        at.refuse(
            f"`{head}` is not part of a property here; expected `<=`, `>=`, `=`, `and`, `or`. Write the condition with "
            "these."
        )
    at.refuse(f"`{head or at.shown}` is not known; expected `<=`, `>=`, `=`, `and` or `or`.")


def term(at: Expression, known: Mapping[str, Variable]) -> Term:
    """Return what an expression adds up to.

    Raises
    ------
    PropertyError
        When it is not linear, or names what is not declared.
    """
    if not at.is_list:
        if at.word in known:
            return Term({known[at.word]: Fraction(1)}, Fraction(0))
        if _NUMBER.fullmatch(at.word):
            return Term({}, number(at))
        at.refuse(
            f"`{at.shown}` is neither a number nor a declared variable. Declare it: `(declare-const X_0 Real)`, inputs "
            "as X_0, X_1, ..., outputs as Y_0, Y_1, ..."
        )
    head = at.head
    if head not in ("+", "-", "*", "/") or len(at.parts) < 2:
        at.refuse(f"`{at.shown}` is not a term; expected a number, a variable, or a sum `+`, `-`, `*`, `/` of such.")
    terms = [term(part, known) for part in at.parts[1:]]
    if head == "-" and len(terms) == 1:
        return ZERO.plus(terms[0], Fraction(-1))
    total = terms[0]
    for part, other in zip(at.parts[2:], terms[1:], strict=True):
        if head in ("+", "-"):
            total = total.plus(other, Fraction(1 if head == "+" else -1))
        elif head == "*":
            if total.factors and other.factors:
                at.refuse(f"`{at.shown}` multiplies two variables; expected a linear term.")
            total = ZERO.plus(other, total.constant) if not total.factors else ZERO.plus(total, other.constant)
        else:
            if other.factors or not other.constant:
                part.refuse(f"`{part.shown}` is divided by; expected a number that is not 0.")
            total = ZERO.plus(total, 1 / other.constant)
    return total


def number(at: Expression) -> Fraction:
    """Return a decimal number as the ratio that it is.

    Raises
    ------
    PropertyError
        When it is larger than any input can be, or endless.
    """
    mantissa, _, exponent = at.word.lower().partition("e")
    if len(mantissa) > _MOST_DIGITS or len(exponent) > 5 or abs(int(exponent or 0)) > _MOST_EXPONENT:
        at.refuse(f"`{at.shown}` has too many digits, or an exponent beyond {_MOST_EXPONENT}. Write a shorter number.")
    value = Fraction(at.word)
    if abs(value) > _LARGEST:
        at.refuse(f"`{at.shown}` is beyond 2**500, which no number of a domain may be. Write a smaller number.")
    return value


def cases_of(conditions: Sequence[Condition], where: Expression) -> list[list[Atom]]:
    """Return the ways in which all conditions hold: lists of atoms.

    Raises
    ------
    PropertyError
        When there are too many.
    """
    return _ways(Condition("and", tuple(conditions)), where)


def _ways(at: Condition, where: Expression) -> list[list[Atom]]:
    if at.atom is not None:
        return [[at.atom]]
    if at.kind == "or":
        out = [way for part in at.parts for way in _ways(part, where)]
        if len(out) > MOST_CASES:
            _too_many(where)
        return out
    ways: list[list[Atom]] = [[]]
    for part in at.parts:
        more = _ways(part, where)
        if len(ways) * len(more) > MOST_CASES:
            _too_many(where)
        if len(more) == 1:
            for way in ways:
                way += more[0]
        else:
            ways = [[*way, *other] for way in ways for other in more]
    return ways


def _too_many(where: Expression) -> None:
    where.refuse(
        f"its `or`s make more than {MOST_CASES:,} cases together. Split the property into several files."
    )  # fmt: skip
