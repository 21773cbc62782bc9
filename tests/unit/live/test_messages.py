"""A message asks for a window, or is refused with a reason."""

from __future__ import annotations

import json
import random

import pytest

from reluatlas.live.messages import MOST_BYTES, MessageError, WindowRequest, parsed


def test_a_window():
    assert parsed('{"id": 3, "window": [0, -1, 2.5, 1]}') == WindowRequest(3, (0.0, -1.0, 2.5, 1.0))
    assert parsed('{"id": 0, "window": null, "plane": [[0, 0, 0], [1, 1, 0], [2, 5, 0.5]]}') == WindowRequest(
        0, None, ((0, 0, 0.0), (1, 1, 0.0), (2, 5, 0.5))
    )
    everything = {"id": 1, "window": None, "plane": [[0, 1, 0], [1, 2, 0], [2, 0, 1]], "turn": [2, 4, -1]}
    assert parsed(json.dumps({**everything, "step": 3, "maps": True, "moving": True})) == WindowRequest(
        1, None, ((0, 1, 0.0), (1, 2, 0.0), (2, 0, 1.0)), (2, 4, -1.0), 3, True, True
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"{}", "expected text"), (None, "expected text"), ("", "no JSON"), ("[" * 50_000, "no JSON"),
        ("{}", "expected {"), ("[]", "expected {"),
        ('{"id": 1, "window": [0, 0, 1, 1], "more": 1}', "expected {"),
        ('{"id": true, "window": [0, 0, 1, 1]}', "`id`"),
        ('{"id": -1, "window": [0, 0, 1, 1]}', "`id`"), ('{"id": 1e3, "window": [0, 0, 1, 1]}', "`id`"),
        ('{"id": 1, "window": [0, 0, 1]}', "four finite"), ('{"id": 1, "window": [0, 0, 1, NaN]}', "no JSON"),
        ('{"id": 1, "window": [0, 0, 1, 1e999]}', "four finite"),
        ('{"id": 1, "window": [0, 0, 1, true]}', "four finite"),
        (json.dumps({"id": 1, "window": [0, 0, 1, 10**400]}), "four finite"),
        ('{"id": 1, "window": [1, 0, 1, 1]}', "low corner"),
        ('{"id": 1, "window": null, "plane": [[0, 0, 0]]}', "three anchors"),
        ('{"id": 1, "window": null, "plane": [[0, 0, 0], [1, 0, 0], [-1, 0, 0]]}', "two inputs"),
        ('{"id": 1, "window": null, "plane": [[0, 0, 0], [1, 0, 0], [2, 0, 1e9]]}', "moderate"),
        ('{"id": 1, "window": null, "turn": [0, 1, 1]}', "anchors of a plane"),
        ('{"id": 1, "window": null, "plane": [[0, 0, 0], [1, 0, 0], [2, 0, 0]], "turn": [3, 1, 1]}', "an angle"),
        ('{"id": 1, "window": null, "plane": [[0, 0, 0], [1, 0, 0], [2, 0, 0]], "turn": [0, 1, 7]}', "one turn"),
        ('{"id": 1, "window": null, "step": -1}', "`step`"), ('{"id": 1, "window": null, "step": true}', "`step`"),
        ('{"id": 1, "window": null, "maps": 1}', "true or false"),
        ("x" * (MOST_BYTES + 1), "too long"), ("é" * (MOST_BYTES // 2 + 1), "too long"),
    ],
)  # fmt: skip
def test_refused(text, reason):
    with pytest.raises(MessageError, match=reason):
        parsed(text)


def test_noise_is_refused_or_a_window():
    rng = random.Random(7)
    good = '{"id": 1, "window": [0, 0, 1, 1]}'
    for _ in range(1000):
        letters = list(good)
        for _ in range(rng.randint(1, 6)):
            letters[rng.randrange(len(letters))] = rng.choice(
                ['"', "}", "[", "9", "e", "-", "\\", "\0", "NaN", "1e999", "é", ","]
            )
        try:
            asked = parsed("".join(letters))
        except MessageError:
            continue
        assert asked.window is None or (asked.window[0] < asked.window[2] and asked.window[1] < asked.window[3])
