"""The pytest plug-in: options, two fixtures, and one test for each promise.

`pytest --pyargs pvkit.conformance` runs the suite: one run of plans a session (a worker's session, under
pytest-xdist), and then a verdict for each test. Nothing heavy is imported until a test or fixture asks for it.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pvkit.backends.protocol import Backend
    from pvkit.conformance.history import History
    from pvkit.conformance.run_report import RunReport

REPORT = pytest.StashKey["RunReport"]()
PROMISE = "pvkit_promise"


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options, as `pvkit run` has them."""
    group = parser.getgroup("pvkit", "PersistentVolume conformance (pytest --pyargs pvkit.conformance)")
    group.addoption("--pv-backend", default="reference", help="what to run on: reference, mutant:<id>, module:Class")
    group.addoption("--pv-profile", default="smoke", help="how much: smoke, default, full")
    group.addoption("--pv-include", action="append", default=[], help="only these: an id, topic, level or tag")
    group.addoption("--pv-exclude", action="append", default=[], help="all but these")
    group.addoption("--pv-max-examples", type=int, default=0, help="plans at most")
    group.addoption("--pv-seed", type=int, default=0, help="the same seed draws the same plans")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test an invariant, its id in the node id."""
    if PROMISE not in metafunc.fixturenames:
        return
    from pvkit.backends.errors import UsageError
    from pvkit.conformance.catalogue import selected

    option = metafunc.config.getoption
    try:
        chosen = selected(tuple(option("--pv-include")), tuple(option("--pv-exclude")))
    except UsageError as error:
        raise pytest.UsageError(str(error)) from None
    metafunc.parametrize(PROMISE, chosen, ids=[entry.id for entry in chosen])


@pytest.fixture(scope="session")
def pv_backend(request: pytest.FixtureRequest) -> "Iterator[Backend]":
    """The backend that `--pv-backend` names."""
    from pvkit.backends.errors import UsageError
    from pvkit.backends.registry import open_backend

    try:
        backend = open_backend(request.config.getoption("--pv-backend"))
    except UsageError as error:
        raise pytest.UsageError(str(error)) from None
    yield backend
    backend.close()


@pytest.fixture
def pv_history(pv_backend: "Backend") -> "History":
    """The history of the walk-through on that backend: volumes, a set of three, a deleted pod, scaling."""
    from pvkit.conformance.commands.replay import located
    from pvkit.conformance.execute import execute
    from pvkit.strategies.plan_file import read_plans

    return execute(read_plans(located("walkthrough"))[0], pv_backend)


@pytest.fixture(scope="session")
def pv_report(request: pytest.FixtureRequest, pv_backend: "Backend") -> "RunReport":
    """One run of all selected invariants, made once a session."""
    stash = request.config.stash
    if REPORT not in stash:
        stash[REPORT] = _run(request.config, pv_backend)
    return stash[REPORT]


def _run(config: pytest.Config, backend: Any) -> "RunReport":
    from pvkit.conformance.catalogue import selected
    from pvkit.conformance.run_settings import Settings
    from pvkit.conformance.runner import run
    from pvkit.strategies.plans import plans

    option = config.getoption
    asked = Settings(
        profile=option("--pv-profile"),
        seed=option("--pv-seed"),
        plans=option("--pv-max-examples"),
        canary=False,
        spec=option("--pv-backend"),
    )
    chosen = selected(tuple(option("--pv-include")), tuple(option("--pv-exclude")))
    return run(backend, chosen, asked, plans(asked.profile))
