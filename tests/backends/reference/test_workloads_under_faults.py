"""Whatever is disturbed, in the end each pod that should run runs once, where the API says, and nothing else does."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pvkit.backends.objects import Obj, condition, deleting, get, name, uid
from pvkit.backends.reference.model import CONTROLLERS
from pvkit.backends.workloads import is_ready
from tests.backends.reference.cluster import BEHAVIOUR, Cluster, node, storage_class
from tests.backends.reference.sets import stateful_set
from tests.backends.reference.test_endpoints import endpoints, service

PODS = [f"web-{ordinal}" for ordinal in range(3)]
CLAIMS = [f"www-{called}" for called in PODS]
WATCHED = {controller.name: sorted(controller.watches) for controller in CONTROLLERS}
WAITS = [1, 5, 50, 400, 700]


@st.composite
def disturbances(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """A fault word with options that make sense for the component they name."""
    words = ["hold", "release", "crash", "refuse", "lose-answer", "delay", "freeze", "second-leader"]
    word = draw(st.sampled_from([*words, "cut-off", "power-off", "rejoin"]))
    if word in ("cut-off", "power-off", "rejoin"):
        return word, {"node": draw(st.sampled_from(["n1", "n2"]))}
    options: dict[str, Any] = {"controller": draw(st.sampled_from(sorted(WATCHED)))}
    if word in ("hold", "release"):
        options["kind"] = draw(st.sampled_from(WATCHED[options["controller"]]))
    if word == "release":
        options["how"] = draw(st.sampled_from(["all", "some", "merged"]))
    if word == "crash":
        options["after"] = draw(st.integers(0, 3))
    if word in ("refuse", "lose-answer", "delay"):
        options["nth"] = draw(st.integers(1, 3))
    if word == "refuse":
        options["answer"] = draw(st.sampled_from(["conflict", "server-error", "timeout"]))
    return word, options


REQUESTS = st.one_of(
    st.tuples(st.just("scale"), st.integers(0, 3)),
    st.tuples(st.just("roll"), st.text("ab", min_size=1, max_size=2)),
    st.tuples(st.sampled_from(["delete", "force"]), st.sampled_from(PODS)),
    st.tuples(st.just("drop"), st.sampled_from(CLAIMS)),
    st.tuples(st.just("behave"), st.sampled_from(PODS), st.sampled_from([None, "unready", "hang", "crash", "slow:5"])),
    st.tuples(st.just("wait"), st.sampled_from(WAITS)),
    st.tuples(st.just("run"), st.integers(1, 60)),
)


def carry_out(cluster: Cluster, request: tuple[Any, ...]) -> None:
    """Do what one step says; what it names may not exist, and then nothing happens."""
    word, *rest = request
    pod = cluster.key("Pod", str(rest[0]))
    if word == "scale":
        cluster.ask("scale", target=cluster.key("StatefulSet", "web"), replicas=rest[0])
    elif word == "roll":
        template = {"metadata": {"annotations": {"release": rest[0]}}}
        cluster.patch("StatefulSet", "web", {"spec": {"template": template}})
    elif word in ("delete", "force"):
        cluster.ask("delete", target=pod, **({"grace": 0} if word == "force" else {}))
    elif word == "drop":
        cluster.ask("delete", target=cluster.key("PersistentVolumeClaim", rest[0]))
    elif word == "behave":
        cluster.ask("patch", target=pod, patch={"metadata": {"annotations": {BEHAVIOUR: rest[1]}}})
    elif word == "wait":
        cluster.wait(rest[0])
    elif word == "run":
        cluster.model.run(rest[0])
    else:
        cluster.fault(word, **rest[0])


def heal(cluster: Cluster) -> None:
    """End all disturbances, and let every pod be well again."""
    for pod in cluster.all("Pod"):
        cluster.behave(pod, None)
    cluster.fault("heal")
    cluster.settle()


def world(late: bool, parallel: bool) -> Cluster:
    """Two nodes, a set with claims that are made on demand, and its Service."""
    cluster = Cluster(node("n1"), node("n2"))
    wanted = stateful_set("web", 2, **({"podManagementPolicy": "Parallel"} if parallel else {}))
    del wanted["spec"]["template"]["spec"]["nodeName"]
    wanted["spec"]["volumeClaimTemplates"][0]["spec"]["storageClassName"] = "made"
    cluster.create(storage_class("made", "pvkit.dev/provisioner", late), service(), wanted)
    return cluster


@settings(max_examples=80, deadline=None, derandomize=True)
@given(st.booleans(), st.booleans(), st.lists(st.one_of(REQUESTS, disturbances()), max_size=14))
def test_what_runs_is_what_the_api_says(late: bool, parallel: bool, requests: list[tuple[Any, ...]]) -> None:
    cluster = world(late, parallel)
    for request in requests:
        carry_out(cluster, request)
    heal(cluster)
    pods: dict[str, Obj] = {name(pod): pod for pod in cluster.store.list("Pod")}
    wanted = int(cluster.see("StatefulSet", "web")["spec"]["replicas"])
    assert sorted(pods) == PODS[:wanted]
    assert all(is_ready(pod) and not deleting(pod) for pod in pods.values())
    running = {entry["spec"]["podUID"]: entry["spec"]["node"] for entry in cluster.store.list("Process")}
    assert running == {uid(pod): pod["spec"]["nodeName"] for pod in pods.values()}
    assert {at: entry["targetRef"]["uid"] for at, entry in endpoints(cluster).items()} == {
        at: uid(pod) for at, pod in pods.items()
    }
    for each in cluster.store.list("Node"):
        assert (condition(each, "Ready") or {}).get("status") == "True"
        assert not get(each, "spec", "taints")
    memory = cluster.model.engine.instances["scheduler"].seen.memory
    assert (memory["cycles"].under_way, memory["cycles"].in_use, memory["assumed"].objects) == ({}, {}, {})
