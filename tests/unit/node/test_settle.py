"""From signed messages to a report: what counts as evidence, what makes a member silent, what the report binds."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import (
    Role,
    committee_hash,
    lower_median,
    pack_scores,
    reputation_lanes,
    tree_root,
    votes_hash,
    words_hash,
)
from node.errors import PeerError, TooFewUpdates
from node.message import Kind, Message, Scope
from node.record import RoundRecord, submissions_root
from node.round.settle import (
    Dossier,
    RoundFacts,
    accepted_updates,
    agreed_roster,
    claim_digest,
    integer_weights,
    make_record,
    make_report,
    model_sketch,
    next_model,
    outcome_of,
    roster_digest,
    roster_entries,
    same_model,
    submission_entries,
    vote_of,
)
from node.score import REJECTED
from node.sketch import agrees, decode_sketch, encode_sketch, sketch_digest
from node.spec import Artefact
from node.verify import Observation, Reason, Submission
from storage import MissingContent
from tests.support.protocol import (
    PARENT,
    PARENT_DIGEST,
    ROUND,
    SALT,
    SCOPE,
    SEED,
    TASK,
    Script,
    address,
    facts,
    message,
    observation,
    params,
    row,
    tiny_spec,
    update,
)

SPEC = tiny_spec()
MEMBERS = (11, 12, 13, 14)
VIEW = Observation((40_000, REJECTED), {1: Reason.ACCEPTED, 2: Reason.NORM_BOUND}, {1: row(7)}, {1: row(8)})
VIEWS = dict.fromkeys(MEMBERS, VIEW)
CLAIMS = {1: row(7)}


def script(**changes: Any) -> Script:
    return Script(facts(**changes))


def settled(found: Script, messages: Sequence[Message]) -> tuple[Dossier, RoundRecord]:
    dossier = found.compile(messages)
    outcome = outcome_of(found.facts, SPEC, dossier)
    record = make_record(
        found.facts,
        dossier,
        outcome,
        attempt=2,
        weights=integer_weights(found.facts, SPEC, outcome.accepted),
        model=Artefact.of(b"the next model"),
        sketch_hex=encode_sketch(row(0)),
    )
    return dossier, record


# -- facts -----------------------------------------------------------------------------------------------


def test_a_node_weighs_its_seats() -> None:
    found = facts(seats=(11, 12, 11, 11, 13))
    assert found.seats == {11: 3, 12: 1, 13: 1}
    assert found.weight_of({11, 13, 99}) == 4
    assert found.weight_of(set()) == 0


# -- an honest round -------------------------------------------------------------------------------------


def test_an_honest_round_compiles_to_everyone_s_evidence() -> None:
    found = script()
    messages = found.evidence(VIEWS, CLAIMS)
    dossier = found.compile(messages)
    evidence = dossier.evidence
    assert set(evidence.observations) == set(MEMBERS)
    assert evidence.observations[11].votes == VIEW.votes
    assert evidence.claims[1].tolist() == [7] * 16
    assert evidence.checks == dict.fromkeys(MEMBERS, frozenset())
    assert evidence.seats == dict.fromkeys(MEMBERS, 1)
    assert evidence.slots == {1: 0, 2: 1}
    assert [vote.node for vote in dossier.votes] == list(MEMBERS)
    assert {vote.root for vote in dossier.votes} == {tree_root(pack_scores(VIEW.votes))}
    assert {m.key for m in dossier.messages} == {m.key for m in messages}
    assert outcome_of(found.facts, SPEC, dossier).accepted == (1,)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(data=st.data())
def test_the_order_in_which_messages_arrived_changes_nothing(data: st.DataObject) -> None:
    """Not even of a second attempt at the same statement."""
    found = script()
    roster, *rest = messages = found.evidence(VIEWS, CLAIMS)
    again = found.say(Kind.CHECKED, 12, attempt=1, roster=roster_digest(roster).hex(), false=[11])
    expected_dossier, expected = settled(found, [roster, *rest, again])
    dossier, record = settled(found, data.draw(st.permutations([*messages, again])))
    assert dossier.messages == expected_dossier.messages
    assert dossier.votes == expected_dossier.votes
    assert dossier.evidence.checks == expected_dossier.evidence.checks
    assert record.to_bytes() == expected.to_bytes()


# -- refusals --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("odd", "problem"),
    [
        (lambda: message(11, kind=Kind.CHECKED, key=12, false=[]), "is signed by"),
        (lambda: message(11, kind=Kind.CHECKED, scope=Scope(1, SCOPE.book), false=[]), "is signed by"),
        (
            lambda: message(11, kind=Kind.CHECKED, round_=ROUND + 1, false=[]),
            "evidence of round 3 in round 2",
        ),
        (lambda: message(11, kind=Kind.CHECKED, task=TASK + 1, false=[]), "evidence of round"),
        (lambda: message(99, kind=Kind.CHECKED, false=[]), "node 99 has no part in round 2"),
        (lambda: replace(message(11, kind=Kind.CHECKED), signature=bytes(65)), "malformed signature"),
    ],
)
def test_evidence_of_others_rounds_and_keys_is_refused(odd: Callable[[], Message], problem: str) -> None:
    found = script()
    with pytest.raises(PeerError, match=problem):
        found.compile([*found.evidence(VIEWS, CLAIMS), odd()])


def test_without_a_roster_nothing_compiles() -> None:
    found = script()
    _, *rest = found.evidence(VIEWS, CLAIMS)
    with pytest.raises(PeerError, match="no roster has acknowledgements of 3 seats"):
        found.compile(rest)


def test_a_roster_needs_a_quorum_of_acknowledgements() -> None:
    found = script()
    messages = found.evidence(VIEWS, CLAIMS)
    others = [m for m in messages if m.kind is not Kind.ROSTER_ACK]
    acks = [m for m in messages if m.kind is Kind.ROSTER_ACK]
    assert len(found.compile(others + acks[:3]).votes) == 4
    with pytest.raises(PeerError, match="acknowledgements of 3 seats"):
        found.compile(others + acks[:2])


def rosters(found: Script) -> tuple[Message, Message]:
    """Two attempts at a roster."""
    return found.roster([], [], node=11, attempt=0), found.roster([], [], node=12, attempt=1)


def test_the_lowest_attempt_that_a_quorum_has_acknowledged_counts() -> None:
    found = script()
    first, second = rosters(found)
    late = [found.ack(n, second) for n in MEMBERS]
    assert agreed_roster(found.facts, [second, first], late) == second
    assert agreed_roster(found.facts, [second, first], [*late, *(found.ack(n, first) for n in MEMBERS[:3])]) == first
    assert agreed_roster(found.facts, [second, first], [found.ack(n, first) for n in MEMBERS[:2]]) is None


def test_acknowledgements_count_for_one_roster_of_one_attempt_and_by_seats() -> None:
    found = script(seats=(11, 11, 11, 12))
    first, second = rosters(found)
    assert agreed_roster(found.facts, [first], [found.ack(11, first)]) == first
    assert agreed_roster(found.facts, [first], [found.ack(12, first)] * 3) is None
    wrong = found.say(Kind.ROSTER_ACK, 11, attempt=0, roster=roster_digest(second).hex())
    elsewhere = found.say(Kind.ROSTER_ACK, 11, attempt=1, roster=roster_digest(first).hex())
    assert agreed_roster(found.facts, [first, second], [wrong, elsewhere]) is None


def test_who_holds_no_seat_makes_and_acknowledges_no_roster() -> None:
    found = script()
    by_trainer = found.roster([], [], node=1)
    assert agreed_roster(found.facts, [by_trainer], [found.ack(n, by_trainer) for n in MEMBERS]) is None
    roster = found.roster([], [])
    assert agreed_roster(found.facts, [roster], [found.ack(n, roster) for n in (11, 12, 1, 2)]) is None


@pytest.mark.parametrize("body", [{}, {"claims": {}}, {"claims": [5]}, {"claims": ["x"]}, {"claims": [{}]}])
def test_a_roster_of_another_shape_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises(PeerError):
        roster_entries(message(11, kind=Kind.ROSTER, **body), Kind.CLAIM)


@pytest.mark.parametrize(
    ("listed", "problem"),
    [
        ([message(1), message(1, digest="other")], "lists node 1 twice"),
        ([message(1, kind=Kind.OBSERVED)], "lists a observed"),
        ([message(1, round_=ROUND + 1)], "of another round"),
        ([message(1, task=TASK + 1)], "of another round"),
    ],
)
def test_a_roster_lists_each_claim_of_this_round_once(listed: list[Message], problem: str) -> None:
    roster = message(11, kind=Kind.ROSTER, claims=[m.to_json() for m in listed])
    with pytest.raises(PeerError, match=problem):
        roster_entries(roster, Kind.CLAIM)


def test_a_roster_with_an_entry_that_its_node_did_not_sign_is_refused() -> None:
    found = script()
    forged = message(1, key=2, digest=claim_digest(1, row(7)).hex())
    roster = found.roster([forged], [])
    with pytest.raises(PeerError, match="is signed by"):
        found.compile([roster, *(found.ack(n, roster) for n in MEMBERS)])


# -- silent members --------------------------------------------------------------------------------------


def without_13(found: Script, pair: tuple[Message, Message], **views: Any) -> Dossier:
    """A round in which member 13 commits and reveals `pair`; nobody else may suffer from it."""
    dossier = found.compile(found.evidence({11: VIEW, 12: VIEW, 14: VIEW}, CLAIMS, members={13: pair}))
    assert set(dossier.evidence.observations) == {11, 12, 14}
    assert [vote.node for vote in dossier.votes] == [11, 12, 14]
    outcome = outcome_of(found.facts, SPEC, dossier)
    assert outcome.member_reasons[13] is Reason.SILENT
    assert outcome.accepted == (1,)
    return dossier


def test_a_member_that_revealed_nothing_is_silent() -> None:
    found = script()
    messages = found.evidence(VIEWS, CLAIMS)
    dossier = found.compile([m for m in messages if (m.kind, m.node) != (Kind.REVEALED, 13)])
    assert outcome_of(found.facts, SPEC, dossier).member_reasons[13] is Reason.SILENT
    assert [vote.node for vote in dossier.votes] == [11, 12, 14]
    assert 13 not in dossier.evidence.checks  # who reveals nothing accuses nobody


def test_a_member_that_is_not_in_the_roster_is_silent() -> None:
    found = script()
    committed, revealed = found.member(13, VIEW)
    messages = found.evidence({11: VIEW, 12: VIEW, 14: VIEW}, CLAIMS)
    dossier = found.compile([*messages, committed, revealed])
    assert set(dossier.evidence.observations) == {11, 12, 14}


def test_a_reveal_that_does_not_match_its_commitment_is_silence() -> None:
    found = script()
    (committed, _), (_, other) = (
        found.member(13, VIEW),
        found.member(13, observation(50_000, 1, sketches=CLAIMS)),
    )
    without_13(found, (committed, other))


def test_a_record_whose_votes_do_not_match_the_root_is_silence() -> None:
    found = script()
    without_13(found, found.member(13, VIEW, root=tree_root(pack_scores([50_000, 1]))))


@pytest.mark.parametrize(
    "change", [{"node": 12}, {"round": ROUND + 1}, {"task": TASK + 1}, {"seed": b"\x01" * 32}], ids=str
)
def test_a_record_of_another_member_or_round_is_silence(change: dict[str, Any]) -> None:
    found = script()
    without_13(found, found.member(13, VIEW, data=found.record(13, VIEW, **change)))


@pytest.mark.parametrize("data", [b"", b"garbage", b"{}", b"[" * 2_000])
def test_a_record_that_cannot_be_read_is_silence(data: bytes) -> None:
    found = script()
    without_13(found, found.member(13, VIEW, data=data))


def test_a_record_that_is_not_here_is_an_error_and_not_silence() -> None:
    """What follows from the evidence must not depend on who could fetch which part of it."""
    found = script()
    messages = found.evidence(VIEWS, CLAIMS)
    found.records.popitem()
    with pytest.raises(MissingContent):
        found.compile(messages)


@pytest.mark.parametrize(
    "change",
    [
        {"root": 5},
        {"root": "zz"},
        {"root": "00" * 31},
        {"salt": None},
        {"salt": "00"},
        {"salt": []},
        {"record": 5},
        {"record": "text"},
        {"record": {}},
        {"record": {"digest": "00", "length": 1}},
        {"record": {"digest": "00" * 32, "length": "long"}},
        {"record": {"digest": "00" * 32, "length": -1}},
    ],
    ids=str,
)
def test_a_malformed_reveal_is_silence(change: dict[str, Any]) -> None:
    """One member must not be able to stop the round with a body of another shape."""
    found = script()
    committed, revealed = found.member(13, VIEW)
    body = {name: value for name, value in {**revealed.body, **change}.items() if value is not None}
    without_13(found, (committed, found.say(Kind.REVEALED, 13, **body)))


@pytest.mark.parametrize(
    "change",
    [{"root": 5}, {"root": "00" * 31}, {"salt": "00"}, {"record": 5}, {"record": "text"}, {"record": {}}],
    ids=str,
)
def test_the_vote_of_a_malformed_reveal_is_a_peer_error(change: dict[str, Any]) -> None:
    found = script()
    body = {**found.member(13, VIEW)[1].body, **change}
    with pytest.raises(PeerError):
        vote_of(found.facts, found.say(Kind.REVEALED, 13, **body))


def test_a_malformed_commitment_in_the_roster_is_silence() -> None:
    found = script()
    _, revealed = found.member(13, VIEW)
    without_13(found, (found.say(Kind.OBSERVED, 13, commitment=7), revealed))


# -- votes that break the rules --------------------------------------------------------------------------


def test_a_vote_on_a_trainer_that_submitted_nothing_counts_nothing() -> None:
    """The others abstain there, so one vote would be the median: a score for no work."""
    found = script(absent=[2])
    honest = observation(40_000, 0, sketches={1: row(7)})
    liar = observation(40_000, 65_535, sketches={1: row(7), 2: row(9)})
    messages = found.evidence({11: honest, 12: honest, 14: honest, 13: liar}, {1: row(7), 2: row(9)})
    outcome = outcome_of(found.facts, SPEC, found.compile(messages))
    assert outcome.trainer_scores == (40_000, 0)
    assert outcome.accepted == (1,)


def test_a_rejection_of_a_trainer_that_submitted_nothing_counts_nothing() -> None:
    found = script(absent=[2])
    honest = observation(40_000, 0, sketches={1: row(7)})
    liar = observation(40_000, REJECTED, sketches={1: row(7)})
    dossier = found.compile(found.evidence({11: honest, 12: honest, 14: honest, 13: liar}, CLAIMS))
    assert outcome_of(found.facts, SPEC, dossier).trainer_scores == (40_000, 0)


def test_a_vote_without_a_sketch_stops_nobody() -> None:
    """Here the honest members abstain, so that nothing but the vote without a sketch is left."""
    found = script()
    honest, liar = observation(0, 0), observation(50_000, 0)
    dossier = found.compile(found.evidence({11: honest, 12: honest, 14: honest, 13: liar}, {}))
    outcome = outcome_of(found.facts, SPEC, dossier)
    assert 1 not in outcome.accepted


def is_fault(posted: Sequence[int], dossier: Dossier, found: RoundFacts) -> bool:
    """`RoundBook._isFault` for every word: a lane neither REJECTED nor the lower median of its votes over seats."""
    for index, word in enumerate(posted):
        for lane, score in enumerate(reputation_lanes(word)):
            votes = []
            for vote in dossier.votes:
                words = pack_scores(dossier.evidence.observations[vote.node].votes)
                value = reputation_lanes(words[index])[lane] if index < len(words) else 0
                votes += [value] * found.seats[vote.node]
            if score not in (REJECTED, lower_median(votes)):
                return True
    return False


@settings(max_examples=40, deadline=None, derandomize=True)
@given(data=st.data(), trainers=st.integers(1, 17))
def test_no_member_can_make_an_honest_report_a_fault(data: st.DataObject, trainers: int) -> None:
    """A vote behind the last trainer's lane, or in more words, would void the post and slash all who signed it."""
    nodes = range(1, trainers + 1)
    found = script(trainers=nodes, signers={n: address(n) for n in (*nodes, *MEMBERS)})
    sketches = dict.fromkeys(nodes, row(7))
    honest = observation(*[40_000] * trainers, sketches=sketches)
    length = data.draw(st.integers(0, 40))
    liar = observation(
        *data.draw(st.lists(st.integers(0, 65_535), min_size=length, max_size=length)), sketches=sketches
    )
    messages = found.evidence({11: honest, 12: honest, 14: honest, 13: liar}, sketches)
    dossier = found.compile(messages)
    posted = pack_scores(outcome_of(found.facts, SPEC, dossier).trainer_scores)
    assert not is_fault(posted, dossier, found.facts)
    for vote in dossier.votes:  # the contract proves every vote word in a tree of as many words as are posted
        assert len(pack_scores(dossier.evidence.observations[vote.node].votes)) == len(posted)


