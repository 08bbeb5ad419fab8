"""Consensus of a committee: agreement on a round's scores, Yuma's epoch over weights, and what members are paid for."""

from node.consensus.agreement import (
    AGREEMENT_RANGE,
    MAX_PART,
    Evidence,
    Outcome,
    agree,
    false_members,
    median_lane,
)
from node.consensus.innovation import Memory, innovation, log2_q16
from node.consensus.member_pay import MemberPay, member_pay
from node.consensus.yuma import Carry, Epoch, Reports, Rules, quantile, yuma_epoch

__all__ = [
    "AGREEMENT_RANGE",
    "MAX_PART",
    "Carry",
    "Epoch",
    "Evidence",
    "MemberPay",
    "Memory",
    "Outcome",
    "Reports",
    "Rules",
    "agree",
    "false_members",
    "innovation",
    "log2_q16",
    "median_lane",
    "member_pay",
    "quantile",
    "yuma_epoch",
]
