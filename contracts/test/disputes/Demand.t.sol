// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {DisputeBase, IDisputes, IRoundBook, ITreeErrors, Rig, RootRig} from "./DisputeBase.sol";
import {Trees} from "../Trees.sol";

/// @notice Ask, answer, expire, reclaim. The window is [t, t + 100): demands until t + 50, answers for 25 seconds.
contract DemandTest is DisputeBase {
    address private constant ASKER = address(0xa5);
    IDisputes.Kind private constant VOTES = IDisputes.Kind.Votes;
    bytes32 private digest;
    uint40 private closesAt;

    function setUp() public override {
        super.setUp();
        token.mint(ASKER, 1e24);
        vm.prank(ASKER);
        token.approve(address(disputes), type(uint256).max);
    }

    /// @dev A root-mode post of sixteen trainers, whose votes have two words.
    function post() private returns (RootRig.RootRound memory round) {
        task = rig.createRootTask();
        for (uint256 key = 11; key <= 23; key++) {
            rig.register(key, SEAT);
            rig.join(task, uint32(key), TRAINER);
        }
        uint256[] memory voted = same(rig.lanes(40_000, 15), 2);
        voted[1] = 50_000;
        uint256[] memory scores = new uint256[](4);
        (scores[0], scores[1], scores[2]) = (voted[0], voted[1], rig.lanes(40_000, 7));
        round = rig.rootRound(task, 1, rig.draw(task, 1), scores, voted, ALL);
        rig.postRoot(round);
        digest = rounds.reportDigest(round.base.report);
        (,, closesAt) = rounds.pendingOf(task);
        rig.toPhase(task, 1, IRoundBook.Phase.Window);
    }

    function demand(RootRig.RootRound memory round, IDisputes.Kind kind, uint32 a, uint32 b) private {
        vm.prank(ASKER);
        disputes.demand(round.base.report, round.base.signers, round.base.trainerWords, kind, a, b);
    }

    function idOf(IDisputes.Kind kind, uint32 a, uint32 b) private view returns (uint256) {
        return uint256(keccak256(abi.encode(digest, kind, a, b)));
    }

    function check(IDisputes.Kind kind, uint32 a, uint32 b, address by, uint256 deadline) private view {
        (address asked, uint40 due) = disputes.demandOf(digest, kind, a, b);
        eq("by", asked, by);
        eq("deadline", due, deadline);
    }

    function test_demand() external {
        RootRig.RootRound memory round = post();
        check(VOTES, 3, 1, address(0), 0);
        vm.expectEmit(true, true, true, true);
        emit IDisputes.Demanded(task, 1, digest, VOTES, 3, 1, ASKER);
        demand(round, VOTES, 3, 1);
        check(VOTES, 3, 1, ASKER, block.timestamp + 25);
        check(VOTES, 3, 0, address(0), 0);
        eq("fee", token.balanceOf(ASKER), 1e24 - DEMAND_FEE);
        eq("held", token.balanceOf(address(disputes)), DEMAND_FEE);
        fails(IDisputes.AlreadyDemanded.selector, idOf(VOTES, 3, 1));
        demand(round, VOTES, 3, 1);
        for (uint8 kind = 1; kind <= 4; kind++) demand(round, IDisputes.Kind(kind), 3, 0); // each its own demand
        eq("held", token.balanceOf(address(disputes)), 5 * uint256(DEMAND_FEE));
        (uint32 pending,,) = rounds.pendingOf(task);
        eq("the post stands", pending, 1);
    }

    function test_time() external {
        RootRig.RootRound memory round = post();
        vm.warp(closesAt - 50);
        fails(IDisputes.TooLate.selector, closesAt - 50);
        demand(round, VOTES, 0, 0);
        vm.warp(closesAt - 51);
        demand(round, VOTES, 0, 0);
        check(VOTES, 0, 0, ASKER, closesAt - 26);
        vm.warp(closesAt);
        notPending(task, 1);
        demand(round, VOTES, 1, 0);
    }

    /// @notice From the post on, before the window opens.
    function test_while_posting() external {
        RootRig.RootRound memory round = post();
        vm.warp(closesAt - 200);
        demand(round, VOTES, 0, 0);
        check(VOTES, 0, 0, ASKER, closesAt - 175);
    }

    function test_what_can_be_demanded() external {
        RootRig.RootRound memory round = post();
        failsFor(IDisputes.BadIndex.selector, "vote", 7, 7); // as many votes as seats
        demand(round, VOTES, 7, 0);
        failsFor(IDisputes.BadIndex.selector, "word", 2, 2);
        demand(round, VOTES, 0, 2);
        failsFor(IDisputes.BadIndex.selector, "word", 4, 4);
        demand(round, IDisputes.Kind.Scores, 4, 0);
        failsFor(IDisputes.BadIndex.selector, "word", 4, 4);
        demand(round, IDisputes.Kind.Reputation, 4, 0);
        failsFor(IDisputes.BadIndex.selector, "leaf", 32, 32);
        demand(round, IDisputes.Kind.TrainerPay, 32, 0);
        failsFor(IDisputes.BadIndex.selector, "leaf", 32, 32);
        demand(round, IDisputes.Kind.VerifierPay, 32, 0);
        for (uint8 kind = 1; kind <= 4; kind++) {
            failsFor(IDisputes.BadIndex.selector, "b", 1, 1);
            demand(round, IDisputes.Kind(kind), 0, 1);
        }
    }

    function test_post_is_bound() external {
        RootRig.RootRound memory round = post();
        round.base.report.record = "forged";
        notPending(task, 1);
        demand(round, VOTES, 0, 0);
        round.base.report.record = "round record";
        round.base.signers = SEVEN;
        notPending(task, 1);
        demand(round, VOTES, 0, 0);
        round.base.signers = ALL;
        round.base.trainerWords = 3; // a word that no vote has
        notPending(task, 1);
        demand(round, VOTES, 0, 2);
    }

    /// @notice In words mode the words are in the post: only votes can be withheld.
    function test_words_mode() external {
        task = rig.createTask();
        Rig.Settlement memory words = rig.posted(task, 1);
        vm.startPrank(ASKER);
        for (uint8 kind = 1; kind <= 4; kind++) {
            fails(IDisputes.WrongMode.selector, 0, 1);
            disputes.demand(words.report, ALL, 1, IDisputes.Kind(kind), 0, 0);
        }
        disputes.demand(words.report, ALL, 1, VOTES, 0, 0);
        vm.stopPrank();
        IDisputes.WordProof memory proof = rig.bare(same(rig.lanes(40_000, 3), 1))[0];
        disputes.answerVotes(words.report, 0, 0, 1, words.votes, proof);
        eq("answerer", token.balanceOf(address(this)), DEMAND_FEE);
    }

    // ---- answers ----

    function answerVotes(RootRig.RootRound memory round, uint32 a, uint32 b) private {
        IDisputes.WordProof memory proof = Trees.wordProof(round.voted, 1, b);
        disputes.answerVotes(round.base.report, a, b, 2, round.base.votes, proof);
    }

    /// @notice Anyone who has the data answers, and earns the fee.
    function test_answer_votes() external {
        RootRig.RootRound memory round = post();
        demand(round, VOTES, 3, 1);
        vm.warp(block.timestamp + 25); // the last second
        vm.expectEmit(true, true, true, true);
        emit IDisputes.Answered(task, 1, digest, VOTES, 3, 1, 50_000, round.base.votes);
        answerVotes(round, 3, 1);
        eq("answerer", token.balanceOf(address(this)), DEMAND_FEE);
        check(VOTES, 3, 1, ASKER, 0);
        fails(IDisputes.NotDemanded.selector, idOf(VOTES, 3, 1));
        answerVotes(round, 3, 1);
        fails(IDisputes.AlreadyDemanded.selector, idOf(VOTES, 3, 1));
        demand(round, VOTES, 3, 1);
        IDisputes.Accused memory accused = rig.accused(round.base);
        vm.warp(block.timestamp + 1);
        fails(IDisputes.NotDemanded.selector, idOf(VOTES, 3, 1));
        disputes.expire(accused, VOTES, 3, 1);
        fails(IDisputes.NotDemanded.selector, idOf(VOTES, 3, 1));
        disputes.reclaim(round.base.report, VOTES, 3, 1);
    }

    /// @notice A list shorter than the committee answers that there is no such vote.
    function test_answer_for_a_vote_that_is_not_there() external {
        task = rig.createTask();
        Rig.Settlement memory words = rig.settlement(task, 1, rig.draw(task, 1), 0, 0, ALL);
        IRoundBook.Vote[] memory six = new IRoundBook.Vote[](6);
        for (uint256 i = 0; i < 6; i++) six[i] = words.votes[i];
        words.votes = six;
        words = rig.resign(words, ALL);
        rig.post(words);
        vm.prank(ASKER);
        disputes.demand(words.report, ALL, 1, VOTES, 6, 0);
        IDisputes.WordProof memory proof = rig.bare(same(1, 1))[0];
        wrongHash("vote", bytes32(uint256(1)), 0);
        disputes.answerVotes(words.report, 6, 0, 1, six, proof);
        proof.word = 0;
        bytes32 of_ = rounds.reportDigest(words.report);
        vm.expectEmit(true, true, true, true);
        emit IDisputes.Answered(task, 1, of_, VOTES, 6, 0, 0, six);
        disputes.answerVotes(words.report, 6, 0, 1, six, proof);
    }

    /// @notice More votes than seats answer nothing: the post dies.
    function test_too_long_a_list_is_no_answer() external {
        task = rig.createTask();
        Rig.Settlement memory words = rig.settlement(task, 1, rig.draw(task, 1), 0, 0, ALL);
        IRoundBook.Vote[] memory eight = new IRoundBook.Vote[](8);
        for (uint256 i = 0; i < 8; i++) eight[i] = words.votes[i % 7];
        words.votes = eight;
        words = rig.resign(words, ALL);
        rig.post(words);
        vm.prank(ASKER);
        disputes.demand(words.report, ALL, 1, VOTES, 0, 0);
        IDisputes.WordProof memory proof = rig.bare(same(0, 1))[0];
        failsFor(IDisputes.WrongLength.selector, "votes", 8, 7);
        disputes.answerVotes(words.report, 0, 0, 1, eight, proof);
    }

    function test_wrong_answers_about_votes() external {
        RootRig.RootRound memory round = post();
        IRoundBook.Report memory report = round.base.report;
        fails(IDisputes.NotDemanded.selector, idOf(VOTES, 3, 1));
        answerVotes(round, 3, 1);
        demand(round, VOTES, 3, 1);
        fails(IDisputes.NotDemanded.selector, idOf(VOTES, 3, 0)); // of another word
        answerVotes(round, 3, 0);
        IDisputes.WordProof memory proof = Trees.wordProof(round.voted, 1, 1);
        IRoundBook.Vote[] memory votes = round.base.votes;
        // As if the trees were of another size: else a member could build one that no challenge can open.
        failsFor(IDisputes.WrongLength.selector, "trainerWords", 1, 2);
        disputes.answerVotes(report, 3, 1, 1, votes, proof);
        votes[0].node = 9;
        wrongHash("votes", keccak256(abi.encode(votes)), report.votesHash);
        disputes.answerVotes(report, 3, 1, 2, votes, proof);
        votes[0].node = round.base.seats[0].node;
        proof.word = 7;
        bytes32 got = keccak256(abi.encodePacked(uint8(1), proof.siblings[0], Trees.leaf(7)));
        wrongHash("vote", got, votes[3].root);
        disputes.answerVotes(report, 3, 1, 2, votes, proof);
        proof.siblings = new bytes32[](0);
        fails(ITreeErrors.BadProofLength.selector, 0, 1);
        disputes.answerVotes(report, 3, 1, 2, votes, proof);
        report.record = "forged";
        bytes32 forged = rounds.reportDigest(report);
        fails(IDisputes.NotDemanded.selector, uint256(keccak256(abi.encode(forged, VOTES, uint32(3), uint32(1)))));
        disputes.answerVotes(report, 3, 1, 2, votes, proof);
    }

    function test_answer_words() external {
        RootRig.RootRound memory round = post();
        IDisputes.Kind[2] memory kinds = [IDisputes.Kind.Scores, IDisputes.Kind.Reputation];
        for (uint256 i = 0; i < 2; i++) {
            demand(round, kinds[i], 2, 0);
            IDisputes.WordProof memory proof = i == 0 ? rig.scoreProof(round, 2) : rig.nextProof(round, 2);
            IDisputes.WordProof memory other = i == 1 ? rig.scoreProof(round, 2) : rig.nextProof(round, 2);
            vm.expectPartialRevert(IDisputes.WrongHash.selector); // of the other tree
            disputes.answerWord(round.base.report, round.state, kinds[i], 2, other);
            round.state.data = "mine";
            wrongHash("state", keccak256(abi.encode(round.state)), round.base.report.wordsHash);
            disputes.answerWord(round.base.report, round.state, kinds[i], 2, proof);
            round.state.data = keccak256(abi.encode(round.next));
            vm.expectEmit(true, true, true, true);
            emit IDisputes.Answered(task, 1, digest, kinds[i], 2, 0, proof.word, new IRoundBook.Vote[](0));
            disputes.answerWord(round.base.report, round.state, kinds[i], 2, proof);
        }
        eq("both fees", token.balanceOf(address(this)), 2 * uint256(DEMAND_FEE));
    }

    function test_answer_pay() external {
        RootRig.RootRound memory round = post();
        IDisputes.Kind[2] memory kinds = [IDisputes.Kind.TrainerPay, IDisputes.Kind.VerifierPay];
        for (uint256 i = 0; i < 2; i++) {
            demand(round, kinds[i], 2, 0);
            IDisputes.PayProof memory proof = rig.payProof(round, round.next, i == 0 ? TRAINER : VERIFIER, 2);
            IDisputes.PayProof memory other = rig.payProof(round, round.next, i == 1 ? TRAINER : VERIFIER, 2);
            vm.expectPartialRevert(IDisputes.WrongHash.selector); // of the other role
            disputes.answerPay(round.base.report, round.state, kinds[i], 2, other);
            vm.expectEmit(true, true, true, true);
            emit IDisputes.Answered(task, 1, digest, kinds[i], 2, 0, proof.amount, new IRoundBook.Vote[](0));
            disputes.answerPay(round.base.report, round.state, kinds[i], 2, proof);
        }
    }

    /// @notice A demand is answered by its own kind alone: a word of scores says nothing about votes.
    function test_kinds_do_not_mix() external {
        RootRig.RootRound memory round = post();
        for (uint8 kind = 0; kind <= 4; kind++) demand(round, IDisputes.Kind(kind), 0, 0);
        IDisputes.WordProof memory word = rig.scoreProof(round, 0);
        IDisputes.PayProof memory leaf = rig.payProof(round, round.next, TRAINER, 0);
        for (uint8 kind = 0; kind <= 4; kind++) {
            if (kind == 1 || kind == 2) continue;
            failsFor(IDisputes.BadIndex.selector, "kind", kind, 3);
            disputes.answerWord(round.base.report, round.state, IDisputes.Kind(kind), 0, word);
        }
        for (uint8 kind = 0; kind <= 2; kind++) {
            failsFor(IDisputes.BadIndex.selector, "kind", kind, 3);
            disputes.answerPay(round.base.report, round.state, IDisputes.Kind(kind), 0, leaf);
        }
    }

    /// @notice A tree whose sums lie has leaves that nobody can prove: whoever demands one kills the post.
    function test_lying_sums_cannot_be_answered() external {
        task = rig.createRootTask();
        RootRig.RootRound memory round = rig.rootMade(task, 1);
        uint256 honest = uint128(round.state.totals);
        round.next.trainerPay[0] -= 2;
        round = rig.restate(round, ALL);
        round.state.totals += 2;
        round = rig.resignRoot(round, ALL);
        rig.postRoot(round);
        demand(round, IDisputes.Kind.TrainerPay, 1, 0);
        IDisputes.PayProof memory proof = rig.payProof(round, round.next, TRAINER, 1);
        wrongHash("total", bytes32(honest - 2), bytes32(honest));
        disputes.answerPay(round.base.report, round.state, IDisputes.Kind.TrainerPay, 1, proof);
    }

    function test_late_answers() external {
        RootRig.RootRound memory round = post();
        demand(round, VOTES, 3, 1);
        demand(round, IDisputes.Kind.Scores, 0, 0);
        demand(round, IDisputes.Kind.TrainerPay, 0, 0);
        uint40 deadline = uint40(block.timestamp) + 25;
        vm.warp(deadline + 1);
        fails(IDisputes.TooLate.selector, deadline);
        answerVotes(round, 3, 1);
        IDisputes.WordProof memory word = rig.scoreProof(round, 0);
        fails(IDisputes.TooLate.selector, deadline);
        disputes.answerWord(round.base.report, round.state, IDisputes.Kind.Scores, 0, word);
        IDisputes.PayProof memory leaf = rig.payProof(round, round.next, TRAINER, 0);
        fails(IDisputes.TooLate.selector, deadline);
        disputes.answerPay(round.base.report, round.state, IDisputes.Kind.TrainerPay, 0, leaf);
    }

    // ---- no answer ----

    function test_expire() external {
        RootRig.RootRound memory round = post();
        IDisputes.Accused memory accused = rig.accused(round.base);
        fails(IDisputes.NotDemanded.selector, idOf(VOTES, 3, 1));
        disputes.expire(accused, VOTES, 3, 1);
        demand(round, VOTES, 3, 1);
        uint40 deadline = uint40(block.timestamp) + 25;
        vm.warp(deadline);
        fails(IDisputes.AnswerDue.selector, deadline);
        disputes.expire(accused, VOTES, 3, 1);
        fails(IDisputes.AnswerDue.selector, closesAt); // nor back, while it can be expired
        disputes.reclaim(round.base.report, VOTES, 3, 1);
        vm.warp(deadline + 1);
        accused.committee = "";
        wrongHash("committee", keccak256(""), round.base.report.committeeHash);
        disputes.expire(accused, VOTES, 3, 1);
        accused = rig.accused(round.base);
        accused.signers = SEVEN;
        notPending(task, 1);
        disputes.expire(accused, VOTES, 3, 1);
        accused.signers = ALL;
        vm.expectEmit(true, true, true, true);
        emit IDisputes.Expired(task, 1, digest, VOTES, 3, 1);
        expectVoidBy(address(rig), round.base);
        vm.prank(address(rig));
        disputes.expire(accused, VOTES, 3, 1);
        checkVoid(round.base);
        eq("the fee returns", token.balanceOf(ASKER), 1e24);
        eq("nothing is kept", token.balanceOf(address(disputes)), 0);
        check(VOTES, 3, 1, ASKER, 0);
        notPending(task, 1);
        disputes.expire(accused, VOTES, 3, 1);
        fails(IDisputes.NotDemanded.selector, idOf(VOTES, 3, 1));
        disputes.reclaim(round.base.report, VOTES, 3, 1);
    }

    /// @notice Until the last second of the window, and no longer.
    function test_expire_before_the_window_closes() external {
        RootRig.RootRound memory round = post();
        vm.warp(closesAt - 51);
        demand(round, VOTES, 0, 0);
        IDisputes.Accused memory accused = rig.accused(round.base);
        vm.warp(closesAt);
        notPending(task, 1);
        disputes.expire(accused, VOTES, 0, 0);
        vm.warp(closesAt - 1);
        disputes.expire(accused, VOTES, 0, 0);
        eq("void", rounds.liveOf(task).voidedRound, 1);
    }

    /// @notice Nobody expired it in time: the post is final, and the fee returns.
    function test_reclaim_after_the_window() external {
        RootRig.RootRound memory round = post();
        demand(round, VOTES, 0, 0);
        vm.warp(closesAt);
        fails(IDisputes.TooLate.selector, closesAt - 75);
        answerVotes(round, 0, 0);
        vm.expectEmit(true, true, true, true);
        emit IDisputes.Reclaimed(task, 1, digest, VOTES, 0, 0);
        disputes.reclaim(round.base.report, VOTES, 0, 0);
        eq("the demander's", token.balanceOf(ASKER), 1e24);
        fails(IDisputes.NotDemanded.selector, idOf(VOTES, 0, 0));
        disputes.reclaim(round.base.report, VOTES, 0, 0);
        for (uint32 node = 1; node <= 7; node++) eq("nobody pays", vault.nodeOf(node).bonded, SEAT);
    }

    /// @notice The post died of another demand: every other demander has its fee back, and no late answer takes it.
    function test_reclaim_after_a_void() external {
        RootRig.RootRound memory round = post();
        demand(round, VOTES, 0, 0);
        vm.warp(block.timestamp + 10);
        demand(round, VOTES, 1, 0);
        vm.warp(block.timestamp + 16);
        IDisputes.Accused memory accused = rig.accused(round.base);
        disputes.expire(accused, VOTES, 0, 0);
        notPending(task, 1);
        answerVotes(round, 1, 0);
        disputes.reclaim(round.base.report, VOTES, 1, 0);
        eq("both fees returned", token.balanceOf(ASKER), 1e24);
        eq("nothing is kept", token.balanceOf(address(disputes)), 0);
    }

    /// @notice A demand of a round says nothing of the next: its post may be pending while the first's fee returns.
    function test_reclaim_while_the_next_is_pending() external {
        RootRig.RootRound memory round = post();
        demand(round, VOTES, 0, 0);
        uint256[] memory voted = same(rig.lanes(40_000, 15), 2);
        RootRig.RootRound memory next =
            rig.rootRound(task, 2, rig.draw(task, 2), new uint256[](4), voted, ALL);
        rig.postRoot(next);
        IDisputes.Accused memory accused = rig.accused(round.base);
        notPending(task, 1);
        disputes.expire(accused, VOTES, 0, 0);
        disputes.reclaim(round.base.report, VOTES, 0, 0);
        eq("returned", token.balanceOf(ASKER), 1e24);
        (uint32 pending,,) = rounds.pendingOf(task);
        eq("the next stands", pending, 2);
    }

    function test_demand_needs_the_fee() external {
        RootRig.RootRound memory round = post();
        bytes4 short = bytes4(keccak256("ERC20InsufficientAllowance(address,uint256,uint256)"));
        fails(short, num(address(disputes)), 0, DEMAND_FEE);
        disputes.demand(round.base.report, ALL, 2, VOTES, 0, 0);
    }
}
