"""The message board: what counts, what is dropped, what is forgotten, and how a peer catches up."""

import logging
import threading
from contextlib import suppress

import pytest

from node.errors import PeerError
from node.message import Kind, Message, Scope
from node.peers import KEEP_ROUNDS, Board
from tests.support.protocol import SCOPE, TASK, address, message, signer

LIMIT = 1_000


def board() -> Board:
    return Board(SCOPE, address)


def told(board: Board, *, task: int = TASK, round_: int = 2, kind: Kind = Kind.CLAIM) -> list[Message]:
    return board.messages(task, round_, kind)


def test_messages_come_by_attempt_and_node_and_kind() -> None:
    mine = board()
    sent = [message(3), message(1, attempt=1), message(2), message(1)]
    for item in (*sent, message(1, kind=Kind.OBSERVED), message(1, round_=3), message(1, task=7)):
        mine.publish(item)
    assert [(m.attempt, m.node) for m in told(mine)] == [(0, 1), (0, 2), (0, 3), (1, 1)]
    assert [m.node for m in mine.find(TASK, 2, Kind.CLAIM)] == [1, 2, 3]
    assert [m.attempt for m in mine.find(TASK, 2, Kind.CLAIM, attempt=1)] == [1]
    assert mine.find(TASK, 2, Kind.CLAIM, node=2) == [sent[2]]
    mine.close()


@pytest.mark.parametrize(
    "forged",
    [
        message(1, key=2),
        message(1, scope=Scope(1, SCOPE.book)),
        message(1, scope=Scope(31_337, "0x" + "cd" * 20)),
    ],
)
def test_what_its_sender_did_not_sign_for_this_chain_is_refused(forged: Message) -> None:
    mine = board()
    with pytest.raises(PeerError):
        mine.publish(forged)
    assert told(mine) == []
    mine.publish(message(1, round_=forged.round))
    assert len(told(mine)) == 1


def test_saying_the_same_again_changes_nothing() -> None:
    mine = board()
    for _ in range(3):
        mine.publish(message(1, digest="a"))
    assert len(told(mine)) == 1
    assert len(mine.since(TASK, 0, limit=LIMIT)[1]) == 1


def test_a_different_second_message_is_dropped_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    mine = board()
    mine.publish(message(1, digest="first"))
    with caplog.at_level(logging.WARNING, logger="credence.peers"):
        mine.publish(message(1, digest="second"))
    assert [m.body["digest"] for m in told(mine)] == ["first"]
    (entry,) = caplog.records
    assert entry.getMessage() == "dropped: round=2 peer=1 reason=second claim"


def test_a_forged_second_message_makes_nobody_an_equivocator(caplog: pytest.LogCaptureFixture) -> None:
    mine = board()
    mine.publish(message(1, digest="first"))
    with pytest.raises(PeerError):
        mine.publish(message(1, digest="second", key=2))
    assert "reason=second" not in caplog.text


def test_a_second_attempt_is_no_equivocation(caplog: pytest.LogCaptureFixture) -> None:
    mine = board()
    mine.publish(message(1, digest="first"))
    mine.publish(message(1, digest="second", attempt=1))
    assert len(told(mine)) == 2
    assert not caplog.records


def test_of_two_messages_at_the_same_time_one_counts() -> None:
    both = threading.Barrier(2)

    def slow(node: int) -> str:
        with suppress(threading.BrokenBarrierError):
            both.wait(timeout=1)  # both are past the first look when the signer is asked for
        return address(node)

    mine = Board(SCOPE, slow)
    versions = [message(1, digest="left"), message(1, digest="right")]
    threads = [threading.Thread(target=mine.publish, args=(version,)) for version in versions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=10)
    assert len(told(mine)) == 1
    assert mine.since(TASK, 0, limit=LIMIT)[1] == told(mine)


# -- memory ----------------------------------------------------------------------------------------------


def test_old_rounds_are_forgotten() -> None:
    mine = board()
    for round_ in range(1, 21):
        for node in (1, 2):
            mine.publish(message(node, round_=round_))
    assert [told(mine, round_=r) == [] for r in range(1, 21)] == [True] * (20 - KEEP_ROUNDS) + [False] * KEEP_ROUNDS
    after, kept = mine.since(TASK, 0, limit=LIMIT)
    assert sorted({m.round for m in kept}) == [18, 19, 20]
    assert mine.since(TASK, after, limit=LIMIT) == (after, [])


def test_a_message_of_a_forgotten_round_is_refused() -> None:
    mine = board()
    mine.publish(message(1, round_=10))
    mine.publish(message(1, round_=10 - KEEP_ROUNDS + 1))
    with pytest.raises(PeerError, match="older than the last 3 rounds"):
        mine.publish(message(1, round_=10 - KEEP_ROUNDS))


