"""Every test that asks for a `stage` runs on both chains; modules and chains run beside one another."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ledger import Mode
from tests.adversary.threats.chains import ANVIL, IN_PROCESS, Site, open_site
from tests.adversary.threats.stage import ACCOUNTS, PARAMS, Stage

SCOPES = {"site": "session", "own_site": "module"}


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "threat(key, attack): the test carries out an attack of THREATS.md")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    module = metafunc.module.__name__.rsplit(".", 1)[-1]
    chosen = {mark.args[0] for mark in metafunc.definition.iter_markers("parametrize")}
    for fixture in SCOPES.keys() & set(metafunc.fixturenames) - chosen:
        groups = {name: pytest.mark.xdist_group(f"{module} {name}") for name in (IN_PROCESS, ANVIL)}
        cases = [
            pytest.param(IN_PROCESS, id=IN_PROCESS, marks=groups[IN_PROCESS]),
            pytest.param(ANVIL, id=ANVIL, marks=[groups[ANVIL], pytest.mark.anvil]),
        ]
        metafunc.parametrize(fixture, cases, indirect=True, scope=SCOPES[fixture])


@pytest.fixture(scope="session")
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    """A chain for all modules."""
    with open_site(request.param, ACCOUNTS) as found:
        yield found


@pytest.fixture(scope="module")
def own_site(request: pytest.FixtureRequest) -> Iterator[Site]:
    """A chain for a module that needs other contracts or other members."""
    with open_site(request.param, ACCOUNTS) as found:
        yield found


@pytest.fixture(scope="session")
def deployed(site: Site) -> Stage:
    """Contracts, seven members, and a task in each mode."""
    stage = Stage.on(site).enrol()
    for mode in Mode:
        assert stage.add_task(PARAMS[mode]) == int(mode) + 1
    site.snapshot()
    return stage


@pytest.fixture
def stage(deployed: Stage) -> Stage:
    """The same stage for every test, in words mode until it says otherwise."""
    return deployed.rewind()
