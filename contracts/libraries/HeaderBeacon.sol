// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title Randomness of a block, read from its RLP header
/// @notice The header is proved by its hash, so only a real header is ever parsed; strictness is against chains whose
/// headers have another shape. A header is one list of byte strings; field 13 (mixHash) is 32 bytes.
library HeaderBeacon {
    error MalformedHeader(uint256 offset);

    uint256 private constant MIX_HASH_FIELD = 13;

    /// @notice mixHash of a header whose hash the caller has checked.
    function mixHash(bytes calldata header) internal pure returns (bytes32) {
        require(header.length > 0, MalformedHeader(0));
        uint256 first = uint8(header[0]);
        require(first >= 0xc0, MalformedHeader(0));
        (uint256 offset, uint256 length) = _span(header, 0, 0xc0);
        require(offset + length == header.length, MalformedHeader(0));
        for (uint256 field = 0; field < MIX_HASH_FIELD; field++) {
            (uint256 start, uint256 size) = _string(header, offset);
            offset = start + size;
        }
        (uint256 mixAt, uint256 mixSize) = _string(header, offset);
        require(mixSize == 32, MalformedHeader(offset));
        return bytes32(header[mixAt:mixAt + 32]);
    }

    function _string(bytes calldata data, uint256 offset) private pure returns (uint256 start, uint256 size) {
        require(offset < data.length, MalformedHeader(offset));
        uint256 prefix = uint8(data[offset]);
        if (prefix < 0x80) return (offset, 1);
        require(prefix < 0xc0, MalformedHeader(offset));
        (start, size) = _span(data, offset, 0x80);
        // One byte below 0x80 stands for itself.
        require(size != 1 || uint8(data[start]) >= 0x80, MalformedHeader(offset));
    }

    /// @dev Start and size of the payload of the item at `offset`; `base` is 0x80 for strings, 0xc0 for lists.
    function _span(bytes calldata data, uint256 offset, uint256 base) private pure returns (uint256 start, uint256 size) {
        size = uint8(data[offset]) - base;
        start = offset + 1;
        if (size > 55) {
            uint256 sizeBytes = size - 55;
            require(sizeBytes <= 3 && start + sizeBytes <= data.length, MalformedHeader(offset));
            size = 0;
            for (uint256 i = 0; i < sizeBytes; i++) size = (size << 8) | uint8(data[start + i]);
            // Shortest form only.
            require(size > 55 && size >> (8 * (sizeBytes - 1)) != 0, MalformedHeader(offset));
            start += sizeBytes;
        }
        require(start + size <= data.length, MalformedHeader(offset));
    }
}
