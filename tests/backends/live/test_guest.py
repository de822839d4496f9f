"""On a cluster of somebody else's a plan has classes of its own only, and what reaches beyond it is refused."""

from typing import Any

import pytest

from pvkit.backends.live.guest import objection
from pvkit.backends.live.naming import Names
from pvkit.backends.objects import Key, Obj, get
from pvkit.backends.protocol import Operation
from pvkit.backends.storage import BETA_CLASS, BETA_DEFAULT_CLASS, DEFAULT_CLASS, storage_class

TAG = "k3fa2c1-0"


@pytest.fixture
def names() -> Names:
    return Names(TAG, "3fa2c1", private=True)


def claim(storage_class: str | None, beta: str | None = None, **annotations: str) -> Obj:
    marks = annotations | ({BETA_CLASS: beta} if beta is not None else {})
    metadata: Obj = {"name": "data", "namespace": "default", **({"annotations": marks} if marks else {})}
    spec = {"accessModes": ["ReadWriteOnce"]} | (
        {"storageClassName": storage_class} if storage_class is not None else {}
    )
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec}


def volume(**spec: Any) -> Obj:
    return {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "shelf"}, "spec": spec}


def stateful_set(*templates: Obj) -> Obj:
    found = [{"metadata": {"name": "data"}, "spec": entry["spec"]} for entry in templates]
    metadata = {"name": "web", "namespace": "default"}
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": metadata,
        "spec": {"volumeClaimTemplates": found},
    }


CLASSLESS = {
    "a claim that says nothing": claim(None),
    "a claim of the empty class": claim(""),
    "a claim with an empty annotation": claim(None, ""),
    "an annotation outweighs the field": claim("fast", ""),
    "a claim with other annotations": claim(None, note="kept"),
    "a volume": volume(capacity={}),
}
CLASSED = {
    "a claim": claim("fast"),
    "a claim by annotation": claim(None, "fast"),
    "a volume": volume(storageClassName="fast"),
}


@pytest.mark.parametrize("obj", CLASSLESS.values(), ids=CLASSLESS)
def test_what_has_no_class_is_sent_with_one_that_nobody_else_has(names: Names, obj: Obj) -> None:
    assert storage_class(names.labelled(names.out(obj))).startswith(f"{TAG}-")


@pytest.mark.parametrize("obj", CLASSED.values(), ids=CLASSED)
def test_what_has_a_class_is_sent_with_the_plans_own(names: Names, obj: Obj) -> None:
    assert storage_class(names.labelled(names.out(obj))) == f"{TAG}-fast"


@pytest.mark.parametrize("obj", [*CLASSLESS.values(), *CLASSED.values()], ids=[*CLASSLESS, *CLASSED])
def test_it_is_told_as_the_plan_said_it(names: Names, obj: Obj) -> None:
    assert names.told(names.labelled(names.out(obj))) == obj


def test_no_class_and_the_empty_class_are_the_same_to_the_binder(names: Names) -> None:
    sent = {storage_class(names.labelled(names.out(obj))) for obj in CLASSLESS.values()}
    assert len(sent) == 1


def test_claim_templates_are_treated_as_claims_are(names: Names) -> None:
    obj = stateful_set(claim(None), claim(""), claim("fast"))
    sent = names.labelled(names.out(obj))
    templates = get(sent, "spec", "volumeClaimTemplates")
    assert all(storage_class(entry).startswith(f"{TAG}-") for entry in templates)
    assert names.told(sent) == obj


def test_on_a_cluster_of_the_kits_own_no_class_stays_no_class() -> None:
    names = Names(TAG, "3fa2c1")
    assert [storage_class(names.labelled(names.out(obj))) for obj in CLASSLESS.values()] == [""] * len(CLASSLESS)


def test_a_volume_with_the_name_of_somebodys_node_is_the_plans_own(names: Names) -> None:
    names.shared = frozenset({"n1"})
    assert names.key(Key("PersistentVolume", "", "n1")).name == f"{TAG}-n1"
    assert names.key(Key("Node", "", "n1")).name == "n1"


