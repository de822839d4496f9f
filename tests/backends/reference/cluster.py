"""A client's hands on the reference model, and manifests of the things that run on nodes."""

from typing import Any

from pvkit.backends.objects import Key, Obj, condition, name
from pvkit.backends.protocol import Budget, Departure, Fault, Operation, Outcome, Settled, Setup
from pvkit.backends.reference.model import ReferenceModel

SELECTED_NODE = "volume.kubernetes.io/selected-node"
BEHAVIOUR = "pvkit.dev/behaviour"
MOST_TURNS = 10_000
CLUSTER_SCOPED = {"PersistentVolume", "StorageClass", "Node", "Namespace", "CSIDriver", "Asset", "Process"}


def node(called: str = "n1", **labels: str) -> Obj:
    """A node that is told from others by its hostname label."""
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": called, "labels": {"kubernetes.io/hostname": called, **labels}},
    }


def local_to(*nodes: str) -> Obj:
    """The `nodeAffinity` of a volume that only these nodes reach."""
    term = {"key": "kubernetes.io/hostname", "operator": "In", "values": list(nodes)}
    return {"required": {"nodeSelectorTerms": [{"matchExpressions": [term]}]}}


def volume(called: str, size: str = "1Gi", storage_class: str = "late", **spec: Any) -> Obj:
    """A volume on the machine's disk; labels and annotations may stand among the fields of the spec."""
    metadata: Obj = {"name": called}
    metadata |= {field: spec.pop(field) for field in ("labels", "annotations") if field in spec}
    wanted = {
        "capacity": {"storage": size},
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": storage_class,
        "hostPath": {"path": f"/data/{called}"},
    }
    return {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": metadata, "spec": {**wanted, **spec}}


def claim(called: str, size: str = "1Gi", storage_class: str = "late", **spec: Any) -> Obj:
    """A claim in `default`; annotations may stand among the fields of the spec."""
    metadata: Obj = {"name": called, "namespace": spec.pop("namespace", "default")}
    metadata |= {field: spec.pop(field) for field in ("annotations", "finalizers") if field in spec}
    wanted = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": size}},
        "storageClassName": storage_class,
    }
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": {**wanted, **spec}}


def bound_pair(called: str = "c", modes: list[str] | None = None, **of_volume: Any) -> tuple[Obj, Obj]:
    """A volume and a claim that names it: the binder makes them a pair at once, wherever the volume is reachable."""
    shared: Obj = {"storage_class": "", "accessModes": modes or ["ReadWriteOnce"]}
    return volume(f"v-{called}", **shared, **of_volume), claim(called, **shared, volumeName=f"v-{called}")


def storage_class(
    called: str, provisioner: str = "kubernetes.io/no-provisioner", late: bool = True, **fields: Any
) -> Obj:
    """A class, of delayed binding unless told otherwise."""
    mode = "WaitForFirstConsumer" if late else "Immediate"
    head = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": called}}
    return {**head, "provisioner": provisioner, "volumeBindingMode": mode, **fields}


def pod(called: str, *claims: str, behaves: str = "", **spec: Any) -> Obj:
    """A pod in `default` that uses claims; labels, owners and finalizers may stand among the fields of the spec."""
    metadata: Obj = {"name": called, "namespace": spec.pop("namespace", "default")}
    metadata |= {field: spec.pop(field) for field in ("labels", "ownerReferences", "finalizers") if field in spec}
    if behaves:
        metadata["annotations"] = {BEHAVIOUR: behaves}
    volumes = [{"name": used, "persistentVolumeClaim": {"claimName": used}} for used in claims]
    body = {"containers": [{"name": "main", "image": "registry.example/main:1"}], "volumes": volumes, **spec}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": body}


