"""`digest_of`: equal for equal functions on paper, different when one coefficient, one index or one edge differs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from reluatlas.network.archive import digest_of, pack_network, unpack_network
from reluatlas.network.network import Affine, Breakpoints, Gather, Network, Note
from tests.zoo import FAMILIES


def test_all_families_and_seeds_differ():
    nets = [make(seed) for make in FAMILIES.values() for seed in range(3)]
    assert len({digest_of(net) for net in nets}) == len(nets)
    assert all(digest_of(unpack_network(pack_network(net))) == digest_of(net) for net in nets)


def test_names_and_notes_do_not_count():
    net = FAMILIES["generic"](1)
    nodes = tuple(replace(node, name=f"other {i}") for i, node in enumerate(net.nodes))
    assert digest_of(Network(nodes, net.output, (Note("info", 0, "text"),), "elsewhere.onnx")) == digest_of(net)


def test_a_coefficient_a_knot_and_an_index_count():
    net = FAMILIES["generic"](1)
    kinds = [Affine, Breakpoints]
    for kind in kinds:
        i = next(i for i, node in enumerate(net.nodes) if isinstance(node, kind))
        node = net.nodes[i]
        name = "bias" if kind is Affine else "knots"
        array = getattr(node, name).copy()
        array.flat[0] = np.nextafter(array.flat[0], np.inf)
        nodes = (*net.nodes[:i], replace(node, **{name: array}), *net.nodes[i + 1 :])
        assert digest_of(Network(nodes, net.output, net.notes, net.source)) != digest_of(net)
    changed = 0
    for make in FAMILIES.values():
        net = make(1)
        for i, node in enumerate(net.nodes):
            for j, operator in enumerate(node.operators if isinstance(node, Affine) else ()):
                if isinstance(operator, Gather) and operator.n_out > 1:
                    turned = replace(operator, index=operator.index[::-1].copy())
                    if np.array_equal(turned.index, operator.index):
                        continue
                    operators = (*node.operators[:j], turned, *node.operators[j + 1 :])
                    nodes = (*net.nodes[:i], replace(node, operators=operators), *net.nodes[i + 1 :])
                    assert digest_of(Network(nodes, net.output, net.notes, net.source)) != digest_of(net)
                    changed += 1
    assert changed
