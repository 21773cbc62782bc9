"""Messages stay short, whatever names stand in them."""

from __future__ import annotations

import pickle

import pytest

from reluatlas import errors
from reluatlas.errors import ReluAtlasError, shortened


def children():
    return [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, ReluAtlasError)]


@pytest.mark.parametrize("kind", children())
def test_every_error_shortens_what_is_endless(kind):
    name = "a" * 500_000 + "z" * 500_000
    error = kind(f"node `{name}` is not supported. Leave it out.")
    assert 250 < len(str(error)) < 400
    assert str(error).startswith("node `aaaa") and str(error).endswith("zzzz` is not supported. Leave it out.")
    assert "aaa...zzz" in str(error)
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind and str(again) == str(error)
    assert len(str(kind("many words " * 100_000))) <= 3000
    assert str(kind()) == "" and kind(3).args == (3,)


def test_what_is_short_is_kept():
    path = "/a folder/" + "x" * 280
    text = f"`{path}` is not a file; expected a model file. " * 8
    assert shortened(text) == text and str(ReluAtlasError(text)) == text
    assert shortened(shortened("b" * 10_000)) == shortened("b" * 10_000) and len(shortened("b" * 10_000)) == 300
