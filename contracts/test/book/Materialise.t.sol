// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IReputationBook} from "../../interfaces/IReputationBook.sol";
import {IRoundBook} from "../../interfaces/IRoundBook.sol";
import {PositionTree} from "../../libraries/PositionTree.sol";
import {Trees} from "../Trees.sol";
import {Rise} from "../libraries/Rise.sol";
import {BookBase} from "./BookBase.sol";

contract MaterialiseTest is BookBase {
    uint8 private constant LEVELS = 2; // four words a role
    uint256[] private words;
    IRoundBook.Settled private settled;
    IRoundBook.RootState private state;

    function setUp() public override {
        super.setUp();
        known[TASK].levels = LEVELS;
        final_(5);
    }

    /// @dev A final record of `round`, in which every word but the last verifiers' was stepped.
    function final_(uint32 round) private {
        delete words;
        for (uint256 i = 0; i < 7; i++) words.push((uint256(keccak256(abi.encode(round, i))) >> 16) | uint256(round) << 240);
        (state.reputation,) = Trees.words(words, LEVELS + 1, 0);
        state.scores = bytes32("scores");
        settled = settle(TASK, round, state);
    }

    function siblings(IReputationBook.Role role, uint32 index) private view returns (bytes32[] memory path) {
        (, path) = Trees.words(words, LEVELS + 1, (uint256(role) << LEVELS) | index);
    }

    function word(IReputationBook.Role role, uint32 index) private view returns (uint256) {
        return words[(uint256(role) << LEVELS) | index];
    }

    function materialise(IReputationBook.Role role, uint32 index, uint256 word_, bytes32[] memory path) private {
        book.materialise(TASK, role, index, word_, settled, state, path);
    }

    function refused(bytes32 what, bytes32 got, bytes32 expected) private {
        vm.expectRevert(abi.encodeWithSelector(IReputationBook.WrongHash.selector, what, got, expected));
    }

    function test_every_word_comes_to_its_place() external {
        for (uint32 i = 0; i < 7; i++) {
            IReputationBook.Role role = i < 4 ? TRAINER : VERIFIER;
            bytes32[] memory path = siblings(role, i % 4);
            vm.expectEmit(true, true, true, true);
            emit IReputationBook.Materialised(TASK, role, i % 4, 5, words[i]);
            vm.prank(STRANGER); // anyone
            materialise(role, i % 4, words[i], path);
        }
        for (uint32 i = 0; i < 7; i++) eq("word", book.wordAt(TASK, i < 4 ? TRAINER : VERIFIER, i % 4), words[i]);
        for (uint32 n = 0; n < 20; n++) book.openSlot(TASK, VERIFIER, n);
        eq("lane 3 of word 1", book.reputationOf(TASK, VERIFIER, 18), uint16(words[5] >> 48));
    }

    function test_a_stored_word_of_the_same_or_a_later_round_stays() external {
        (uint256 old, bytes32[] memory path) = (word(TRAINER, 1), siblings(TRAINER, 1));
        materialise(TRAINER, 1, old, path);
        vm.expectRevert(abi.encodeWithSelector(IReputationBook.StaleRound.selector, 5, 5));
        materialise(TRAINER, 1, old, path);

        final_(9);
        refused("reputation", Rise.words(old, 1, path), state.reputation);
        materialise(TRAINER, 1, old, path);
        materialise(TRAINER, 1, word(TRAINER, 1), siblings(TRAINER, 1));
        eq("new", book.wordAt(TASK, TRAINER, 1), word(TRAINER, 1));

        final_(8); // cannot be, and would not matter
        uint256 older = word(TRAINER, 1);
        path = siblings(TRAINER, 1);
        vm.expectRevert(abi.encodeWithSelector(IReputationBook.StaleRound.selector, 8, 9));
        materialise(TRAINER, 1, older, path);
    }

    /// @notice A missing leaf proves a zero word, which brings nothing.
    function test_nothing_to_bring() external {
        bytes32[] memory path = siblings(VERIFIER, 3);
        vm.expectRevert(abi.encodeWithSelector(IReputationBook.StaleRound.selector, 0, 0));
        materialise(VERIFIER, 3, 0, path);
    }

    function test_only_from_the_final_record() external {
        (uint256 word_, bytes32[] memory path) = (word(TRAINER, 0), siblings(TRAINER, 0));
        IRoundBook.Settled memory other = settled;
        bytes32 final_hash = known[TASK].settled;
        other.signers ^= 1;
        refused("settled", keccak256(abi.encode(other)), final_hash);
        book.materialise(TASK, TRAINER, 0, word_, other, state, path);

        IRoundBook.RootState memory another = state;
        another.data = bytes32("other");
        refused("state", keccak256(abi.encode(another)), settled.state);
        book.materialise(TASK, TRAINER, 0, word_, settled, another, path);

        known[TASK].settled = 0; // before the first final round
        refused("settled", final_hash, 0);
        book.materialise(TASK, TRAINER, 0, word_, settled, state, path);

        known[TASK].mode = 0;
        vm.expectRevert(abi.encodeWithSelector(IReputationBook.WrongMode.selector, 0, 1));
        book.materialise(TASK, TRAINER, 0, word_, settled, state, path);
    }

    function test_only_at_its_place() external {
        uint256 word_ = word(TRAINER, 1);
        bytes32[] memory path = siblings(TRAINER, 1);
        // The same path at another index, and the other role's half.
        refused("reputation", Rise.words(word_, 0, path), state.reputation);
        materialise(TRAINER, 0, word_, path);
        refused("reputation", Rise.words(word_, 5, path), state.reputation);
        materialise(VERIFIER, 1, word_, path);
        // A trainer's index of 4 would be the verifiers' first word.
        word_ = word(VERIFIER, 0);
        path = siblings(VERIFIER, 0);
        vm.expectRevert(abi.encodeWithSelector(PositionTree.BadIndex.selector, 4, 4));
        materialise(TRAINER, 4, word_, path);
        bytes32[] memory shorter = new bytes32[](2);
        vm.expectRevert(abi.encodeWithSelector(PositionTree.BadProofLength.selector, 2, 3));
        materialise(TRAINER, 0, word_, shorter);
    }
}
