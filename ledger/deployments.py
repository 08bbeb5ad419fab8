"""Where the contracts are: deploying them, and a file that remembers it without ever pointing to a stale
address.

An entry is found by chain id and genesis hash, and believed only while the code at each address hashes to
what was deployed; so a chain that was reset, a recompiled contract and a copied file all stop the start, with
the fix.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import rlp
from eth_utils.address import to_canonical_address, to_checksum_address

from ledger.abi import artefact, interface
from ledger.accounts import Signer
from ledger.chain import Chain
from ledger.errors import BadArgument, LedgerError, NoCode, StaleDeployment
from ledger.hashing import keccak
from ledger.seeds import SeedTerms
from ledger.transmit import Transmitter

VERSION = 1
CORE = ("StakeVault", "ReputationBook", "Rewards", "Disputes", "RoundBook")
TOKEN, SEEDS, TRAINING = "Token", "SeedSource", "TrainingDisputes"
_NO_SEEDS = "0x" + "0" * 40  # seeds from the headers of the chain's own blocks


@dataclass(frozen=True)
class Deployment:
    """One set of contracts: addresses and code hashes by name (those of `CORE`, `Token`, `SeedSource` where seeds do
    not come from block headers, and `TrainingDisputes` where it was added).

    `block` is the number of the first block that has any of them: events begin there. `dev_token` says that
    the token is the development token, which anyone can mint.
    """

    chain_id: int
    genesis_hash: bytes
    contracts: Mapping[str, str]
    code_hashes: Mapping[str, bytes]
    block: int
    dev_token: bool = False

    @property
    def book(self) -> str:
        """Address of the RoundBook, which reports and commitments are bound to."""
        return self.contracts["RoundBook"]


def predict_address(sender: str, nonce: int) -> str:
    """The address of the contract that `sender` creates with `nonce`."""
    encoded_nonce = nonce.to_bytes((nonce.bit_length() + 7) // 8, "big")
    return str(to_checksum_address(keccak(rlp.encode([to_canonical_address(sender), encoded_nonce]))[12:]))


@dataclass(frozen=True)
class Begun:
    """Where a deployment begins: the signer's first nonce of it, and the first block that may hold it."""

    nonce: int
    block: int


def begin(path: Path, chain: Chain, signer: Signer) -> Begun:
    """What `path` says of a deployment that was interrupted; else a new beginning, which is written there first."""
    if path.exists():
        return Begun(**json.loads(path.read_text(encoding="utf-8")))
    begun = Begun(Transmitter(chain, signer).next_nonce(), chain.block_number() + 1)
    temporary = path.with_suffix(".part")
    temporary.write_text(json.dumps(asdict(begun)), encoding="utf-8")
    temporary.replace(path)
    return begun


def deploy(
    chain: Chain,
    signer: Signer,
    *,
    seat_stake: int,
    min_stake: int,
    unbonding_s: int,
    token: str | None = None,
    seat_fee: int = 0,
    demand_fee: int = 0,
    seed_source: str | SeedTerms | None = None,
    timeout_s: float = 60.0,
    begun: Begun | None = None,
) -> Deployment:
    """Deploy the contracts; stakes and fees in wei of the token, `unbonding_s` in seconds (longer than a round and
    its window).

    `token` None deploys the mintable development token as well. `seed_source` None takes seeds from block headers; a
    `SeedTerms` deploys a `HashChainSeed` on them; an address is another source that is there already.
    `seat_fee` is what a drawn seat costs a task's owner where the round is not settled, `demand_fee` what asking for
    withheld data costs. The contracts name the RoundBook and Disputes before they exist, by their predicted
    addresses; no other transaction of `signer` may come between. With `begun` it goes on where it was interrupted: what
    stands at the address of its nonce is not created again. Raises what `Transmitter` raises, `NoCode` where
    `token` or `seed_source` is no contract, `StaleDeployment` where the prediction failed.
    """
    transmitter = Transmitter(chain, signer)
    contracts: dict[str, str] = {}
    blocks: list[int] = []
    nonce = transmitter.next_nonce() if begun is None else begun.nonce

    def create(name: str, **values: Any) -> str:
        nonlocal nonce
        address = predict_address(signer.address, nonce)
        nonce += 1
        if begun is not None and nonce <= transmitter.next_nonce() and chain.code(address):
            return address
        known = {key.lower(): value for key, value in values.items()}
        coder = interface(name).constructor
        arguments = [known[parameter.replace("_", "").lower()] for parameter in coder.names]
        init_code = bytes.fromhex(artefact(name)["bytecode"].removeprefix("0x")) + coder.encode(arguments)
        receipt = transmitter.create(name, init_code, timeout_s=timeout_s)
        if receipt.contract_address is None:
            raise NoCode(f"the creation of {name} gave no address")
        blocks.append(receipt.block_number)
        return receipt.contract_address

    def existing(name: str, address: str) -> str:
        if not chain.code(address):
            raise NoCode(f"the {name} {address} has no code", hint="pass the address of a contract on this chain")
        return str(to_checksum_address(address))

    contracts[TOKEN] = create("DevToken") if token is None else existing("token", token)
    # In this order: perhaps the seed source, then vault, reputation, rewards, disputes, rounds.
    first = nonce + isinstance(seed_source, SeedTerms)
    disputes, rounds = (predict_address(signer.address, first + place) for place in (3, 4))
    if isinstance(seed_source, SeedTerms):
        contracts[SEEDS] = create("HashChainSeed", rounds=rounds, **asdict(seed_source))
    elif seed_source is not None:
        contracts[SEEDS] = existing("seed source", seed_source)
    known = {"token": contracts[TOKEN], "rounds": rounds, "disputes": disputes}
    stakes = {"seatStake": seat_stake, "minStake": min_stake, "unbondingS": unbonding_s}
    vault = contracts["StakeVault"] = create("StakeVault", **known, **stakes)
    reputation = contracts["ReputationBook"] = create("ReputationBook", **known)
    rewards = contracts["Rewards"] = create("Rewards", **known, reputation=reputation, vault=vault)
    contracts["Disputes"] = create("Disputes", **known, vault=vault, demandFee=demand_fee)
    contracts["RoundBook"] = create(
        "RoundBook",
        **known,
        vault=vault,
        reputation=reputation,
        rewards=rewards,
        seedSource=contracts.get(SEEDS, _NO_SEEDS),
        seatFee=seat_fee,
    )
    for name, predicted in (("Disputes", disputes), ("RoundBook", rounds)):
        if contracts[name] != predicted:
            raise StaleDeployment(f"{name} is at {contracts[name]}, predicted was {predicted}")
    return Deployment(
        chain_id=chain.chain_id,
        genesis_hash=chain.genesis_hash,
        contracts=contracts,
        code_hashes={name: keccak(chain.code(address)) for name, address in contracts.items()},
        block=min(blocks) if begun is None else begun.block,
        dev_token=token is None,
    )


