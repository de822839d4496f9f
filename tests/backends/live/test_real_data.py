"""Data on a real control plane: its API server fetches the logs of pods from a port that runs their programs.

Nodes and storage are simulated all the same: the programs run on this machine, in a folder for each volume.
"""

import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from pvkit.backends.live.backend import LiveBackend
from pvkit.backends.live.cluster import down, up
from pvkit.backends.live.components import Layout
from pvkit.backends.live.connection import Connection
from pvkit.backends.live.guise import fitting
from pvkit.backends.live.patience import Pace
from pvkit.backends.live.requests import request
from pvkit.backends.storage import KIT_PROVISIONER
from pvkit.conformance.catalogue import selected
from pvkit.conformance.commands.replay import located
from pvkit.conformance.execute import execute
from pvkit.conformance.history import Expected, History
from pvkit.conformance.judge import Result, judge
from pvkit.conformance.verdict import Verdict
from pvkit.strategies.plan import Step
from pvkit.strategies.plan_file import read_plans
from tests.backends.live.log_port import Logs, serving_logs
from tests.backends.live.real_cluster import get, node, real_programs

pytestmark = pytest.mark.live
CLASSES, NODE = "/apis/storage.k8s.io/v1/storageclasses", "/api/v1/nodes/n1"
RESYNC = 1.0
THEIRS = {
    "metadata": {"name": "theirs"},
    "provisioner": KIT_PROVISIONER,
    "parameters": {"slow": "1"},
    "volumeBindingMode": "WaitForFirstConsumer",
}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Layout]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PVKIT_CLUSTERS", str(tmp_path_factory.mktemp("clusters")))
        made = up("data", real_programs(), [node("n1")], resync_seconds=RESYNC)
        request(made, "POST", CLASSES, THEIRS)
        yield made
        down("data")


def kubelet_at(cluster: Layout, port: int) -> None:
    """Let the node say that its kubelet is at this port of loopback."""
    addresses = [{"type": "InternalIP", "address": "127.0.0.1"}]
    status = {"addresses": addresses, "daemonEndpoints": {"kubeletEndpoint": {"Port": port}}}
    Connection(str(cluster.kubeconfig)).request("PATCH", f"{NODE}/status", {"status": status})


@pytest.fixture
def logs(cluster: Layout, tmp_path: Path) -> Iterator[Logs]:
    """Logs at the port that the node names as its kubelet's."""
    found = Logs(tmp_path, partial(get, cluster))
    with serving_logs(found) as port:
        kubelet_at(cluster, port)
        yield found


@pytest.fixture(scope="module")
def guest(cluster: Layout) -> Iterator[LiveBackend]:
    """A guest on the cluster, as if its nodes were somebody else's."""
    guise = fitting(Connection(str(cluster.kubeconfig)), "busybox", "theirs")
    made = LiveBackend(str(cluster.kubeconfig), pace=Pace(resync=RESYNC), guise=guise)
    yield made
    made.close()


def judged(history: History, *ids: str) -> dict[str, Result]:
    return {result.invariant.id: result for result in judge(history, selected(ids))}


def test_pods_that_come_back_find_their_data_and_the_class_of_the_cluster_stays_as_it_is(
    cluster: Layout, guest: LiveBackend, logs: Logs
) -> None:
    before = get(cluster, CLASSES)["items"]
    history = execute(read_plans(located("data"))[0], guest)
    assert all(entry.met for entry in history.entries if isinstance(entry, Expected))
    found = judged(history)
    assert [id for id, result in found.items() if result.verdict in (Verdict.FAIL, Verdict.UNKNOWN)] == []
    assert found["STS-047"].verdict is Verdict.PASS
    assert found["STS-047"].at_risk == 5
    assert get(cluster, CLASSES)["items"] == before


def test_data_that_is_lost_is_noticed(guest: LiveBackend, logs: Logs) -> None:
    def lose(number: int, step: Step, history: History) -> None:
        for folder in logs.root.iterdir():
            shutil.rmtree(folder)

    found = judged(execute(read_plans(located("data"))[0], guest, hear=lose), "STS-047")["STS-047"]
    assert found.verdict is Verdict.FAIL
    assert "did not find in" in found.violations[0].message


def test_where_no_kubelet_answers_the_lack_says_so(cluster: Layout, guest: LiveBackend) -> None:
    kubelet_at(cluster, 1)
    found = judged(execute(read_plans(located("data"))[0], guest), "STS-047")["STS-047"]
    assert found.verdict is Verdict.NOT_SUPPORTED
    assert "the logs of pods could not be read: Get " in found.reason
