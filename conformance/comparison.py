"""Two settled states, compared up to what no plan can know: UIDs, versions, times, addresses, hashes of revisions.

What a server makes up is given a name by what it stands for: a UID by the key of its object and how many there were of
that key before, a revision by its place among those of its set.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pvkit.backends.objects import Key, Obj, condition, finalizers, get, key, labels, name, namespace, put, uid, without
from pvkit.backends.protocol import Event, Settled
from pvkit.conformance.history import History

KINDS = ("PersistentVolume", "PersistentVolumeClaim", "Pod", "StatefulSet", "ControllerRevision", "StorageClass")
KINDS_MORE = ("VolumeAttributesClass", "Service", "EndpointSlice", "Node", "Namespace")

_UID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
PASSING = frozenset(
    {
        "uid", "resourceVersion", "creationTimestamp", "managedFields", "lastTransitionTime", "lastProbeTime",
        "lastPhaseTransitionTime", "startTime", "podIP", "podIPs", "hostIP", "hostIPs", "message", "observedGeneration",
        "containerStatuses", "qosClass", "clusterIP", "clusterIPs", "addresses", "selfLink", "generateName",
    }
)  # fmt: skip
"""Fields that tell of the moment or the machine, and not of the state."""


_PAIRING = (
    ("status",),
    ("spec", "claimRef"),
    ("spec", "volumeName"),
    ("metadata", "annotations"),
)
"""What tells of a binding."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One leaf in which two states differ: the object (by name), the path within it, and both values."""

    at: str
    path: str
    ours: Any
    theirs: Any

    def __str__(self) -> str:
        return f"{self.at} {self.path}: model {self.ours!r}, live {self.theirs!r}"


@dataclass(frozen=True, slots=True)
class Rest:
    """A settled state: whether it was `calm`, the objects as they are compared, by names, and as they are."""

    calm: bool
    state: dict[str, Obj]
    objects: tuple[Obj, ...]


def settled_states(history: History) -> list[Rest]:
    """Each settled state of a history."""
    names, now, found = _Names(), dict[Key, Obj](), []
    for entry in history.entries:
        if isinstance(entry, Event):
            names.learn(entry)
            if entry.type == "DELETED":
                now.pop(key(entry.object), None)
            else:
                now[key(entry.object)] = entry.object
        elif isinstance(entry, Settled):
            state = {called: obj for called, obj in map(names.state, now.values()) if called}
            found.append(Rest(entry.quiet and not entry.disturbed, state, tuple(now.values())))
    return found


def differences(ours: dict[str, Obj], theirs: dict[str, Obj]) -> list[Difference]:
    """All leaves in which two states differ; an object that only one has counts as one."""
    found = []
    for at in sorted(ours.keys() | theirs.keys()):
        if at not in ours or at not in theirs:
            found.append(Difference(at, "", *("there" if at in side else "absent" for side in (ours, theirs))))
        else:
            found += [Difference(at, ".".join(path), *pair) for path, *pair in leaves(ours[at], theirs[at])]
    return found


def unpaired(state: dict[str, Obj]) -> dict[str, Obj]:
    """A state without what tells which volume serves which claim; only how many of each phase there are stays.

    Where several volumes fit any may be taken, and where several claims wait any may come first; of several nodes any
    may be given. Whether it fits is judged by promises. How many pods a set counts that is being deleted depends on
    whether they or it went first.
    """
    made: dict[str, Obj] = {}
    phases: Counter[str] = Counter()
    for at, obj in state.items():
        kind = obj.get("kind")
        if kind in ("PersistentVolume", "PersistentVolumeClaim"):
            phases[f"{kind} {get(obj, 'status', 'phase')}"] += 1
            for path in _PAIRING:
                obj = without(obj, path)
        if kind == "Pod":
            obj = without(without(obj, ("spec", "nodeName")), ("metadata", "labels", "topology.kubernetes.io/zone"))
        if kind == "StatefulSet" and get(obj, "metadata", "deletionTimestamp"):
            obj = without(obj, ("status",))
        made[at] = obj
    return {**made, "phases": dict(phases)}


