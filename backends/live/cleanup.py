"""What a run left on a cluster: finding it by the run's label, and removing that and nothing else.

All that lies inside the run's namespaces is the run's and goes with them. A volume that a provisioner made for one of
its claims carries no label; it is known by the namespace of its claim, the provisioner's mark, and its class, which is
the run's own. It is left to its provisioner, so that no storage stays behind. Each delete names a UID.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from time import monotonic, sleep

from pvkit.backends.errors import ApiError, BackendError, Conflict, NotFound, UsageError
from pvkit.backends.live.connection import Connection, path_of
from pvkit.backends.live.naming import RUN_LABEL
from pvkit.backends.objects import (
    Key,
    Obj,
    annotations,
    deleting,
    finalizers,
    get,
    key,
    name,
    put,
    uid,
    version,
)
from pvkit.backends.storage import PROVISIONED_BY, claim_ref, reclaim_policy, storage_class

OUTSIDE = ("Namespace", "PersistentVolume", "StorageClass", "VolumeAttributesClass", "Node", "CSINode")
"""Kinds outside of namespaces, in the order of removal: claims go before the volumes that they hold."""
INSIDE = ("StatefulSet", "Pod", "PersistentVolumeClaim", "Service", "ControllerRevision", "ResourceQuota", "LimitRange")
"""Kinds inside of namespaces that something of the run's may hold for ever."""
CONTROLLERS = ("kubernetes.io/", "external-provisioner.volume.kubernetes.io/", "foregroundDeletion", "orphan")
"""Finalizers that components take off by themselves; others are the run's own."""
REMAINING = ("NamespaceContentRemaining", "NamespaceFinalizersRemaining")
GRACE_SECONDS, WAIT_SECONDS, POLL_SECONDS = 5.0, 60.0, 0.2
_RUN_ID = re.compile(r"[a-z0-9]{1,40}")


@dataclass(frozen=True, slots=True)
class Leftovers:
    """What a run left: objects outside of namespaces with its label, the volumes made for its claims.

    `foreign` are volumes that claims of the run took but the run did not make; they are told and not touched.
    """

    run_id: str
    labelled: tuple[Obj, ...] = ()
    provisioned: tuple[Obj, ...] = ()
    foreign: tuple[Obj, ...] = ()

    @property
    def all(self) -> tuple[Obj, ...]:
        """What is to be removed."""
        return (*self.labelled, *self.provisioned)

    @property
    def namespaces(self) -> tuple[str, ...]:
        """The names of the run's namespaces."""
        return tuple(name(obj) for obj in self.labelled if obj["kind"] == "Namespace")


def find_leftovers(connection: Connection, run_id: str) -> Leftovers:
    """List what carries a run's label; raises `UsageError` for what is no id of a run."""
    if not _RUN_ID.fullmatch(run_id):
        raise UsageError(f"{run_id!r} is no id of a run; a run prints its id at its start, such as 3fa2c1")
    labelled = tuple(obj for kind in OUTSIDE for obj in _listed(connection, kind, run_id))
    provisioned, foreign = _unlabelled(connection, run_id, labelled)
    return Leftovers(run_id, labelled, tuple(provisioned), tuple(foreign))


def _listed(connection: Connection, kind: str, run_id: str = "", namespace: str = "") -> list[Obj]:
    """Objects of a kind, with the run's label if a run is named; [] where the server does not know the kind."""
    query = {"labelSelector": f"{RUN_LABEL}={run_id}"} if run_id else None
    try:
        listed = connection.request("GET", path_of(Key(kind, namespace, "")), query=query)
    except NotFound:
        return []
    return [{"apiVersion": listed.get("apiVersion", "v1"), "kind": kind, **item} for item in listed.get("items") or ()]


def _unlabelled(connection: Connection, run_id: str, labelled: tuple[Obj, ...]) -> tuple[list[Obj], list[Obj]]:
    """Volumes without the label that belong to claims of the run: those made for them, and others."""
    named = re.compile(rf"k{re.escape(run_id)}-\d+-.+")
    homes = {name(obj) for obj in labelled if obj["kind"] == "Namespace"}
    listed = {uid(obj) for obj in labelled}
    provisioned: list[Obj] = []
    foreign: list[Obj] = []
    strangers: set[str] | None = None
    for volume in _listed(connection, "PersistentVolume"):
        home = str((claim_ref(volume) or {}).get("namespace", ""))
        if uid(volume) in listed or not (home in homes or named.fullmatch(home)):
            continue
        if home not in homes:  # The namespace is gone already, or was never the run's.
            strangers = strangers if strangers is not None else {name(obj) for obj in _listed(connection, "Namespace")}
            if home in strangers:
                continue
        made = PROVISIONED_BY in annotations(volume) and named.fullmatch(storage_class(volume))
        (provisioned if made else foreign).append(volume)
    return provisioned, foreign


