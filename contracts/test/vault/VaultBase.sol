// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {DevToken} from "../../DevToken.sol";
import {StakeVault} from "../../StakeVault.sol";
import {IStakeVault} from "../../interfaces/IStakeVault.sol";
import {Vm} from "../Vm.sol";

/// @notice Cheat codes that only these tests use.
interface StateVm {
    struct Gas {
        uint64 gasLimit;
        uint64 gasTotalUsed;
        uint64 gasMemoryUsed;
        int64 gasRefunded;
        uint64 gasRemaining;
    }

    function load(address account, bytes32 slot) external view returns (bytes32 word);
    function store(address account, bytes32 slot, bytes32 word) external;
    function cool(address account) external;
    function lastCallGas() external view returns (Gas memory gas);
}

/// @notice A vault alone, deployed from its committed artifact: the test is its `rounds`, DISPUTES its disputes. Node n
/// has key n and owner 0x1000 + n. Nodes 1..10 have the stake of a seat, nodes 1..7 a seat.
abstract contract VaultBase {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
    StateVm internal constant stateVm = StateVm(address(vm));
    uint96 internal constant SEAT = 1000e18;
    uint96 internal constant LEAST = 10e18;
    uint40 internal constant UNBONDING = 100_000;
    uint32 internal constant SEATED = 7;
    uint32 internal constant NODES = 10;
    address internal constant DISPUTES = address(0xd15b);
    address internal constant BURNT = 0x000000000000000000000000000000000000dEaD;

    DevToken internal token;
    StakeVault internal vault;

    error NotEqual(string what, uint256 got, uint256 expected);

    function setUp() public virtual {
        token = DevToken(vm.deployCode("contracts/build/DevToken.json"));
        vault = deployed(address(token), address(this), DISPUTES, SEAT);
        for (uint32 node = 1; node <= NODES; node++) register(node, SEAT);
        for (uint32 node = 1; node <= SEATED; node++) takeSeats(node, 1);
    }

    function deployed(address token_, address rounds, address disputes, uint96 seat) internal returns (StakeVault) {
        bytes memory arguments = abi.encode(token_, rounds, disputes, seat, LEAST, UNBONDING);
        return StakeVault(vm.deployCode("contracts/build/StakeVault.json", arguments));
    }

    // ---- moves ----

    function ownerOf(uint256 node) internal pure returns (address) {
        return address(uint160(0x1000 + node));
    }

    function fund(address owner) internal {
        token.mint(owner, 1e27);
        vm.prank(owner);
        token.approve(address(vault), type(uint256).max);
    }

    function register(uint256 key, uint96 amount) internal {
        address owner = ownerOf(key);
        fund(owner);
        bytes memory proof = possession(owner, key);
        vm.prank(owner);
        vault.register(vm.addr(key), amount, proof);
    }

    function takeSeats(uint32 node, uint32 count) internal {
        vm.prank(ownerOf(node));
        vault.takeSeats(node, count);
    }

    function leaveSeats(uint32 node, uint32 count) internal {
        vm.prank(ownerOf(node));
        vault.leaveSeats(node, count);
    }

    /// @notice Bond for `count` more seats and take them.
    function moreSeats(uint32 node, uint32 count) internal {
        vm.startPrank(ownerOf(node));
        vault.bond(node, count * SEAT);
        vault.takeSeats(node, count);
        vm.stopPrank();
    }

    function slash(uint32 node, uint96 amount, address reporter) internal returns (uint96) {
        vm.prank(DISPUTES);
        return vault.slash(node, amount, reporter);
    }

    /// @notice A signature of Possession(owner, signer of `key`).
    function possession(address owner, uint256 key) internal view returns (bytes memory) {
        (, string memory name, string memory version, uint256 chainId, address verifier,,) = vault.eip712Domain();
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256(bytes(name)),
                keccak256(bytes(version)),
                chainId,
                verifier
            )
        );
        bytes32 body =
            keccak256(abi.encode(keccak256("Possession(address owner,address signer)"), owner, vm.addr(key)));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, keccak256(abi.encodePacked(hex"1901", domain, body)));
        return abi.encodePacked(r, s, v);
    }

    // ---- the model ----

    /// @notice The draw by plain Fisher-Yates, passing by seats that are locked or vacant: 24 bytes a seat.
    function predict(bytes32 seed, uint256 count) internal view returns (bytes memory committee) {
        uint256 size = vault.seatCount();
        uint32[] memory places = new uint32[](size);
        for (uint32 i = 0; i < size; i++) places[i] = i;
        uint256 drawn = 0;
        for (uint256 i = 0; i < size && drawn < count; i++) {
            uint256 j = i + uint256(keccak256(abi.encode(seed, i))) % (size - i);
            (places[i], places[j]) = (places[j], places[i]);
            (uint32 node, uint40 lockedUntil) = vault.seatAt(places[i]);
            if (lockedUntil > block.timestamp) continue;
            committee = abi.encodePacked(committee, node, vault.nodeOf(node).signer);
            drawn++;
        }
    }

    /// @notice Node and signer of seat j of a committee.
    function seatOf(bytes memory committee, uint256 j) internal pure returns (uint32 node, address signer) {
        uint256 word;
        assembly ("memory-safe") {
            word := mload(add(add(committee, 0x20), mul(24, j)))
        }
        return (uint32(word >> 224), address(uint160(word >> 64)));
    }

    // ---- equality ----

    function eq(string memory what, uint256 got, uint256 expected) internal pure {
        require(got == expected, NotEqual(what, got, expected));
    }

    function eq(string memory what, bytes32 got, bytes32 expected) internal pure {
        eq(what, uint256(got), uint256(expected));
    }

    function eq(string memory what, address got, address expected) internal pure {
        eq(what, uint160(got), uint160(expected));
    }

    function eq(string memory what, bytes memory got, bytes memory expected) internal pure {
        eq(what, keccak256(got), keccak256(expected));
    }

    /// @dev The next call reverts with this selector and up to two arguments, ABI-encoded.
    function fails(bytes4 selector) internal {
        vm.expectRevert(abi.encodePacked(selector));
    }

    function fails(bytes4 selector, uint256 a) internal {
        vm.expectRevert(abi.encodePacked(selector, a));
    }

    function fails(bytes4 selector, uint256 a, uint256 b) internal {
        vm.expectRevert(abi.encodePacked(selector, a, b));
    }

    function bound(uint256 value, uint256 low, uint256 high) internal pure returns (uint256) {
        return low + value % (high - low + 1);
    }

    function num(address account) internal pure returns (uint256) {
        return uint160(account);
    }
}