# -- claims and checks -----------------------------------------------------------------------------------


@pytest.mark.parametrize("sketch", [5, "", "zz" * 64, "00" * 63, None, [], "F" * 128])
def test_an_unreadable_opening_opens_nothing(sketch: Any) -> None:
    found = script()
    messages = [m for m in found.evidence(VIEWS, CLAIMS) if m.kind is not Kind.CLAIM_OPENED]
    body = {} if sketch is None else {"sketch": sketch}
    dossier = found.compile([*messages, found.say(Kind.CLAIM_OPENED, 1, **body)])
    assert dossier.evidence.claims == {}
    assert outcome_of(found.facts, SPEC, dossier).reasons[1] is Reason.NO_CLAIM


def test_an_opening_must_be_what_was_claimed() -> None:
    found = script()
    messages = [m for m in found.evidence(VIEWS, CLAIMS) if m.kind is not Kind.CLAIM_OPENED]
    assert found.compile([*messages, found.opened(1, row(8))]).evidence.claims == {}
    assert set(found.compile([*messages, found.opened(1, row(7))]).evidence.claims) == {1}


def test_an_opening_without_a_claim_in_the_roster_opens_nothing() -> None:
    found = script()
    messages = found.evidence(VIEWS, {})
    assert found.compile([*messages, found.claim(1, row(7)), found.opened(1, row(7))]).evidence.claims == {}


