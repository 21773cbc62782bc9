"""What must a network not do? `load_property`: a `.vnnlib` file as boxes of inputs and linear conditions, in ratios.

The `vnnlib` package reads such files into float64, by which a constant such as 0.1 is another number; so they are read
here, each number as the ratio that it is written as, and each error with its line and column.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from os import PathLike
from pathlib import Path

from reluatlas.certify.statement import Case, Inequality, Property
from reluatlas.errors import DataFileError
from reluatlas.network.record import Graph
from reluatlas.properties.conditions import Atom, Condition, Variable, cases_of, condition
from reluatlas.properties.expressions import Expression, read_expressions

_NAME = re.compile(r"([XY])_(0|[1-9]\d{0,6})")
_MOST_BYTES = 2**27
_IGNORED = ("set-logic", "set-info", "set-option", "check-sat", "get-model", "exit")


def load_property(source: str | PathLike[str], net: Graph | None = None) -> Property:
    """Return the property in a file of VNN-LIB 1.0: what an input and its output must not satisfy together.

    The file declares inputs `X_0, X_1, ...` and outputs `Y_0, Y_1, ...`, and asserts conditions. A property is violated
    when some input, with the network's output there, satisfies all of them; it holds when none does. The inputs are
    those that the network takes as it was loaded: in the user's units, where `mean` and `std` were given.

    Parameters
    ----------
    source : path, or str
        A file, or the text itself: what begins with `(` or `;`, or has several lines.
    net : Network, optional
        Refuses a property of other sizes, with the line.

    Returns
    -------
    Property
        Its `cases`, each a box and inequalities, together say what the conditions say.

    Raises
    ------
    PropertyError
        With line and column: for what is not linear, not declared, strict (`<`, `>`), or unknown; for inputs without
        bounds on both sides, and when no input at all is allowed.
    DataFileError
        When the file cannot be read.

    Guarantees
    ----------
    Constants are the ratios that are written, never float64 numbers. Inputs with equal ends have that value: the box is
    flat there. Conditions may mix inputs and outputs. Equalities are two inequalities.

    Cost
    ----
    Linear in the text, and in the number of cases that its `or`s make together.

    References
    ----------
    [VNNLIB2019]: the format.

    Examples
    --------
    >>> import reluatlas as ra
    >>> text = '''
    ... (declare-const X_0 Real) (declare-const Y_0 Real)
    ... (assert (>= X_0 -1)) (assert (<= X_0 0.1))
    ... (assert (>= Y_0 2.5))'''
    >>> ra.load_property(text).cases[0].high
    (Fraction(1, 10),)
    """
    text, name = _text_of(source)
    expressions = read_expressions(text, name)
    whole = Expression("(", (), 1, 1, name)
    known: dict[str, Variable] = {}
    declared: dict[str, Expression] = {}
    conditions: list[Condition] = []
    for at in expressions:
        if at.head in ("declare-const", "declare-fun"):
            _declare(at, known, declared)
        elif at.head == "assert":
            if len(at.parts) != 2:
                at.refuse(f"`assert` takes one condition; got {len(at.parts) - 1}.")
            conditions.append(condition(at.parts[1], known))
        elif at.head not in _IGNORED:
            at.refuse(
                f"`{at.head or at.shown}` is not a command of VNN-LIB 1.0; expected `declare-const` or `assert`."
            )  # fmt: skip
    sizes = {}
    for letter, what, at_net in (("X", "inputs", "n_inputs"), ("Y", "outputs", "n_outputs")):
        numbers = sorted(i for kind, i in known.values() if kind == letter)
        if not numbers:
            whole.refuse(f"no {what} are declared. Declare them: `(declare-const {letter}_0 Real)`.")
        if numbers != list(range(len(numbers))):
            missing = next(i for i, n in enumerate(numbers) if i != n)
            declared[f"{letter}_{numbers[-1]}"].refuse(
                f"`{letter}_{numbers[-1]}` is declared but `{letter}_{missing}` is not. Declare all from {letter}_0 on."
            )
        sizes[letter] = len(numbers)
        want = None if net is None else getattr(net, at_net)
        if want is not None and want != len(numbers):
            last = declared[f"{letter}_{min(want, len(numbers) - 1)}"]
            last.refuse(
                f"the property has {len(numbers)} {what} ({letter}_0 to {letter}_{numbers[-1]}) but the network has "
                f"{want}. Pass the network that it was written for."
            )
    if not conditions:
        whole.refuse("nothing is asserted. Assert bounds of the inputs, and conditions on the outputs.")
    cases: list[Case] = []
    empty: list[str] = []
    for atoms in cases_of(conditions, whole):
        case = _case(atoms, sizes["X"], empty, whole)
        if case is not None and case not in cases[-1:]:
            cases.append(case)
    if not cases:
        whole.refuse(f"no input is allowed: {empty[0]}. A property needs a box of inputs with a point in it.")
    return Property(sizes["X"], sizes["Y"], tuple(cases), name)


def _text_of(source: str | PathLike[str]) -> tuple[str, str]:
    if isinstance(source, str) and (source.lstrip()[:1] in ("(", ";") or "\n" in source):
        return source, "property"
    path = Path(source)
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
        if len(data) > _MOST_BYTES:
            raise DataFileError(f"`{path}` has more than {_MOST_BYTES:,} bytes; expected a `.vnnlib` file.")
        return data.decode("utf-8"), path.name
    except UnicodeDecodeError:
        raise DataFileError(f"`{path}` is not text; expected a `.vnnlib` file.") from None
    except OSError as error:
        raise DataFileError(
            f"`{path}` cannot be read: {error.strerror or error}. Pass the path of a `.vnnlib` file."
        ) from None  # fmt: skip


def _declare(at: Expression, known: dict[str, Variable], declared: dict[str, Expression]) -> None:
    words = [part.word for part in at.parts[1:] if part.word]
    if at.head == "declare-fun" and len(at.parts) == 4 and at.parts[2].is_list and not at.parts[2].parts:
        words = [at.parts[1].word, at.parts[3].word]
    elif len(at.parts) != 3:
        words = []
    if len(words) != 2 or words[1] not in ("Real", "real"):
        at.refuse(f"`{at.shown}` does not declare a real number; expected `(declare-const X_0 Real)`.")
    match = _NAME.fullmatch(words[0])
    if match is None:
        at.refuse(f"`{words[0]}` is not the name of an input or output; expected X_0, X_1, ... or Y_0, Y_1, ...")
    if words[0] in known:
        at.refuse(f"`{words[0]}` is declared twice. Remove one.")
    known[words[0]] = ("X" if match[1] == "X" else "Y"), int(match[2])
    declared[words[0]] = at


def _case(atoms: Sequence[Atom], n: int, empty: list[str], whole: Expression) -> Case | None:
    """Return the case of some atoms; None when no input or output satisfies them, for the reason added to `empty`."""
    low: list[Fraction | None] = [None] * n
    high: list[Fraction | None] = [None] * n
    rows = []
    for atom in atoms:
        factors, constant = atom.term.factors, atom.term.constant
        if not factors:
            if constant > 0:
                empty.append(f"`{atom.where.shown}` in line {atom.where.line} is never true")
                return None
            continue
        (kind, i), factor = next(iter(factors.items()))
        if len(factors) == 1 and kind == "X":
            end = -constant / factor
            if factor > 0:
                high[i] = end if high[i] is None else min(high[i], end)  # type: ignore[type-var]
            else:
                low[i] = end if low[i] is None else max(low[i], end)  # type: ignore[type-var]
            continue
        inputs = {i: f for (kind, i), f in factors.items() if kind == "X"}
        outputs = {j: f for (kind, j), f in factors.items() if kind == "Y"}
        rows.append(Inequality(inputs, outputs, -constant))
    for i in range(n):
        least, most = low[i], high[i]
        if least is None or most is None:
            side = "lower" if least is None else "upper"
            whole.refuse(
                f"input `X_{i}` has no {side} bound in one of the cases; expected a box. Assert `(>= X_{i} ...)` and "
                f"`(<= X_{i} ...)`."
            )
        if least > most:
            empty.append(f"`X_{i}` is at least {_short(least)} and at most {_short(most)}")
            return None
    return Case(tuple(v for v in low if v is not None), tuple(v for v in high if v is not None), tuple(rows))


def _short(value: Fraction) -> str:
    return f"{float(value):.6g}"