def leaves(ours: Any, theirs: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any, Any]]:
    """The paths at which two trees differ, with both values."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for field in sorted(ours.keys() | theirs.keys()):
            yield from leaves(ours.get(field), theirs.get(field), (*path, field))
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for number, pair in enumerate(zip(ours, theirs, strict=True)):
            yield from leaves(*pair, (*path, str(number)))
    elif ours != theirs and (ours or theirs):  # An empty list or text and none at all are the same.
        yield path, ours, theirs


class _Names:
    """Names for what a server made up, in the order in which it did."""

    def __init__(self) -> None:
        self._uids: dict[str, str] = {}
        self._lives: defaultdict[Key, int] = defaultdict(int)
        self._revisions: dict[str, str] = {}
        self._counts: defaultdict[tuple[str, str], int] = defaultdict(int)

    def learn(self, event: Event) -> None:
        """Name a new object's UID, and a new revision's hash."""
        obj = event.object
        if uid(obj) not in self._uids:
            at = self._symbolic(key(obj))
            self._lives[at] += 1
            self._uids[uid(obj)] = f"<{at}#{self._lives[at]}>"
        if obj["kind"] == "ControllerRevision" and name(obj) not in self._revisions:
            owner = name(obj).rpartition("-")[0]
            number = self._counts[namespace(obj), owner] = self._counts[namespace(obj), owner] + 1
            self._revisions[name(obj)] = f"{owner}-<revision {number}>"
            self._revisions[name(obj).rpartition("-")[2]] = f"<revision {number}>"

    def _symbolic(self, at: Key) -> Key:
        return at._replace(name=self._text(at.name))

    def _text(self, text: str) -> str:
        if text in self._revisions:
            return self._revisions[text]
        return _UID.sub(lambda match: self._uids.get(match[0], match[0]), text) if "-" in text else text

    def state(self, obj: Obj) -> tuple[str, Obj]:
        """An object by its name, as far as it can be compared; the empty name for what cannot."""
        kind = obj["kind"]
        if kind not in KINDS and kind not in KINDS_MORE:
            return "", {}
        made = self._plain(obj)
        made.pop("apiVersion", None)
        if kind in ("Node", "Namespace"):
            made = {"labels": {k: v for k, v in labels(obj).items() if not k.startswith(("beta.", "kubernetes.io/m"))}}
        if kind == "EndpointSlice":
            service = str(labels(obj).get("kubernetes.io/service-name"))
            return f"EndpointSlice of {namespace(obj)}/{service}", _slice(made)
        if kind == "ControllerRevision":
            made = without(made, ("data",))
        if kind == "Pod":
            made = put(made, ("status",), {**(made.get("status") or {}), "conditions": _conditions(obj)})
        if get(obj, "metadata", "deletionTimestamp"):
            made["metadata"]["deletionTimestamp"] = True
        if finalizers(obj):  # They are a set.
            made["metadata"]["finalizers"] = sorted(finalizers(obj))
        return str(self._symbolic(key(obj))), made

    def _plain(self, tree: Any) -> Any:
        if isinstance(tree, dict):
            made = {self._text(field): self._plain(value) for field, value in tree.items() if field not in PASSING}
            if "uid" in tree and "name" in tree and "creationTimestamp" not in tree:
                made["uid"] = self._text(str(tree["uid"]))  # Of a reference; an object's own UID is its name.
            return made
        if isinstance(tree, list):
            return [self._plain(value) for value in tree]
        return self._text(tree) if isinstance(tree, str) else tree


def _conditions(pod: Obj) -> Obj:
    """The two conditions of a pod on which anything here depends; the others are the kubelet's own business."""
    scheduled, ready = condition(pod, "PodScheduled") or {}, condition(pod, "Ready") or {}
    reason = scheduled.get("reason") if scheduled.get("status") == "False" else None
    return {"PodScheduled": reason, "Ready": ready.get("status") == "True"}


def _slice(made: Obj) -> Obj:
    """The endpoints of a slice by the names of their pods, in no order."""
    endpoints = sorted(made.get("endpoints") or (), key=lambda entry: str(get(entry, "targetRef", "name")))
    return {"endpoints": endpoints, "ports": made.get("ports") or []}
