"""What is told of joined cells? Numbers for JSON, sentences, and a table: the same on the page and in the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reluatlas.report import facts, words

if TYPE_CHECKING:
    from reluatlas.analysis.joining.answer import JoinedCells


def of(found: JoinedCells, bound: int | None) -> facts.Facts:
    """Return all numbers; `bound` is how many pieces there must be, if that is known."""
    return {
        "is_complete": not found.stopped_by,
        "n_pieces_at_least": bound,
        **found.to_dict(),
        "exactness": facts.of_exactness(found.exactness),
    }


def sentences(found: JoinedCells, bound: int | None) -> list[str]:
    """Return the answer in sentences, the first one first."""
    pieces = words.counted(found.n_pieces, "piece")
    enough = "is enough" if found.n_pieces == 1 else "are enough"
    first = f"{pieces} {enough}: with {'it' if found.n_pieces == 1 else 'them'}, {_change(found)}, for certain."
    before = words.counted(found.complex.n_cells, "cell")
    regions = words.counted(int(found.complex.n_linear_regions), "linear region")
    least = (
        "How few there must be was not found in time."
        if bound is None
        else f"Fewer than {bound:,} cannot be as near, however cells are put together."
        if bound > 1
        else "How few there must be is not known: at least one."
    )
    return [first, f"The network has {before} in {regions} there.", least]


def _change(found: JoinedCells) -> str:
    return (
        "no output changes" if found.error == 0 else f"no output changes by more than {found.error:.6g}{_share(found)}"
    )


def _share(found: JoinedCells) -> str:
    return f" ({100 * found.error / found.output_range:.3g} % of the outputs' range)" if found.output_range > 0 else ""


def rows(found: JoinedCells, bound: int | None) -> list[tuple[str, str]]:
    """Return names and values."""
    asked = "a number of pieces" if found.tolerance is None else f"{found.tolerance:.6g}"
    return [
        ("cells", f"{found.complex.n_cells:,}"),
        ("linear regions", f"{found.complex.n_linear_regions:,}"),
        ("pieces", f"{found.n_pieces:,}"),
        ("at least", "not known" if bound is None else f"{bound:,}"),
        ("allowed", asked),
        ("largest change", f"{float(found.attained.max()):.6g} to {found.error:.6g}"),
        ("outputs' range", f"{found.output_range:.6g}"),
        ("exactness", words.exactness(facts.of_exactness(found.exactness))),
    ]
