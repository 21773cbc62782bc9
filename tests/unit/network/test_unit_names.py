"""Units have one name each, and a name has one unit."""

from __future__ import annotations

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.datasets.demo import load_demo_digits
from reluatlas.network.build import Builder
from reluatlas.network.unit_names import column_name, layer_names, listed, unit_name, unit_of
from reluatlas.testing.zoo import FAMILIES


def test_units_bear_the_model_s_names_where_it_has_them():
    net = load_demo_digits().network
    assert layer_names(net) == ("fc1", "fc2")
    assert unit_name(net, 0, 13) == column_name(net, 13) == "fc1[13]" and column_name(net, 33) == "fc2[1]"
    b = Builder((1, 4, 4))
    z = b.relu(b.scale(0, 2.0, name="conv"))
    net = b.finish(b.max_windows(z, [[0, 1], [2, 3]], shape=(1, 1, 2), name="pool"))
    assert layer_names(net) == ("conv", "pool") and unit_name(net, 0, 6) == "conv[0, 1, 2]"
    assert unit_name(net, 1, 1) == "pool[0, 0, 1]"


def test_batch_norms_do_not_give_their_names_and_numbers_are_none():
    b = Builder((2,))
    z = b.relu(b.scale(b.dense(0, np.eye(2), name="fc1"), 3.0, name="bn1"), name="act")
    z = b.relu(b.dense(z, np.eye(2), name="/block/fc2/Gemm"), name="Relu_7")
    net = b.finish(b.relu(b.dense(z, np.eye(2), name="12"), name="13"))
    assert layer_names(net) == ("fc1", "fc2", "layer 3") and unit_name(net, 2, 0) == "neuron 1 of layer 3"
    twice = Builder((2,))
    z = twice.relu(twice.dense(0, np.eye(2), name="same"))
    assert layer_names(twice.finish(twice.relu(twice.dense(z, np.eye(2), name="same")))) == ("layer 1", "layer 2")


def test_lists_of_layers_and_modules_of_torch():
    assert layer_names(ra.load([(np.eye(2), None)] * 3)) == ("layer 1", "layer 2")
    torch = pytest.importorskip("torch", reason="torch is not installed")

    class Named(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1, self.bn = torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2)
            self.pool, self.fc1 = torch.nn.MaxPool2d(2), torch.nn.Linear(2 * 13 * 13, 5)

        def forward(self, x):
            return torch.relu(self.fc1(self.pool(torch.relu(self.bn(self.conv1(x)))).flatten(1)))

    net = ra.load(Named().eval(), input_shape=(1, 28, 28))
    assert layer_names(net) == ("conv1", "pool", "fc1")
    plain = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2), torch.nn.ReLU())
    assert layer_names(ra.load(plain, input_shape=(2,))) == ("layer 1", "layer 2")


@pytest.mark.parametrize("family", FAMILIES)
def test_a_name_leads_back_to_its_unit(family):
    net = FAMILIES[family](1)
    names = [column_name(net, c) for c in range(sum(s.stop - s.start for s in net.pattern_slices().values()))]
    assert len(set(names)) == len(names)
    for layer, columns in enumerate(net.pattern_slices().values()):
        for c in range(columns.start, columns.stop):
            assert unit_of(net, names[c]) == (layer, c - columns.start)
    for wrong in ("fc9[0]", "neuron 0 of layer 1", "neuron 1 of layer 99", "", "layer 1"):
        assert unit_of(net, wrong) is None


def test_long_lists_are_cut():
    assert listed(["a", "b"], 2) == "a, b" and listed(["a", "b", "c"], 2) == "a, b and 1 more"
