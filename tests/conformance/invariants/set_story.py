"""Stories about one set called `web`: the objects as an API server stores them, and the writes of its controllers.

story = SetStory(replicas=2)
story.up(0)                      # claim, pod, and the pod becomes ready
story.pod(1, ready=False)
assert verdict_of("STS-011", story) is Verdict.PASS
"""

from typing import Any

from pvkit.backends.objects import Obj, name, owner_reference, put, uid, without
from pvkit.backends.storage import CLAIM_PROTECTION
from pvkit.backends.workloads import POD_INDEX_LABEL, POD_NAME_LABEL, REVISION_LABEL, ordinals, templates
from tests.conformance.histories import Story

OWNERS = ("metadata", "ownerReferences")


def claim_template(called: str = "www", size: str = "1Gi") -> Obj:
    """A claim template."""
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}, "volumeMode": "Filesystem"}
    return {"metadata": {"name": called}, "spec": spec}


def pod_template(image: str) -> Obj:
    """The pod template with that image."""
    spec = {"containers": [{"name": "main", "image": image}], "terminationGracePeriodSeconds": 30}
    return {"metadata": {"labels": {"app": "web"}}, "spec": spec}


def retention(scaled: str = "Retain", deleted: str = "Retain") -> Obj:
    """The retention policy as a field of a set's spec."""
    return {"persistentVolumeClaimRetentionPolicy": {"whenScaled": scaled, "whenDeleted": deleted}}


def rolling(**options: Any) -> Obj:
    """A rolling update strategy as a field of a set's spec."""
    return {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0, **options}}}


def stateful_set(replicas: int, called: str = "web", **spec: Any) -> Obj:
    """A set as it is stored right after its creation."""
    shared = {
        "replicas": replicas,
        "serviceName": "web",
        "podManagementPolicy": "OrderedReady",
        "revisionHistoryLimit": 10,
        "selector": {"matchLabels": {"app": "web"}},
        "template": pod_template("1"),
        "volumeClaimTemplates": [claim_template()],
        **rolling(),
        **retention(),
    }
    metadata = {"name": called, "namespace": "default", "generation": 1}
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": metadata,
        "spec": {**shared, **spec},
        "status": {"replicas": 0},
    }


PARALLEL = {"podManagementPolicy": "Parallel"}
ON_DELETE = {"updateStrategy": {"type": "OnDelete"}}


