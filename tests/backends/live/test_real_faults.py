"""Faults on a real control plane: watches held, writes refused, answers lost, components paused, killed, doubled."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from pvkit.backends.live.cluster import down, names, up
from pvkit.backends.live.components import Layout
from pvkit.backends.live.disturbing import Disturber
from pvkit.backends.live.opening import open_live
from pvkit.backends.live.requests import request
from pvkit.backends.protocol import Backend, Fault
from pvkit.backends.reference.model import ReferenceModel
from pvkit.conformance.catalogue import selected
from pvkit.conformance.comparison import differences, settled_states
from pvkit.conformance.execute import execute
from pvkit.conformance.history import Asked, Expected, History
from pvkit.conformance.judge import judge
from pvkit.conformance.verdict import Verdict
from pvkit.strategies.plan_file import read_plans
from tests.backends.live.programs_for_tests import until
from tests.backends.live.real_cluster import CLAIMS, PODS, comes_to_be, get, node, real_programs

pytestmark = pytest.mark.live

VOLUMES = "/api/v1/persistentvolumes"
SETS = "/apis/apps/v1/namespaces/default/statefulsets"
SOON_SECONDS = 5.0
"""Far more than a binder needs, and far less than its resync period, which would hide that an event was lost."""

PLANS = sorted((Path(__file__).parent / "faults").glob("*.yaml"))
_numbers = count()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Layout]:
    """A cluster whose components can be disturbed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PVKIT_CLUSTERS", str(tmp_path_factory.mktemp("clusters")))
        yield up("faulty", real_programs(), [node("n1"), node("n2")], faults=True)
        for name in names():
            down(name)


@pytest.fixture
def faults(cluster: Layout) -> Iterator[Disturber]:
    disturber = Disturber(cluster)
    yield disturber
    assert disturber.disturb(Fault("heal")).status == "ok"


def make(faults: Disturber, word: str, **options: Any) -> None:
    """Make a fault that must be made."""
    outcome = faults.disturb(Fault(word, {name.replace("_", "-"): value for name, value in options.items()}))
    assert outcome.status == "ok", outcome.message


def volume(cluster: Layout, name: str) -> str:
    spec = {
        "capacity": {"storage": "1Gi"},
        "accessModes": ["ReadWriteOnce"],
        "persistentVolumeReclaimPolicy": "Retain",
        "storageClassName": name,
        "nfs": {"server": "192.0.2.1", "path": "/data"},
    }
    request(cluster, "POST", VOLUMES, {"metadata": {"name": name}, "spec": spec})
    return f"{VOLUMES}/{name}"


def claim_spec(of_class: str) -> dict[str, Any]:
    return {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Gi"}},
        "storageClassName": of_class,
    }


def claim(cluster: Layout, name: str) -> str:
    request(cluster, "POST", CLAIMS, {"metadata": {"name": name}, "spec": claim_spec(name)})
    return f"{CLAIMS}/{name}"


def pair(cluster: Layout) -> tuple[str, str]:
    """Paths of a volume, which is Available already, and of a claim that it fits."""
    name = f"p{next(_numbers)}"
    at = volume(cluster, name)
    comes_to_be(cluster, at, "status", "phase", value="Available")
    return at, claim(cluster, name)


def held(faults: Disturber, controller: str) -> int:
    """How many frames are held back from a controller."""
    return int(faults.states()[controller]["pending"])


def seconds_until_bound(cluster: Layout, path: str) -> float:
    begin = monotonic()
    comes_to_be(cluster, path, "status", "phase", value="Bound")
    return monotonic() - begin


def phase(cluster: Layout, path: str) -> str:
    return str(get(cluster, path)["status"]["phase"])


def test_a_claim_stays_pending_while_its_watch_is_held_and_is_bound_right_after(
    cluster: Layout, faults: Disturber
) -> None:
    make(faults, "hold", controller="binder", kind="PersistentVolumeClaim")
    at, wanted = pair(cluster)
    until(lambda: held(faults, "binder"), "the binder would have seen the claim")
    before = phase(cluster, wanted), phase(cluster, at)
    make(faults, "release", controller="binder", kind="PersistentVolumeClaim")
    seconds = seconds_until_bound(cluster, wanted)
    print(f"bound {seconds * 1000:.0f} ms after the release")
    assert before == ("Pending", "Available")
    assert seconds < SOON_SECONDS