NODE, CLASS, VOLUME = Key("Node", "", "n1"), Key("StorageClass", "", "fast"), Key("PersistentVolume", "", "shelf")


def made(kind: str, annotations: dict[str, str] | None = None) -> Operation:
    return Operation("create", object={"kind": kind, "metadata": {"name": "x", "annotations": annotations or {}}})


def path(*parts: str) -> str:
    return "/" + "/".join(part.replace("~", "~0").replace("/", "~1") for part in parts)


REFUSED = {
    "a node is made": made("Node"),
    "a node is changed": Operation("patch", target=NODE, patch={"metadata": {"labels": {"a": "b"}}}),
    "a node is deleted": Operation("delete", target=NODE),
    "a default class is made": made("StorageClass", {DEFAULT_CLASS: "true"}),
    "a default class by its old name": made("StorageClass", {BETA_DEFAULT_CLASS: "true"}),
    "a class becomes the default": Operation(
        "patch", target=CLASS, patch={"metadata": {"annotations": {DEFAULT_CLASS: "true"}}}
    ),
    "a class becomes the default by steps": Operation(
        "patch",
        target=CLASS,
        patch=[{"op": "add", "path": path("metadata", "annotations", DEFAULT_CLASS), "value": "true"}],
    ),
    "a volume on a node": Operation("create", object=volume(hostPath={"path": "/x"})),
    "a local volume": Operation("create", object=volume(local={"path": "/x"})),
    "a recycled volume": Operation("create", object=volume(persistentVolumeReclaimPolicy="Recycle")),
    "a volume becomes one": Operation(
        "patch", target=VOLUME, patch={"spec": {"persistentVolumeReclaimPolicy": "Recycle"}}
    ),
    "a volume loses its class": Operation("patch", target=VOLUME, patch={"spec": {"storageClassName": None}}),
    "a volume gets the empty class": Operation("patch", target=VOLUME, patch={"spec": {"storageClassName": ""}}),
    "a volume loses its class by steps": Operation(
        "patch", target=VOLUME, patch=[{"op": "remove", "path": "/spec/storageClassName"}]
    ),
    "a privileged pod": Operation(
        "create", object={"kind": "Pod", "spec": {"containers": [{"securityContext": {"privileged": True}}]}}
    ),
    "a pod sees its node": Operation(
        "create",
        object={
            "kind": "Pod",
            "metadata": {"name": "p"},
            "spec": {"volumes": [{"name": "v", "hostPath": {"path": "/"}}]},
        },
    ),
}
SENT = {
    "a node is read": Operation("get", target=NODE),
    "nodes are listed": Operation("list", target=NODE),
    "a class is made": made("StorageClass"),
    "a class is no default": made("StorageClass", {DEFAULT_CLASS: "false"}),
    "a class ceases to be the default": Operation(
        "patch", target=CLASS, patch={"metadata": {"annotations": {DEFAULT_CLASS: None}}}
    ),
    "a volume on the network": Operation("create", object=volume(nfs={"server": "192.0.2.1", "path": "/x"})),
    "a volume without a class": Operation("create", object=volume(capacity={})),
    "a volume gets a class": Operation("patch", target=VOLUME, patch={"spec": {"storageClassName": "fast"}}),
    "a claim": Operation("create", object=claim("")),
    "a volume is kept": Operation("patch", target=VOLUME, patch={"spec": {"persistentVolumeReclaimPolicy": "Retain"}}),
}


@pytest.mark.parametrize("operation", REFUSED.values(), ids=REFUSED)
def test_what_reaches_beyond_the_plan_is_refused(operation: Operation) -> None:
    assert objection(operation)


@pytest.mark.parametrize("operation", SENT.values(), ids=SENT)
def test_everything_else_is_sent(operation: Operation) -> None:
    assert objection(operation) == ""
