"""What lives on a real control plane's simulated nodes: pods that obey a plan's words, volumes made on demand."""

from collections.abc import Iterator
from typing import Any

import pytest

from pvkit.backends.live.cluster import down, up
from pvkit.backends.live.components import Layout
from pvkit.backends.live.requests import request
from pvkit.backends.objects import condition
from pvkit.backends.workloads import BEHAVIOUR
from tests.backends.live.programs_for_tests import until
from tests.backends.live.real_cluster import CLAIMS, PODS, comes_to_be, get, node, real_programs

pytestmark = pytest.mark.live
VOLUMES, CLASSES = "/api/v1/persistentvolumes", "/apis/storage.k8s.io/v1/storageclasses"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Layout]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PVKIT_CLUSTERS", str(tmp_path_factory.mktemp("clusters")))
        yield up("nodes", real_programs(), [node("n1"), node("n2")], resync_seconds=1)
        down("nodes")


def pod(cluster: Layout, name: str, behaviour: str = "") -> str:
    """Make a pod; returns its path."""
    metadata = {"name": name, "annotations": {BEHAVIOUR: behaviour} if behaviour else {}}
    request(cluster, "POST", PODS, {"metadata": metadata, "spec": {"containers": [{"name": "c", "image": "none"}]}})
    return f"{PODS}/{name}"


def is_ready(seen: dict[str, Any]) -> bool:
    return (condition(seen, "Ready") or {}).get("status") == "True"


ENDS = {
    "healthy": ("", "Running", None, True),
    "slow": ("slow:1", "Running", None, True),
    "unready": ("unready", "Running", None, False),
    "crash": ("crash", "Failed", "Error", False),
    "finish": ("finish", "Succeeded", None, False),
    "evicted": ("evicted", "Failed", "Evicted", False),
    "reject": ("reject", "Failed", "UnexpectedAdmissionError", False),
}


@pytest.mark.parametrize("name", ENDS)
def test_a_pod_becomes_what_its_annotation_says_and_goes_when_deleted(name: str, cluster: Layout) -> None:
    word, phase, reason, ready = ENDS[name]
    path = pod(cluster, name, word)
    seen = comes_to_be(cluster, path, "status", "phase", value=phase)
    until(lambda: is_ready(get(cluster, path)) == ready, "it is ready, or is not")
    assert (condition(seen, "PodScheduled") or {})["status"] == "True"
    assert seen["status"].get("reason") == reason
    request(cluster, "DELETE", path)
    until(lambda: not get(cluster, path), "it is gone")
    assert get(cluster, path) == {}


def test_a_slow_pod_runs_before_it_is_ready(cluster: Layout) -> None:
    path = pod(cluster, "late", "slow:600")
    seen = comes_to_be(cluster, path, "status", "phase", value="Running")
    assert not is_ready(seen)
    request(cluster, "DELETE", path)


def test_a_pod_that_hangs_stays_when_it_is_deleted_until_it_is_forced(cluster: Layout) -> None:
    path = pod(cluster, "hanging", "hang")
    comes_to_be(cluster, path, "status", "phase", value="Running")
    request(cluster, "DELETE", path)
    # A pod that was deleted later and is gone proves that the node has had the time.
    other = pod(cluster, "prompt")
    comes_to_be(cluster, other, "status", "phase", value="Running")
    request(cluster, "DELETE", other)
    until(lambda: not get(cluster, other), "the other one is gone")
    assert get(cluster, path)["metadata"]["deletionTimestamp"]
    request(cluster, "DELETE", path, {"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0})
    until(lambda: not get(cluster, path), "it is gone")


def provisioned(cluster: Layout, name: str, **parameters: str) -> str:
    """A class with parameters for the provisioner, and a claim of it; returns the claim's path."""
    storage_class = {"metadata": {"name": name}, "provisioner": "pvkit.dev/provisioner", "parameters": parameters}
    request(cluster, "POST", CLASSES, storage_class)
    request(
        cluster,
        "POST",
        CLAIMS,
        {
            "metadata": {"name": name},
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "storageClassName": name,
                "resources": {"requests": {"storage": "1Gi"}},
            },
        },
    )
    return f"{CLAIMS}/{name}"


@pytest.mark.parametrize("parameters", [{}, {"slow": "1"}, {"fail": "2"}], ids=["prompt", "slow", "failing"])
def test_a_volume_is_made_on_demand_and_goes_with_its_claim(parameters: dict[str, str], cluster: Layout) -> None:
    path = provisioned(cluster, "-".join(["made", *parameters]), **parameters)
    claim = comes_to_be(cluster, path, "status", "phase", value="Bound")
    volume = f"{VOLUMES}/{claim['spec']['volumeName']}"
    seen = get(cluster, volume)["spec"]
    assert (seen["persistentVolumeReclaimPolicy"], seen["capacity"]) == ("Delete", {"storage": "1Gi"})
    request(cluster, "DELETE", path)
    until(lambda: not get(cluster, volume), "the volume is deleted")
    assert get(cluster, path) == {}


def test_a_class_that_fails_tells_so_before_it_makes_the_volume(cluster: Layout) -> None:
    path = provisioned(cluster, "stubborn", fail="1000000")
    events = "/api/v1/namespaces/default/events?fieldSelector=involvedObject.name=stubborn,reason=ProvisioningFailed"
    until(lambda: get(cluster, events).get("items"), "the failure is told")
    assert get(cluster, path)["status"]["phase"] == "Pending"
    request(cluster, "DELETE", path)
