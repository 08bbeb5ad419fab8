"""One class for every custom error that the contracts, or the OpenZeppelin code inside them, can raise.

The message is one sentence with the values in it; `args_by_name` has them under the contract's own names.
"""

from __future__ import annotations

from typing import Any, ClassVar

from ledger.errors import TransactionFailed
from ledger.types import Phase, Role


class ContractError(TransactionFailed):
    """A contract refused. `.name` is the Solidity error, `.args_by_name` its decoded arguments."""

    code = "contract"
    says: ClassVar[str] = ""
    fix: ClassVar[str] = ""

    def __init__(self, name: str, args_by_name: dict[str, Any] | None = None, *, tx_hash: bytes | None = None) -> None:
        self.name = name
        self.args_by_name = dict(args_by_name or {})
        shown = {key: _show(key, value) for key, value in self.args_by_name.items()}
        super().__init__(f"{name}: {self.sentence(shown)}", hint=self.fix.format(**shown) or None, tx_hash=tx_hash)

    def sentence(self, shown: dict[str, str]) -> str:
        """What is wrong, with the values in it."""
        return self.says.format(**shown) if self.says else f"the contract refused with {self.name} {shown}"


def _show(key: str, value: Any) -> str:
    if isinstance(value, bytes):
        text = value.rstrip(b"\0")
        # A bytes32 name (the field of BadParams, the part of WrongLength) is readable ASCII, a digest is not.
        if text and len(text) < 32 and all(32 < byte < 127 for byte in text):
            return text.decode("ascii")
        return "0x" + value.hex()
    if key == "role":
        return Role(value).name.lower()
    return str(value)


# --- StakeVault ---------------------------------------------------------------------------------------------
class ZeroAddress(ContractError):
    """An address that must not be zero is zero."""

    code, says, fix = "zero-address", "an address is zero", "pass the address of an account"


class ZeroAmount(ContractError):
    """An amount that must be positive is zero."""

    code, says, fix = "zero-amount", "the amount is zero", "pass a positive amount or count"


class UnknownNode(ContractError):
    """No node has this id."""

    code, says, fix = "unknown-node", "node {node} is not registered", "register it first"


class NotOwner(ContractError):
    """The caller is not the node's owner."""

    code, says = "not-owner", "{caller} is not the owner of node {node}"
    fix = "send from the owner's (cold) key"


class NotRounds(ContractError):
    """Only the RoundBook may call this."""

    code, says = "not-rounds", "{caller} is not the RoundBook"
    fix = "call the RoundBook instead"


class NotDisputes(ContractError):
    """Only Disputes may call this."""

    code, says, fix = "not-disputes", "{caller} is not Disputes", "bring a proof to Disputes instead"


class SignerTaken(ContractError):
    """The hot key belongs to another node, for ever."""

    code, says = "signer-taken", "{signer} already signs for node {node}"
    fix = "use a fresh hot key"


class BadPossession(ContractError):
    """The proof that the hot key is the registrant's own does not verify."""

    code, says = "bad-possession", "the possession proof is not by {signer}"
    fix = "sign Possession(owner, signer) of this vault with the hot key"


class StakeTooLow(ContractError):
    """The bond does not cover what is asked."""

    code, says, fix = "stake-too-low", "the stake is {got} wei, {needed} are needed", "bond more"


class SeatsFrozen(ContractError):
    """Seats do not change while a draw is pending."""

    code, says = "seats-frozen", "seats are frozen up to block {untilBlock}"
    fix = "try again after the draw"


class SeatLocked(ContractError):
    """A drawn seat stays until its window closes."""

    code, says = "seat-locked", "the seat of node {node} is locked until {untilTime}"
    fix = "try again after that time"


class TooManySeats(ContractError):
    """More seats than the node holds."""

    code, says, fix = "too-many-seats", "{got} seats asked of {held}", "ask for at most {held}"


class ExitTooEarly(ContractError):
    """The unbonding delay has not passed."""

    code, says, fix = "exit-too-early", "it is {nowTime}, exit opens at {exitAt}", "withdraw after {exitAt}"


class NothingToWithdraw(ContractError):
    """Nothing is exiting."""

    code, says, fix = "nothing-to-withdraw", "node {node} has no exiting stake", "unbond first"


class NotEnoughSeats(ContractError):
    """Fewer unlocked seats than the draw needs."""

    code, says = "not-enough-seats", "{wanted} seats wanted, {available} unlocked"
    fix = "more verifiers must take seats, or wait for locks to end"


