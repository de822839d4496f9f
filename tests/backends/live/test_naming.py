"""Names: each plan has its own on a shared cluster, and does not notice."""

from typing import Any

import pytest

from pvkit.backends.live.naming import NODE_SELECTOR, PLAN_LABEL, RUN_LABEL, Names
from pvkit.backends.objects import Key, Obj, get, name

SELECTED = "volume.kubernetes.io/selected-node"
BETA = "volume.beta.kubernetes.io/storage-class"


@pytest.fixture
def names() -> Names:
    return Names("kab-7", "ab")


def test_what_lies_outside_namespaces_is_tagged_and_what_lies_inside_is_moved(names: Names) -> None:
    assert names.key(Key("PersistentVolume", "", "v")) == Key("PersistentVolume", "", "kab-7-v")
    assert names.key(Key("Pod", "other", "p")) == Key("Pod", "kab-7-other", "p")
    assert names.key(Key("Pod", "", "p")) == Key("Pod", "kab-7-default", "p")


def test_namespaces_and_nodes_may_be_those_of_an_earlier_plan() -> None:
    names = Names("kab-7", "ab", site="kab-2")
    assert names.key(Key("PersistentVolume", "", "v")) == Key("PersistentVolume", "", "kab-7-v")
    assert names.key(Key("Pod", "other", "p")) == Key("Pod", "kab-2-other", "p")
    assert [names.key(Key(kind, "", "n")).name for kind in ("Node", "CSINode", "Namespace")] == ["kab-2-n"] * 3
    sent = names.out(VOLUME)
    assert (name(sent), sent["spec"]["claimRef"]["namespace"]) == ("kab-7-v", "kab-2-default")
    sent = names.out(POD)
    assert (sent["metadata"]["namespace"], sent["spec"]["nodeName"]) == ("kab-2-default", "kab-2-n1")
    assert all(names.told(names.out(obj)) == obj for obj in (VOLUME, POD))
    assert names.home("kab-7-v is bound in kab-2-default") == "v is bound in default"


def test_a_plan_does_not_hear_of_volumes_of_the_one_that_lived_there_before() -> None:
    before, names = Names("kab-2", "ab"), Names("kab-7", "ab", site="kab-2")
    volume = before.out({**VOLUME, "spec": {}})
    assert before.mine(volume)
    assert not names.mine(volume)
    assert names.mine(names.out({**VOLUME, "spec": {}}))
    assert names.mine(names.out({"kind": "Node", "metadata": {"name": "n1"}}))


CLAIM: Obj = {
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "c", "namespace": "default", "annotations": {SELECTED: "n1", BETA: "fast", "else": "n1"}},
    "spec": {"storageClassName": "fast", "volumeName": "v", "volumeAttributesClassName": "gold"},
}
VOLUME: Obj = {
    "kind": "PersistentVolume",
    "metadata": {"name": "v"},
    "spec": {"storageClassName": "", "claimRef": {"namespace": "default", "name": "c"}, "nfs": {"path": "/v"}},
}
POD: Obj = {
    "kind": "Pod",
    "metadata": {"name": "p", "namespace": "default"},
    "spec": {
        "nodeName": "n1",
        "nodeSelector": {"kubernetes.io/hostname": "n1"},
        "affinity": {
            "nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": {
                    "nodeSelectorTerms": [
                        {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n1", "n2"]}]}
                    ]
                }
            }
        },
    },
}
SET: Obj = {
    "kind": "StatefulSet",
    "metadata": {"name": "web", "namespace": "other"},
    "spec": {
        "template": {"spec": {"nodeName": "n1"}},
        "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {"storageClassName": "fast"}}],
    },
}


@pytest.mark.parametrize("obj", [CLAIM, VOLUME, POD, SET], ids=lambda obj: obj["kind"])
def test_what_goes_out_comes_home_as_it_was(names: Names, obj: Obj) -> None:
    assert names.told(names.out(obj)) == obj


@pytest.mark.parametrize(
    ("obj", "path", "sent"),
    [
        (CLAIM, ("metadata", "namespace"), "kab-7-default"),
        (CLAIM, ("metadata", "name"), "c"),
        (CLAIM, ("metadata", "annotations", SELECTED), "kab-7-n1"),
        (CLAIM, ("metadata", "annotations", BETA), "kab-7-fast"),
        (CLAIM, ("metadata", "annotations", "else"), "n1"),
        (CLAIM, ("spec", "volumeName"), "kab-7-v"),
        (CLAIM, ("spec", "volumeAttributesClassName"), "kab-7-gold"),
        (VOLUME, ("spec", "storageClassName"), ""),
        (VOLUME, ("spec", "claimRef", "namespace"), "kab-7-default"),
        (POD, ("spec", "nodeName"), "kab-7-n1"),
        (POD, ("spec", "nodeSelector", "kubernetes.io/hostname"), "n1"),
        (SET, ("spec", "template", "spec", "nodeName"), "kab-7-n1"),
    ],
)
def test_names_are_tagged_where_they_name_something_outside(
    names: Names, obj: Obj, path: tuple[str, ...], sent: str
) -> None:
    assert get(names.out(obj), *path) == sent


