// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {LowerMedian} from "../../libraries/LowerMedian.sol";
import {PositionTree} from "../../libraries/PositionTree.sol";
import {RepWords} from "../../libraries/RepWords.sol";
import {SumTree} from "../../libraries/SumTree.sol";
import {Vm} from "../Vm.sol";

/// @notice Twenty thousand cases of each pure function against the Python model. Both sides draw case i from
/// keccak256(seed ‖ 8·i + j) and hash every result behind those before, so that one hash tells whether all agree.
/// `tests/contracts/digests.py` says the same in Python, case by case.
contract DifferentialTest {
    Vm private constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
    uint256 private constant LOW_BITS = type(uint256).max / 0xffff; // bit 0 of each lane

    string private json;
    bytes32 private seed;
    uint256 private cases;

    function setUp() external {
        json = vm.readFile("tests/vectors/digests.json");
        seed = vm.parseJsonBytes32(json, ".seed");
        cases = vm.parseJsonUint(json, ".cases");
        require(cases >= 20_000, "cases");
    }

    function draw(bytes32 source, uint256 i, uint256 j) private pure returns (uint256 drawn) {
        assembly ("memory-safe") {
            mstore(0, source)
            mstore(32, add(mul(i, 8), j))
            drawn := keccak256(0, 64)
        }
    }

    function fold(bytes32 digest, uint256 value) private pure returns (bytes32) {
        return keccak256(abi.encode(digest, value));
    }

    function fold(bytes32 digest, uint256 a, uint256 b) private pure returns (bytes32) {
        return keccak256(abi.encode(digest, a, b));
    }

    function check(string memory what, bytes32 digest) private view {
        require(digest == vm.parseJsonBytes32(json, string.concat(".", what)), what);
    }

    function test_steps() external view {
        bytes32 digest;
        (bytes32 source, uint256 count) = (seed, cases);
        for (uint256 i = 0; i < count; i++) {
            (uint256 word, uint256 scores) = (draw(source, i, 0), draw(source, i, 1));
            if (i & 1 != 0) scores &= LOW_BITS * 3;
            if (i & 2 != 0) word |= LOW_BITS * 0xff80;
            if (i & 4 != 0) word &= LOW_BITS * 0x7f;
            if (i % 16 == 8) scores = word ^ (draw(source, i, 2) & LOW_BITS);
            uint16 round = uint16(1 + i % 4294);
            digest = fold(
                digest, RepWords.step(word, scores, round, true), RepWords.step(word, scores, round, false)
            );
        }
        check("steps", digest);
    }

    function test_shares() external view {
        bytes32 digest;
        (bytes32 source, uint256 count) = (seed, cases);
        for (uint256 i = 0; i < count; i++) {
            uint256 scores = draw(source, i, 0);
            if (i % 4 == 0) scores &= LOW_BITS * 0x8003;
            uint256 parts = RepWords.parts(scores);
            uint256 total = i & 1 != 0 ? draw(source, i, 1) % (1 << 30) : 0;
            for (uint256 left = parts; left != 0; left >>= 16) total += left & 0xffff;
            uint256 rate = total == 0 ? 0 : RepWords.rateOf(1e6, total);
            digest = fold(
                digest, RepWords.shares(parts & type(uint128).max, rate), RepWords.shares(parts >> 128, rate)
            );
        }
        check("shares", digest);
    }

    /// @notice The median is found among 0 and the votes by asking for each.
    function test_medians() external view {
        bytes32 digest;
        (bytes32 source, uint256 count) = (seed, cases);
        uint256[4] memory masks = [uint256(0xffff), 0x3, 0xf, 0x1];
        for (uint256 i = 0; i < count; i++) {
            uint256 head = draw(source, i, 0);
            uint256 seats = 1 + head % 31;
            uint256[] memory votes = new uint256[](seats);
            uint256[] memory weights = new uint256[](seats);
            uint256 mask = masks[i % 4];
            uint256 lanes = 0;
            unchecked {
                for (uint256 j = 0; j < seats; j++) {
                    lanes = j % 15 == 0 ? draw(source, i, 1 + j / 15) : lanes >> 16;
                    votes[j] = lanes & mask;
                    weights[j] = (head >> (64 + 2 * j)) & 3;
                }
            }
            uint256 median = 0;
            uint256 tried = 0; // of the votes below 256, which come again and again
            for (uint256 j = 0; tried >> median & 1 != 0 || !LowerMedian.isMedian(median, votes, weights); j++) {
                if (median < 256) tried |= 1 << median;
                median = votes[j];
            }
            digest = fold(digest, median);
        }
        check("medians", digest);
    }

    function wordRoot(uint256 word, uint256 index, uint256 count, bytes32[] calldata siblings)
        external
        pure
        returns (bytes32)
    {
        return PositionTree.rootFrom(word, index, count, siblings);
    }

    function test_words() external view {
        bytes32 digest;
        (bytes32 source, uint256 count) = (seed, cases);
        for (uint256 i = 0; i < count; i++) {
            uint256 head = draw(source, i, 0);
            uint256 leaves = 1 + (head & ((2 << ((head >> 248) % 12)) - 1));
            bytes32[] memory siblings = multiples(draw(source, i, 2), PositionTree.depthOf(leaves));
            digest = fold(
                digest, uint256(this.wordRoot(draw(source, i, 1), (head >> 64) % leaves, leaves, siblings))
            );
        }
        check("words", digest);
    }

    function sumRoot(uint96 amount, uint256 index, uint256 depth, uint96[] calldata sums, bytes32[] calldata siblings)
        external
        pure
        returns (bytes32, uint256)
    {
        return SumTree.rootFrom(amount, index, depth, sums, siblings);
    }

    function test_sums() external view {
        bytes32 digest;
        (bytes32 source, uint256 count) = (seed, cases);
        for (uint256 i = 0; i < count; i++) {
            uint256 head = draw(source, i, 0);
            uint256 depth = (head >> 248) % 13;
            bytes32[] memory siblings = multiples(draw(source, i, 2), depth);
            bytes32[] memory raw = multiples(draw(source, i, 3), depth);
            uint96[] memory sums = new uint96[](depth);
            for (uint256 d = 0; d < depth; d++) sums[d] = uint88(uint256(raw[d]));
            (bytes32 root, uint256 total) =
                this.sumRoot(uint88(draw(source, i, 1)), head % (1 << depth), depth, sums, siblings);
            digest = fold(digest, uint256(root), total);
        }
        check("sums", digest);
    }

    function multiples(uint256 base, uint256 depth) private pure returns (bytes32[] memory made) {
        made = new bytes32[](depth);
        unchecked {
            for (uint256 d = 0; d < depth; d++) made[d] = bytes32(base * (2 * d + 1));
        }
    }
}