# --- ReputationBook -----------------------------------------------------------------------------------------
class SlotTaken(ContractError):
    """The node has joined the task in this role already."""

    code, says, fix = "slot-taken", "node {node} has joined task {task} as {role}", "nothing to do"


class NoSlot(ContractError):
    """The node has not joined the task in this role."""

    code, says, fix = "no-slot", "node {node} has not joined task {task} as {role}", "join first"


class StaleRound(ContractError):
    """A word's round stamp never falls."""

    code, says, fix = "stale-round", "round {got} is not after round {latest}", "settle a later round"


# --- RoundBook ----------------------------------------------------------------------------------------------
class UnknownTask(ContractError):
    """No task has this id."""

    code, says, fix = "unknown-task", "there is no task {task}", "check the id and the deployment"


class BadParams(ContractError):
    """A task parameter is out of range."""

    code, says, fix = (
        "bad-params",
        "the task parameter {field} is out of range",
        "see its bounds in IRoundBook",
    )


class NotTaskOwner(ContractError):
    """Only the task's owner may do this."""

    code, says, fix = "not-task-owner", "{caller} does not own task {task}", "send from the owner's key"


class NotNode(ContractError):
    """The caller is neither owner nor signer of the node."""

    code, says = "not-node", "{caller} is neither owner nor signer of node {node}"
    fix = "send from one of its two keys"


class NotJoined(ContractError):
    """The node has not joined the task in this role."""

    code, says, fix = "not-joined", "node {node} has not joined task {task} as {role}", "join first"


class SlotsFull(ContractError):
    """Every slot that the task has room for is taken."""

    code, says, fix = "slots-full", "task {task} has room for {capacity} as {role}", "join another task"


class EndpointTooLong(ContractError):
    """The endpoint has more bytes than allowed."""

    code, says, fix = "endpoint-too-long", "the endpoint has {got} bytes of {limit}", "use a shorter one"


class WrongPhase(ContractError):
    """The call belongs to another phase of the round."""

    code, fix = "wrong-phase", "wait for the phase; the round is skipped when it has passed"

    def sentence(self, shown: dict[str, str]) -> str:
        """With the phases' names."""
        got, needed = Phase(int(shown["got"])).name, Phase(int(shown["needed"])).name
        return f"round {shown['round']} is in {got}, needed {needed}"


class WrongRound(ContractError):
    """The call names another round than the current one."""

    code, says, fix = "wrong-round", "round {got} is not the current round {current}", "use round {current}"


class NotFinalised(ContractError):
    """The words of an earlier post have to be applied first."""

    code, says, fix = "not-finalised", "round {round} is final and its words are not applied", "finalise it first"


class NotFunded(ContractError):
    """As many rounds were drawn as are paid for."""

    code, says, fix = "not-funded", "{draws} of {fundedRounds} funded rounds are drawn", "fund_task pays for more"


class BadFunding(ContractError):
    """Rounds to pay for are none, or more than the task has left."""

    code, says, fix = "bad-funding", "{rounds} rounds cannot be funded, {limit} can", "fund 1 to {limit} rounds"


class AlreadyArmed(ContractError):
    """The beacon's block is fixed already."""

    code, says = "already-armed", "round {round} is armed for block {seedBlock}"
    fix = "draw once that block exists"


class NotArmed(ContractError):
    """The beacon's block has not been fixed."""

    code, says, fix = "not-armed", "round {round} has no seed block", "call arm_beacon first"


class NotDrawn(ContractError):
    """The round has no committee yet."""

    code, says, fix = "not-drawn", "round {round} has no committee", "arm and draw first"


class AlreadyDrawn(ContractError):
    """The committee is drawn already."""

    code, says, fix = "already-drawn", "the committee of round {round} is drawn", "read it with committee()"


class SeedBlockPending(ContractError):
    """The seed block does not exist yet."""

    code, says, fix = "seed-block-pending", "block {seedBlock} is needed, {current} is current", "wait for it"


class SeedExpired(ContractError):
    """The seed block has left the 256-block horizon."""

    code, says, fix = "seed-expired", "block {seedBlock} is too old at {current}", "arm the beacon again"


class BadHeader(ContractError):
    """The header does not hash to the seed block's hash."""

    code, says, fix = (
        "bad-header",
        "the header hashes to {got}, not {expected}",
        "pass the seed block's RLP header",
    )


class StaleReport(ContractError):
    """A newer round is final or posted."""

    code, says, fix = "stale-report", "round {round} is not after round {latest}", "drop the report"


