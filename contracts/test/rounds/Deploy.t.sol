// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Artifact} from "../Artifact.sol";
import {Base, IRoundBook} from "../Base.sol";

/// @notice Says of its neighbours what a test wants it to say.
contract Neighbour {
    address public rounds;
    address public disputes;
    address public token;

    function name(address rounds_, address disputes_, address token_) external {
        (rounds, disputes, token) = (rounds_, disputes_, token_);
    }
}

/// @notice No contract is deployed beside others that do not know it.
contract DeployTest is Base {
    Neighbour private vault_;
    Neighbour private book_;
    Neighbour private rewards_;
    Neighbour private disputes_;

    function setUp() public override {
        (vault_, book_) = (new Neighbour(), new Neighbour());
        (rewards_, disputes_) = (new Neighbour(), new Neighbour());
    }

    function deploy() private returns (address) {
        return vm.deployCode(
            "contracts/build/RoundBook.json", abi.encode(vault_, book_, rewards_, disputes_, address(0), SEAT_FEE)
        );
    }

    function refuses(bytes32 who) private {
        bytes memory arguments = abi.encode(vault_, book_, rewards_, disputes_, address(0), SEAT_FEE);
        Artifact.refuses("RoundBook", arguments, abi.encodeWithSelector(IRoundBook.BadParams.selector, who));
    }

    function test_all_know_one_another() external {
        address there = vm.computeCreateAddress(address(this), vm.getNonce(address(this)));
        address token_ = address(0x70);
        vault_.name(address(1), address(disputes_), token_);
        refuses("vault");
        there = next();
        vault_.name(there, address(1), token_);
        refuses("vault");
        there = next();
        vault_.name(there, address(disputes_), token_);
        refuses("reputation");
        there = named();
        book_.name(address(1), address(0), address(0));
        refuses("reputation");
        there = named();
        rewards_.name(address(1), address(0), token_);
        refuses("rewards");
        there = named();
        rewards_.name(there, address(0), address(0x71));
        refuses("rewards");
        there = named();
        disputes_.name(address(1), address(0), address(0));
        refuses("disputes");
        there = named();
        eq("deployed", deploy(), there);
    }

    function next() private view returns (address) {
        return vm.computeCreateAddress(address(this), vm.getNonce(address(this)));
    }

    /// @dev All of them name the next deployment.
    function named() private returns (address there) {
        there = next();
        vault_.name(there, address(disputes_), address(0x70));
        book_.name(there, address(0), address(0));
        rewards_.name(there, address(0), address(0x70));
        disputes_.name(there, address(0), address(0));
    }

    /// @notice A vault that others slash would leave faults without a price.
    function test_disputes_know_their_vault() external {
        bytes memory code = abi.encodePacked(
            vm.getCode("contracts/build/Disputes.json"), abi.encode(address(0x80), vault_, uint96(1))
        );
        vault_.name(address(0x80), address(1), address(0x70));
        rejects(code);
        vault_.name(address(0x81), next(), address(0x70));
        rejects(code);
        vault_.name(address(0x80), next(), address(0x70));
        address made;
        assembly ("memory-safe") {
            made := create(0, add(code, 32), mload(code))
        }
        require(made != address(0), "deployed");
    }

    function rejects(bytes memory code) private {
        vm.expectRevert(abi.encodeWithSelector(IRoundBook.BadParams.selector, bytes32("vault")));
        assembly ("memory-safe") {
            pop(create(0, add(code, 32), mload(code)))
        }
    }
}