def test_fields_of_terms_hold_names_of_nodes_and_labels_do_not(names: Names) -> None:
    terms = names.out(POD)["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert terms["nodeSelectorTerms"][0]["matchFields"][0]["values"] == ["kab-7-n1", "kab-7-n2"]


def test_a_claim_template_gets_the_plans_class(names: Names) -> None:
    assert names.out(SET)["spec"]["volumeClaimTemplates"][0]["spec"]["storageClassName"] == "kab-7-fast"


@pytest.mark.parametrize(
    ("kind", "patch", "sent"),
    [
        ("PersistentVolume", {"spec": {"claimRef": None}}, {"spec": {"claimRef": None}}),
        ("Pod", {"metadata": {"labels": {"a": "b"}}}, {"metadata": {"labels": {"a": "b"}}}),
        ("Pod", {"metadata": {"namespace": "other"}}, {"metadata": {"namespace": "kab-7-other"}}),
        ("PersistentVolumeClaim", {"spec": {"volumeName": "v"}}, {"spec": {"volumeName": "kab-7-v"}}),
        (
            "PersistentVolumeClaim",
            [{"op": "add", "path": "/spec/volumeName", "value": "v"}, {"op": "remove", "path": "/metadata/labels"}],
            [
                {"op": "add", "path": "/spec/volumeName", "value": "kab-7-v"},
                {"op": "remove", "path": "/metadata/labels"},
            ],
        ),
        (
            "PersistentVolume",
            [{"op": "replace", "path": "/spec/claimRef", "value": {"namespace": "default", "name": "c"}}],
            [{"op": "replace", "path": "/spec/claimRef", "value": {"namespace": "kab-7-default", "name": "c"}}],
        ),
        (
            "PersistentVolumeClaim",
            [{"op": "add", "path": "/metadata/annotations/volume.kubernetes.io~1selected-node", "value": "n1"}],
            [{"op": "add", "path": "/metadata/annotations/volume.kubernetes.io~1selected-node", "value": "kab-7-n1"}],
        ),
    ],
)
def test_patches_are_mapped_as_objects_are(names: Names, kind: str, patch: Any, sent: Any) -> None:
    assert names.patch(kind, patch) == sent


def test_what_only_the_kit_put_there_is_not_told(names: Names) -> None:
    sent = names.labelled(names.out({**POD, "metadata": {**POD["metadata"], "managedFields": [{"manager": "pvkit"}]}}))
    assert sent["metadata"]["labels"] == {RUN_LABEL: "ab"}
    sent["spec"]["nodeSelector"] = {**sent["spec"]["nodeSelector"], PLAN_LABEL: "kab-7"}
    sent["metadata"]["annotations"] = {NODE_SELECTOR: "pvkit.dev/plan=kab-7"}
    assert names.told(sent) == POD


def test_messages_speak_the_plans_names(names: Names) -> None:
    assert names.home('persistentvolume "kab-7-v" not found') == 'persistentvolume "v" not found'


def test_a_volume_made_on_demand_is_known_by_its_claim_ever_after(names: Names) -> None:
    made = {"kind": "PersistentVolume", "metadata": {"name": "pvc-1"}, "spec": {"claimRef": {"namespace": "kab-7-x"}}}
    freed = {"kind": "PersistentVolume", "metadata": {"name": "pvc-1"}, "spec": {}}
    assert not names.mine(freed)
    assert names.mine(made)
    assert names.mine(freed)
    assert names.key(Key("PersistentVolume", "", "pvc-1")).name == "pvc-1"


@pytest.mark.parametrize(
    ("kind", "metadata", "mine"),
    [
        ("Pod", {"name": "p", "namespace": "kab-7-default"}, True),
        ("Pod", {"name": "kab-7-p", "namespace": "default"}, False),
        ("Namespace", {"name": "kab-7-default"}, True),
        ("Namespace", {"name": "kab-77-default"}, False),
        ("Node", {"name": "n1"}, False),
    ],
)
def test_a_plan_knows_its_own(names: Names, kind: str, metadata: Obj, mine: bool) -> None:
    assert names.mine({"kind": kind, "metadata": metadata}) is mine


def test_nodes_of_the_cluster_keep_their_names(names: Names) -> None:
    names.shared = frozenset({"worker"})
    assert names.out({**POD, "spec": {"nodeName": "worker"}})["spec"]["nodeName"] == "worker"
    assert names.mine({"kind": "Node", "metadata": {"name": "worker"}})