class SetStory(Story):
    """A namespace, a node, the set and its first revision are there from the beginning."""

    def __init__(self, replicas: int = 3, **spec: Any) -> None:
        super().__init__()
        self.added({"kind": "Namespace", "metadata": {"name": "default"}}, by="setup")
        self.node = self.added({"kind": "Node", "metadata": {"name": "n1"}}, by="setup")
        self.set = self.added(stateful_set(replicas, **spec))
        self.revisions: dict[str, Obj] = {}
        self.record("1")

    def record(self, image: str, **fields: Any) -> Obj:
        """The revision that holds the template with that image."""
        data = {"spec": {"template": {**pod_template(image), "$patch": "replace"}}}
        metadata = {"name": f"web-rev{image}", "ownerReferences": [owner_reference(self.set)]}
        made = {"kind": "ControllerRevision", "metadata": metadata, "data": data, "revision": len(self.revisions) + 1}
        self.revisions[image] = self.added({**made, **fields}, by="statefulset")
        return self.revisions[image]

    def edit(self, **spec: Any) -> Obj:
        """The client changes fields of the set's spec."""
        generation = self.set["metadata"]["generation"] + 1
        edited = put({**self.set, "spec": {**self.set["spec"], **spec}}, ("metadata", "generation"), generation)
        self.set = self.modified(edited, by="client")
        return self.set

    def roll(self, image: str) -> None:
        """The client changes the template's image, and the set records it."""
        self.edit(template=pod_template(image))
        if image not in self.revisions:
            self.record(image)

    def say(self, current: str = "1", update: str = "1", **counts: int) -> Obj:
        """The set writes its status: counts, and the images of its current and its update revision."""
        told = {"currentRevision": f"web-rev{current}", "updateRevision": f"web-rev{update}"}
        status = {"observedGeneration": self.set["metadata"]["generation"], **told, **counts}
        self.set = self.modified({**self.set, "status": status}, by="statefulset")
        return self.set

    def claim(self, at: int, by: str = "statefulset", template: str = "www", **changes: Any) -> Obj:
        """The claim of an ordinal appears; `changes` are paths with `__` between their steps."""
        spec = next(entry["spec"] for entry in templates(self.set) if name(entry) == template)
        metadata = {"name": f"{template}-web-{at}", "labels": {"app": "web"}, "finalizers": [CLAIM_PROTECTION]}
        made: Obj = {
            "kind": "PersistentVolumeClaim",
            "metadata": metadata,
            "spec": spec,
            "status": {"phase": "Pending"},
        }
        return self.added(changed(made, changes), by=by)

    def born(self, at: int, image: str = "1", by: str = "statefulset", **changes: Any) -> Obj:
        """The pod of an ordinal appears, and nothing else."""
        called = f"web-{at}"
        marks = {"app": "web", POD_NAME_LABEL: called, POD_INDEX_LABEL: str(at), REVISION_LABEL: f"web-rev{image}"}
        metadata = {"name": called, "labels": marks, "ownerReferences": [owner_reference(self.set)]}
        volumes = [
            {"name": name(entry), "persistentVolumeClaim": {"claimName": f"{name(entry)}-web-{at}"}}
            for entry in templates(self.set)
        ]
        spec = {**pod_template(image)["spec"], "hostname": called, "subdomain": "web", "volumes": volumes}
        made: Obj = {"kind": "Pod", "metadata": metadata, "spec": spec, "status": {"phase": "Pending"}}
        return self.added(changed(made, changes), by=by)

    def pod(self, at: int, image: str = "1", ready: bool = True, **changes: Any) -> Obj:
        """The pod of an ordinal appears, after its claims, and becomes ready."""
        for entry in templates(self.set):
            if not self.has("PersistentVolumeClaim", f"{name(entry)}-web-{at}"):
                self.claim(at, template=name(entry))
        made = self.born(at, image, **changes)
        return self.ready(made) if ready else made

    def up(self, *ordinals: int, image: str = "1") -> None:
        """Several pods come up, one after the other."""
        for at in ordinals:
            self.pod(at, image)

    def all_up(self) -> None:
        """All pods come up, the set says so, and everything comes to rest."""
        self.up(*ordinals(self.set))
        count = len(ordinals(self.set))
        self.say(
            replicas=count, readyReplicas=count, availableReplicas=count, currentReplicas=count, updatedReplicas=count
        )
        self.settled()

    def ready(self, pod: Obj, ready: bool = True) -> Obj:
        """The pod runs, and is ready or not."""
        condition = {"type": "Ready", "status": str(ready), "lastTransitionTime": self.stamp()}
        status = {"phase": "Running", "podIP": f"10.0.0.{self.number(pod)}", "conditions": [condition]}
        placed = put(self.latest(pod), ("spec", "nodeName"), "n1")
        return self.modified({**placed, "status": status}, by="kubelet")

    def finish(self, pod: Obj, phase: str = "Failed") -> Obj:
        """The pod ends by itself."""
        return self.modified({**self.latest(pod), "status": {"phase": phase}}, by="kubelet")

    def mark(self, pod: Obj, by: str = "statefulset", grace: int = 30) -> Obj:
        """The deletion of a pod or claim is asked for."""
        asked = put(self.latest(pod), ("metadata", "deletionTimestamp"), self.stamp())
        return self.modified(put(asked, ("metadata", "deletionGracePeriodSeconds"), grace), by=by)

    def gone(self, obj: Obj, by: str = "kubelet") -> Obj:
        """The object is gone."""
        return self.deleted(self.latest(obj), by=by)

    def drop(self, pod: Obj, by: str = "statefulset") -> None:
        """A pod is deleted and gone."""
        self.mark(pod, by=by)
        self.gone(pod)

    def own(self, claim: Obj, *owning: Obj, by: str = "statefulset", **marks: Any) -> Obj:
        """The claim belongs to these owners from now on."""
        references = [{**owner_reference(owner), **marks} for owner in owning]
        latest = self.latest(claim)
        return self.modified(put(latest, OWNERS, references) if references else without(latest, OWNERS), by=by)

    def got(self, kind: str, called: str) -> Obj:
        """An object of the default namespace as it is."""
        return self.latest({"kind": kind, "metadata": {"name": called, "namespace": "default"}})

    def has(self, kind: str, called: str) -> bool:
        """Whether such an object exists."""
        found = False
        for entry in self.entries:
            obj = getattr(entry, "object", None)
            if obj is not None and (obj["kind"], name(obj)) == (kind, called):
                found = getattr(entry, "type", "") != "DELETED"
        return found

    def number(self, pod: Obj) -> int:
        """A number of this incarnation of an object."""
        return int(uid(pod).rpartition("-")[2])


def changed(obj: Obj, changes: dict[str, Any]) -> Obj:
    """The object with the values put at these paths, `a__b` being `a.b`; None takes away what is there."""
    for path, value in changes.items():
        steps = tuple(path.split("__"))
        obj = without(obj, steps) if value is None else put(obj, steps, value)
    return obj


def relabelled(obj: Obj, **labels: str) -> Obj:
    """The object with other labels; `app` and the short names `name`, `index` and `revision` are known."""
    long = {"name": POD_NAME_LABEL, "index": POD_INDEX_LABEL, "revision": REVISION_LABEL}
    marks = {**obj["metadata"]["labels"], **{long.get(word, word): value for word, value in labels.items()}}
    return put(obj, ("metadata", "labels"), marks)