def test_a_claim_names_its_trainer() -> None:
    """Who copies another's digest cannot open it."""
    found = script()
    copied = found.say(Kind.CLAIM, 2, digest=claim_digest(1, row(7)).hex())
    assert claim_digest(1, row(7)) != claim_digest(2, row(7))
    roster = found.roster([found.claim(1, row(7)), copied], [])
    opened = [found.opened(1, row(7)), found.opened(2, row(7))]
    dossier = found.compile([roster, *(found.ack(n, roster) for n in MEMBERS), *opened])
    assert set(dossier.evidence.claims) == {1}


def checked(found: Script, *verdicts: Message) -> dict[int, frozenset[int]]:
    messages = [m for m in found.evidence(VIEWS, CLAIMS) if m.kind is not Kind.CHECKED]
    return dict(found.compile([*messages, *verdicts]).evidence.checks)


def test_checks_name_the_false_members() -> None:
    found = script()
    roster = found.evidence(VIEWS, CLAIMS)[0]
    assert checked(found, found.checked(11, roster, [13]), found.checked(12, roster)) == {
        11: {13},
        12: frozenset(),
    }


def test_a_check_of_another_roster_or_of_a_trainer_does_not_count() -> None:
    found = script()
    other = found.roster([], [], attempt=5)
    assert checked(found, found.checked(11, other, [13])) == {}
    assert checked(found, found.say(Kind.CHECKED, 11, false=[13])) == {}
    roster = found.evidence(VIEWS, CLAIMS)[0]
    assert checked(found, found.checked(1, roster, [13])) == {}


