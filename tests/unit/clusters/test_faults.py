"""What is done again after a worker was lost: each item, never twice, and no item for ever."""

from __future__ import annotations

from collections import Counter

import numpy as np

from reluatlas.clusters.batches import LONG_S, SHORT_S, Batch, Estimate
from reluatlas.clusters.faults import Faults
from reluatlas.clusters.worker import Order
from reluatlas.subdivision.items import Found, Item
from reluatlas.subdivision.runner.contract import Done, Portion


class Sized(Item):
    """An item that knows its size."""

    measure = 2.0


def item(*id, kind=Item):
    return kind(id, 0, np.zeros(0, dtype=np.int32))


def portion(n, seconds, volume):
    found = Found((0,), 5, volume / n, None, [], np.zeros(8, dtype=np.int64))
    return Portion([Done(item(0), found, True)] * n, seconds=seconds)


def test_an_item_that_ends_its_worker_is_found_and_no_other_is_blamed():
    poison, faults, lost, done = (3,), Faults(), 0, Counter()
    orders = [Order([item(i) for i in range(8)], 1.0)]
    while orders:
        order = orders.pop(0)
        if all(i.id != poison for i in order.items):
            done.update(i.id for i in order.items)
            continue
        lost += 1
        again, worst = faults.again(order), faults.worst(order)
        if worst is not None:
            assert worst.id == poison
            break
        orders += again
    else:
        raise AssertionError("it was never found")
    done.update(i.id for order in orders for i in order.items if i.id != poison)
    assert lost == 5 and done == Counter({(i,): 1 for i in range(8) if i != 3})


def test_what_lies_below_a_suspect_goes_alone():
    faults = Faults()
    order = Order([item(1, 2)], 1.0)
    assert [o.seconds for o in faults.again(order)] == [SHORT_S]
    assert [o.seconds for o in faults.again(order)] == [0.0]
    assert faults.is_suspect(item(1, 2)) and faults.is_suspect(item(1, 2, 0, 4))
    assert not faults.is_suspect(item(1)) and not faults.is_suspect(item(1, 3)) and not faults.is_suspect(item())


def test_a_batch_is_a_fair_share_and_no_more_than_its_time():
    assert Batch(0, 4).seconds == SHORT_S and Batch(1000, 4).seconds == LONG_S
    few = Batch(5, 4)
    few.add(item(1), 0.0)
    assert few.is_full  # others have to do something, too
    batch, n = Batch(100_000, 2), 0
    while not batch.is_full:
        batch.add(item(n), LONG_S / 8)
        n += 1
    assert n == 8
    endless = Batch(100_000, 2)
    while not endless.is_full:
        endless.add(item(1), 0.0)
    assert len(endless.items) == 256


def test_an_item_is_estimated_by_its_volume_or_as_a_mean_item():
    estimate = Estimate()
    assert estimate.of(item(1, kind=Sized)) is None
    estimate.hear(portion(4, seconds=2.0, volume=8.0))
    assert estimate.of(item(1, kind=Sized)) == 2.0 * 2.0 / 8.0
    estimate = Estimate()
    estimate.hear(portion(4, seconds=2.0, volume=0.0))
    assert estimate.of(item(1, kind=Sized)) == 0.5
