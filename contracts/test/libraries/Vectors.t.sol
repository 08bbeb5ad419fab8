// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Vm} from "../Vm.sol";
import {IReputationBook} from "../../interfaces/IReputationBook.sol";
import {IRoundBook} from "../../interfaces/IRoundBook.sol";
import {ReputationBook} from "../../ReputationBook.sol";
import {RoundBook} from "../../RoundBook.sol";
import {HeaderBeacon} from "../../libraries/HeaderBeacon.sol";
import {LowerMedian} from "../../libraries/LowerMedian.sol";
import {PositionTree} from "../../libraries/PositionTree.sol";
import {RepWords} from "../../libraries/RepWords.sol";
import {SeatDraw} from "../../libraries/SeatDraw.sol";

/// @notice Solidity against the Python model, over tests/vectors.
contract VectorsTest {
    using SeatDraw for SeatDraw.Draw;

    Vm private constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    function load(string memory name) private view returns (string memory) {
        return vm.readFile(string.concat("tests/vectors/", name, ".json"));
    }

    function key(string memory list, uint256 index, string memory field) private pure returns (string memory) {
        return string.concat(".", list, "[", vm.toString(index), "].", field);
    }

    function rootFrom(uint256 word, uint256 index, uint256 count, bytes32[] calldata proof)
        external
        pure
        returns (bytes32)
    {
        return PositionTree.rootFrom(word, index, count, proof);
    }

    function mixHash(bytes calldata header) external pure returns (bytes32) {
        return HeaderBeacon.mixHash(header);
    }

    function test_words() external view {
        string memory json = load("words");
        uint256[] memory before = vm.parseJsonUintArray(json, ".step.before");
        uint256[] memory scores = vm.parseJsonUintArray(json, ".step.scores");
        uint256[] memory round = vm.parseJsonUintArray(json, ".step.round");
        uint256[] memory trainer = vm.parseJsonUintArray(json, ".step.trainer");
        uint256[] memory verifier = vm.parseJsonUintArray(json, ".step.verifier");
        require(before.length > 40, "cases");
        for (uint256 i = 0; i < before.length; i++) {
            require(RepWords.step(before[i], scores[i], uint16(round[i]), true) == trainer[i], "trainer");
            require(RepWords.step(before[i], scores[i], uint16(round[i]), false) == verifier[i], "verifier");
        }
    }

    function test_medians() external view {
        string memory json = load("words");
        for (uint256 i = 0; i < 10; i++) {
            uint256[] memory votes = vm.parseJsonUintArray(json, key("median", i, "votes"));
            uint256[] memory weights = new uint256[](votes.length);
            for (uint256 j = 0; j < votes.length; j++) weights[j] = 1;
            require(LowerMedian.select(votes, weights) == vm.parseJsonUint(json, key("median", i, "median")), "median");
        }
    }

    function test_contributions() external {
        string memory json = load("words");
        for (uint64 i = 0; i < 5; i++) {
            ReputationBook book =
                ReputationBook(vm.deployCode("contracts/build/ReputationBook.json", abi.encode(address(this))));
            uint256[] memory scores = vm.parseJsonUintArray(json, key("contribution", i, "scores"));
            uint256 units = book.step(i, IReputationBook.Role.Trainer, 1, scores);
            require(units == vm.parseJsonUint(json, key("contribution", i, "units")), "units");
            uint256[] memory words = vm.parseJsonUintArray(json, key("contribution", i, "words"));
            for (uint32 j = 0; j < words.length; j++) {
                require(book.contributionWordAt(i, IReputationBook.Role.Trainer, j) == words[j], "word");
            }
        }
    }

    function test_trees() external view {
        string memory json = load("tree");
        uint256 count = vm.parseJsonUint(json, ".count");
        for (uint256 i = 0; i < count; i++) {
            uint256[] memory words = vm.parseJsonUintArray(json, key("cases", i, "words"));
            uint256 index = vm.parseJsonUint(json, key("cases", i, "index"));
            bytes32[] memory proof = vm.parseJsonBytes32Array(json, key("cases", i, "proof"));
            bytes32 root = vm.parseJsonBytes32(json, key("cases", i, "root"));
            require(this.rootFrom(words[index], index, words.length, proof) == root, "root");
        }
    }

    function test_headers() external view {
        string memory json = load("header");
        uint256 count = vm.parseJsonUint(json, ".count");
        for (uint256 i = 0; i < count; i++) {
            bytes memory header = vm.parseJsonBytes(json, key("cases", i, "header"));
            require(keccak256(header) == vm.parseJsonBytes32(json, key("cases", i, "hash")), "hash");
            bytes32 mix = this.mixHash(header);
            require(mix == vm.parseJsonBytes32(json, key("cases", i, "mixHash")), "mixHash");
            bytes32 seed = keccak256(
                abi.encode(
                    vm.parseJsonUint(json, ".chainId"),
                    vm.parseJsonAddress(json, ".book"),
                    vm.parseJsonUint(json, ".task"),
                    vm.parseJsonUint(json, ".round"),
                    mix
                )
            );
            require(seed == vm.parseJsonBytes32(json, key("cases", i, "seed")), "seed");
        }
    }

    function test_draws() external view {
        string memory json = load("draw");
        uint256 count = vm.parseJsonUint(json, ".count");
        for (uint256 i = 0; i < count; i++) {
            uint256[] memory positions = vm.parseJsonUintArray(json, key("cases", i, "positions"));
            SeatDraw.Draw memory draw = SeatDraw.open(
                vm.parseJsonBytes32(json, key("cases", i, "seed")),
                vm.parseJsonUint(json, key("cases", i, "size")),
                positions.length
            );
            for (uint256 j = 0; j < positions.length; j++) require(draw.next() == positions[j], "position");
        }
    }

    /// @notice The book stands where the vector's domain says, so that its digest is the vector's.
    function test_report() external {
        string memory json = load("report");
        address book = vm.parseJsonAddress(json, ".book");
        vm.chainId(vm.parseJsonUint(json, ".chainId"));
        Knows knows = new Knows(book);
        vm.etch(book, abi.encodePacked(vm.getCode("contracts/build/RoundBook.json"), abi.encode(knows, knows)));
        (bool made, bytes memory runtime) = book.call(""); // its constructor, at that address
        require(made, "constructor");
        vm.etch(book, runtime);
        bytes memory encoded = vm.parseJsonBytes(json, ".encoded");
        IRoundBook.Report memory report = abi.decode(encoded, (IRoundBook.Report));
        require(RoundBook(book).reportDigest(report) == vm.parseJsonBytes32(json, ".digest"), "digest");

        uint256[] memory nodes = vm.parseJsonUintArray(json, ".committee.nodes");
        bytes memory packed;
        for (uint256 j = 0; j < nodes.length; j++) {
            address signer =
                vm.parseJsonAddress(json, string.concat(".committee.signers[", vm.toString(j), "]"));
            packed = abi.encodePacked(packed, uint32(nodes[j]), signer);
        }
        require(keccak256(packed) == vm.parseJsonBytes32(json, ".committee.hash"), "committee");

        IRoundBook.Vote[] memory votes = abi.decode(vm.parseJsonBytes(json, ".votes.encoded"), (IRoundBook.Vote[]));
        require(keccak256(abi.encode(votes)) == vm.parseJsonBytes32(json, ".votes.hash"), "votes");

        uint256[] memory trainer = vm.parseJsonUintArray(json, ".words.trainer");
        uint256[] memory verifier = vm.parseJsonUintArray(json, ".words.verifier");
        require(
            keccak256(abi.encodePacked(trainer, verifier)) == vm.parseJsonBytes32(json, ".words.hash"), "words"
        );
    }
}

/// @notice A vault and a book in one, which know their rounds.
contract Knows {
    address public immutable rounds;

    constructor(address rounds_) {
        rounds = rounds_;
    }

    function token() external view returns (address) {
        return address(this);
    }
}
