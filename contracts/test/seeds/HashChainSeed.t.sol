// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {HashChainSeed} from "../../seeds/HashChainSeed.sol";
import {ISeedSource} from "../../interfaces/ISeedSource.sol";
import {Artifact} from "../Artifact.sol";
import {Vm} from "../Vm.sol";

/// @notice The test is the source's `rounds`. Values 1..LENGTH, value 0 the tip; blocks' hashes are set by the test.
/// One operator unless said.
contract HashChainSeedTest {
    Vm private constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
    uint32 private constant LENGTH = 600;
    uint64 private constant DELAY = 2;
    uint64 private constant WINDOW = 100;
    address private constant STRANGER = address(0xabc);

    HashChainSeed private seeds;
    bytes32[LENGTH + 1] private values;

    error NotEqual(string what, uint256 got, uint256 expected);

    function setUp() external {
        values[LENGTH] = keccak256("secret");
        for (uint256 i = LENGTH; i > 0; i--) values[i - 1] = keccak256(abi.encode(values[i]));
        seeds = deployed(LENGTH, DELAY, WINDOW);
    }

    function deployed(uint32 length, uint64 delay, uint64 window) private returns (HashChainSeed) {
        return deployed(tips(values[0]), length, delay, window);
    }

    function deployed(bytes32[] memory tips_, uint32 length, uint64 delay, uint64 window)
        private
        returns (HashChainSeed)
    {
        bytes memory arguments = abi.encode(address(this), tips_, length, delay, window);
        return HashChainSeed(vm.deployCode("contracts/build/HashChainSeed.json", arguments));
    }

    function tips(bytes32 tip) private pure returns (bytes32[] memory list) {
        list = new bytes32[](1);
        list[0] = tip;
    }

    // ---- moves ----

    function hashOf(uint256 number) private pure returns (bytes32) {
        return keccak256(abi.encode("block", number));
    }

    function numberOf(uint256 ticket, uint256 seedBlock) private view returns (bytes32) {
        return keccak256(abi.encode(values[ticket], hashOf(seedBlock)));
    }

    /// @dev A ticket of its own, and the block after its block, whose hash is set.
    function pass() private returns (uint64 ticket, uint64 seedBlock) {
        ticket = seeds.ticket();
        seedBlock = seeds.seedBlockOf(ticket);
        vm.roll(seedBlock + 1);
        vm.setBlockhash(seedBlock, hashOf(seedBlock));
    }

    function fails(bytes4 selector, uint256 a) private {
        vm.expectRevert(abi.encodePacked(selector, a));
    }

    function fails(bytes4 selector, uint256 a, uint256 b) private {
        vm.expectRevert(abi.encodePacked(selector, a, b));
    }

    function eq(string memory what, uint256 got, uint256 expected) private pure {
        require(got == expected, NotEqual(what, got, expected));
    }

    function eq(string memory what, bytes32 got, bytes32 expected) private pure {
        eq(what, uint256(got), uint256(expected));
    }

    // ---- a ticket's life ----

    function test_a_number() external {
        uint64 here = uint64(block.number);
        vm.expectEmit(true, true, true, true);
        emit HashChainSeed.TicketGiven(1, here + DELAY);
        eq("ticket", seeds.ticket(), 1);
        eq("frozen", seeds.frozenUntil(1), here + DELAY + WINDOW);
        require(!seeds.expired(1), "fresh");
        fails(ISeedSource.TicketPending.selector, 1);
        seeds.randomness(1, "");

        vm.roll(here + DELAY + 1);
        vm.setBlockhash(here + DELAY, hashOf(here + DELAY));
        fails(ISeedSource.TicketPending.selector, 1);
        seeds.randomness(1, "");
        vm.expectEmit(true, true, true, true);
        emit HashChainSeed.ValueRevealed(1, 0, values[1]);
        vm.prank(STRANGER); // whoever has it
        seeds.reveal(0, values[1]);
        eq("value", seeds.chainOf(0).value, values[1]);
        eq("revealed", seeds.chainOf(0).revealed, 1);
        eq("number", seeds.randomness(1, ""), numberOf(1, here + DELAY));
    }

    /// @notice The number is neither the operator's alone nor the block maker's.
    function testFuzz_depends_on_value_and_hash(bytes32 hash) external {
        vm.assume(hash != 0 && hash != hashOf(block.number + DELAY));
        (uint64 ticket, uint64 seedBlock) = pass();
        seeds.reveal(0, values[1]);
        bytes32 number = seeds.randomness(ticket, "");
        vm.setBlockhash(seedBlock, hash);
        eq("other hash", seeds.randomness(ticket, ""), keccak256(abi.encode(values[1], hash)));
        require(seeds.randomness(ticket, "") != number, "the same");
    }

    function test_takes_no_proof() external {
        (uint64 ticket,) = pass();
        seeds.reveal(0, values[1]);
        fails(ISeedSource.BadSeedProof.selector, ticket);
        seeds.randomness(ticket, hex"00");
    }

    function test_only_rounds() external {
        fails(HashChainSeed.NotRounds.selector, uint160(STRANGER));
        vm.prank(STRANGER);
        seeds.ticket();
        eq("none given", seeds.given(), 0);
    }

    function test_unknown_tickets() external {
        fails(HashChainSeed.UnknownTicket.selector, 0);
        seeds.frozenUntil(0);
        fails(HashChainSeed.UnknownTicket.selector, 1);
        seeds.expired(1);
        seeds.ticket();
        fails(HashChainSeed.UnknownTicket.selector, 2);
        seeds.randomness(2, "");
    }

    // ---- what makes it sound ----

    /// @notice All who ask before the block share a ticket; from the block on there is another value.
    function test_no_ticket_once_its_block_is_made() external {
        uint64 here = uint64(block.number);
        eq("first", seeds.ticket(), 1);
        vm.roll(here + DELAY - 1);
        eq("shared", seeds.ticket(), 1);
        eq("its block stays", seeds.seedBlockOf(1), here + DELAY);
        vm.roll(here + DELAY);
        eq("at the block", seeds.ticket(), 2);
        eq("a later block", seeds.seedBlockOf(2), here + 2 * DELAY);
        eq("the first has its own", seeds.seedBlockOf(1), here + DELAY);
    }

    /// @notice No value is taken while its block, or that of a ticket before it, can still be made for it.
    function test_no_reveal_before_the_block_is_past() external {
        uint64 here = uint64(block.number);
        seeds.ticket();
        fails(HashChainSeed.RevealTooEarly.selector, 1, here + DELAY + 1);
        seeds.reveal(0, values[1]);
        vm.roll(here + DELAY);
        fails(HashChainSeed.RevealTooEarly.selector, 1, here + DELAY + 1);
        seeds.reveal(0, values[1]);
        seeds.ticket(); // in the block of the first
        fails(HashChainSeed.RevealTooEarly.selector, 1, here + DELAY + 1);
        seeds.reveal(0, values[1]);
        fails(HashChainSeed.RevealTooEarly.selector, 2, here + 2 * DELAY + 1);
        seeds.reveal(0, values[2]);
        vm.roll(here + DELAY + 1);
        seeds.reveal(0, values[1]);
        fails(HashChainSeed.RevealTooEarly.selector, 2, here + 2 * DELAY + 1);
        seeds.reveal(0, values[2]);
    }

    /// @notice A value whose ticket was not given yet is not taken, although it is one of the chain.
    function test_no_value_ahead_of_its_ticket() external {
        fails(HashChainSeed.NothingToReveal.selector, 0);
        seeds.reveal(0, values[1]);
        pass();
        fails(HashChainSeed.WrongValue.selector, 0, uint256(values[2]));
        seeds.reveal(0, values[2]);
        fails(HashChainSeed.WrongValue.selector, 0, uint256(values[9]));
        seeds.reveal(0, values[9]);
    }

    function testFuzz_wrong_values(bytes32 wrong) external {
        vm.assume(wrong != values[1] && wrong != values[2] && wrong != values[3]);
        for (uint256 i = 0; i < 3; i++) pass();
        fails(HashChainSeed.WrongValue.selector, 0, uint256(wrong));
        seeds.reveal(0, wrong);
        eq("nothing", seeds.chainOf(0).revealed, 0);
    }

    function test_replay() external {
        pass();
        seeds.reveal(0, values[1]);
        fails(HashChainSeed.NothingToReveal.selector, 1);
        seeds.reveal(0, values[1]);
        pass();
        fails(HashChainSeed.WrongValue.selector, 0, uint256(values[1]));
        seeds.reveal(0, values[1]);
        fails(HashChainSeed.WrongValue.selector, 0, uint256(values[0]));
        seeds.reveal(0, values[0]);
        eq("revealed", seeds.chainOf(0).revealed, 1);
    }

    /// @notice Rounds wait at once; one value settles all before it, and later ones leave earlier numbers alone.
    function test_many_at_once() external {
        uint64[] memory blocks = new uint64[](6);
        for (uint64 t = 1; t <= 5; t++) (, blocks[t]) = pass();
        seeds.reveal(0, values[3]);
        eq("revealed", seeds.chainOf(0).revealed, 3);
        for (uint64 t = 1; t <= 3; t++) eq("number", seeds.randomness(t, ""), numberOf(t, blocks[t]));
        fails(ISeedSource.TicketPending.selector, 4);
        seeds.randomness(4, "");
        seeds.reveal(0, values[4]);
        seeds.reveal(0, values[5]);
        for (uint64 t = 1; t <= 5; t++) eq("number", seeds.randomness(t, ""), numberOf(t, blocks[t]));
    }

    // ---- withholding ----

    /// @notice A value kept back costs its ticket, not the next: the round can be armed again, under another value.
    function test_a_withheld_value_expires() external {
        (uint64 first, uint64 seedBlock) = pass();
        vm.roll(seedBlock + WINDOW);
        vm.setBlockhash(seedBlock, hashOf(seedBlock));
        require(!seeds.expired(first), "last block");
        vm.roll(seedBlock + WINDOW + 1);
        require(seeds.expired(first), "expired");
        eq("seen", seeds.given() - seeds.chainOf(0).revealed, 1);

        (uint64 next, uint64 nextBlock) = pass();
        eq("another", next, 2);
        seeds.reveal(0, values[1]); // too late
        fails(ISeedSource.TicketExpired.selector, first);
        seeds.randomness(first, "");
        fails(ISeedSource.TicketPending.selector, next);
        seeds.randomness(next, "");
        seeds.reveal(0, values[2]);
        eq("number", seeds.randomness(next, ""), numberOf(next, nextBlock));
    }

    function test_usable_to_the_last_block_of_the_window() external {
        (uint64 ticket, uint64 seedBlock) = pass();
        vm.roll(seedBlock + WINDOW);
        vm.setBlockhash(seedBlock, hashOf(seedBlock));
        seeds.reveal(0, values[1]);
        eq("number", seeds.randomness(ticket, ""), numberOf(ticket, seedBlock));
        vm.roll(seedBlock + WINDOW + 1);
        fails(ISeedSource.TicketExpired.selector, ticket);
        seeds.randomness(ticket, "");
    }

    /// @notice The longest window is as long as the chain remembers hashes.
    function test_longest_window() external {
        seeds = deployed(LENGTH, DELAY, 256);
        (uint64 ticket, uint64 seedBlock) = pass();
        vm.roll(seedBlock + 256);
        vm.setBlockhash(seedBlock, hashOf(seedBlock));
        seeds.reveal(0, values[1]);
        eq("number", seeds.randomness(ticket, ""), numberOf(ticket, seedBlock));
    }

    /// @notice A chain that forgets its hashes gets no number rather than one that the operator alone knows.
    function test_no_number_without_the_hash() external {
        (uint64 ticket, uint64 seedBlock) = pass();
        seeds.reveal(0, values[1]);
        vm.setBlockhash(seedBlock, 0);
        fails(HashChainSeed.NoBlockHash.selector, seedBlock);
        seeds.randomness(ticket, "");
    }

    /// @notice An operator that was away long catches up with its newest value alone, or in parts.
    function test_catches_up() external {
        for (uint256 i = 0; i < 300; i++) pass();
        seeds.reveal(0, values[120]);
        eq("part", seeds.chainOf(0).revealed, 120);
        seeds.reveal(0, values[300]);
        eq("all", seeds.chainOf(0).revealed, 300);
    }

    // ---- the end ----

    function test_exhaustion() external {
        seeds = deployed(2, DELAY, WINDOW);
        pass();
        eq("the last", seeds.ticket(), 2);
        eq("still shared", seeds.ticket(), 2);
        vm.roll(block.number + DELAY + 1);
        fails(HashChainSeed.ChainExhausted.selector, 2);
        seeds.ticket();
        seeds.reveal(0, values[2]);
        fails(HashChainSeed.ChainExhausted.selector, 2);
        seeds.ticket();
    }

    /// @notice Blocks of tickets long over are forgotten, and with the shortest delay no living one is.
    function test_old_tickets_stay_expired() external {
        seeds = deployed(LENGTH, 1, 256);
        vm.roll(5000);
        uint64[] memory blocks = new uint64[](LENGTH + 1);
        for (uint64 t = 1; t <= LENGTH; t++) {
            eq("ticket", seeds.ticket(), t);
            blocks[t] = uint64(block.number) + 1;
            vm.roll(block.number + 1);
        }
        for (uint64 t = 1; t <= LENGTH; t++) {
            require(seeds.expired(t) == (block.number > blocks[t] + 256), "expired");
            if (LENGTH - t < 512) eq("block", seeds.seedBlockOf(t), blocks[t]);
            else eq("forgotten", seeds.seedBlockOf(t), 0);
        }
    }

    // ---- several operators ----

    /// @dev Value `index` of a second operator.
    function second(uint256 index) private pure returns (bytes32 value) {
        value = keccak256("another secret");
        for (uint256 i = 40; i > index; i--) value = keccak256(abi.encode(value));
    }

    function two() private returns (HashChainSeed) {
        bytes32[] memory both = new bytes32[](2);
        (both[0], both[1]) = (values[0], second(0));
        return deployed(both, 40, DELAY, WINDOW);
    }

    /// @notice As long as one operator keeps its value nobody has the number, whoever knows the rest.
    function test_every_operator_is_needed() external {
        seeds = two();
        eq("operators", seeds.operatorCount(), 2);
        (, uint64 firstBlock) = pass();
        (, uint64 secondBlock) = pass();
        seeds.reveal(1, second(2));
        fails(ISeedSource.TicketPending.selector, 1);
        seeds.randomness(1, "");
        seeds.reveal(0, values[1]);
        bytes32 number = keccak256(abi.encode(values[1], second(1), hashOf(firstBlock)));
        eq("first", seeds.randomness(1, ""), number);
        fails(ISeedSource.TicketPending.selector, 2);
        seeds.randomness(2, "");
        seeds.reveal(0, values[2]);
        eq("first", seeds.randomness(1, ""), number);
        eq("second", seeds.randomness(2, ""), keccak256(abi.encode(values[2], second(2), hashOf(secondBlock))));
    }

    function test_who_withholds_is_seen() external {
        seeds = two();
        (uint64 ticket, uint64 seedBlock) = pass();
        seeds.reveal(0, values[1]);
        vm.roll(seedBlock + WINDOW + 1);
        require(seeds.expired(ticket), "expired");
        eq("did its part", seeds.chainOf(0).revealed, 1);
        eq("did not", seeds.chainOf(1).revealed, 0);
        pass();
        seeds.reveal(0, values[2]);
        seeds.reveal(1, second(2));
        fails(ISeedSource.TicketExpired.selector, ticket);
        seeds.randomness(ticket, "");
    }

    function test_operators_are_kept_apart() external {
        seeds = two();
        pass();
        fails(HashChainSeed.WrongValue.selector, 1, uint256(values[1]));
        seeds.reveal(1, values[1]);
        fails(HashChainSeed.UnknownOperator.selector, 2);
        seeds.reveal(2, values[1]);
        fails(HashChainSeed.UnknownOperator.selector, 2);
        seeds.chainOf(2);
        seeds.reveal(1, second(1));
        fails(HashChainSeed.NothingToReveal.selector, 1);
        seeds.reveal(1, second(1));
        seeds.reveal(0, values[1]);
    }

    // ---- deployment ----

    function test_deployment() external {
        eq("tip", seeds.chainOf(0).value, values[0]);
        eq("rounds", uint160(seeds.rounds()), uint160(address(this)));
        bytes memory arguments = abi.encode(address(0), tips(values[0]), 5, DELAY, WINDOW);
        Artifact.refuses("HashChainSeed", arguments, abi.encodePacked(HashChainSeed.ZeroAddress.selector));
        refusesChains(new bytes32[](0), 5);
        refusesChains(new bytes32[](17), 5);
        refusesChains(tips(values[0]), 0);
        uint64[4] memory delays = [uint64(0), 257, DELAY, DELAY];
        uint64[4] memory windows = [WINDOW, WINDOW, 0, 257];
        for (uint256 i = 0; i < 4; i++) {
            arguments = abi.encode(address(1), tips(values[0]), 5, delays[i], windows[i]);
            bytes memory why = abi.encodeWithSelector(HashChainSeed.BadTiming.selector, delays[i], windows[i]);
            Artifact.refuses("HashChainSeed", arguments, why);
        }
    }

    function refusesChains(bytes32[] memory chains, uint32 length) private {
        bytes memory why = abi.encodeWithSelector(HashChainSeed.BadChains.selector, chains.length, length);
        Artifact.refuses("HashChainSeed", abi.encode(address(1), chains, length, DELAY, WINDOW), why);
    }
}
