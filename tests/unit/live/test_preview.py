"""While a large plane moves, the classes that are shown are the network's own at the points that they stand for."""

from __future__ import annotations

import json
import threading

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.live.messages import WindowRequest
from reluatlas.live.preview import PREVIEW_S, sampled
from reluatlas.live.windows import Windows
from tests.unit.figures.fake import layers_of


@pytest.mark.parametrize("classes", ["max", "min"])
def test_classes_are_those_at_the_middles_of_the_fields(classes):
    net, costs = ra.load(layers_of((5, 9, 8, 3)), classes=classes), {}
    plane = ra.Slice.through(np.random.default_rng(0).normal(size=(3, 5)))
    for _ in range(3):  # the first is of few points; the others of as many as there is time for
        found = sampled(net, plane, plane.box, costs)
    assert found is not None and found.width * found.height >= 24 and costs[id(net)] > 0
    low, high = plane.box.low, plane.box.high
    for row in range(found.height):
        for column in range(found.width):
            u = low + (high - low) * ((column + 0.5) / found.width, (row + 0.5) / found.height)
            values = net(plane.embed(u).reshape(1, -1))[0]
            expected = values.argmin() if classes == "min" else values.argmax()
            assert found.classes[row * found.width + column] == expected


def test_what_takes_too_long_or_has_no_classes_has_no_preview():
    layers, box = layers_of((2, 5, 3)), ra.Box(-1, 1, dim=2)
    net = ra.load(layers)
    assert sampled(net, box, box, {id(net): 10 * PREVIEW_S}) is None
    assert sampled(ra.load(layers, classes=None), box, box, {}) is None


def test_a_window_that_is_not_complete_in_a_moment_is_sampled():
    large = Windows(ra.load(layers_of((2, 400, 400, 400, 2))), ra.Box(-1, 1, dim=2), most_cells=10**7)
    (answer,) = large.answers(WindowRequest(0, None, moving=True), threading.Event())
    length = int.from_bytes(answer.data[:4], "little")
    told = json.loads(answer.data[4 : 4 + length])
    assert told["preview"][0] > 0 and told["window"] == [-1, -1, 1, 1] and answer.key is None and not answer.is_last
    assert "n_cells" not in told
