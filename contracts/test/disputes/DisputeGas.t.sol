// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {DisputeBase, IDisputes, IRoundBook, Rig, RootRig} from "./DisputeBase.sol";
import {Trees} from "../Trees.sol";

/// @notice What each dispute costs as a transaction, and that none outgrows one: a fault that could not be proved under the
/// cap of 2^24 gas would be no fault. Trees are those of 110,000 trainers, of which only the proven paths are made.
contract DisputeGasTest is DisputeBase {
    uint256 private constant CAP = 1 << 24;
    uint8 private constant LEVELS = 13;
    uint256 private constant SLOTS = 110_000;
    uint32 private constant WORDS = 7334;
    IRoundBook.RootState private _state;

    event Cost(string what, uint256 seats, uint256 gas, uint256 bytesOfCalldata);

    // ---- measuring ----

    /// @dev A transaction's gas: what it starts with, the call into cold contracts; at least the floor for its calldata.
    function cost(string memory what, uint256 seats, bytes memory call) private returns (uint256 gas) {
        vm.cool(address(vault));
        vm.cool(address(rounds));
        vm.cool(address(disputes));
        vm.cool(address(token));
        uint256 before = gasleft();
        (bool done, bytes memory reason) = address(disputes).call(call);
        gas = before - gasleft() + 21_000;
        if (!done) {
            assembly ("memory-safe") {
                revert(add(reason, 32), mload(reason))
            }
        }
        uint256 tokens = 0;
        for (uint256 i = 0; i < call.length; i++) tokens += call[i] == 0 ? 1 : 4;
        gas += 4 * tokens;
        if (gas < 21_000 + 10 * tokens) gas = 21_000 + 10 * tokens;
        emit Cost(what, seats, gas, call.length);
        require(gas < CAP, what);
    }

    // ---- a task of 110,000 trainers ----

    function enlarge(IRoundBook.TaskParams memory params, uint8 seats) private returns (IRoundBook.Seat[] memory) {
        for (uint32 key = 11; key <= seats; key++) rig.register(key, SEAT);
        for (uint32 node = 8; node <= seats; node++) rig.takeSeats(node, 1);
        (params.seats, params.quorum) = (seats, uint8(2 * uint256(seats) / 3 + 1));
        (params.trainerPool, params.verifierPool) = (80e18, 20e18);
        if (params.mode == 1) params.levels = LEVELS;
        task = rig.create(params);
        if (params.mode == 1) slots(SLOTS);
        return rig.draw(task, 1);
    }

    /// @dev As if so many trainers had joined. Their number has 24 bits of the hot word at 184, the verifiers' at 208; the
    /// view tells whether the word was found.
    function slots(uint256 trainers) private {
        IRoundBook.Live memory live = rounds.liveOf(task);
        uint256 expected = live.trainerSlots | (uint256(live.verifierSlots) << 24);
        for (uint256 mapped = 0; mapped < 8; mapped++) {
            uint256 record = uint256(keccak256(abi.encode(uint256(task), mapped)));
            for (uint256 i = 0; i < 16; i++) {
                uint256 word = uint256(vm.load(address(rounds), bytes32(record + i)));
                if (uint48(word >> 184) != expected) continue;
                uint256 changed = word ^ ((live.trainerSlots ^ trainers) << 184);
                vm.store(address(rounds), bytes32(record + i), bytes32(changed));
                if (rounds.liveOf(task).trainerSlots == trainers) return;
                vm.store(address(rounds), bytes32(record + i), bytes32(word));
            }
        }
        revert("no such word");
    }

    function siblings(uint256 depth) private pure returns (bytes32[] memory all) {
        all = new bytes32[](depth);
        for (uint256 i = 0; i < depth; i++) all[i] = keccak256(abi.encode("sibling", i));
    }

    /// @dev Siblings of a tree of which all else is empty.
    function none(uint256 depth, bool pay) private pure returns (bytes32[] memory all) {
        all = new bytes32[](depth);
        bytes32 row = pay ? keccak256(abi.encodePacked(uint8(2), uint96(0))) : Trees.leaf(0);
        for (uint256 i = 0; i < depth; i++) {
            all[i] = row;
            row = pay
                ? keccak256(abi.encodePacked(uint8(3), row, uint96(0), row, uint96(0)))
                : keccak256(abi.encodePacked(uint8(1), row, row));
        }
    }

    function rootOf(uint256 word, bytes32[] memory path) private pure returns (bytes32 root) {
        root = Trees.leaf(word); // at index 0
        for (uint256 i = 0; i < path.length; i++) root = keccak256(abi.encodePacked(uint8(1), root, path[i]));
    }

    /// @dev Everything about word 0: a score that no vote gives, a step that is none, a leaf that is not earned.
    function spoilt(IRoundBook.Seat[] memory seats) private returns (Rig.Settlement memory made) {
        made = rig.blank(task, 1, seats);
        made.trainerWords = WORDS;
        made.votes = new IRoundBook.Vote[](seats.length);
        for (uint256 j = 0; j < seats.length; j++) {
            bytes32 root = rootOf(honest() + j, siblings(13));
            made.votes[j] = IRoundBook.Vote(seats[j].node, keccak256(abi.encode(j)), root, keccak256(abi.encode("r", j)));
        }
        _state.scores = rootOf(honest() + 5000, siblings(LEVELS + 1));
        _state.reputation = rootOf(honest(), siblings(LEVELS + 1));
        IDisputes.PayProof memory leaf = paid();
        bytes32 pay = keccak256(abi.encodePacked(uint8(2), leaf.amount));
        uint96 sum = leaf.amount;
        for (uint256 i = 0; i < leaf.siblings.length; i++) {
            pay = keccak256(abi.encodePacked(uint8(3), pay, sum, leaf.siblings[i], leaf.sums[i]));
            sum += leaf.sums[i];
        }
        _state.trainerPay = pay;
        _state.totals = sum;
        _state.points = 77;
        RootRig.RootRound memory round;
        (round.base, round.state) = (made, _state);
        round = rig.resignRoot(round, (1 << rounds.taskOf(task).params.quorum) - 1);
        made = round.base;
        IRoundBook.RootState memory state = _state;
        rounds.postRoot(
            made.report, made.parent, noState, state, made.committee, made.signers, made.signatures
        );
    }

    function honest() private pure returns (uint256 word) {
        for (uint256 i = 0; i < 15; i++) word |= (40_000 + 111 * i) << (16 * i);
    }

    function paid() private pure returns (IDisputes.PayProof memory proof) {
        proof = IDisputes.PayProof(3e18, new uint96[](LEVELS + 4), siblings(LEVELS + 4));
        for (uint256 i = 0; i < LEVELS + 4; i++) proof.sums[i] = 4e18;
        proof.sums[0] = 13e18; // 80e18 together: the pool
    }

    function scored() private pure returns (IDisputes.WordProof memory) {
        return IDisputes.WordProof(honest() + 5000, siblings(LEVELS + 1));
    }

    function ofRoot(uint8 seats) private {
        Rig.Settlement memory made = spoilt(enlarge(rig.rootParams(), seats));
        IDisputes.Accused memory accused = rig.accused(made);
        IDisputes.WordProof[] memory votes = new IDisputes.WordProof[](seats);
        for (uint256 j = 0; j < seats; j++) votes[j] = IDisputes.WordProof(honest() + j, siblings(13));
        uint256 posted = vm.snapshotState();

        bytes memory call = abi.encodeCall(
            disputes.challengeRootScore, (accused, _state, made.votes, 0, scored(), votes)
        );
        cost("challengeRootScore", seats, call);
        vm.revertToState(posted);

        IDisputes.WordProof memory nothing = IDisputes.WordProof(0, none(LEVELS + 1, false));
        IDisputes.WordProof memory next = IDisputes.WordProof(honest(), siblings(LEVELS + 1));
        call = abi.encodeCall(
            disputes.challengeStep, (accused, _state, noRecord, noState, 0, scored(), nothing, next)
        );
        cost("challengeStep", seats, call);
        vm.revertToState(posted);

        IDisputes.PayProof memory before = IDisputes.PayProof(0, new uint96[](LEVELS + 4), none(LEVELS + 4, true));
        call = abi.encodeCall(
            disputes.challengePay, (accused, _state, noRecord, noState, TRAINER, 0, scored(), before, paid())
        );
        cost("challengePay", seats, call);
        vm.revertToState(posted);

        data(made, accused, seats);
    }

    /// @dev Demands and answers; then one that nobody answers.
    function data(Rig.Settlement memory made, IDisputes.Accused memory accused, uint8 seats) private {
        token.mint(address(this), 100e18);
        token.approve(address(disputes), 100e18);
        IDisputes.Kind votes = IDisputes.Kind.Votes;
        bytes memory call =
            abi.encodeCall(disputes.demand, (made.report, made.signers, WORDS, votes, uint32(0), uint32(0)));
        cost("demand", seats, call);
        IDisputes.WordProof memory word = IDisputes.WordProof(honest(), siblings(13));
        call = abi.encodeCall(
            disputes.answerVotes, (made.report, uint32(0), uint32(0), WORDS, made.votes, word)
        );
        cost("answerVotes", seats, call);
        disputes.demand(made.report, made.signers, WORDS, IDisputes.Kind.Scores, 0, 0);
        call = abi.encodeCall(
            disputes.answerWord, (made.report, _state, IDisputes.Kind.Scores, uint32(0), scored())
        );
        cost("answerWord", seats, call);
        disputes.demand(made.report, made.signers, WORDS, IDisputes.Kind.TrainerPay, 0, 0);
        call = abi.encodeCall(
            disputes.answerPay, (made.report, _state, IDisputes.Kind.TrainerPay, uint32(0), paid())
        );
        cost("answerPay", seats, call);
        disputes.demand(made.report, made.signers, WORDS, votes, 1, 0);
        vm.warp(block.timestamp + 26);
        call = abi.encodeCall(disputes.expire, (accused, votes, uint32(1), uint32(0)));
        cost("expire", seats, call);
    }

    function test_root_of_7() external {
        ofRoot(7);
    }

    function test_root_of_31() external {
        ofRoot(31);
    }

    function test_root_of_128() external {
        ofRoot(128);
    }

    function test_points() external {
        task = rig.createRootTask();
        RootRig.RootRound memory made = rig.rootMade(task, 1);
        made.next.trainerPay = made.before.trainerPay;
        made = rig.restate(made, ALL);
        made.state.points = (made.state.points >> 128) << 128;
        made = rig.resignRoot(made, ALL);
        rig.postRoot(made);
        IDisputes.Accused memory accused = rig.accused(made.base);
        IDisputes.WordProof memory score = rig.scoreProof(made, 0);
        cost("challengePoints", 7, abi.encodeCall(disputes.challengePoints, (accused, made.state, 0, score)));
    }

    // ---- words mode ----

    /// @dev `count` words of trainers, all of them in the call.
    function ofWords(uint8 seats, uint256 count) private {
        IRoundBook.Seat[] memory drawn = enlarge(rig.params(), seats);
        slots(15 * count);
        Rig.Settlement memory made = rig.blank(task, 1, drawn);
        made.trainerWords = uint32(count);
        made.words = new uint256[](count + 1);
        for (uint256 i = 0; i < count; i++) made.words[i] = honest();
        uint256 depth = Trees.depthOf(count);
        made.votes = new IRoundBook.Vote[](seats);
        IDisputes.WordProof[] memory votes = new IDisputes.WordProof[](seats);
        for (uint256 j = 0; j < seats; j++) {
            votes[j] = IDisputes.WordProof(honest() + 300 + j, siblings(depth));
            made.votes[j] = IRoundBook.Vote(
                drawn[j].node, keccak256(abi.encode(j)), rootOf(votes[j].word, votes[j].siblings), keccak256(abi.encode(j, j))
            );
        }
        made = rig.resign(made, (1 << rounds.taskOf(task).params.quorum) - 1);
        rig.post(made);
        IDisputes.Accused memory accused = rig.accused(made);
        bytes memory call = abi.encodeCall(disputes.challengeScore, (accused, made.words, made.votes, 0, votes));
        cost(string.concat("challengeScore of words: ", vm.toString(count)), seats, call);
    }

    function test_words_of_10_000() external {
        ofWords(7, 667);
    }

    function test_words_of_10_000_31_seats() external {
        ofWords(31, 667);
    }

    function test_words_of_10_000_128_seats() external {
        ofWords(128, 667);
    }

    // ---- two signatures ----

    function test_equivocation() external {
        task = rig.createTask();
        IRoundBook.Report memory a = rig.blank(task, 1, rig.draw(task, 1)).report;
        bytes memory signatureA = rig.sign(3, rounds.reportDigest(a));
        bytes memory call = abi.encode(a);
        IRoundBook.Report memory b = abi.decode(call, (IRoundBook.Report));
        b.model = "other";
        bytes memory signatureB = rig.sign(3, rounds.reportDigest(b));
        cost("equivocate", 1, abi.encodeCall(disputes.equivocate, (a, signatureA, b, signatureB)));
        signatureA = rig.sign(4, disputes.observationDigest(task, 1, "seed", 4, "a"));
        signatureB = rig.sign(4, disputes.observationDigest(task, 1, "seed", 4, "b"));
        cost(
            "equivocateObservation",
            1,
            abi.encodeCall(
                disputes.equivocateObservation, (task, 1, "seed", 4, "a", signatureA, "b", signatureB)
            )
        );
    }
}
