"""Manifests of volumes, claims and classes, and a world of the reference model to put them into.

`labels`, `annotations`, `finalizers` and `namespace` may stand among the fields of a spec. Pods and sets are those of
the neighbouring files.
"""

from typing import Any

from pvkit.backends.objects import NAMESPACED, Key, Obj, name, phase
from pvkit.backends.protocol import Departure, Setup
from pvkit.backends.reference.model import ReferenceModel
from pvkit.backends.storage import claim_ref, volume_name
from tests.backends.reference.cluster import Cluster, node, pod
from tests.backends.reference.sets import stateful_set

__all__ = ["World", "claim", "node", "on_versions", "pod", "stateful_set", "storage_class", "volume", "world"]

PROVISIONER = "pvkit.dev/provisioner"
METADATA = ("labels", "annotations", "finalizers", "namespace")


def _object(version: str, kind: str, called: str, fields: Obj, spec: Obj) -> Obj:
    marks = {field: spec.pop(field) for field in METADATA if field in spec}
    body = {"spec": {**fields, **spec}} if kind != "StorageClass" else {**fields, **spec}
    return {"apiVersion": version, "kind": kind, "metadata": {"name": called, **marks}, **body}


def volume(
    called: str, size: str = "1Gi", modes: tuple[str, ...] = ("ReadWriteOnce",), cls: str = "", **spec: Any
) -> Obj:
    """A volume of an NFS server, under policy Retain, unless its spec names another source or policy."""
    fields: Obj = {"capacity": {"storage": size}, "accessModes": list(modes), "storageClassName": cls}
    if not {"csi", "hostPath", "local", "iscsi", "fc"} & set(spec):
        fields["nfs"] = {"server": "192.0.2.1", "path": f"/export/{called}"}
    return _object("v1", "PersistentVolume", called, fields, dict(spec))


def claim(
    called: str, size: str = "1Gi", modes: tuple[str, ...] = ("ReadWriteOnce",), cls: str | None = "", **spec: Any
) -> Obj:
    """A claim in `default`; with `cls=None` it has no opinion on its class."""
    fields: Obj = {"resources": {"requests": {"storage": size}}, "accessModes": list(modes)}
    if cls is not None:
        fields["storageClassName"] = cls
    return _object("v1", "PersistentVolumeClaim", called, fields, {"namespace": "default", **spec})


def storage_class(called: str, provisioner: str = PROVISIONER, late: bool = False, **fields: Any) -> Obj:
    """A class, of immediate binding unless told otherwise."""
    mode = "WaitForFirstConsumer" if late else "Immediate"
    body = {"provisioner": provisioner, "volumeBindingMode": mode}
    return _object("storage.k8s.io/v1", "StorageClass", called, body, dict(fields))


class World(Cluster):
    """A world of the reference model that was given a setup."""

    def __init__(self, setup: Setup, schedule: tuple[Departure, ...] = ()) -> None:
        self.model = ReferenceModel()
        self.model.reset(setup, schedule)
        self.store = self.model.engine.store

    def key(self, kind: str, called: str, namespace: str = "default") -> Key:
        """The key of an object of any kind."""
        return Key(kind, namespace if kind in NAMESPACED else "", called)

    def given(self, *objects: Obj) -> "World":
        """Create objects and let everything settle."""
        self.create(*objects)
        self.settle()
        return self

    def volume(self, called: str) -> Obj:
        """A volume that must be there."""
        return self.see("PersistentVolume", called)

    def claim(self, called: str, namespace: str = "default") -> Obj:
        """A claim that must be there."""
        return self.see("PersistentVolumeClaim", called, namespace)

    def phase(self, called: str) -> str:
        """The phase of the volume or the claim of that name, "" if there is none."""
        found = self.get("PersistentVolume", called) or self.get("PersistentVolumeClaim", called)
        return phase(found) if found is not None else ""

    def bound(self) -> dict[str, str]:
        """Which claim, by name, has which volume, among the claims whose phase is Bound."""
        claims = self.store.list("PersistentVolumeClaim")
        return {name(entry): volume_name(entry) for entry in claims if phase(entry) == "Bound"}

    def reserved(self, called: str) -> Obj | None:
        """What a volume refers to."""
        return claim_ref(self.volume(called))

    def events(self, called: str) -> list[tuple[str, str, str]]:
        """Type, reason and message of what was said about the objects of that name."""
        return [
            (entry["type"], entry["reason"], entry["message"])
            for entry in self.store.list("Event")
            if entry["involvedObject"]["name"] == called
        ]

    def writes(self, by: str = "binder", since: int = 0) -> list[tuple[str, str, str]]:
        """Event type, kind and name of what a component wrote, Kubernetes Events aside, from some event on."""
        return [
            (event.type, event.object["kind"], name(event.object))
            for event in self.store.log[since:]
            if event.by == by and event.object["kind"] != "Event"
        ]

    def mark(self) -> int:
        """The number of events so far, to look at those that follow."""
        return len(self.store.log)

    def assets(self) -> dict[str, Obj]:
        """What the storage backend holds, by name."""
        return {name(entry): entry["spec"] for entry in self.store.list("Asset")}

    def edit(self, kind: str, called: str, patch: Obj, **options: Any) -> Obj:
        """A merge patch, after which everything settles."""
        made = self.patch(kind, called, patch, **options)
        self.settle()
        return made

    def remove(self, kind: str, called: str) -> None:
        """A delete, after which everything settles."""
        self.delete(kind, called)
        self.settle()

    def steal(self, kind: str, called: str) -> None:
        """Remove an object by force: its finalizers are taken off after the delete."""
        self.delete(kind, called)
        if self.get(kind, called) is not None:
            self.patch(kind, called, {"metadata": {"finalizers": None}})
        self.settle()


def world(setup: Setup | None = None, **options: Any) -> World:
    """A world with one node, of version 1.36 unless a setup or options (`version`, `gates`, others) say otherwise."""
    if setup is None:
        version, gates = options.pop("version", "1.36"), options.pop("gates", {})
        named = {option.replace("_", "-"): value for option, value in options.items()}
        setup = Setup(version, (node(),), gates=gates, options=named)
    return World(setup)


def on_versions(*versions: str) -> list[World]:
    """A fresh world of each of these versions."""
    return [world(version=version) for version in versions]
