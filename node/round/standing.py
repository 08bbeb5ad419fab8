"""What every settled round has made of reputation and pay, from the chain's logs alone (and, in root mode, the blocks
in the store that they name): the same pure step for both modes, for a member that signs and for an auditor years later.

The contracts hold the same numbers, but not always yet: words of a final round may wait to be applied, and in root mode
only a root is there.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ledger import Event, Role, TaskParams, unpack_scores
from ledger.errors import LedgerError
from ledger.posts import Post
from ledger.rootstate import RootLedgerState, decode_data, matches, new_root_state
from ledger.words import LANES, UNITS
from node.errors import PeerError
from node.round.view import ROOT_MODE, TaskView

log = logging.getLogger("credence.round")
WORDS_LEVELS = 10  # room of words mode, which has no tree: RoundBook.WORDS_LEVELS


@dataclass(frozen=True)
class Standing:
    """Reputation words, wei and contribution units of every slot after a round; `units` shares 10^6 a round and role.

    In root mode `state` is what the signed root hides; in words mode its pay is what claims are worth before rounding.
    """

    state: RootLedgerState
    units: RootLedgerState

    @property
    def round(self) -> int:
        """The latest settled round, 0 before the first."""
        return self.state.round

    def reputation(self, role: Role, slot: int) -> int:
        """One lane, 0..65535."""
        found = self.state.reputations(role)
        return found[slot] if slot < len(found) else 0

    def scored(self, role: Role, slot: int) -> bool:
        """Whether anything was due from a slot in the latest round."""
        words = self.state.scores[role]
        return slot // LANES < len(words) and bool((words[slot // LANES] >> (16 * (slot % LANES))) & 0xFFFF)

    def scores(self, role: Role) -> list[int]:
        """Lanes of the latest settled round by slot, 0..65535; none before the first."""
        return unpack_scores(self.state.scores[role], len(self.state.pay[role]))

    def contribution(self, role: Role, slot: int) -> int:
        """Contribution units of a slot so far."""
        return self.units.pay[role][slot] if slot < len(self.units.pay[role]) else 0

    def after(self, scores: Sequence[Sequence[int]], params: TaskParams, round_: int) -> Standing:
        """The standing after a round with these scores, (trainers', verifiers') by slot."""
        pools = (params.trainer_pool, params.verifier_pool)
        return Standing(
            self.state.step(scores, round=round_, pools=pools),
            self.units.step(scores, round=round_, pools=(UNITS, UNITS)),
        )


def genesis_standing(params: TaskParams) -> Standing:
    """Before the first round."""
    empty = new_root_state(params.levels if params.mode == ROOT_MODE else WORDS_LEVELS)
    return Standing(empty, empty)


def standing_before(view: TaskView, round_: int) -> Standing:
    """The standing that a round builds on: after every earlier post that stands. Raises what `view.load` raises where a
    state of root mode cannot be had.
    """
    standing = genesis_standing(view.state.params)
    for earlier in range(1, round_):
        posted = view.standing_post(earlier)
        if posted is not None:
            standing = view.remember(("standing", posted.tx_hash), lambda s=standing, p=posted: _after(view, s, p))  # type: ignore[misc]
    return standing


def _after(view: TaskView, standing: Standing, posted: Event) -> Standing:
    round_ = int(posted.args["round"])
    if view.root_mode:
        return _after_root(view, standing, posted, round_)
    scores = posted_scores(view, posted)
    return standing.after(scores, view.state.params, round_)


def posted_scores(view: TaskView, posted: Event) -> tuple[list[int], list[int]]:
    """Scores by slot of a post, trainers' and verifiers': out of its words, in root mode out of the state in the store.
    Raises what `view.load` raises, and PeerError for a state that is not what was signed.
    """
    if view.root_mode:
        stored = _stored_state(view, posted)
        if not matches(stored, Post.of(posted).state):
            raise PeerError(f"the stored state of round {int(posted.args['round'])} is not what its root says")
        words = [stored.scores[role] for role in Role]
    else:
        words = [Post.of(posted).words_of(role) for role in Role]
    trainers, verifiers = (
        unpack_scores(of_role, len(view.slots(role, before=posted))) for role, of_role in zip(Role, words, strict=True)
    )
    return trainers, verifiers


def _stored_state(view: TaskView, posted: Event) -> RootLedgerState:
    try:
        return decode_data(view.load(Post.of(posted).state.data))
    except LedgerError as error:
        raise PeerError(f"the state of round {int(posted.args['round'])} is malformed: {error}") from error


def _after_root(view: TaskView, standing: Standing, posted: Event, round_: int) -> Standing:
    """Step by the posted scores. A state that does not follow, and nobody challenged, is the chain's all the same."""
    root, stored = Post.of(posted).state, _stored_state(view, posted)
    counts = [len(view.slots(role, before=posted)) for role in Role]
    lanes = [unpack_scores(stored.scores[role], counts[role]) for role in Role]
    derived = standing.after(lanes, view.state.params, round_)
    if matches(derived.state, root):
        return derived
    if not matches(stored, root):
        raise PeerError(f"the stored state of round {round_} is not what its root says")
    log.error("round=%d: the final state does not follow from its scores, and nobody challenged it in time", round_)
    return replace(derived, state=stored)
