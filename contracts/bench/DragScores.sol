// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";

/// @title Scores of data sources, batched by query
/// @notice A peer of the gas benchmark, not part of the product: the batching contract of Reliable dRAG (arXiv 2511.07577)
/// written anew from its description: a record of five slots under a string key with two int32 scores, a mapping of which
/// keys exist, one message for all sources of a query that each of them signs, and one event a record that repeats the
/// caller's `info`. Its weaknesses are kept, since they are part of what it costs: the signed message does not bind the
/// scores, anyone creates records, and a signature can be used again.
contract DragScores {
    struct ScoreRecord {
        address source;
        string id;
        uint256 updatedAt;
        string reserved;
        int32 reliability;
        int32 usefulness;
    }

    event RecordCreated(string id, address source, int32 reliability, int32 usefulness);
    event RecordUpdated(
        string id, address source, int32 reliability, int32 usefulness, uint256 updatedAt, string info
    );

    error RecordExists(string id);
    error NoRecord(string id);
    error LengthsDiffer();
    error WrongSigner(string id, address got, address expected);

    mapping(string id => ScoreRecord) private _records;
    mapping(string id => bool) private _exists;

    function create(string calldata id, address source, int32 reliability, int32 usefulness) external {
        require(!_exists[id], RecordExists(id));
        _records[id] = ScoreRecord(source, id, block.timestamp, "", reliability, usefulness);
        _exists[id] = true;
        emit RecordCreated(id, source, reliability, usefulness);
    }

    /// @notice Replace the scores of all sources of one query; each has signed `message`.
    function update(
        string memory message,
        bytes[] memory signatures,
        string[] memory ids,
        int32[] memory reliability,
        int32[] memory usefulness,
        string memory info
    ) external {
        require(
            signatures.length == ids.length && reliability.length == ids.length && usefulness.length == ids.length,
            LengthsDiffer()
        );
        for (uint256 i = 0; i < ids.length; i++) {
            _update(message, signatures[i], ids[i], reliability[i], usefulness[i], info);
        }
    }

    function recordOf(string calldata id) external view returns (ScoreRecord memory) {
        return _records[id];
    }

    function _update(
        string memory message,
        bytes memory signature,
        string memory id,
        int32 reliability,
        int32 usefulness,
        string memory info
    ) private {
        require(_exists[id], NoRecord(id));
        ScoreRecord storage record = _records[id];
        address signer = ECDSA.recover(MessageHashUtils.toEthSignedMessageHash(bytes(message)), signature);
        require(signer == record.source, WrongSigner(id, signer, record.source));
        record.reliability = reliability;
        record.usefulness = usefulness;
        record.updatedAt = block.timestamp;
        emit RecordUpdated(record.id, record.source, reliability, usefulness, block.timestamp, info);
    }
}
