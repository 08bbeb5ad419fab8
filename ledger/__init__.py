"""The chain side of Credence: accounts, chains, contracts, reports, and the index of what happened.

Deals in 32-byte digests and integers; imports neither `node` nor `storage`.
"""

from ledger.accounts import Signer, create_key, list_keys, load_key, read_password, recover
from ledger.chain import Chain, open_chain
from ledger.client import Ledger
from ledger.collect import Bundle, bundle_counts, decode_bundle, verify_leaf
from ledger.contract_errors import ContractError
from ledger.deployments import Deployment, deploy
from ledger.errors import LedgerError
from ledger.index import Index
from ledger.posts import Pending, Post
from ledger.query import Trail, reputation_table, score_trail
from ledger.report import (
    assemble_signatures,
    committee_hash,
    expected_draw,
    observation_commitment,
    observation_digest,
    pack_committee,
    report_digest,
    seed_of,
    settled_hash,
    settled_of,
    state_hash,
    unpack_committee,
    update_commitment,
    votes_hash,
    words_hash,
)
from ledger.rootstate import RootLedgerState, decode_data, encode_data, first_difference, new_root_state
from ledger.rpc import RpcChain
from ledger.schedule import Schedule, Turn, staged_order
from ledger.seeds import SeedChain, SeedTerms
from ledger.sumtree import SumTree
from ledger.tester import TesterChain
from ledger.transmit import Transmitter
from ledger.tree import PositionTree
from ledger.types import (
    Clock,
    DemandKind,
    Event,
    Live,
    Mode,
    NodeInfo,
    PayProof,
    Phase,
    Receipt,
    Report,
    Role,
    RootState,
    Seat,
    Settled,
    Task,
    TaskParams,
    Vote,
    WordProof,
)
from ledger.words import (
    apply_scores,
    contribution_units,
    lower_median,
    pack_scores,
    reputation_lanes,
    shares,
    step_word,
    tree_proof,
    tree_root,
    unpack_scores,
)

__all__ = [
    "Bundle",
    "Chain",
    "Clock",
    "ContractError",
    "DemandKind",
    "Deployment",
    "Event",
    "Index",
    "Ledger",
    "LedgerError",
    "Live",
    "Mode",
    "NodeInfo",
    "PayProof",
    "Pending",
    "Phase",
    "PositionTree",
    "Post",
    "Receipt",
    "Report",
    "Role",
    "RootLedgerState",
    "RootState",
    "RpcChain",
    "Schedule",
    "Seat",
    "SeedChain",
    "SeedTerms",
    "Settled",
    "Signer",
    "SumTree",
    "Task",
    "TaskParams",
    "TesterChain",
    "Trail",
    "Transmitter",
    "Turn",
    "Vote",
    "WordProof",
    "apply_scores",
    "assemble_signatures",
    "bundle_counts",
    "committee_hash",
    "contribution_units",
    "create_key",
    "decode_bundle",
    "decode_data",
    "deploy",
    "encode_data",
    "expected_draw",
    "first_difference",
    "list_keys",
    "load_key",
    "lower_median",
    "new_root_state",
    "observation_commitment",
    "observation_digest",
    "open_chain",
    "pack_committee",
    "pack_scores",
    "read_password",
    "recover",
    "report_digest",
    "reputation_lanes",
    "reputation_table",
    "score_trail",
    "seed_of",
    "settled_hash",
    "settled_of",
    "shares",
    "staged_order",
    "state_hash",
    "step_word",
    "tree_proof",
    "tree_root",
    "unpack_committee",
    "unpack_scores",
    "update_commitment",
    "verify_leaf",
    "votes_hash",
    "words_hash",
]