def test_tasks_forget_on_their_own() -> None:
    mine = board()
    mine.publish(message(1, task=1, round_=1))
    mine.publish(message(1, task=2, round_=50))
    assert len(told(mine, task=1, round_=1)) == 1
    mine.publish(message(2, task=1, round_=1))


def test_one_node_cannot_make_the_others_forget() -> None:
    """A registered node may sign any round number; the honest round must survive it."""
    mine = board()
    mine.publish(message(1))
    with suppress(PeerError):
        mine.publish(message(66, round_=2**63))
    mine.publish(message(2))
    assert [m.node for m in told(mine)] == [1, 2]


def test_a_quiet_task_does_not_keep_another_s_past_in_memory() -> None:
    mine = board()
    mine.publish(message(66, task=99, round_=1))
    for round_ in range(1, 30):
        mine.publish(message(1, round_=round_))
    assert len(mine.since(TASK, 0, limit=LIMIT)[1]) == KEEP_ROUNDS


def test_one_node_cannot_fill_the_memory_with_attempts() -> None:
    mine = board()
    for attempt in range(1_000):
        with suppress(PeerError):
            mine.publish(message(66, attempt=attempt))
    mine.publish(message(1))
    assert {m.node for m in told(mine)} == {1, 66}
    assert len(told(mine)) < 1_000


# -- catching up -----------------------------------------------------------------------------------------


def test_since_goes_on_where_the_peer_stopped() -> None:
    mine = board()
    sent = [message(node) for node in (3, 1, 2)]
    for item in sent:
        mine.publish(item)
    after, first = mine.since(TASK, 0, limit=2)
    assert first == sent[:2]  # in order of arrival
    after, second = mine.since(TASK, after, limit=2)
    assert second == sent[2:]
    assert mine.since(TASK, after, limit=2) == (after, [])
    late = message(4)
    mine.publish(late)
    assert mine.since(TASK, after, limit=2)[1] == [late]


def test_since_passes_over_other_tasks() -> None:
    mine = board()
    other, own = message(1, task=7), message(1)
    mine.publish(other)
    mine.publish(own)
    after, first = mine.since(TASK, 0, limit=1)
    _, second = mine.since(TASK, after, limit=1)
    assert first + second == [own]
    assert mine.since(7, 0, limit=LIMIT)[1] == [other]


@pytest.mark.parametrize("after", [-1, 10**30])
def test_since_a_number_that_was_never_given_starts_at_the_head(after: int) -> None:
    mine = board()
    mine.publish(message(1))
    assert mine.since(TASK, after, limit=LIMIT)[1] == [message(1)]


def test_a_peer_that_fell_behind_gets_what_is_left() -> None:
    mine = board()
    mine.publish(message(1, round_=1))
    behind, _ = mine.since(TASK, 0, limit=LIMIT)
    for round_ in range(2, 12):
        mine.publish(message(1, round_=round_))
    assert [m.round for m in mine.since(TASK, behind, limit=LIMIT)[1]] == [9, 10, 11]


@pytest.mark.parametrize("count", [1, 3, 5])
def test_a_peer_misses_nothing_when_the_node_restarts(count: int) -> None:
    """The restarted node may have said less, as much or more than the peer had read before."""
    before = board()
    for node in (1, 2, 3):
        before.publish(message(node))
    cursor, _ = before.since(TASK, 0, limit=LIMIT)
    again = board()
    said = [message(node, kind=Kind.OBSERVED) for node in range(1, count + 1)]
    for item in said:
        again.publish(item)
    received: list[Message] = []
    for _ in range(count + 1):
        cursor, fresh = again.since(TASK, cursor, limit=LIMIT)
        received += fresh
    assert received == said


def test_signing_twice_gives_the_same_bytes() -> None:
    """After a restart a node says again what it said: that must not look like a second message."""
    assert message(1).signature == message(1).signature
    assert signer(1).address == address(1)


def test_a_flood_does_not_go_round_for_ever() -> None:
    """What a board did not keep it must not take again from a peer that did, or both would pull without an end."""
    flood = [message(66, attempt=attempt) for attempt in range(1_200)]
    boards, cursors, moved = (board(), board()), [0, 0], [0, 0]
    for mine, offered in zip(boards, (flood, flood[::-1]), strict=True):
        for item in offered:
            with suppress(PeerError):
                mine.publish(item)
    for _ in range(5):  # both pull at the same time
        pulled = [source.since(TASK, cursor, limit=5_000) for source, cursor in zip(boards, cursors, strict=True)]
        cursors = [following for following, _ in pulled]
        for mine, (_, fresh) in zip(boards[::-1], pulled, strict=True):
            for item in fresh:
                with suppress(PeerError):
                    mine.publish(item)
        moved = [
            len(source.since(TASK, cursor, limit=5_000)[1]) for source, cursor in zip(boards, cursors, strict=True)
        ]
    assert moved == [0, 0]