@pytest.mark.parametrize("false", [5, "13", True, ["x"], [[]], [{}], {"x": 1}], ids=repr)
def test_a_malformed_check_stops_nobody(false: Any) -> None:
    found = script()
    roster = found.evidence(VIEWS, CLAIMS)[0]
    odd = found.say(Kind.CHECKED, 13, roster=roster_digest(roster).hex(), false=false)
    assert checked(found, found.checked(11, roster, [12]), odd)[11] == {12}


def test_two_thirds_expose_a_false_member_and_its_vote_still_counts() -> None:
    found = script()
    messages = [m for m in found.evidence(VIEWS, CLAIMS) if m.kind is not Kind.CHECKED]
    roster = messages[0]
    dossier = found.compile([*messages, *(found.checked(n, roster, [13]) for n in (11, 12, 14))])
    outcome = outcome_of(found.facts, SPEC, dossier)
    assert outcome.member_reasons[13] is Reason.FALSE_OBSERVATION
    assert outcome.verifier_scores[2] == REJECTED
    assert len(dossier.votes) == 4


# -- weights and models ----------------------------------------------------------------------------------


def test_weights_are_stake_times_reputation() -> None:
    found = facts(stakes={1: 10, 2: 20}, reputations={1: 0})
    assert integer_weights(found, SPEC, (1, 2)) == {1: 10 * 4096, 2: 20 * 4096}
    assert integer_weights(facts(stakes={1: 10, 2: 20}, reputations={2: 4}), SPEC, (2,)) == {2: 20 * 4100}
    assert integer_weights(found, tiny_spec(weighting="uniform"), (1, 2)) == {1: 1, 2: 1}
    assert integer_weights(found, SPEC, ()) == {}


