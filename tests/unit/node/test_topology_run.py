"""Runs of decentralised learning: every strategy learns, runs repeat, most nodes die, and the command's errors."""

import json
from dataclasses import replace

import numpy as np
import pytest

from node.cli import main
from node.data import Dataset
from node.errors import ConfigError, UnknownName
from node.matrix.topology import Setting, hold_out, run_setting
from node.topology.gossip import MIXINGS
from node.topology.modest import Fault
from node.topology.training import train_each

SMALL = Setting(nodes=10, rounds=3, epochs=2, partition="iid", graph="ring:2", sample=6)


@pytest.mark.parametrize("mixing", MIXINGS.names())
def test_every_mixing_learns(mixing: str) -> None:
    found = run_setting(replace(SMALL, mixing=mixing))
    assert found.accuracy > 0.5
    assert found.worst <= found.accuracy
    assert found.sent_bytes > 0
    assert found.completed == len(found.trace) == 3


def test_a_run_repeats_and_its_strategies_differ() -> None:
    one = replace(SMALL, mixing="dfedsam", rounds=2)
    assert run_setting(one) == run_setting(one)
    assert run_setting(one) != run_setting(replace(one, seed=2))
    plain, twice = (run_setting(replace(one, mixing=mixing)) for mixing in ("metropolis", "dfedsam_mgs"))
    assert run_setting(one).trace != plain.trace
    assert twice.sent_bytes == 2 * plain.sent_bytes


def test_a_final_merge_leaves_no_spread_and_is_paid_for() -> None:
    apart, merged = (run_setting(replace(SMALL, mixing="mean", ending=ending)) for ending in ("none", "final_merge"))
    assert apart.spread > merged.spread == 0
    assert merged.worst == merged.accuracy
    assert merged.sent_bytes - apart.sent_bytes == pytest.approx(9 / 4 / 3 * apart.sent_bytes)


def test_a_frozen_trunk_sends_only_the_output_layer() -> None:
    whole, frozen = (run_setting(replace(SMALL, mixing="mean", frozen=frozen)) for frozen in (False, True))
    bristle = run_setting(replace(SMALL, mixing="bristle"))
    assert bristle.sent_bytes == frozen.sent_bytes < 0.2 * whole.sent_bytes


@pytest.mark.parametrize("topology", ["sampled", "committee"])
@pytest.mark.parametrize("participation", ["uniform", "fedau", "fedfix", "anarchic"])
def test_partial_rounds_learn_whoever_is_there(topology: str, participation: str) -> None:
    busy = "random:0.8+slow:0.3+uneven:3"
    setting = replace(SMALL, topology=topology, participation=participation, schedule=busy, rounds=5)
    found = run_setting(setting)
    assert found.completed >= 4
    assert found.accuracy > 0.4


def test_four_fifths_die_at_once_and_every_round_goes_on() -> None:
    for topology in ("sampled", "gossip"):
        found = run_setting(replace(SMALL, topology=topology, nodes=25, rounds=5, schedule="kill:3:0.8", sample=5))
        assert found.completed == 5
        assert found.accuracy > 0.5


def test_liars_among_the_aggregators_are_named() -> None:
    found = run_setting(replace(SMALL, topology="sampled", faults=((Fault.LIES, 1),), rounds=8))
    assert set(found.caught) <= {9}
    assert found.accuracy > 0.7


def test_epochs_of_their_own() -> None:
    class Counting:
        epochs = 1

        def updates(self, models, round_, *, nodes=None, epochs=None):  # type: ignore[no-untyped-def]
            return np.array([[model[0] + 100 * epochs + node] for model, node in zip(models, nodes, strict=True)])

    models = np.array([[1], [2], [3]], np.float32)
    found = train_each(Counting(), models, 1, {2: 5, 0: 1, 1: 5})
    assert {node: row[0] for node, row in found.items()} == {0: 101, 1: 503, 2: 505}


def test_what_a_node_keeps_to_measure_by() -> None:
    labels = np.array([0] * 60 + [1] * 5 + [2])
    shard = Dataset(np.arange(66, dtype=np.float32)[:, None], labels, 4)
    rest, held = hold_out(shard)
    assert np.bincount(held.y).tolist() == [10, 2]
    assert np.bincount(rest.y).tolist() == [50, 3, 1]
    assert not set(rest.x.ravel()) & set(held.x.ravel())
    single = shard.subset(np.array([65]))
    assert hold_out(single) == (single, single)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"topology": "gosip"}, "did you mean 'gossip'"),
        ({"mixing": "bristel"}, "did you mean 'bristle'"),
        ({"graph": "rng"}, "did you mean 'ring'"),
        ({"ending": "merge"}, "did you mean"),
        ({"participation": "fedau"}, "belong to sampled"),
        ({"topology": "sampled", "ending": "final_merge"}, "share one model"),
        ({"topology": "sampled", "participation": "fed_au"}, "did you mean 'fedau'"),
        ({"topology": "sampled", "sample": 11}, "sample of 11 of 10"),
        ({"topology": "sampled", "faults": ((Fault.LIES, 10),)}, "10 faulty"),
        ({"rounds": 0}, "rounds 0"),
        ({"schedule": "kil:3"}, "did you mean 'kill'"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused(wrong: dict[str, object], message: str) -> None:
    with pytest.raises((ConfigError, UnknownName), match=message):
        run_setting(replace(SMALL, **wrong))  # type: ignore[arg-type]


# -- the command -------------------------------------------------------------------------------------------------------

QUICK = ["topology", "--nodes", "6", "--rounds", "2", "--epochs", "1", "--partition", "iid"]


def test_the_command_prints_a_row_a_mixing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*QUICK, "--graph", "ring", "--mixing", "mean", "--mixing", "metropolis", "--seeds", "2"]) == 0
    shown = capsys.readouterr()
    lines = shown.out.splitlines()
    assert [line.split()[0] for line in lines] == ["strategy", "mean", "metropolis", "graph"]
    assert lines[1].split()[-1] == "4/4"
    assert shown.err == ""


def test_the_command_s_json_has_every_round(capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--topology", "sampled", "--sample", "4", "--fault", "lies:1", "--fault", "broken", "--json"]
    assert main([*QUICK, *options]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["setting"]["faults"] == [["lies", 1], ["broken", 1]]
    assert [point["round"] for point in row["runs"][0]["trace"]] == [1, 2]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--fault", "lie:1"], "did you mean 'lies'"),
        (["--fault", "lies:x"], "no number of nodes"),
        (["--topology", "sampled", "--mixing", "mean"], "--mixing is for gossip"),
        (["--seeds", "0"], "--seeds 0"),
        (["--topology", "ring"], "unknown topology 'ring'"),
    ],
)
def test_the_command_says_what_is_wrong(options: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*QUICK, *options]) == 2
    assert message in capsys.readouterr().err