def test_a_claim_made_again_while_its_watch_was_held_leaves_the_volume_released(
    cluster: Layout, faults: Disturber
) -> None:
    at, wanted = pair(cluster)
    comes_to_be(cluster, wanted, "status", "phase", value="Bound")
    old = get(cluster, wanted)["metadata"]["uid"]
    make(faults, "hold", controller="binder", kind="PersistentVolumeClaim")
    request(cluster, "DELETE", wanted)
    until(lambda: not get(cluster, wanted), "the claim is gone")
    claim(cluster, wanted.rpartition("/")[2])
    until(lambda: held(faults, "binder") >= 2, "removal and creation are held back")
    make(faults, "release", controller="binder", kind="PersistentVolumeClaim", how="merged")
    found = comes_to_be(cluster, at, "status", "phase", value="Released")
    assert found["spec"]["claimRef"]["uid"] == old
    assert get(cluster, wanted)["metadata"]["uid"] != old
    assert phase(cluster, wanted) == "Pending"


@pytest.mark.parametrize("answer", ["conflict", "server-error", "quota", "timeout"])
@pytest.mark.parametrize("nth", [1, 2, 3, 4])
def test_a_claim_is_bound_although_a_write_of_the_binder_is_refused(
    cluster: Layout, faults: Disturber, nth: int, answer: str
) -> None:
    name = f"p{next(_numbers)}"
    comes_to_be(cluster, volume(cluster, name), "status", "phase", value="Available")
    make(faults, "refuse", controller="binder", nth=nth, answer=answer)
    seconds = seconds_until_bound(cluster, claim(cluster, name))
    states = faults.states()["binder"]
    assert states["met"] == 1
    assert seconds < SOON_SECONDS


def test_a_claim_is_bound_although_answers_to_the_binder_are_lost(cluster: Layout, faults: Disturber) -> None:
    name = f"p{next(_numbers)}"
    at = volume(cluster, name)
    comes_to_be(cluster, at, "status", "phase", value="Available")
    make(faults, "lose-answer", controller="binder", kind="PersistentVolume", verb="update")
    make(faults, "lose-answer", controller="binder", kind="PersistentVolumeClaim", verb="update")
    wanted = claim(cluster, name)
    comes_to_be(cluster, wanted, "status", "phase", value="Bound")
    assert faults.states()["binder"]["met"] == 2
    assert phase(cluster, at) == "Bound"


def test_a_delayed_call_is_carried_out_late(cluster: Layout, faults: Disturber) -> None:
    name = f"p{next(_numbers)}"
    at = volume(cluster, name)
    comes_to_be(cluster, at, "status", "phase", value="Available")
    make(faults, "delay", controller="binder", kind="PersistentVolume", verb="update", turns=40)
    wanted = claim(cluster, name)
    until(faults.busy, "the call is under way")
    before = get(cluster, at)["spec"].get("claimRef")
    seconds = seconds_until_bound(cluster, wanted)
    assert before is None
    assert seconds > 1.0
    assert faults.busy() == ""


def rollout(cluster: Layout, replicas: int) -> tuple[str, str]:
    """A set with a claim for each replica, and volumes for all; returns the path of the set and its name."""
    name = f"s{next(_numbers)}"
    request(cluster, "POST", "/apis/storage.k8s.io/v1/storageclasses", {
        "metadata": {"name": name}, "provisioner": "pvkit.dev/provisioner",
    })  # fmt: skip
    template = {
        "metadata": {"labels": {"app": name}},
        "spec": {"containers": [{"name": "c", "image": "registry.invalid/pause"}]},
    }
    spec = {
        "replicas": replicas,
        "serviceName": name,
        "selector": {"matchLabels": {"app": name}},
        "template": template,
        "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": claim_spec(name)}],
    }
    request(cluster, "POST", SETS, {"metadata": {"name": name}, "spec": spec})
    return f"{SETS}/{name}", name


@pytest.mark.parametrize("controller", ["statefulset", "scheduler", "binder", "provisioner", "kubelet"])
def test_a_rollout_ends_well_although_a_component_is_killed_in_the_middle(
    cluster: Layout, faults: Disturber, controller: str
) -> None:
    path, name = rollout(cluster, 4)
    until(lambda: (get(cluster, path).get("status") or {}).get("readyReplicas", 0) >= 1, "it is on its way")
    make(faults, "crash", controller=controller)
    comes_to_be(cluster, path, "status", "readyReplicas", value=4)
    phases = {phase(cluster, f"{CLAIMS}/data-{name}-{ordinal}") for ordinal in range(4)}
    assert phases == {"Bound"}


def test_a_component_dies_right_after_a_write_of_its_own(cluster: Layout, faults: Disturber) -> None:
    name = f"p{next(_numbers)}"
    at = volume(cluster, name)
    comes_to_be(cluster, at, "status", "phase", value="Available")
    make(faults, "crash", controller="binder", after=1)
    wanted = claim(cluster, name)
    until(faults.busy, "the binder is starting again")
    half = get(cluster, at)["spec"].get("claimRef", {}).get("name"), phase(cluster, wanted)
    comes_to_be(cluster, wanted, "status", "phase", value="Bound")
    assert half == (name, "Pending")