def test_the_next_model_is_parent_plus_the_robust_aggregate() -> None:
    updates = {1: update(1, 0, 0, 0, 0, 0), 2: update(3, 0, 0, 0, 0, 2)}
    moved = next_model(PARENT, updates, {1: 1, 2: 3}, tiny_spec(aggregator="mean"))
    assert moved["weight"].tolist() == [[3.5, 0, 0], [0, 1, 1.5]]
    assert PARENT["weight"].tolist() == [[1, 0, 0], [0, 1, 0]]


def test_without_updates_the_parent_stands() -> None:
    assert next_model(PARENT, {}, {}, SPEC) is PARENT


def test_too_few_updates_for_the_rule_are_named() -> None:
    with pytest.raises(TooFewUpdates):
        next_model(PARENT, {1: update(*[1] * 6)}, {1: 0}, SPEC)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**6), order=st.permutations(range(7)))
def test_the_next_model_does_not_depend_on_who_is_listed_first(seed: int, order: list[int]) -> None:
    """Values that cancel: a float sum in another order would be another model."""
    rng = np.random.default_rng(seed)
    updates = {node: rng.choice([1e30, -1e30, 1.0, 3e-9], 6).astype(np.float32) for node in range(7)}
    weights = dict.fromkeys(range(7), 1)
    for aggregator in ("mean", "trimmed_mean"):
        spec = tiny_spec(aggregator=aggregator)
        renamed = {order[node]: updates[node] for node in sorted(updates, key=lambda n: order[n])}
        model = next_model(PARENT, renamed, weights, spec)
        assert model["weight"].tobytes() == next_model(PARENT, updates, weights, spec)["weight"].tobytes()


