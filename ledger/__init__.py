"""The chain side of Credence: accounts, chains, contracts, reports, and the index of what happened.

Deals in 32-byte digests and integers; imports neither `node` nor `storage`.
"""

from ledger.accounts import Signer, create_key, list_keys, load_key, read_password, recover
from ledger.chain import Chain, open_chain
from ledger.client import Ledger
from ledger.contract_errors import ContractError
from ledger.deployments import Deployment, deploy
from ledger.errors import LedgerError
from ledger.index import Index
from ledger.query import Trail, reputation_table, score_trail
from ledger.report import (
    assemble_signatures,
    committee_hash,
    expected_draw,
    observation_commitment,
    report_digest,
    seed_of,
    update_commitment,
    votes_hash,
    words_hash,
)
from ledger.rpc import RpcChain
from ledger.tester import TesterChain
from ledger.transmit import Transmitter, staged_order
from ledger.types import (
    Clock,
    Event,
    Live,
    NodeInfo,
    Phase,
    Receipt,
    Report,
    Role,
    Seat,
    Task,
    TaskParams,
    Vote,
)
from ledger.words import (
    contribution_units,
    lower_median,
    pack_scores,
    reputation_lanes,
    step_word,
    tree_proof,
    tree_root,
    unpack_scores,
)

__all__ = [
    "Chain",
    "Clock",
    "ContractError",
    "Deployment",
    "Event",
    "Index",
    "Ledger",
    "LedgerError",
    "Live",
    "NodeInfo",
    "Phase",
    "Receipt",
    "Report",
    "Role",
    "RpcChain",
    "Seat",
    "Signer",
    "Task",
    "TaskParams",
    "TesterChain",
    "Trail",
    "Transmitter",
    "Vote",
    "assemble_signatures",
    "committee_hash",
    "contribution_units",
    "create_key",
    "deploy",
    "expected_draw",
    "list_keys",
    "load_key",
    "lower_median",
    "observation_commitment",
    "open_chain",
    "pack_scores",
    "read_password",
    "recover",
    "report_digest",
    "reputation_lanes",
    "reputation_table",
    "score_trail",
    "seed_of",
    "staged_order",
    "step_word",
    "tree_proof",
    "tree_root",
    "unpack_scores",
    "update_commitment",
    "votes_hash",
    "words_hash",
]