def test_a_paused_controller_does_nothing_until_it_goes_on(cluster: Layout, faults: Disturber) -> None:
    make(faults, "freeze", controller="pvc-protection")
    _, wanted = pair(cluster)
    comes_to_be(cluster, wanted, "status", "phase", value="Bound")
    request(cluster, "DELETE", wanted)
    until(lambda: get(cluster, wanted)["metadata"].get("deletionTimestamp"), "it is to be removed")
    _, other = pair(cluster)
    comes_to_be(cluster, other, "status", "phase", value="Bound")  # The rest of the cluster goes on meanwhile.
    assert get(cluster, wanted)["metadata"]["finalizers"] == ["kubernetes.io/pvc-protection"]
    make(faults, "thaw", controller="pvc-protection")
    until(lambda: not get(cluster, wanted), "the claim is gone")
    assert phase(cluster, other) == "Bound"


def test_two_binders_at_once_bind_each_claim_once(cluster: Layout, faults: Disturber) -> None:
    make(faults, "second-leader", controller="binder")
    pairs = [pair(cluster) for _ in range(5)]
    for at, wanted in pairs:
        comes_to_be(cluster, wanted, "status", "phase", value="Bound")
        comes_to_be(cluster, at, "status", "phase", value="Bound")
        assert get(cluster, at)["spec"]["claimRef"]["uid"] == get(cluster, wanted)["metadata"]["uid"]


def test_a_binder_that_starts_without_seeing_claims_binds_none(cluster: Layout, faults: Disturber) -> None:
    make(faults, "freeze", controller="binder")
    name = f"p{next(_numbers)}"
    volume(cluster, name)
    wanted = claim(cluster, name)
    make(faults, "thaw", controller="binder")
    comes_to_be(cluster, wanted, "status", "phase", value="Bound")
    make(faults, "crash", controller="binder", lists={"PersistentVolumeClaim": "empty"})
    released = comes_to_be(cluster, f"{VOLUMES}/{name}", "status", "phase", value="Bound")
    make(faults, "release", controller="binder", kind="PersistentVolumeClaim")
    until(lambda: faults.busy() == "", "the binder sees claims again")
    assert released["spec"]["claimRef"]["name"] == name


def test_a_late_delete_of_the_simulated_kubelet_spares_the_pod_that_came_after(
    cluster: Layout, faults: Disturber
) -> None:
    pod = {"metadata": {"name": "again"}, "spec": {"containers": [{"name": "c", "image": "registry.invalid/pause"}]}}
    path = f"{PODS}/again"
    request(cluster, "POST", PODS, pod)
    comes_to_be(cluster, path, "status", "phase", value="Running")
    make(faults, "delay", controller="kubelet", kind="Pod", verb="delete", turns=30)
    request(cluster, "DELETE", path)
    until(faults.busy, "the kubelet's delete is under way")
    request(cluster, "DELETE", f"{path}?gracePeriodSeconds=0")
    request(cluster, "POST", PODS, pod)
    second = comes_to_be(cluster, path, "status", "phase", value="Running")["metadata"]["uid"]
    until(lambda: faults.busy() == "", "the late delete has come")
    assert get(cluster, path)["metadata"].get("deletionTimestamp") is None
    assert get(cluster, path)["metadata"]["uid"] == second


def test_what_no_cluster_can_do_is_told_with_its_reason(faults: Disturber) -> None:
    outcome = faults.disturb(Fault("advance", {"seconds": 60.0}))
    assert (outcome.status, outcome.reason) == ("failed", "NotSupported")
    assert outcome.message == "time passes by itself on a cluster"


@pytest.fixture(scope="module")
def live(cluster: Layout) -> Iterator[Backend]:
    backend = open_live(str(cluster.kubeconfig))
    yield backend
    backend.close()


def broken(history: History) -> list[str]:
    """The ids of promises that a history breaks, or that nobody can tell of for another reason than ledgers."""
    wrong = (Verdict.FAIL, Verdict.UNKNOWN)
    results = judge(history, selected((), ()))
    return [entry.invariant.id for entry in results if entry.verdict in wrong and "ledgers" not in entry.reason]


@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.stem)
def test_a_plan_with_faults_ends_in_the_same_state_on_the_model_and_on_a_cluster(path: Path, live: Backend) -> None:
    (plan,) = read_plans(path)
    ours, theirs = execute(plan, ReferenceModel()), execute(plan, live)
    refused = [entry.outcome.message for entry in theirs.entries if isinstance(entry, Asked) and entry.outcome.reason]
    met = [[entry.met for entry in history.entries if isinstance(entry, Expected)] for history in (ours, theirs)]
    ends = [settled_states(history)[-1] for history in (ours, theirs)]
    assert refused == []
    assert met == [[True] * len(plan.expect)] * 2
    assert [end.calm for end in ends] == [True, True]
    assert differences(ends[0].state, ends[1].state) == []
    assert (broken(ours), broken(theirs)) == ([], [])