class WrongMode(ContractError):
    """The call belongs to the other mode of settlement."""

    code, says, fix = "wrong-mode", "the mode is {mode}, needed is {needed}", "0 = words, 1 = root: use its calls"


class WrongDraw(ContractError):
    """Seed or committee of the report are not the drawn ones."""

    code, says, fix = "wrong-draw", "seed and committee hash to {got}, drawn was {expected}", "use the drawn ones"


class WrongParent(ContractError):
    """The report builds on another model than the latest final one."""

    code, says, fix = "wrong-parent", "the parent is {got}, the final model is {expected}", "rebuild on it"


class WrongCommittee(ContractError):
    """The committee is not the drawn one."""

    code, says, fix = (
        "wrong-committee",
        "the committee hashes to {got}, drawn was {expected}",
        "use committee()",
    )


class WrongLength(ContractError):
    """A part of the call has the wrong length."""

    code, says, fix = "wrong-length", "{what} has length {got}, expected {expected}", "rebuild the call"


class WrongHash(ContractError):
    """A part of the call does not hash to what was signed or is remembered."""

    code, says, fix = "wrong-hash", "{what} hashes to {got}, expected {expected}", "pass what the logs have"


class AttemptTooEarly(ContractError):
    """It is still an earlier proposer's turn."""

    code, says, fix = "attempt-too-early", "attempt {attempt} opens at {opensAt}", "wait for the turn"


class RewardTooHigh(ContractError):
    """The report pays more than the round's pools."""

    code, says, fix = "reward-too-high", "reward {got} wei is above {limit}", "lower the reward total"


class WrongReward(ContractError):
    """Totals or reward of a root report are not what the points allow."""

    code, says, fix = "wrong-reward", "{what} is {got} wei, {expected} is expected", "step the parent's state again"


class NoQuorum(ContractError):
    """Too few seats signed."""

    code, says, fix = "no-quorum", "{got} seats signed, {needed} are needed", "collect more signatures"


class BadSignature(ContractError):
    """A signature does not verify."""

    code, fix = "bad-signature", "collect it again"

    def sentence(self, shown: dict[str, str]) -> str:
        """By seat in a post, by position in a proof of fault."""
        return f"the signature of {' '.join(f'{name} {value}' for name, value in shown.items())} does not verify"


class NothingPosted(ContractError):
    """The task has no pending post."""

    code, says, fix = "nothing-posted", "task {task} has no pending post", "nothing to do"


class WindowOpen(ContractError):
    """The challenge window is still open."""

    code, says, fix = "window-open", "the challenge window is open until {until}", "finalise after that"


class TaskStarted(ContractError):
    """The task's first round has begun."""

    code, says, fix = "task-started", "task {task} began at {since}", "close it after the last window"


class TaskRunning(ContractError):
    """The task's last window is still open."""

    code, says, fix = "task-running", "task {task} still runs", "close it after the last window"


class TaskIsClosed(ContractError):
    """The task is closed."""

    code, says, fix = "task-is-closed", "task {task} is closed", "nothing to do"


# --- Rewards -----------------------------------------------------------------------------------------------
class NothingToClaim(ContractError):
    """Nothing earned that is not paid."""

    code, says, fix = "nothing-to-claim", "node {node} has nothing to claim", "wait for the next final round"


class NotEnough(ContractError):
    """A task's escrow does not cover a payment."""

    code, says = "not-enough", "task {task} holds {balance} wei, {wanted} are wanted"
    fix = "report this as a bug: escrow covers what rounds earned"


# --- Disputes -----------------------------------------------------------------------------------------------
class NotPending(ContractError):
    """There is no such post, or its window has closed."""

    code, says = "not-pending", "round {round} of task {task} has no such post in its window"
    fix = "prove a fault while the window is open"


class NotAFault(ContractError):
    """The proof shows no fault."""

    code, says, fix = "not-a-fault", "the proof shows no fault", "check the objects before sending"


class AlreadyPunished(ContractError):
    """The node was slashed for this round already."""

    code, says = "already-punished", "node {node} was punished for round {round}"
    fix = "nothing to do"


class TooLate(ContractError):
    """Data can be demanded in the first half of a window, and answered until their deadline."""

    code, says, fix = "too-late", "it was possible until {since}", "demand early, and answer at once"


class AlreadyDemanded(ContractError):
    """The same data were demanded before."""

    code, says, fix = "already-demanded", "demand {id} stands already", "wait for its answer"