def moved(*step: float) -> dict[str, np.ndarray]:
    return {"weight": PARENT["weight"] + update(*step).reshape(2, 3)}


@pytest.mark.parametrize(("error", "same"), [(0.0, True), (0.0009, True), (0.0011, False), (-0.0011, False)])
def test_models_are_the_same_within_tau_of_the_own_step(error: float, same: bool) -> None:
    mine, theirs = moved(10, 0, 0, 0, 0, 0), moved(10, 0, 0, 0, 0, error)
    assert same_model(mine, theirs, PARENT, tau=0.0001) == same


def test_a_step_of_nothing_tolerates_nothing() -> None:
    assert same_model(PARENT, moved(*[0] * 6), PARENT, tau=0.5)
    assert not same_model(PARENT, moved(1e-6, 0, 0, 0, 0, 0), PARENT, tau=0.5)


def test_a_model_of_nan_is_not_the_same() -> None:
    assert not same_model(moved(1, 0, 0, 0, 0, 0), moved(np.nan, 0, 0, 0, 0, 0), PARENT, tau=0.5)
    assert not same_model(moved(1, 0, 0, 0, 0, 0), moved(np.inf, 0, 0, 0, 0, 0), PARENT, tau=0.5)


def test_the_model_sketch_is_of_the_step_with_rows_that_its_digest_draws() -> None:
    model = moved(1, 2, 3, 0, 0, 0)
    base = model_sketch(PARENT, model, b"\x01" * 32, SPEC)
    assert len(base) == 8 * SPEC.sketch_rows
    shifted = {"weight": PARENT["weight"] + 1}
    assert base == model_sketch(shifted, {"weight": model["weight"] + 1}, b"\x01" * 32, SPEC)
    assert base != model_sketch(PARENT, model, b"\x02" * 32, SPEC)
    assert base != model_sketch(PARENT, moved(1, 2, 3, 0, 0, 1), b"\x01" * 32, SPEC)
    assert model_sketch(PARENT, PARENT, b"\x01" * 32, SPEC) == encode_sketch(row(0))


