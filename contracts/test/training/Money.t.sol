// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ITrainingDisputes, TrainingBase} from "./TrainingBase.sol";

/// @notice Whatever is played, by anybody and in whatever order: what the contract holds is what it owes.
contract TrainingMoneyTest is TrainingBase {
    function owed() private view returns (uint256 sum) {
        (uint96 free, uint96 exiting,) = training.bondOf(TRAINER_NODE);
        sum = uint256(free) + exiting;
        for (uint64 i = 1; i <= training.disputeCount(); i++) {
            ITrainingDisputes.Dispute memory game = training.disputeOf(i);
            sum += uint256(game.challengerBond) + game.trainerBond;
        }
    }

    /// forge-config: default.fuzz.runs = 48
    function test_balance_is_what_is_owed(uint256 plays) external {
        uint256 all = token.balanceOf(CHALLENGER) + token.balanceOf(address(training));
        for (uint256 i = 0; i < 24; i++) {
            play(uint256(keccak256(abi.encode(plays, i))));
            eq("owed", token.balanceOf(address(training)), owed());
        }
        uint256 held = token.balanceOf(CHALLENGER) + token.balanceOf(address(training)) + token.balanceOf(BURNT);
        eq("nothing made, nothing lost", held, all);
    }

    function play(uint256 draw) private {
        if (training.disputeCount() == 0 || draw % 16 == 0) {
            bool known = training.disputeCount() != 0 && training.faultOf(training.disputeOf(1).training) != 0;
            if (token.balanceOf(CHALLENGER) >= BOND && !known) opened();
            return;
        }
        id = uint64(1 + (draw >> 8) % training.disputeCount());
        ITrainingDisputes.Dispute memory game = training.disputeOf(id);
        if (draw % 16 == 1 && game.turn != ITrainingDisputes.Turn.Over) {
            uint256 now_ = block.timestamp;
            vm.warp(uint256(game.deadline) + 1);
            training.timeout(id);
            vm.warp(now_);
        } else if (draw % 16 == 2) {
            (uint96 free,,) = training.bondOf(TRAINER_NODE);
            if (free == 0) return;
            vm.prank(ownerOf(TRAINER_NODE));
            training.unbond(TRAINER_NODE, uint96(1 + (draw >> 64) % free));
        } else if (game.turn == ITrainingDisputes.Turn.Answer) {
            answer();
        } else if (game.turn == ITrainingDisputes.Turn.Choose) {
            choose(draw & 128 == 0);
        } else if (game.turn == ITrainingDisputes.Turn.Descend) {
            descend(game.low);
        } else if (game.turn == ITrainingDisputes.Turn.Reseed) {
            reseed();
        }
    }
}