class Cluster:
    """A world of the reference model."""

    def __init__(
        self,
        *nodes: Obj,
        version: str = "1.36",
        namespaces: tuple[str, ...] = (),
        schedule: tuple[Departure, ...] = (),
        **options: Any,
    ) -> None:
        self.model = ReferenceModel()
        named = {option.replace("_", "-"): value for option, value in options.items()}
        self.model.reset(Setup(version, nodes or (node(),), namespaces, options=named), schedule)
        self.store = self.model.engine.store

    def ask(self, verb: str, obj: Obj | None = None, target: Key | None = None, **options: Any) -> Outcome:
        """One request."""
        patch = options.pop("patch", None)
        return self.model.invoke(Operation(verb, obj, target, patch, options))

    def create(self, *objects: Obj) -> list[Obj]:
        """Create objects, one after another; returns them as they were stored."""
        made = []
        for obj in objects:
            answer = self.ask("create", obj)
            assert answer.object is not None, answer
            made.append(answer.object)
        return made

    def key(self, kind: str, called: str, namespace: str = "default") -> Key:
        """The key of an object."""
        return Key(kind, "" if kind in CLUSTER_SCOPED else namespace, called)

    def patch(self, kind: str, called: str, patch: Any, **options: Any) -> Obj:
        """A merge patch."""
        answer = self.ask("patch", target=self.key(kind, called), patch=patch, **options)
        assert answer.object is not None, answer
        return answer.object

    def behave(self, called: str, word: str | None) -> None:
        """Let a pod behave otherwise."""
        self.patch("Pod", called, {"metadata": {"annotations": {BEHAVIOUR: word}}})

    def delete(self, kind: str, called: str, **options: Any) -> None:
        """A delete."""
        answer = self.ask("delete", target=self.key(kind, called), **options)
        assert answer.status == "ok", answer

    def get(self, kind: str, called: str, namespace: str = "default") -> Obj | None:
        """What is stored, or None."""
        return self.store.read(self.key(kind, called, namespace))

    def see(self, kind: str, called: str, namespace: str = "default") -> Obj:
        """What is stored and must be."""
        found = self.get(kind, called, namespace)
        assert found is not None, f"no {kind} {called}"
        return found

    def fault(self, word: str, **options: Any) -> None:
        """A disturbance."""
        self.model.disturb(Fault(word, options))

    def settle(self) -> Settled:
        """Wait until nothing more happens, which must come about."""
        settled = self.model.settle(Budget())
        assert settled.quiet, settled
        return settled

    def wait(self, seconds: float) -> None:
        """Let so much time pass, with all that happens in it; components that quarrel for ever are cut short."""
        engine = self.model.engine
        until, last = engine.clock.now + seconds, engine.schedule.turns + MOST_TURNS
        self.model.run(MOST_TURNS)
        while (due := engine.clock.next()) is not None and due <= until and engine.schedule.turns < last:
            engine.advance(due - engine.clock.now)
            self.model.run(MOST_TURNS)
        engine.advance(until - engine.clock.now)
        self.model.run(MOST_TURNS)

    def all(self, kind: str) -> list[str]:
        """Names of all objects of a kind."""
        return sorted(name(obj) for obj in self.store.list(kind))

    def placed(self, called: str) -> str:
        """The node of a pod."""
        return str(self.see("Pod", called)["spec"].get("nodeName", ""))

    def unscheduled(self, called: str) -> str:
        """What condition PodScheduled says of a pod without a node."""
        found = condition(self.see("Pod", called), "PodScheduled") or {}
        assert found.get("status") == "False", found
        return str(found["message"])

    def ready(self, called: str) -> bool:
        """Whether a pod says that it is ready."""
        return (condition(self.see("Pod", called), "Ready") or {}).get("status") == "True"

    def changes(self, kind: str, called: str) -> list[Obj]:
        """All states that an object was seen in, in order."""
        return [
            event.object
            for event in self.store.log
            if event.object["kind"] == kind and event.object["metadata"]["name"] == called
        ]

    def reserve_only(self, *objects: Obj) -> None:
        """Create volumes and let them become available, then stop the binder and create the rest."""
        self.create(*[obj for obj in objects if obj["kind"] == "PersistentVolume"])
        self.settle()
        self.fault("freeze", controller="binder")
        self.create(*[obj for obj in objects if obj["kind"] != "PersistentVolume"])


def reference_of(obj: Obj) -> str:
    """The name of the claim to which a volume refers."""
    return str((obj["spec"].get("claimRef") or {}).get("name", ""))
