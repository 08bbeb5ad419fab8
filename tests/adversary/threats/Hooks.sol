// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @notice A token that calls whoever receives it, as ERC-777 does: not the plain ERC-20 that the contracts assume.
contract HookedToken {
    mapping(address => uint256) public balanceOf;
    mapping(address => mapping(address => uint256)) public allowance;

    function mint(address to, uint256 amount) external {
        balanceOf[to] += amount;
    }

    function approve(address spender, uint256 amount) external returns (bool) {
        allowance[msg.sender][spender] = amount;
        return true;
    }

    function transfer(address to, uint256 amount) external returns (bool) {
        return _move(msg.sender, to, amount);
    }

    function transferFrom(address from, address to, uint256 amount) external returns (bool) {
        allowance[from][msg.sender] -= amount;
        return _move(from, to, amount);
    }

    function _move(address from, address to, uint256 amount) private returns (bool) {
        balanceOf[from] -= amount;
        balanceOf[to] += amount;
        if (to.code.length != 0) {
            // Whoever has no hook refuses the call, and that is its right.
            (bool heard,) = to.call(abi.encodeCall(Reentrant.tokensReceived, ()));
            heard;
        }
        return true;
    }
}

/// @notice An account that owns a node, and calls back in the middle of being paid.
contract Reentrant {
    address public target;
    bytes public data;
    /// @notice How often it called back, how often that was let through, and what it was answered last.
    uint256 public tries;
    uint256 public successes;
    bytes public answer;

    /// @notice What to call back with, from now on, once a payment.
    function aim(address target_, bytes calldata data_) external {
        (target, data) = (target_, data_);
        (tries, successes, answer) = (0, 0, "");
    }

    /// @notice Do something as this account.
    function run(address to, bytes calldata call) external {
        (bool done, bytes memory result) = to.call(call);
        if (!done) {
            assembly {
                revert(add(result, 32), mload(result))
            }
        }
    }

    function tokensReceived() external {
        if (target == address(0)) return;
        tries++;
        (bool done, bytes memory result) = target.call(data);
        if (done) successes++;
        else answer = result;
    }
}