def check(chain: Chain, deployment: Deployment) -> None:
    """Raise unless every contract of the deployment is on this chain with the code it was deployed with."""
    if (chain.chain_id, chain.genesis_hash) != (deployment.chain_id, deployment.genesis_hash):
        raise StaleDeployment(
            f"the deployment is of chain {deployment.chain_id} "
            f"with genesis 0x{deployment.genesis_hash.hex()[:16]}…, "
            f"this is chain {chain.chain_id} with genesis 0x{chain.genesis_hash.hex()[:16]}…"
        )
    for name, address in deployment.contracts.items():
        code = chain.code(address)
        if not code:
            raise NoCode(f"{name} has no code at {address}")
        if keccak(code) != deployment.code_hashes[name]:
            raise StaleDeployment(f"the code of {name} at {address} is not what was deployed")


def save(path: Path | str, deployment: Deployment) -> None:
    """Add the deployment to the file, in place of the entry of the same chain; atomic."""
    target = Path(path)
    entries = [entry for entry in _read(target) if _key(entry) != _key(_to_json(deployment))]
    entries.append(_to_json(deployment))
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump({"version": VERSION, "deployments": entries}, file, indent=2)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)  # addresses are public; mkstemp makes files private
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise


def load(path: Path | str, chain: Chain) -> Deployment:
    """The deployment on this chain, checked. Raises `StaleDeployment` where the file has none, or other code
    is there; `NoCode` where an address is empty."""
    target = Path(path)
    if not target.exists():
        raise StaleDeployment(f"there is no deployments file {target}", hint="run `credence deploy`")
    entries = _read(target)
    for entry in entries:
        if _key(entry) == (chain.chain_id, "0x" + chain.genesis_hash.hex()):
            deployment = _from_json(entry, target)
            check(chain, deployment)
            return deployment
    same_id = sum(entry.get("chainId") == chain.chain_id for entry in entries)
    why = "the chain was reset since" if same_id else f"it has chains {sorted({_key(e)[0] for e in entries})}"
    raise StaleDeployment(f"{target} has no contracts for this chain {chain.chain_id}: {why}")


def _key(entry: Mapping[str, Any]) -> tuple[int, str]:
    return int(entry.get("chainId", 0)), str(entry.get("genesisHash", ""))


def _read(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["version"] != VERSION:
            raise ValueError(f"version {content['version']}")
        entries: list[dict[str, Any]] = [dict(entry) for entry in content["deployments"]]
    except (ValueError, KeyError, TypeError) as failure:
        raise BadArgument(
            f"{path} is no deployments file: {failure}", hint="move it away and deploy again"
        ) from failure
    return entries


def _to_json(deployment: Deployment) -> dict[str, Any]:
    return {
        "chainId": deployment.chain_id,
        "genesisHash": "0x" + deployment.genesis_hash.hex(),
        "block": deployment.block,
        "devToken": deployment.dev_token,
        "contracts": {
            name: {"address": address, "codeHash": "0x" + deployment.code_hashes[name].hex()}
            for name, address in deployment.contracts.items()
        },
    }


def _from_json(entry: Mapping[str, Any], path: Path) -> Deployment:
    try:
        contracts = entry["contracts"]
        missing = {*CORE, TOKEN} - set(contracts)
        if missing:
            raise KeyError(f"contracts {sorted(missing)}")
        return Deployment(
            chain_id=int(entry["chainId"]),
            genesis_hash=bytes.fromhex(entry["genesisHash"][2:]),
            contracts={name: str(to_checksum_address(item["address"])) for name, item in contracts.items()},
            code_hashes={name: bytes.fromhex(item["codeHash"][2:]) for name, item in contracts.items()},
            block=int(entry["block"]),
            dev_token=bool(entry["devToken"]),
        )
    except (KeyError, TypeError, ValueError, LedgerError) as failure:
        raise StaleDeployment(f"an entry of {path} is incomplete: {failure}") from failure
