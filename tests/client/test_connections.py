"""A connection over which a call was lost is used for nothing else, and nothing is left of it."""

from __future__ import annotations

import pytest

from convolved.connections import Connections, Targets
from convolved.wire.reasons import Overloaded, TooLarge
from convolved_vocabulary import FailedPrecondition, InvalidArgument, NotFound, Unavailable

GONE = Unavailable("gone")


class Channel:
    def __init__(self, target: str) -> None:
        self.target = target


def connections(*targets: str) -> Connections[Channel]:
    return Connections(Targets(targets), Channel)


def test_calls_share_one_connection() -> None:
    known = connections("a:1")
    assert known.lease().channel is known.lease().channel
    assert known.unused() == []


def test_after_a_loss_the_next_call_makes_its_own() -> None:
    known = connections("a:1")
    lost, other = known.lease(), known.lease()
    known.failed(lost, GONE)
    assert known.lease().channel is not lost.channel
    lost.end()
    # Another call runs over it still.
    assert known.unused() == []
    other.end()
    other.end()
    assert known.unused() == [lost.channel]
    assert known.unused() == []


def test_two_losses_of_one_connection_are_one() -> None:
    known = connections("a:1")
    first, second = known.lease(), known.lease()
    known.failed(first, GONE)
    later = known.lease()
    known.failed(second, GONE)
    assert known.lease().channel is later.channel


def test_a_lease_may_be_shared_further() -> None:
    known = connections("a:1")
    with known.lease() as lease:
        further = lease.another()
    known.failed(further, GONE)
    assert known.unused() == []
    further.end()
    assert known.unused() == [further.channel]


def test_servers_are_used_in_turn() -> None:
    known = connections("a:1", "b:1", "c:1")
    used = []
    for _ in range(4):
        lease = known.lease()
        used.append(lease.target)
        known.failed(lease, GONE)
    assert used == ["a:1", "b:1", "c:1", "a:1"]


def test_a_late_loss_of_a_server_that_was_left_turns_nothing() -> None:
    known = connections("a:1", "b:1")
    first, second = known.lease(), known.lease()
    known.failed(first, GONE)
    known.failed(second, GONE)
    assert known.targets.current == "b:1"


def test_a_full_server_is_left_and_its_connection_kept() -> None:
    known = connections("a:1", "b:1")
    full = known.lease()
    known.failed(full, Overloaded("full", 1.0))
    assert known.lease().target == "b:1"
    known.failed(known.lease(), GONE)
    assert known.lease().channel is full.channel


@pytest.mark.parametrize("error", [NotFound("no filter"), TooLarge("too large")])
def test_an_error_that_would_come_again_changes_nothing(error: NotFound | TooLarge) -> None:
    known = connections("a:1", "b:1")
    lease = known.lease()
    known.failed(lease, error)
    assert known.lease().channel is lease.channel


def test_closing_gives_every_channel_and_makes_no_more() -> None:
    known = connections("a:1", "b:1")
    lost = known.lease()
    known.failed(lost, GONE)
    present = known.lease()
    assert set(known.close()) == {lost.channel, present.channel}
    with pytest.raises(FailedPrecondition, match="the client is closed: make another"):
        known.lease()
    assert known.close() == known.unused() == []


@pytest.mark.parametrize(
    "target", [[], ["a:1", ""], ["a:1", 3], (), " ", None, {"a:1"}, "localhost", "[::1]"]
)
def test_what_is_no_server_is_refused(target: object) -> None:
    with pytest.raises(InvalidArgument, match=r"^target: got .*; want 'HOST:PORT' or 'unix:PATH'"):
        Targets(target)  # type: ignore[arg-type]  # what it refuses


def test_a_server_named_twice_is_one() -> None:
    assert len(Targets(["a:1", "a:1", "b:1"])) == 2
