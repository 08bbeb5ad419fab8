// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {IRoundBook} from "../interfaces/IRoundBook.sol";

/// @title Signatures of a quorum of seats
/// @notice Bit j of the bitmap says that seat j signs. A node signs once for all its seats: its bits are all set or all
/// clear, and its signature stands in the order of its first set seat. Weight is the number of bits set.
library Quorum {
    uint256 internal constant SIGNATURE_LENGTH = 65;
    uint256 internal constant MAX_SEATS = 128;
    /// @dev Slots of the node table: at least twice MAX_SEATS, a power of two.
    uint256 private constant TABLE = 256;

    /// @notice Reverts unless `bitmap` weighs at least `needed` and every signing node's signature is good. Cheap checks first.
    function check(
        bytes32 digest,
        IRoundBook.Seat[] calldata committee,
        uint256 bitmap,
        bytes calldata signatures,
        uint256 needed
    ) internal pure {
        uint256 seats = committee.length;
        require(bitmap >> seats == 0, IRoundBook.WrongLength("signerBitmap", bitmap, seats));
        uint256 got = weight(bitmap);
        require(got >= needed, IRoundBook.NoQuorum(got, needed));

        uint256[TABLE] memory table; // node << 1 | signs, by open addressing; 0 = free (node ids start cell 1)
        uint256 offset = 0;
        for (uint256 j = 0; j < seats; j++) {
            uint256 node = committee[j].node;
            uint256 signs = (bitmap >> j) & 1;
            uint256 cell = node % TABLE;
            while (table[cell] != 0 && table[cell] >> 1 != node) cell = (cell + 1) % TABLE;
            if (table[cell] != 0) {
                require(table[cell] & 1 == signs, IRoundBook.BadSignature(j));
                continue;
            }
            table[cell] = (node << 1) | signs;
            if (signs == 0) continue;

            uint256 end = offset + SIGNATURE_LENGTH;
            require(end <= signatures.length, IRoundBook.WrongLength("signatures", signatures.length, end));
            (address signer, ECDSA.RecoverError failure,) = ECDSA.tryRecoverCalldata(digest, signatures[offset:end]);
            // Recovery refuses high s and never returns zero without a failure; the zero seat is refused all the same.
            require(
                failure == ECDSA.RecoverError.NoError && signer != address(0) && signer == committee[j].signer,
                IRoundBook.BadSignature(j)
            );
            offset = end;
        }
        require(offset == signatures.length, IRoundBook.WrongLength("signatures", signatures.length, offset));
    }

    /// @notice Number of bits set.
    function weight(uint256 bitmap) internal pure returns (uint256 bits) {
        // Each turn clears the lowest bit: as many turns as seats sign.
        for (; bitmap != 0; bitmap &= bitmap - 1) bits++;
    }
}