class NotDemanded(ContractError):
    """There is no such demand, or it is answered or expired."""

    code, says, fix = "not-demanded", "demand {id} is not open", "nothing to do"


class AnswerDue(ContractError):
    """The time to answer is not over."""

    code, says, fix = "answer-due", "an answer may come until {until}", "expire it after that"


# --- seed sources -------------------------------------------------------------------------------------------
class TicketPending(ContractError):
    """The number of a ticket is not known yet."""

    code, says, fix = "ticket-pending", "ticket {ticket} is not known yet", "wait for its number"


class TicketExpired(ContractError):
    """The number of a ticket can no longer be proved."""

    code, says, fix = "ticket-expired", "ticket {ticket} has expired", "arm the beacon again"


class BadSeedProof(ContractError):
    """The proof does not show the number of the ticket."""

    code, says, fix = "bad-seed-proof", "the proof is not for ticket {ticket}", "ask the seed source's publisher"


class UnknownTicket(ContractError):
    """No such ticket was given."""

    code, says, fix = "unknown-ticket", "ticket {ticket} was never given", "arm the beacon first"


class NoBlockHash(ContractError):
    """The chain no longer has the hash of a ticket's block."""

    code, says, fix = "no-block-hash", "the hash of block {seedBlock} is out of reach", "arm the beacon again"


class BadChains(ContractError):
    """Chains of seed values cannot be committed to like that."""

    code, says = "bad-chains", "{operators} chains of {length} values"
    fix = "1 to 16 operators, each with a chain of at least one value"


class BadTiming(ContractError):
    """A seed source's delay or window is out of range."""

    code, says, fix = "bad-timing", "delay {delay} or window {window} is out of range", "1 to 256 blocks each"


class ChainExhausted(ContractError):
    """Every value of the seed chain has its ticket."""

    code, says, fix = "chain-exhausted", "all {length} tickets are given", "deploy anew with a longer chain"


class NothingToReveal(ContractError):
    """No ticket waits for a value."""

    code, says, fix = "nothing-to-reveal", "ticket {revealed} was the last, and is revealed", "nothing to do"


class UnknownOperator(ContractError):
    """The seed source has no such operator."""

    code, says, fix = "unknown-operator", "there is no operator {operator}", "operators are counted from 0"


class WrongValue(ContractError):
    """A value is not of the operator's committed chain, or not due."""

    code, says = "wrong-value", "{value} does not lead to the value known of operator {operator}"
    fix = "reveal SeedChain.value(ticket)"


class RevealTooEarly(ContractError):
    """The ticket's block is not past."""

    code, says = "reveal-too-early", "ticket {ticket} may be revealed from block {fromBlock} on"
    fix = "wait until that block can no longer be replaced"


# --- libraries of ours --------------------------------------------------------------------------------------
class MalformedHeader(ContractError):
    """The block header is no canonical RLP list with a mixHash."""

    code, says = "malformed-header", "the header is malformed at byte {offset}"
    fix = "this chain's headers have another shape: use a chain with Ethereum headers"


class BadProofLength(ContractError):
    """A Merkle proof has the wrong depth."""

    code, says, fix = (
        "bad-proof-length",
        "a proof has {got} levels, not {expected}",
        "rebuild it with tree_proof",
    )


class BadIndex(ContractError):
    """An index lies outside of what it points into."""

    code, fix = "bad-index", "count again: indices start at 0"

    def sentence(self, shown: dict[str, str]) -> str:
        """Trees say index and count, proofs of fault what is indexed."""
        *what, index, limit = shown.values()
        return f"index {index} of {what[0] if what else 'a tree'} is not below {limit}"


class SumOverflow(ContractError):
    """The sums of a pay tree's proof do not fit 96 bits."""

    code, says, fix = "sum-overflow", "a pay proof adds up to {total}", "rebuild it with SumTree.proof"


# --- TrainingDisputes ---------------------------------------------------------------------------------------
class BadTraining(ContractError):
    """A training, or the range that is disputed of it, is out of range."""

    code, says, fix = "bad-training", "the {field} of the training is out of range", "see its bounds in the interface"


class BadTrainingSignature(ContractError):
    """The training is not signed by the trainer's hot key."""

    code, says = "bad-training-signature", "the training is not signed by the hot key of node {node}"
    fix = "pass the signature that came with this training"


