"""What does a text of s-expressions say? `read_expressions`: lists and words, each with its line and column."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NoReturn

from reluatlas.errors import PropertyError

MOST_DEPTH = 100
_TOKEN = re.compile(r"\s+|;[^\n]*|[()]|[^\s();]+")


@dataclass(frozen=True, eq=False)
class Expression:
    """A word, or a list of expressions, and where it begins: lines and columns count from 1."""

    word: str
    parts: tuple[Expression, ...]
    line: int
    column: int
    source: str

    @property
    def is_list(self) -> bool:
        """Whether it stands in parentheses."""
        return not self.word

    @property
    def head(self) -> str:
        """The first word of a list; empty where that is a list itself, or there is none."""
        return self.parts[0].word if self.parts else ""

    @property
    def shown(self) -> str:
        """The expression as text, not too long."""
        text = self.word or f"({' '.join(part.shown for part in self.parts[:4])}{' ...' * (len(self.parts) > 4)})"
        return text if len(text) <= 60 else f"{text[:57]}..."

    def refuse(self, text: str) -> NoReturn:
        """Raise an error that says where.

        Raises
        ------
        PropertyError
        """
        raise PropertyError(
            f"`{self.source}`, line {self.line}, column {self.column}: {text}", line=self.line, column=self.column
        )


def read_expressions(text: str, source: str) -> list[Expression]:
    """Return the expressions of a text.

    Raises
    ------
    PropertyError
        When parentheses do not match, or there are too many within each other.
    """
    done: list[Expression] = []
    open_: list[tuple[int, int, list[Expression]]] = []
    line, start = 1, 0
    for match in _TOKEN.finditer(text):
        token, column = match[0], match.start() - start + 1
        into = open_[-1][2] if open_ else done
        if token == "(":
            if len(open_) >= MOST_DEPTH:
                Expression("(", (), line, column, source).refuse(
                    f"more than {MOST_DEPTH} parentheses are open at once. Write the condition with fewer."
                )
            open_.append((line, column, []))
        elif token == ")":
            if not open_:
                Expression(")", (), line, column, source).refuse("`)` closes nothing. Remove it, or open it before.")
            at, where, parts = open_.pop()
            (open_[-1][2] if open_ else done).append(Expression("", tuple(parts), at, where, source))
        elif not token.isspace() and not token.startswith(";"):
            into.append(Expression(token, (), line, column, source))
        newlines = token.count("\n")
        if newlines:
            line += newlines
            start = match.start() + token.rfind("\n") + 1
    if open_:
        at, where, _ = open_[-1]
        Expression("(", (), at, where, source).refuse("`(` is never closed. Add a `)`; the file may be truncated.")
    return done
