"""The pytest plug-in: options, fixtures, and one test for each promise.

`pytest --pyargs pvkit.conformance` runs the suite: one run of plans a session, and then a verdict for each test. Under
pytest-xdist the first worker that needs the verdicts makes the run, and the others wait for them. Nothing heavy is
imported until an option, a test or a fixture asks for it.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pvkit.backends.protocol import Backend
    from pvkit.conformance.history import History
    from pvkit.conformance.invariant import Invariant
    from pvkit.conformance.run_settings import Settings

PROMISE = "pvkit_promise"
CLUSTER = {
    word: f"--pv-{word.replace('_', '-')}" for word in ("kubeconfig", "context", "yes", "image", "storage_class")
}
"""The options of `pvkit run` that name a cluster and what may be done there, by the names that they have here."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options, as `pvkit run` has them."""
    group = parser.getgroup("pvkit", "PersistentVolume conformance (pytest --pyargs pvkit.conformance)")
    group.addoption("--pv-backend", default="reference", help="what to run on: reference, mutant:<id>, module:Class")
    group.addoption("--pv-kubeconfig", help="of the cluster to run on (--pv-backend live)")
    group.addoption("--pv-context", help="of the kubeconfig; by default its current one")
    group.addoption("--pv-yes", action="store_true", help="agree to write on a server that is not on this machine")
    group.addoption("--pv-image", default="", help="pods on a real cluster write and read data with this small image")
    group.addoption("--pv-storage-class", default="", help="of the cluster: volumes of plans are made as for that one")
    group.addoption("--pv-profile", default="smoke", help="how much: smoke, default, full")
    group.addoption("--pv-include", action="append", default=[], help="only these: an id, topic, level or tag")
    group.addoption("--pv-exclude", action="append", default=[], help="all but these")
    group.addoption("--pv-max-examples", type=int, default=0, help="plans at most")
    group.addoption("--pv-seed", type=int, default=0, help="the same seed draws the same plans")
    group.addoption("--pv-output-dir", default="report", help="where the plans that fail are saved, if any do")


def pytest_configure(config: pytest.Config) -> None:
    """Refuse what does not exist before anything is collected."""
    from pvkit.backends.errors import KitError

    try:
        if config.getoption("--pv-include") or config.getoption("--pv-exclude"):
            _chosen(config)
        if config.getoption("--pv-profile") != "smoke":
            _ = _asked(config).size
        if config.getoption("--pv-backend") != "reference":
            from pvkit.backends.registry import found

            found(config.getoption("--pv-backend"))
    except KitError as error:
        raise pytest.UsageError(as_ours(str(error))) from None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test an invariant, its id in the node id."""
    if PROMISE in metafunc.fixturenames:
        chosen = _chosen(metafunc.config)
        metafunc.parametrize(PROMISE, chosen, ids=[entry.id for entry in chosen])


def _chosen(config: pytest.Config) -> "tuple[Invariant, ...]":
    from pvkit.conformance.catalogue import selected

    return selected(tuple(config.getoption("--pv-include")), tuple(config.getoption("--pv-exclude")))


def _asked(config: pytest.Config) -> "Settings":
    from pvkit.conformance.run_settings import Settings

    option = config.getoption
    return Settings(
        profile=option("--pv-profile"),
        seed=option("--pv-seed"),
        plans=option("--pv-max-examples"),
        canary=False,
        spec=option("--pv-backend"),
    )


@pytest.fixture(scope="session")
def pv_backend(request: pytest.FixtureRequest) -> "Iterator[Backend]":
    """The backend that `--pv-backend` names."""
    from pvkit.backends.errors import KitError
    from pvkit.conformance.commands.cluster_options import opened

    option = request.config.getoption
    try:
        backend = opened(option("--pv-backend"), {word: option(ours) for word, ours in CLUSTER.items()})
    except KitError as error:
        pytest.fail(as_ours(str(error)), pytrace=False)
    yield backend
    backend.close()


def as_ours(message: str) -> str:
    """A message to who runs `pvkit`, with the options as pytest has them."""
    options = ("--backend", *(f"--{word.replace('_', '-')}" for word in CLUSTER))
    return re.sub(rf"(?<![\w-])({'|'.join(options)})(?![\w-])", lambda found: f"--pv-{found[0][2:]}", message)


@pytest.fixture
def pv_history(pv_backend: "Backend") -> "History":
    """The history of the walk-through on that backend: volumes, a set of three, a deleted pod, scaling."""
    from pvkit.conformance.commands.replay import located
    from pvkit.conformance.execute import execute
    from pvkit.strategies.plan_file import read_plans

    return execute(read_plans(located("walkthrough"))[0], pv_backend)


@pytest.fixture(scope="session")
def pv_verdicts(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What one run of all selected invariants came to: for each the fields of `results.json`, and its plan's steps.

    A run is made once a session, whatever the number of workers.
    """
    from pvkit.conformance.once import once

    worker = getattr(request.config, "workerinput", None)
    if worker is None:
        return _run(request)
    shared = tmp_path_factory.getbasetemp().parent / f"pvkit-{worker['testrunuid']}.json"
    return once(shared, lambda: _run(request))


def _run(request: pytest.FixtureRequest) -> dict[str, dict[str, Any]]:
    from pvkit.backends.errors import KitError
    from pvkit.conformance.commands.cluster_options import LIVE, drawn_for
    from pvkit.conformance.failures import save_failure
    from pvkit.conformance.reporters.fields import line_fields
    from pvkit.conformance.reporters.text import steps
    from pvkit.conformance.runner import run
    from pvkit.strategies.plans import plans

    config, told = request.config, {}
    asked, folder = _asked(config), Path(config.getoption("--pv-output-dir")) / "failures"
    backend, live = request.getfixturevalue("pv_backend"), asked.spec == LIVE
    try:
        if live:
            asked = replace(asked, kubernetes_version=backend.describe().kubernetes_version)
        drawn = drawn_for(backend, asked.profile, asked.parallel) if live else plans(asked.profile)
        report = run(backend, _chosen(config), asked, drawn)
        for line in report.lines:
            saved = replace(line, file=str(save_failure(line, report, folder))) if line.plan else line
            saved = replace(saved, reason=as_ours(saved.reason))
            told[line.invariant.id] = line_fields(saved) | {"plan": list(steps(line.plan)) if line.plan else []}
    except KitError as error:
        pytest.fail(as_ours(str(error)), pytrace=False)
    return told