class NotDisputable(ContractError):
    """A training is disputed from REVEAL to the end of its round's window only."""

    code, says = "not-disputable", "round {round} of task {task} is not open: it is round {current}, phase {phase}"
    fix = "open the dispute before the round's window closes"


class AlreadyFaulty(ContractError):
    """The training has lost a dispute already."""

    code, says, fix = "already-faulty", "the training {training} has lost before", "nothing to do"


class UnknownDispute(ContractError):
    """No dispute has this id."""

    code, says, fix = "unknown-dispute", "there is no dispute {dispute}", "check the id and the deployment"


class WrongTurn(ContractError):
    """The dispute waits for something else."""

    code, says = "wrong-turn", "dispute {dispute} is at turn {turn}, turn {needed} is needed"
    fix = "read the dispute, and do what its turn asks for"


class NotParty(ContractError):
    """The caller is not who has to move."""

    code, says, fix = "not-party", "{caller} has no move in dispute {dispute}", "send from the party's own key"


class TurnOver(ContractError):
    """The deadline of the turn has passed."""

    code, says, fix = "turn-over", "the turn of dispute {dispute} ended at {deadline}", "close it by its timeout"


class TurnOpen(ContractError):
    """The deadline of the turn has not passed."""

    code, says, fix = "turn-open", "the turn of dispute {dispute} ends at {deadline}", "try again after that time"


class WrongState(ContractError):
    """A state does not stand at this place of the tree."""

    code, says = "wrong-state", "the state at {index} makes the root {got}, not {expected}"
    fix = "prove the state against the tree that was signed or fixed"


class WrongSketchLength(ContractError):
    """A sketch is rows of four bytes, eight by eight."""

    code, says = "wrong-sketch-length", "the sketch has {got} bytes"
    fix = "a positive multiple of 32 up to {limit} is needed"


class NotLaterDraw(ContractError):
    """The committee of the disputed round does not judge it."""

    code, says = "not-later-draw", "the latest draw is of round {drawn}, a later one than {disputed} is needed"
    fix = "wait for the next draw, or for the end of the task"


# --- OpenZeppelin code inside the contracts -----------------------------------------------------------------
class ERC20InsufficientBalance(ContractError):
    """The sender has too few tokens."""

    code, says = "token-balance", "{sender} has {balance} wei of the token, {needed} are needed"
    fix = "fund the account; on a local chain mint development tokens"


class ERC20InsufficientAllowance(ContractError):
    """The sender has not approved enough tokens."""

    code, says = "token-allowance", "{spender} may take {allowance} wei, {needed} are needed"
    fix = "approve the amount first"


class ERC20InvalidSender(ContractError):
    """Tokens sent from an address that cannot send."""

    code, says, fix = "token-sender", "{sender} cannot send tokens", "use another account"


class ERC20InvalidReceiver(ContractError):
    """Tokens sent to an address that cannot receive."""

    code, says, fix = "token-receiver", "{receiver} cannot receive tokens", "use another account"


class ERC20InvalidApprover(ContractError):
    """Approval by an address that cannot approve."""

    code, says, fix = "token-approver", "{approver} cannot approve", "use another account"


class ERC20InvalidSpender(ContractError):
    """Approval of an address that cannot spend."""

    code, says, fix = "token-spender", "{spender} cannot spend", "use another account"


class SafeERC20FailedOperation(ContractError):
    """The token refused a transfer without a reason."""

    code, says, fix = "token-refused", "the token {token} refused the transfer", "check balance and approval"


class AddressEmptyCode(ContractError):
    """A call went to an address without code."""

    code, says, fix = "address-empty", "{target} has no code", "check the deployment"


class FailedCall(ContractError):
    """A call inside a batch failed without a reason."""

    code, says, fix = "failed-call", "a call in the batch failed and says not why", "send the calls one by one"


class InvalidShortString(ContractError):
    """An EIP-712 name does not decode."""

    code, says, fix = "short-string", "a short string does not decode", "redeploy the contract"


class StringTooLong(ContractError):
    """An EIP-712 name is too long."""

    code, says, fix = "string-too-long", "the string {str} is too long", "use a shorter one"


class CheckpointUnorderedInsertion(ContractError):
    """A stake checkpoint is older than the latest one."""

    code, says, fix = "checkpoint-order", "a stake checkpoint went back in time", "report this as a bug"


def class_of(name: str) -> type[ContractError]:
    """The class of the Solidity error `name`; the root class where it is none of ours."""
    found = globals().get(name)
    if isinstance(found, type) and issubclass(found, ContractError):
        return found
    return ContractError
