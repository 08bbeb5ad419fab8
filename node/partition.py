"""How one data set is divided among simulated trainers: disjoint, covering, nobody empty."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from node.data import IntArray
from node.errors import ConfigError, DataError
from node.registry import Registry

Partition = Callable[[IntArray, int, str, np.random.Generator], list[IntArray]]
"""(labels (n,), nodes, argument, generator) -> one index array a node; may leave nodes empty."""

PARTITIONS: Registry[Partition] = Registry("partition")

SYNTAX = "iid | dirichlet:ALPHA (ALPHA > 0) | label:K (K classes a node)"


def partition(labels: IntArray, n_nodes: int, spec: str, *, seed: int) -> list[IntArray]:
    """Split the samples with `labels` (n,) int64 into `n_nodes` index arrays, each ascending int64.

    `spec` is NAME or NAME:ARGUMENT, see SYNTAX. The parts are disjoint, cover 0..n-1, and none is empty: a
    node without a sample takes one from the largest part. Deterministic in `seed`. Raises ConfigError for a
    malformed spec, UnknownName for an unknown one, DataError if there are fewer samples than nodes.
    """
    name, _, argument = spec.partition(":")
    rule = PARTITIONS.get(name)
    if n_nodes < 1:
        raise ConfigError(f"{n_nodes} nodes cannot share a data set", hint="at least 1")
    if len(labels) < n_nodes:
        raise DataError(
            f"{len(labels)} samples are too few for {n_nodes} nodes", hint="fewer nodes, or a larger data set"
        )
    parts = rule(labels, n_nodes, argument, np.random.default_rng(seed))
    for node, part in enumerate(parts):
        if len(part) == 0:
            richest = max(range(n_nodes), key=lambda other: len(parts[other]))
            parts[node], parts[richest] = parts[richest][-1:], parts[richest][:-1]
    return [np.sort(part).astype(np.int64) for part in parts]


@PARTITIONS.register("iid")
def iid(labels: IntArray, n_nodes: int, argument: str, rng: np.random.Generator) -> list[IntArray]:
    """A random permutation cut into parts whose sizes differ by at most one."""
    if argument:
        raise ConfigError(f"partition 'iid' takes no argument, got {argument!r}", hint=SYNTAX)
    return list(np.array_split(rng.permutation(len(labels)), n_nodes))


@PARTITIONS.register("dirichlet")
def dirichlet(labels: IntArray, n_nodes: int, argument: str, rng: np.random.Generator) -> list[IntArray]:
    """Each class is divided by shares drawn from Dirichlet(ALPHA, ...) (Hsu, Qi and Brown 2019, section 3).

    Small ALPHA: few classes a node; large ALPHA: near iid.
    """
    try:
        alpha = float(argument)
    except ValueError:
        alpha = math.nan
    if not (math.isfinite(alpha) and alpha > 0):
        raise ConfigError(f"partition 'dirichlet' needs a positive number, got {argument!r}", hint=SYNTAX)
    parts: list[list[IntArray]] = [[] for _ in range(n_nodes)]
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        # A gamma draw can underflow to 0 for every node at tiny alpha; one node then takes the class.
        draws = rng.standard_gamma(alpha, n_nodes)
        shares = draws / draws.sum() if draws.sum() > 0 else np.eye(n_nodes)[rng.integers(n_nodes)]
        cuts = np.rint(np.cumsum(shares)[:-1] * len(members)).astype(np.int64)
        for part, piece in zip(parts, np.split(members, cuts), strict=True):
            part.append(piece)
    return [np.concatenate(part) for part in parts]


@PARTITIONS.register("label")
def label(labels: IntArray, n_nodes: int, argument: str, rng: np.random.Generator) -> list[IntArray]:
    """Each node holds exactly K classes, each class being cut evenly among its holders.

    (McMahan et al. 2017, section 3, whose pathological split has K = 2.) Raises ConfigError unless
    1 <= K <= classes <= K * nodes, DataError if a class has fewer samples than holders.
    """
    present: NDArray[np.int64] = rng.permutation(np.unique(labels))
    if not argument.isdecimal() or not 1 <= int(argument) <= len(present):
        raise ConfigError(
            f"partition 'label' needs a whole number from 1 to {len(present)}, got {argument!r}", hint=SYNTAX
        )
    each = int(argument)
    if each * n_nodes < len(present):
        raise ConfigError(
            f"{n_nodes} nodes of {each} classes cannot hold {len(present)} classes",
            hint=f"label:{math.ceil(len(present) / n_nodes)} or more",
        )
    holders: list[list[int]] = [[] for _ in present]
    for place in range(n_nodes * each):
        holders[place % len(present)].append(place // each)
    parts: list[list[IntArray]] = [[] for _ in range(n_nodes)]
    for owners, value in zip(holders, present, strict=True):
        members = rng.permutation(np.flatnonzero(labels == value))
        if len(members) < len(owners):
            raise DataError(f"class {value} has {len(members)} samples for {len(owners)} nodes that should hold it")
        for owner, piece in zip(owners, np.array_split(members, len(owners)), strict=True):
            parts[owner].append(piece)
    return [np.concatenate(part) for part in parts]
