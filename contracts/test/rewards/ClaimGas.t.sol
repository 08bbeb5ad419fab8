// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IRewards} from "../../interfaces/IRewards.sol";
import {Rise} from "../libraries/Rise.sol";
import {RewardsBase} from "./RewardsBase.sol";

/// @notice What claims cost at 100,000 leaves, once a node and its owner have been paid before.
contract ClaimGasTest is RewardsBase {
    uint8 private constant LEVELS = 13; // 122,880 lanes

    uint96 private constant EARNED = 9e18 + 12345;

    event Measured(string what, uint256 execution, uint256 data, uint256 all);

    Record private record;
    uint96[] private sums;
    bytes32[] private siblings;

    function setUp() public override {
        super.setUp();
        join(TASK, TRAINER, 1);
        fund(TASK, 1000e18);
        record.depth = LEVELS + 4;
        for (uint256 d = 0; d < record.depth; d++) {
            sums.push(uint96((1e18 << d) - d));
            siblings.push(keccak256(abi.encode(d)));
        }
        final_(1, 7e18);
        claim(7e18);
        final_(2, EARNED);
        rewards.notePay(TASK, record.settled, record.state);
    }

    function final_(uint32 round, uint96 earned) private {
        (bytes32 root, uint256 total) = Rise.pay(earned, 0, sums, siblings);
        record.state.trainerPay = root;
        record.state.totals = total;
        record.state.scores = record.state.reputation = record.state.verifierPay = record.state.data = root;
        record.state.points = 1e9;
        record.settled = settle(TASK, round, record.state);
        known[TASK].levels = LEVELS;
    }

    function claim(uint96 earned) private {
        rewards.claimRoot(TASK, TRAINER, 1, record.settled, record.state, earned, sums, siblings);
    }

    function measure(string memory what, bytes memory call_, uint256 limit) private {
        uint256 data = 21_000;
        for (uint256 i = 0; i < call_.length; i++) data += call_[i] == 0 ? 4 : 16;
        gasVm.cool(address(rewards));
        gasVm.cool(address(token));
        gasVm.cool(address(book));
        (bool done,) = address(rewards).call(call_);
        require(done, what);
        uint256 used = gasVm.lastCallGas().gasTotalUsed;
        emit Measured(what, used, data, used + data);
        atMost(what, used + data, limit);
    }

    /// @notice With the test for a RoundBook, whose answers cost some 3,000 less than the real one's.
    function test_claim_root() external {
        bytes memory data = abi.encodeCall(
            IRewards.claimRoot, (TASK, TRAINER, 1, record.settled, record.state, EARNED, sums, siblings)
        );
        measure("root", data, 91_000);
    }

    /// @notice Asks neither the RoundBook nor the vault.
    function test_claim_noted() external {
        bytes memory data = abi.encodeCall(IRewards.claimNoted, (TASK, TRAINER, 1, EARNED, sums, siblings));
        measure("noted", data, 82_000);
    }
}
