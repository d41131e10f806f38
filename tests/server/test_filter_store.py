"""The store: whole filters or none, never one dropped for another, each tenant its own."""

from __future__ import annotations

import numpy as np
import pytest

from convolved.wire.reasons import StorageFull
from convolved_server.filter_store import FilterStore, StoredFilter, described, token_after
from convolved_vocabulary import InvalidArgument, NotFound, impulse_response


def stored(seed: int, taps: int = 8) -> StoredFilter:
    return described(impulse_response(np.random.default_rng(seed).standard_normal(taps)))


def test_the_same_filter_again_is_the_first_one() -> None:
    store = FilterStore(1 << 20)
    first, again = stored(1), stored(1)
    assert store.add("", first) is first
    assert store.add("", again) is first
    assert store.get("", first.filter.name) is first
    used = store.nbytes
    assert store.delete("", first.filter.name)
    assert store.nbytes < used
    assert store.nbytes == 0


def test_tenants_do_not_see_each_other() -> None:
    store = FilterStore(1 << 20)
    mine = stored(1)
    store.add("mine", mine)
    with pytest.raises(NotFound, match=mine.filter.name):
        store.get("yours", mine.filter.name)
    assert not store.delete("yours", mine.filter.name)
    assert store.page("yours", 10, "") == ([], "")


def test_what_does_not_fit_is_refused_and_nothing_is_dropped() -> None:
    store = FilterStore(10_000)
    kept = stored(1)
    store.add("", kept)
    with pytest.raises(StorageFull, match="delete filters"), store.room(6000):
        pass
    assert store.get("", kept.filter.name) is kept


def test_room_is_reserved_while_filters_come() -> None:
    store = FilterStore(20_000)
    with store.room(10_000), pytest.raises(StorageFull), store.room(10_000):
        pass
    with store.room(10_000):
        pass
    assert store.nbytes == 0


def test_pages_give_every_filter_once_in_the_order_of_names() -> None:
    store = FilterStore(1 << 20)
    names = sorted(store.add("", stored(seed)).filter.name for seed in range(7))
    seen, token = [], ""
    while True:
        page, token = store.page("", 3, token)
        seen += [each.filter.name for each in page]
        if not token:
            break
    assert seen == names


def test_a_page_goes_on_after_a_filter_that_is_gone() -> None:
    store = FilterStore(1 << 20)
    names = sorted(store.add("", stored(seed)).filter.name for seed in range(5))
    _, token = store.page("", 2, "")
    store.delete("", names[1])
    assert [each.filter.name for each in store.page("", 9, token)[0]] == names[2:]


@pytest.mark.parametrize("token", ["x", "filters/00", "é", "===="])
def test_a_token_of_no_page_is_refused(token: str) -> None:
    with pytest.raises(InvalidArgument, match=r"^page_token: "):
        FilterStore(1).page("", 1, token)


def test_a_token_is_opaque_but_stands_for_a_name() -> None:
    name = stored(1).filter.name
    assert "/" not in token_after(name)
