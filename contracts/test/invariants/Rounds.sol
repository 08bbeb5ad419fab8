// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IRoundBook} from "../../interfaces/IRoundBook.sol";
import {Trees} from "../Trees.sol";
import {Nodes} from "./Nodes.sol";

/// @notice Rounds of the tasks in play: honest, corrupt or never posted, settled by the clock.
abstract contract Rounds is Nodes {
    enum Fault {
        None,
        Score,
        LongList, // more votes than seats
        Withheld, // a list of votes that nobody has
        Step,
        Pay,
        Points,
        Sum // a pay tree that does not add up to what is posted
    }

    /// @notice The latest post of a task.
    struct Posted {
        uint32 round;
        Fault fault;
        bool alive; // neither void nor settled
        uint40 closesAt;
        bytes made; // RootRound; in words mode only its base
    }

    struct Asked {
        bool open;
        uint8 kind;
        uint32 a;
        uint40 deadline;
    }

    mapping(uint64 task => Posted) internal _posts;
    mapping(uint64 task => Asked) internal _asked;
    mapping(uint64 task => uint256) public finals; // rounds that are final and, in words mode, applied
    mapping(uint64 task => uint256[2]) internal _words; // words mode: each role's reputation word, by the scalar model
    mapping(uint64 task => mapping(uint32 round => bool)) public voided;
    mapping(uint64 task => uint256) public earning; // final rounds whose seats were paid: the others forfeit their fees
    mapping(uint64 task => bool) public poisoned; // a pay tree that does not add up became final: nobody watched

    function made(uint64 task) internal view returns (RootRound memory) {
        return abi.decode(_posts[task].made, (RootRound));
    }

    function isRoot(uint64 task) internal view returns (bool) {
        (uint8 mode,) = rounds.modeOf(task);
        return mode == 1;
    }

    function reclaimed(uint64 task) internal virtual;

    // ---- moves ----

    function wait(uint16 time, uint8 blocks) external {
        to(block.timestamp + within(time, 1, 60));
        vm.roll(block.number + within(blocks, 0, 20));
    }

    /// @notice Armed, and perhaps never drawn: seats freeze.
    function armOnly(uint8 which) external {
        uint64 task = pick(which);
        (uint32 round, IRoundBook.Phase phase,) = rounds.clockAt(task, 0);
        if (phase != IRoundBook.Phase.Post) return;
        try rounds.armBeacon(task, round) {
            moves["armOnly"]++;
        } catch {}
    }

    /// @notice To the next POST, and a draw; then no post, an honest one or a corrupt one.
    function play(uint8 which, uint8 kind, uint256 scores) external {
        uint64 task = pick(which);
        settle(task, type(uint32).max);
        uint32 round = turn(task);
        if (round == 0) return;
        IRoundBook.Seat[] memory seats = drawn(task, round);
        if (seats.length == 0) return;
        moves["draw"]++;
        if (kind % 8 == 0) return;
        Fault fault = kind % 8 < 4 ? Fault.None : Fault(1 + (kind >> 3) % (isRoot(task) ? 7 : 3));
        uint256 signers = quorum(seats, fault != Fault.None, kind >> 3);
        if (signers == 0) (fault, signers) = (Fault.None, 0xf);
        if (isRoot(task)) postRootRound(task, round, seats, spread(scores), fault, signers);
        else postWords(task, round, seats, spread(scores), fault, signers);
    }

    /// @notice What the clock has made final is applied, perhaps in parts.
    function finish(uint8 which, bool half) external {
        settle(pick(which), half ? 1 : type(uint32).max);
    }

    // ---- how ----

    /// @dev The next round whose POST is not over and that is not drawn, at its POST; 0 where there is none.
    function turn(uint64 task) private returns (uint32 round) {
        IRoundBook.Live memory live = rounds.liveOf(task);
        if (live.draws >= live.fundedRounds) return 0;
        IRoundBook.Phase phase;
        (round, phase,) = rounds.clockAt(task, 0);
        if (phase == IRoundBook.Phase.Over) return 0;
        if (round == 0 || phase == IRoundBook.Phase.Window || live.drawnRound == round) round++;
        if (round > rounds.taskOf(task).params.rounds) return 0;
        uint256 opens = rounds.taskOf(task).params.startsAt + (round - 1) * 400 + 200;
        if (block.timestamp < opens) to(opens);
        settle(task, type(uint32).max);
        reclaimed(task);
        // Nobody honest builds on pay that cannot be proved.
        if (poisoned[task]) return 0;
    }

    function drawn(uint64 task, uint32 round) private returns (IRoundBook.Seat[] memory seats) {
        if (unlocked() < 4) return seats;
        IRoundBook.Live memory live = rounds.liveOf(task);
        if (live.armedRound != round || block.number > live.seedBlock + 256) {
            try rounds.armBeacon(task, round) {}
            catch {
                return seats; // frozen for too long: some blocks stay open
            }
            live = rounds.liveOf(task);
        }
        if (block.number <= live.seedBlock) vm.roll(live.seedBlock + 1);
        bytes memory proof = header(mixOf(task, round));
        vm.setBlockhash(live.seedBlock, keccak256(proof));
        seats = predict(seedOf(task, round), 4);
        rounds.drawCommittee(task, round, proof);
    }

    function unlocked() private view returns (uint256 free) {
        uint32 count = vault.seatCount();
        for (uint32 i = 0; i < count; i++) {
            (, uint40 lockedUntil) = vault.seatAt(i);
            if (lockedUntil <= block.timestamp) free++;
        }
    }

    /// @dev All, or all but one seat or node; of a corrupt post none of the saints. 0 where three seats do not come together.
    function quorum(IRoundBook.Seat[] memory seats, bool corrupt, uint256 left) private pure returns (uint256 signers) {
        uint32 out = left & 1 == 0 ? 0 : seats[(left >> 1) % 4].node;
        uint256 weight = 0;
        for (uint256 j = 0; j < 4; j++) {
            if (corrupt && seats[j].node <= SAINTS) continue;
            if (left & 2 == 0 ? seats[j].node == out : left & 1 == 1 && j == left % 4) continue;
            signers |= 1 << j;
            weight++;
        }
        if (weight >= 3) return signers;
        // The saints' seats stay out of what is corrupt, even where that leaves too few.
        if (!corrupt) return 0xf;
        for (uint256 j = 0; j < 4; j++) if (seats[j].node > SAINTS) signers |= 1 << j;
        weight = 0;
        for (uint256 j = 0; j < 4; j++) weight += (signers >> j) & 1;
        if (weight < 3) return 0;
    }

    /// @dev Lanes for the nodes: some not due, some failed, some scored.
    function spread(uint256 scores) private view returns (uint256 word) {
        for (uint256 i = 0; i < nodes; i++) {
            uint256 lane = (scores >> (16 * i)) & 0xffff;
            if (lane % 5 == 0) lane = lane % 2;
            word |= lane << (16 * i);
        }
    }

    function postWords(
        uint64 task,
        uint32 round,
        IRoundBook.Seat[] memory seats,
        uint256 word,
        Fault fault,
        uint256 signers
    ) private {
        IRoundBook.Live memory live = rounds.liveOf(task);
        RootRound memory all;
        all.base = blank(task, round, seats);
        all.voted = new uint256[](1);
        all.voted[0] = word & mask(live.trainerSlots);
        vote(all.base, Trees.leaf(all.voted[0]));
        all.base.trainerWords = 1;
        all.base.words = new uint256[](2);
        all.base.words[0] = fault == Fault.Score ? otherScore(all.voted[0]) : all.voted[0];
        all.base.words[1] = (word >> 7) & mask(live.verifierSlots);
        all.base.report.rewardTotal = TRAINER_POOL + VERIFIER_POOL;
        if (fault == Fault.LongList) lengthen(all.base);
        all.base = resign(all.base, signers);
        if (fault == Fault.Withheld) withhold(all.base);
        rounds.post(
            all.base.report,
            all.base.parent,
            all.base.committee,
            all.base.words,
            all.base.signers,
            all.base.signatures
        );
        remember(all.base);
        noted(task, round, fault, all);
    }

    function postRootRound(
        uint64 task,
        uint32 round,
        IRoundBook.Seat[] memory seats,
        uint256 word,
        Fault fault,
        uint256 signers
    ) private {
        IRoundBook.Live memory live = rounds.liveOf(task);
        uint256[] memory voted = new uint256[](1);
        voted[0] = word & mask(live.trainerSlots);
        uint256[] memory scores = new uint256[](2);
        scores[0] = fault == Fault.Score ? otherScore(voted[0]) : voted[0];
        scores[1] = (word >> 7) & mask(live.verifierSlots);
        RootRound memory all = rootRound(task, round, seats, scores, voted, signers);
        fault = spoil(all, fault, signers);
        if (fault == Fault.LongList) lengthen(all.base);
        if (fault != Fault.None && fault != Fault.Sum && fault != Fault.Points) all = restate(all, signers);
        if (fault == Fault.Withheld) withhold(all.base);
        postMade(all);
        noted(task, round, fault, all);
    }

    /// @dev Spoils what can be spoilt; where nobody earned there is no pay to spoil, and reputation is.
    function spoil(RootRound memory all, Fault fault, uint256 signers) private view returns (Fault) {
        uint256 rich = 0;
        while (rich < 15 && all.next.trainerPay[rich] == all.before.trainerPay[rich]) rich++;
        if (fault >= Fault.Pay && rich == 15) fault = Fault.Step;
        if (fault == Fault.Step) all.next.reputation[0] ^= 2;
        if (fault == Fault.Pay) {
            all.next.trainerPay[rich] -= 1;
            all.next.trainerPay[(rich + 1) % 16] += 1;
        }
        if (fault == Fault.Points) {
            all.next.trainerPay = all.before.trainerPay;
            RootRound memory again = restate(all, 0);
            (all.base, all.state) = (again.base, again.state);
            all.state.points = (all.state.points >> 128) << 128;
            all.base = resignRoot(all, signers).base;
        }
        if (fault == Fault.Sum) {
            uint256 totals = all.state.totals;
            all.next.trainerPay[rich] -= 1;
            RootRound memory again = restate(all, 0);
            (all.base, all.state) = (again.base, again.state);
            all.state.totals = totals;
            all.base = resignRoot(all, signers).base;
        }
        return fault;
    }

    function postMade(RootRound memory all) private {
        rounds.postRoot(
            all.base.report,
            all.base.parent,
            all.parentState,
            all.state,
            all.base.committee,
            all.base.signers,
            all.base.signatures
        );
        keep(all);
    }

    function noted(uint64 task, uint32 round, Fault fault, RootRound memory all) private {
        (,, uint40 closesAt) = rounds.pendingOf(task);
        _posts[task] = Posted(round, fault, true, closesAt, abi.encode(all));
        moves[fault == Fault.None ? bytes32("honest") : bytes32("corrupt")]++;
        moves[keccak256(abi.encode("posted", isRoot(task), fault))]++;
    }

    function mask(uint256 lanes_) private pure returns (uint256) {
        return (1 << (16 * lanes_)) - 1;
    }

    /// @dev Lane 0 with a score that nobody voted for, and that is no rejection.
    function otherScore(uint256 word) private pure returns (uint256) {
        return uint16(word) == 40_000 ? word + 1 : (word >> 16 << 16) | 40_000;
    }

    function lengthen(Settlement memory base) private pure {
        IRoundBook.Vote[] memory votes = new IRoundBook.Vote[](5);
        for (uint256 i = 0; i < 5; i++) votes[i] = base.votes[i % 4];
        base.votes = votes;
    }

    function withhold(Settlement memory base) private view {
        base.report.votesHash = "nobody has them";
        base.signatures = signatures(base.seats, rounds.reportDigest(base.report), base.signers);
    }

    /// @dev A post whose window has closed is final. In words mode its words are applied, up to `upTo`; each must be what
    /// the scalar model makes of the word before.
    function settle(uint64 task, uint32 upTo) internal {
        Posted storage post_ = _posts[task];
        if (!post_.alive || block.timestamp < post_.closesAt) return;
        if (isRoot(task)) {
            post_.alive = false;
            finals[task]++;
            earning[task]++;
            if (post_.fault == Fault.Sum) poisoned[task] = true;
            return;
        }
        RootRound memory all = made(task);
        if (upTo == 1 && rounds.liveOf(task).appliedWords == 1) upTo = 2;
        rounds.finalise(task, settled(all.base), all.base.words, upTo);
        moves[upTo == 1 ? bytes32("part") : bytes32("finalise")]++;
        if (upTo == 1) return;
        post_.alive = false;
        finals[task]++;
        if (pointsOf(all.base.words, 1) != 0) earning[task]++;
        for (uint256 role = 0; role < 2; role++) {
            uint256 word = stepWord(_words[task][role], all.base.words[role], post_.round, role == 0);
            require(book.wordAt(task, role == 0 ? TRAINER : VERIFIER, 0) == word, "scalar model");
            _words[task][role] = word;
        }
    }
}
