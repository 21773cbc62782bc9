"""Every public verb says what it returns and what it costs, cites its source, and has an example that runs."""

from __future__ import annotations

import doctest
import inspect
import re

import pytest

import reluatlas as ra
from tests.docs.test_bibliography import KEY, entries

PLACES = [ra, ra.analysis, ra.certify, ra.testing]
VERBS = {
    f"{place.__name__}.{name}": getattr(place, name)
    for place in PLACES
    for name in place.__all__
    if inspect.isfunction(getattr(place, name))
}
PLAIN = {  # read, write, or make something: no work to cite
    "reluatlas.load", "reluatlas.load_complex", "reluatlas.load_maps", "reluatlas.load_points",
    "reluatlas.time_limit", "reluatlas.view",
    "reluatlas.analysis.read_pieces", "reluatlas.certify.load_certificates", "reluatlas.certify.save_certificates",
    "reluatlas.certify.load_property_certificate", "reluatlas.certify.save_tree",
    "reluatlas.testing.broken_complexes", "reluatlas.testing.domain_for",
}  # fmt: skip
ORDER = ["Parameters", "Returns", "Yields", "Raises", "Guarantees", "Cost", "Notes", "References", "Examples"]
SECTION = re.compile(r"^(\w+)\n(-+)$", re.MULTILINE)


def sections(verb: object) -> dict[str, str]:
    """Return the sections of a docstring, in their order."""
    text = inspect.getdoc(verb) or ""
    parts = SECTION.split(text)
    assert all(len(name) == len(line) for name, line in zip(parts[1::3], parts[2::3], strict=True)), "a short underline"
    return {name: body.strip() for name, body in zip(parts[1::3], parts[3::3], strict=True)}


def test_there_are_verbs():
    assert len(VERBS) > 20 and set(VERBS) >= PLAIN


@pytest.mark.parametrize("name", VERBS)
def test_a_verb_has_its_sections(name):
    found = sections(VERBS[name])
    assert set(found) <= set(ORDER), set(found) - set(ORDER)
    assert list(found) == sorted(found, key=ORDER.index), "sections are in another order"
    assert found.get("Returns") or found.get("Yields"), "it does not say what it gives"
    assert found.get("Cost") and ">>> " in found.get("Examples", ""), "it has no cost, or no example"
    keys = KEY.findall(found.get("References", ""))
    assert set(keys) <= set(entries())
    assert bool(keys) != (name in PLAIN), "a verb cites its source, or is a plain one"


@pytest.mark.parametrize("name", VERBS)
def test_an_example_gives_what_it_says(name):
    _run(VERBS[name], name)


def test_the_example_of_a_method_gives_what_it_says():
    _run(ra.Network.dense_layers, "Network.dense_layers")


def _run(thing: object, name: str) -> None:
    (example,) = doctest.DocTestFinder(recurse=False).find(thing, name, globs={})
    assert example.examples
    said: list[str] = []
    result = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(example, out=said.append)
    assert result.failed == 0 and result.attempted > 0, "".join(said)