def test_a_model_off_by_less_than_its_sketch_sees_is_not_the_same() -> None:
    """Why members compare the full vector: near convergence the sketch's rounding is wider than tau."""
    mine, theirs = moved(1e-4, 0, 0, 0, 0, 0), moved(1e-4, 0, 0, 0, 0, 3e-8)
    tau = SPEC.number("tau")
    for digest in (bytes([number]) * 32 for number in range(50)):
        claimed, expected = (decode_sketch(model_sketch(PARENT, model, digest, SPEC)) for model in (theirs, mine))
        assert agrees(claimed, expected, tau=tau)
    assert not same_model(mine, theirs, PARENT, tau=tau)


def test_accepted_updates_are_those_that_are_here() -> None:
    items = [
        Submission(1, 0, 0, update(*[1] * 6), Reason.ACCEPTED),
        Submission(2, 1, 1, None, Reason.UNAVAILABLE),
        Submission(3, 2, 2, update(*[3] * 6), Reason.ACCEPTED),
    ]
    assert list(accepted_updates(items, (3, 1))) == [3, 1]
    with pytest.raises(PeerError, match=r"updates of accepted nodes \[2, 9\] are not available"):
        accepted_updates(items, (1, 2, 9))


# -- record and report -----------------------------------------------------------------------------------


