// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IDisputes} from "../../interfaces/IDisputes.sol";
import {IReputationBook} from "../../interfaces/IReputationBook.sol";
import {IRoundBook} from "../../interfaces/IRoundBook.sol";
import {HeaderBeacon} from "../../libraries/HeaderBeacon.sol";
import {LowerMedian} from "../../libraries/LowerMedian.sol";
import {PositionTree} from "../../libraries/PositionTree.sol";
import {RepWords} from "../../libraries/RepWords.sol";
import {SumTree} from "../../libraries/SumTree.sol";
import {Vm} from "../Vm.sol";

/// @notice Solidity against the Python model, over tests/vectors. SeatDraw.t.sol does the draws'.
contract VectorsTest {
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
            uint256 median = vm.parseJsonUint(json, key("median", i, "median"));
            require(LowerMedian.isMedian(median, votes, weights), "median");
            require(!LowerMedian.isMedian(median + 1, votes, weights), "another");
        }
    }

    function test_contributions() external {
        string memory json = load("words");
        for (uint64 i = 0; i < 5; i++) {
            IReputationBook book =
                IReputationBook(vm.deployCode("contracts/build/ReputationBook.json", abi.encode(address(this))));
            uint256[] memory scores = vm.parseJsonUintArray(json, key("contribution", i, "scores"));
            (bool earned,) = book.step(i, 1, scores, scores.length, 0, scores.length, true);
            require(earned == (vm.parseJsonUint(json, key("contribution", i, "units")) != 0), "earned");
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

    function sumRoot(uint96 amount, uint256 index, uint256 depth, uint96[] calldata sums, bytes32[] calldata siblings)
        external
        pure
        returns (bytes32, uint256)
    {
        return SumTree.rootFrom(amount, index, depth, sums, siblings);
    }

    function test_sum_trees() external view {
        string memory json = load("sumtree");
        uint256 count = vm.parseJsonUint(json, ".count");
        require(count > 5, "cases");
        for (uint256 i = 0; i < count; i++) {
            uint256[] memory raw = vm.parseJsonUintArray(json, key("cases", i, "sums"));
            uint96[] memory sums = new uint96[](raw.length);
            for (uint256 d = 0; d < raw.length; d++) sums[d] = uint96(raw[d]);
            (bytes32 root, uint256 total) = this.sumRoot(
                uint96(vm.parseJsonUint(json, key("cases", i, "amount"))),
                vm.parseJsonUint(json, key("cases", i, "index")),
                vm.parseJsonUint(json, key("cases", i, "depth")),
                sums,
                vm.parseJsonBytes32Array(json, key("cases", i, "siblings"))
            );
            require(root == vm.parseJsonBytes32(json, key("cases", i, "root")), "root");
            require(total == vm.parseJsonUint(json, key("cases", i, "total")), "total");
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

    /// @notice The book stands where the vector's domain says, so that its digests are the vector's.
    function test_report() external {
        string memory json = load("report");
        address book = vm.parseJsonAddress(json, ".book");
        vm.chainId(vm.parseJsonUint(json, ".chainId"));
        Neighbour neighbour = new Neighbour(book);
        bytes memory code = vm.getCode("contracts/build/RoundBook.json");
        vm.etch(book, abi.encodePacked(code, abi.encode(neighbour, neighbour, neighbour, neighbour, 0, 0)));
        (bool made, bytes memory runtime) = book.call(""); // its constructor, at that address
        require(made, "constructor");
        vm.etch(book, runtime);
        bytes memory encoded = vm.parseJsonBytes(json, ".encoded");
        IRoundBook.Report memory report = abi.decode(encoded, (IRoundBook.Report));
        require(IRoundBook(book).reportDigest(report) == vm.parseJsonBytes32(json, ".digest"), "digest");

        Neighbour vault = new Neighbour(book);
        IDisputes disputes =
            IDisputes(vm.deployCode("contracts/build/Disputes.json", abi.encode(book, vault.toDisputes(), 0)));
        bytes32 observation = disputes.observationDigest(
            uint64(vm.parseJsonUint(json, ".observation.task")),
            uint32(vm.parseJsonUint(json, ".observation.round")),
            vm.parseJsonBytes32(json, ".observation.seed"),
            uint32(vm.parseJsonUint(json, ".observation.node")),
            vm.parseJsonBytes32(json, ".observation.commitment")
        );
        require(observation == vm.parseJsonBytes32(json, ".observation.digest"), "observation");
    }

    /// @notice What goes into a report by its hash.
    function test_hashes() external view {
        string memory json = load("report");
        uint256[] memory nodes = vm.parseJsonUintArray(json, ".committee.nodes");
        bytes memory packed;
        for (uint256 j = 0; j < nodes.length; j++) {
            address signer =
                vm.parseJsonAddress(json, string.concat(".committee.signers[", vm.toString(j), "]"));
            packed = abi.encodePacked(packed, uint32(nodes[j]), signer);
        }
        require(keccak256(packed) == keccak256(vm.parseJsonBytes(json, ".committee.packed")), "packed");
        require(keccak256(packed) == vm.parseJsonBytes32(json, ".committee.hash"), "committee");

        IRoundBook.Vote[] memory votes = abi.decode(vm.parseJsonBytes(json, ".votes.encoded"), (IRoundBook.Vote[]));
        require(keccak256(abi.encode(votes)) == vm.parseJsonBytes32(json, ".votes.hash"), "votes");

        uint256[] memory trainer = vm.parseJsonUintArray(json, ".words.trainer");
        uint256[] memory verifier = vm.parseJsonUintArray(json, ".words.verifier");
        require(
            keccak256(abi.encodePacked(trainer, verifier)) == vm.parseJsonBytes32(json, ".words.hash"), "words"
        );

        IRoundBook.Settled memory settled =
            abi.decode(vm.parseJsonBytes(json, ".settled.encoded"), (IRoundBook.Settled));
        require(keccak256(abi.encode(settled)) == vm.parseJsonBytes32(json, ".settled.hash"), "settled");
        IRoundBook.RootState memory state =
            abi.decode(vm.parseJsonBytes(json, ".state.encoded"), (IRoundBook.RootState));
        require(keccak256(abi.encode(state)) == vm.parseJsonBytes32(json, ".state.hash"), "state");
        require(settled.state == keccak256(abi.encode(state)), "of one another");
    }
}

/// @notice Every neighbour that a constructor asks, in one: they know their rounds and one another.
contract Neighbour {
    Vm private constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    address public immutable rounds;
    address public disputes = address(this);

    constructor(address rounds_) {
        rounds = rounds_;
    }

    /// @dev The next contract that the caller deploys will be the disputes.
    function toDisputes() external returns (address) {
        disputes = vm.computeCreateAddress(msg.sender, vm.getNonce(msg.sender));
        return address(this);
    }

    function token() external view returns (address) {
        return address(this);
    }
}
