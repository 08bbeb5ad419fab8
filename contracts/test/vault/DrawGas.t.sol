// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {VaultBase} from "./VaultBase.sol";

/// @notice What a draw costs, as a call into a cold vault. Every drawn seat pays one cold slot that changes (5,000),
/// the draw one more for the freeze; all the rest together is bounded here.
contract DrawGasTest is VaultBase {
    uint256 private constant SLOT = 5000;

    /// @dev Gas of one draw beyond its slots, and per seat.
    function cost(uint32 count) private returns (uint256 beside) {
        vault.freezeSeats(uint64(block.number) + 10);
        stateVm.cool(address(vault));
        vault.drawSeats(keccak256("seed"), count, uint40(block.timestamp) + 100);
        uint256 total = stateVm.lastCallGas().gasTotalUsed;
        beside = total - (uint256(count) + 1) * SLOT;
        emit Cost(vault.seatCount(), count, total, beside, beside / count);
    }

    event Cost(uint256 seats, uint256 drawn, uint256 gas, uint256 besideSlots, uint256 besideSlotsPerSeat);

    function test_of_40() external {
        moreSeats(8, 33);
        eq("seats", vault.seatCount(), 40);
        uint256 seven = cost(7);
        vm.warp(block.timestamp + 100);
        uint256 thirtyOne = cost(31);
        require(seven < 7 * 570, "7");
        require(thirtyOne < 31 * 430, "31");
    }

    function test_of_1000() external {
        moreSeats(8, 993);
        eq("seats", vault.seatCount(), 1000);
        uint256 seven = cost(7);
        vm.warp(block.timestamp + 100);
        uint256 thirtyOne = cost(31);
        require(seven < 7 * 670, "7");
        require(thirtyOne < 31 * 430, "31");
    }
}
