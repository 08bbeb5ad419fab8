// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {RepWords} from "../../libraries/RepWords.sol";
import {Scalar} from "../libraries/Scalar.sol";

/// @notice For every word, every score word, every round and both roles: lane l after a step is the scalar rule of lane l's
/// own reputation and score. The scalar rule sees no other lane, so no lane touches another. Likewise the parts. One
/// function a lane, as the solver is given them one by one (scripts/prove.py).
contract RepWordsProof {
    function lane(uint256 word, uint256 scores, uint16 round, bool decays, uint256 l) private pure {
        uint256 next = RepWords.step(word, scores, round, decays);
        uint256 expected = Scalar.step(Scalar.lane(word, l), Scalar.lane(scores, l), decays);
        assert(expected <= 65_535);
        assert(Scalar.lane(next, l) == expected);
    }

    function check_stamp(uint256 word, uint256 scores, uint16 round, bool decays) external pure {
        assert(RepWords.stamp(RepWords.step(word, scores, round, decays)) == round);
    }

    function part(uint256 scores, uint256 l) private pure {
        assert(Scalar.lane(RepWords.parts(scores), l) == Scalar.part(Scalar.lane(scores, l)));
    }

    function check_part_00(uint256 scores) external pure {
        part(scores, 0);
    }

    function check_part_01(uint256 scores) external pure {
        part(scores, 1);
    }

    function check_part_02(uint256 scores) external pure {
        part(scores, 2);
    }

    function check_part_03(uint256 scores) external pure {
        part(scores, 3);
    }

    function check_part_04(uint256 scores) external pure {
        part(scores, 4);
    }

    function check_part_05(uint256 scores) external pure {
        part(scores, 5);
    }

    function check_part_06(uint256 scores) external pure {
        part(scores, 6);
    }

    function check_part_07(uint256 scores) external pure {
        part(scores, 7);
    }

    function check_part_08(uint256 scores) external pure {
        part(scores, 8);
    }

    function check_part_09(uint256 scores) external pure {
        part(scores, 9);
    }

    function check_part_10(uint256 scores) external pure {
        part(scores, 10);
    }

    function check_part_11(uint256 scores) external pure {
        part(scores, 11);
    }

    function check_part_12(uint256 scores) external pure {
        part(scores, 12);
    }

    function check_part_13(uint256 scores) external pure {
        part(scores, 13);
    }

    function check_part_14(uint256 scores) external pure {
        part(scores, 14);
    }

    function check_parts_end(uint256 scores) external pure {
        assert(RepWords.parts(scores) >> 240 == 0);
    }

    function check_lane_00(uint256 word, uint256 scores, uint16 round, bool decays) external pure {
        lane(word, scores, round, decays, 0);
    }

    function check_lane_01(uint256 word, uint256 scores, uint16 round, bool decays) external pure {
        lane(word, scores, round, decays, 1);
    }

    function check_lane_02(uint256 word, uint256 scores, uint16 round, bool decays) external pure {
        lane(word, scores, round, decays, 2);
    }

    function check_lane_03(uint256 word, uint256 scores, uint16 round, bool decays) external pure {
        lane(word, scores, round, decays, 3);
    }

    function check_lane_04(uint256 word, uint256 scores, uint16 round, bool decays) external pure {
        lane(word, scores, round, decays, 4);
    }

    function check_lane_05(uint256 word, uint256 scores, uint16 round, bool decays) external pure {
        lane(word, scores, round, decays, 5);
    }

    function check_lane_06(uint256 word, uint256 scores, uint16 round, bool decays) external pure {
        lane(word, scores, round, decays, 6);
    }

    function check_lane_07(uint256 word, uint256 scores, uint16 round, bool decays) external pure {
        lane(word, scores, round, decays, 7);
    }

    function check_lane_08(uint256 word, uint256 scores, uint16 round, bool decays) external pure {
        lane(word, scores, round, decays, 8);
    }

    function check_lane_09(uint256 word, uint256 scores, uint16 round, bool decays) external pure {
        lane(word, scores, round, decays, 9);
    }

    function check_lane_10(uint256 word, uint256 scores, uint16 round, bool decays) external pure {
        lane(word, scores, round, decays, 10);
    }

    function check_lane_11(uint256 word, uint256 scores, uint16 round, bool decays) external pure {
        lane(word, scores, round, decays, 11);
    }

    function check_lane_12(uint256 word, uint256 scores, uint16 round, bool decays) external pure {
        lane(word, scores, round, decays, 12);
    }

    function check_lane_13(uint256 word, uint256 scores, uint16 round, bool decays) external pure {
        lane(word, scores, round, decays, 13);
    }

    function check_lane_14(uint256 word, uint256 scores, uint16 round, bool decays) external pure {
        lane(word, scores, round, decays, 14);
    }
}