@dataclass(slots=True)
class Removal:
    """The removal of what one run left; `hear` is told each object that goes, once."""

    connection: Connection
    found: Leftovers
    hear: Callable[[Obj], None] = lambda obj: None
    seconds: float = WAIT_SECONDS
    refused: dict[str, str] = field(default_factory=dict)

    def remove(self) -> list[Obj]:
        """Remove all, wait until it is gone, and return what is left when the time is over.

        `refused` then tells, by UID, what the server said against it. Deletes are asked for once more where something
        appeared meanwhile.
        """
        limit, patience = monotonic() + self.seconds, monotonic() + min(GRACE_SECONDS, self.seconds / 2)
        asked: set[str] = set()
        while True:
            self._delete_new(asked)
            self._let_go(force=monotonic() >= patience)
            self.found = find_leftovers(self.connection, self.found.run_id)
            if not self.found.all or monotonic() >= limit:
                return list(self.found.all)
            sleep(POLL_SECONDS)

    def _delete_new(self, asked: set[str]) -> None:
        """Ask for the deletion of all that was not asked for yet. What was made for claims waits for their end."""
        claimed = bool(self.found.namespaces)
        for obj in self.found.all:
            waits = claimed and obj in self.found.provisioned
            if obj["kind"] in ("StorageClass", "VolumeAttributesClass"):  # A provisioner may look at its class.
                waits = claimed or bool(self.found.provisioned)
            if uid(obj) in asked or waits:
                continue
            asked.add(uid(obj))
            self.hear(obj)
            if not deleting(obj):
                self._delete(obj)
        for volume in self.found.provisioned:
            if reclaim_policy(volume) != "Delete":  # Its storage was made for the run alone, and would stay for ever.
                self._patch(volume, {"spec": {"persistentVolumeReclaimPolicy": "Delete"}})

    def _let_go(self, force: bool) -> None:
        """Take off finalizers that the run put on; with `force` all of what it made by hand, and end its pods."""
        for obj in self.found.labelled:
            nobody = force and obj["kind"] != "Namespace"  # Nothing lies behind what the run made by hand.
            self._take_off(obj, () if nobody else CONTROLLERS)
        held = [obj for obj in self.found.labelled if obj["kind"] == "Namespace" and (force or _is_held(obj))]
        for place in map(name, held):
            for obj in self._inside(place):
                self._take_off(obj, CONTROLLERS)
                if force and obj["kind"] == "Pod":
                    self._delete(obj, grace=0)

    def _inside(self, place: str) -> Iterator[Obj]:
        for kind in INSIDE:
            yield from _listed(self.connection, kind, namespace=place)

    def _take_off(self, obj: Obj, kept: tuple[str, ...]) -> None:
        left = [entry for entry in finalizers(obj) if kept and entry.startswith(kept)]
        if len(left) < len(finalizers(obj)):
            self._patch(obj, {"metadata": {"finalizers": left or None}})

    def _patch(self, obj: Obj, patch: Obj) -> None:
        """Change an object if it still is the one that was listed, unchanged."""
        for field_, value in (("uid", uid(obj)), ("resourceVersion", str(version(obj)))):
            patch = put(patch, ("metadata", field_), value)
        self._send("PATCH", obj, patch)

    def _delete(self, obj: Obj, grace: int | None = None) -> None:
        options: Obj = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": uid(obj)}}
        self._send("DELETE", obj, options if grace is None else {**options, "gracePeriodSeconds": grace})

    def _send(self, method: str, obj: Obj, body: Obj) -> None:
        try:
            self.connection.request(method, path_of(key(obj)), body)
        except (NotFound, Conflict):  # It went or changed meanwhile; the next look tells.
            return
        except ApiError as error:
            self.refused[uid(obj)] = error.message


def _is_held(namespace: Obj) -> bool:
    """Whether the server says that something in a namespace does not go; what does needs no help."""
    told = get(namespace, "status", "conditions") or ()
    return any(entry.get("type") in REMAINING and entry.get("status") == "True" for entry in told)


def sweep(connection: Connection, run_id: str, seconds: float = WAIT_SECONDS) -> None:
    """Remove what a run left and wait until it is gone; raises `BackendError` that names what stays."""
    removal = Removal(connection, find_leftovers(connection, run_id), seconds=seconds)
    left = removal.remove()
    if left:
        names = ", ".join(f"{obj['kind'].lower()}/{name(obj)}" for obj in left[:5])
        more = f" and {len(left) - 5} more" if len(left) > 5 else ""
        raise BackendError(
            f"{names}{more} of run {run_id} are left on {connection.server} after {seconds:.0f} s; "
            f"`pvkit cleanup --run-id {run_id}` tries again"
        )


def waits_for(obj: Obj) -> str:
    """What keeps an object that is being removed: its finalizers, or what its status says."""
    held = (
        [*finalizers(obj), *(get(obj, "spec", "finalizers") or ())] if obj["kind"] == "Namespace" else finalizers(obj)
    )
    told = [
        entry.get("message", "") for entry in get(obj, "status", "conditions") or () if entry.get("status") == "True"
    ]
    return "; ".join(filter(None, [f"held by {', '.join(held)}" if held else "", *told]))