def test_the_report_binds_every_part_of_the_round() -> None:
    found = script()
    dossier, record = settled(found, found.evidence(VIEWS, CLAIMS))
    report = make_report(found.facts, dossier, record)
    assert (report.mode, report.task, report.round, report.attempt) == (0, TASK, ROUND, 2)
    assert (report.seed, report.parent) == (SEED, PARENT_DIGEST)
    assert report.committee_hash == committee_hash(found.facts.committee)
    assert report.submissions_root == submissions_root(record.submissions)
    assert report.votes_hash == votes_hash(dossier.votes)
    assert report.sketch_digest == sketch_digest({1: row(7)})
    assert report.words_hash == words_hash(pack_scores(record.trainer_scores), pack_scores(record.verifier_scores))
    assert report.model == Artefact.of(b"the next model").digest
    assert report.record == Artefact.of(record.to_bytes()).digest
    assert report.reward_total == 120
    assert (
        len({value for value in (getattr(report, f) for f in report.__dataclass_fields__) if isinstance(value, bytes)})
        == 9
    )


def test_the_record_holds_the_outcome() -> None:
    found = script()
    _, record = settled(found, found.evidence(VIEWS, CLAIMS))
    assert record.trainer_scores == (40_000, REJECTED)
    assert record.verifier_scores == (65_535,) * 4
    assert record.reasons == {1: Reason.ACCEPTED, 2: Reason.NORM_BOUND}
    assert record.member_reasons == dict.fromkeys(MEMBERS, Reason.ACCEPTED)
    assert record.sketches == {1: encode_sketch(row(7))}
    assert record.weights == {1: 1_000 * 4096}
    assert RoundRecord.from_bytes(record.to_bytes()) == record


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"attempt": 3}, "record"),
        ({"trainer_scores": (40_001, 1)}, "words_hash"),
        ({"verifier_scores": (1, 1, 1, 1)}, "words_hash"),
        ({"sketches": {1: encode_sketch(row(8))}}, "sketch_digest"),
        ({"model": Artefact.of(b"another")}, "model"),
        ({"submissions": ()}, "submissions_root"),
        ({"reasons": {}}, "record"),
        ({"evidence": ()}, "record"),
    ],
)
def test_another_record_is_another_report(change: dict[str, Any], field: str) -> None:
    found = script()
    dossier, record = settled(found, found.evidence(VIEWS, CLAIMS))
    report, other = (make_report(found.facts, dossier, r) for r in (record, replace(record, **change)))
    assert getattr(report, field) != getattr(other, field)
    assert report.record != other.record


def test_submissions_are_listed_by_slot_with_what_opened_them() -> None:
    found = facts(trainers=(9, 4))
    silent = replace(found.commitments[1], manifest=None, length=0, salt=b"")
    entries = submission_entries(replace(found, commitments=(silent, found.commitments[0])))
    assert [entry["node"] for entry in entries] == [9, 4]
    assert entries[1] == {
        "node": 4, "slot": 1, "order": 1, "manifest": "", "length": 0, "salt": "",
        "commitment": silent.commitment.hex(),
    }  # fmt: skip
    assert entries[0]["salt"] == SALT.hex()


def test_roles_keep_their_own_lanes() -> None:
    """A node that trains and verifies has one lane in each role's words."""
    found = script(seats=(1, 12, 13, 14), trainers=(1, 2))
    seen = dict.fromkeys((12, 13, 14), VIEW) | {1: observation(0, REJECTED, sketches={1: row(7)})}
    _, record = settled(found, found.evidence(seen, CLAIMS))
    assert record.trainer_scores == (40_000, REJECTED)
    assert record.verifier_scores == (65_535,) * 4
    assert Role.TRAINER != Role.VERIFIER


def test_params_of_the_tests_are_those_of_the_protocol() -> None:
    assert params().quorum == 2 * params().seats // 3 + 1
    assert facts().params.quorum == 3
    with pytest.raises(MissingContent):
        script().load(Artefact.of(b"x"))
