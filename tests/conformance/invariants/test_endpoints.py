"""Judges of endpoints: names, readiness and completeness of what a Service tells of its pods."""

from typing import Any

import pytest

from pvkit.backends.objects import Obj, name, put, uid
from pvkit.conformance.verdict import Verdict
from tests.conformance.histories import message_of, verdict_of
from tests.conformance.invariants.set_story import SetStory, changed

IDS = ("STS-110", "STS-111", "STS-112")


def service(story: SetStory, called: str = "web", **spec: Any) -> Obj:
    """A headless service that selects the set's pods."""
    shared = {"clusterIP": "None", "selector": {"app": "web"}, **spec}
    return story.added({"kind": "Service", "metadata": {"name": called}, "spec": shared})


def endpoint(pod: Obj, hostname: str | None = "", **conditions: bool) -> Obj:
    """The endpoint of a ready pod, unless conditions say otherwise."""
    told = {"ready": True, "serving": True, "terminating": False, **conditions}
    target = {"kind": "Pod", "namespace": "default", "name": name(pod), "uid": uid(pod)}
    made = {"addresses": ["10.0.0.1"], "conditions": told, "targetRef": target}
    return made if hostname is None else {**made, "hostname": hostname or name(pod)}


def publish(story: SetStory, owner: Obj, *endpoints: Obj, by: str = "endpointslice") -> Obj:
    """The service's slice."""
    metadata = {
        "name": f"{name(owner)}-abc",
        "labels": {"kubernetes.io/service-name": name(owner)},
        "ownerReferences": [
            {"apiVersion": "v1", "kind": "Service", "name": name(owner), "uid": owner["metadata"]["uid"]}
        ],
    }
    return story.added({"kind": "EndpointSlice", "metadata": metadata, "endpoints": list(endpoints)}, by=by)


def told(
    called: str = "web", hostname: str | None = "", spec: dict[str, Any] | None = None, **conditions: bool
) -> SetStory:
    """One ready pod, and a service that tells of it."""
    story = SetStory(replicas=1)
    story.all_up()
    publish(story, service(story, called, **(spec or {})), endpoint(story.got("Pod", "web-0"), hostname, **conditions))
    story.settled()
    return story


@pytest.mark.parametrize("id", IDS)
def test_a_service_that_tells_the_truth_breaks_no_promise(id: str) -> None:
    assert verdict_of(id, told()) is Verdict.PASS


@pytest.mark.parametrize("id", IDS)
def test_a_service_without_slices_is_not_judged(id: str) -> None:
    story = SetStory(replicas=1)
    service(story)
    story.all_up()
    assert verdict_of(id, story) is Verdict.NOT_EXERCISED


def test_a_hostname_that_is_missing_is_noticed() -> None:
    assert "expected 'web-0'" in message_of("STS-110", told(hostname=None))


def test_a_second_service_has_no_hostnames() -> None:
    assert verdict_of("STS-110", told("other", hostname=None)) is Verdict.PASS
    assert "expected None" in message_of("STS-110", told("other"))


def test_a_pod_that_is_told_to_be_unready_is_noticed() -> None:
    assert "is told to be" in message_of("STS-111", told(ready=False))


def test_a_service_that_publishes_all_calls_every_pod_ready() -> None:
    story = SetStory(replicas=1)
    pod = story.ready(story.pod(0), ready=False)
    publish(story, service(story, publishNotReadyAddresses=True), endpoint(pod, serving=False))
    story.settled()
    assert verdict_of("STS-111", story) is Verdict.PASS


def test_a_terminating_pod_serves_and_is_not_ready() -> None:
    story = SetStory(replicas=1)
    pod = story.mark(story.pod(0), by="client")
    publish(story, service(story), endpoint(pod, ready=False, terminating=True))
    story.settled()
    assert verdict_of("STS-111", story) is Verdict.PASS


def test_a_pod_that_a_service_does_not_know_is_noticed() -> None:
    story = SetStory(replicas=1)
    publish(story, service(story))
    story.all_up()
    assert message_of("STS-112", story) == "service web does not know of web-0"


def test_a_pod_that_is_gone_and_still_told_of_is_noticed() -> None:
    story = told()
    story.drop(story.got("Pod", "web-0"), by="client")
    story.settled()
    assert "still tells of web-0" in message_of("STS-112", story)


@pytest.mark.parametrize(
    "change", [{"status__podIP": None}, {"status__phase": "Failed"}, {"metadata__labels__app": "db"}]
)
def test_pods_without_address_and_finished_and_foreign_ones_are_left_out(change: dict[str, Any]) -> None:
    story = SetStory(replicas=1)
    publish(story, service(story))
    story.modified(changed(story.pod(0), change), by="client")
    story.settled()
    assert verdict_of("STS-112", story) is Verdict.PASS


def test_slices_that_a_client_made_are_its_own() -> None:
    story = SetStory(replicas=1)
    publish(story, service(story), by="client")
    story.all_up()
    assert verdict_of("STS-112", story) is Verdict.NOT_EXERCISED


def test_a_service_without_selector_is_its_clients() -> None:
    story = SetStory(replicas=1)
    made = service(story)
    publish(story, made)
    story.modified(put(made, ("spec", "selector"), {}), by="client")
    story.all_up()
    assert verdict_of("STS-112", story) is Verdict.NOT_EXERCISED
