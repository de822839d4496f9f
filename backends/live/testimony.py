"""What pods tell of their volumes, made into events that promises about data are judged by.

A pod's log is read once it is ready, for afterwards the pod may go. What it found is told as a `Process` and what it
wrote as a mark in an `Asset`, right behind the pod's first ready state. Containers started some time before that, and
marks were there some time before they were read of. So a pod that found nothing is told only where a mark was surely
there before the pod had a node; everything else could have been a matter of who was quicker.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from math import inf
from time import monotonic, sleep

from pvkit.backends.errors import ApiError, NotFound, Unavailable
from pvkit.backends.live.connection import Connection, path_of
from pvkit.backends.live.marks import Found, found_in, looked_at
from pvkit.backends.live.watching import Frame, Tape
from pvkit.backends.objects import API_VERSIONS, Key, Obj, deleting, get, key, name, namespace, put, uid
from pvkit.backends.storage import PROVISIONED_BY, asset_of, has_data_source, volume_name
from pvkit.backends.workloads import claim_keys, is_finished, is_ready, node_name

LOG_SECONDS, LOG_PAUSE = 5.0, 0.1
"""How long is waited for the log of a pod that is ready, and between two looks."""
MOST_REFUSALS = 3
"""After so many logs that could not be read, and none that could, no more are asked for."""
STARTING_SECONDS, ENDING_SECONDS = 45.0, 12.0
"""Without any change, how long a kubelet may take to start a pod whose volumes have storage, and to end one."""
NEVER = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "CreateContainerError", "RunContainerError"})
"""Reasons of containers that wait, and hardly for something that will come."""
SOMEBODY = "somebody's before this plan"
"""Stands for the claim of a pod that is none of the plan's."""


@dataclass(slots=True)
class Log:
    """What a pod told, by volume, and the version of the cluster after which all of it was surely done."""

    found: dict[str, Found]
    done: float


@dataclass(slots=True)
class Disk:
    """One `Asset` as far as pods told of it: its size, and each mark with the version at which it surely was there."""

    size: str
    marks: list[tuple[Obj, float]] = field(default_factory=list)
    told: bool = False

    def event(self, called: str) -> Obj:
        """The asset as an object without a version; who made it for whom is not known."""
        spec = {"size": self.size, "claim": "", "by": "", "data": [mark for mark, _ in self.marks]}
        return _ledger("Asset", called, spec)


class Silence:
    """No pod tells anything."""

    @property
    def lacks(self) -> dict[str, str]:
        """What could not be heard, with the reason."""
        return {}

    def look(self, tape: Tape) -> None:
        """Nothing is read."""

    def patience(self, tape: Tape) -> float:
        """Nothing more is waited for."""
        return 0.0

    def told(self, frames: Iterable[Frame]) -> Iterable[Frame]:
        """The frames, and nothing more."""
        return frames


class Witness(Silence):
    """Hears the pods of one plan. `present` tells the version that the cluster is at, 0 when it cannot."""

    def __init__(self, connection: Connection, present: Callable[[], int]) -> None:
        self._connection, self._present = connection, present
        self._logs: dict[str, Log] = {}
        self._refused: dict[str, str] = {}
        self._stuck = ""
        self._seen: dict[Key, Obj] = {}
        self._placed: dict[str, int] = {}
        self._owners: dict[str, dict[str, str]] = {}
        self._disks: dict[str, Disk] = {}
        self._heard: set[str] = set()
        self._running: dict[str, Obj] = {}

    @property
    def lacks(self) -> dict[str, str]:
        """Why nothing was heard at all: no program starts, or no log can be read."""
        if self._logs or not (self._stuck or self._refused):
            return {}
        refused = f"the logs of pods could not be read: {next(iter(self._refused.values()), '')}"
        return {"data": f"pods do not start: {self._stuck}" if self._stuck else refused}

    def look(self, tape: Tape) -> None:
        """Read the logs of pods that became ready."""
        for pod in tape.objects("Pod"):
            if is_ready(pod):
                self._read(pod)
            else:
                self._stuck = self._stuck or _stuck(pod)

    def patience(self, tape: Tape) -> float:
        """Seconds that kubelets may still take, without any change meanwhile, to start or to end pods."""
        volumes = {name(obj): obj for obj in tape.objects("PersistentVolume")}
        claims = {key(obj): obj for obj in tape.objects("PersistentVolumeClaim")}

        def is_stored(at: Key) -> bool:
            volume = volumes.get(volume_name(claims[at])) if at in claims else None
            return volume is not None and PROVISIONED_BY in (get(volume, "metadata", "annotations") or {})

        waits = [0.0]
        for pod in tape.objects("Pod"):
            if not node_name(pod) or is_finished(pod):
                continue
            if deleting(pod):
                waits.append(ENDING_SECONDS)
            elif not is_ready(pod) and not _stuck(pod) and all(map(is_stored, claim_keys(pod))):
                waits.append(STARTING_SECONDS)
        return max(waits)

    def told(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """The frames in their order, and what pods tell among them."""
        for frame in frames:
            at = key(frame.object)
            process = self._running.pop(uid(frame.object), None) if frame.type == "DELETED" else None
            if process is not None:
                yield _at(frame, "DELETED", process)
            yield frame
            if frame.type == "DELETED":
                self._seen.pop(at, None)
            elif at.kind in ("PersistentVolume", "PersistentVolumeClaim"):
                self._seen[at] = frame.object
            elif at.kind == "Pod":
                yield from self._of_pod(frame)

    def _of_pod(self, frame: Frame) -> Iterator[Frame]:
        pod = frame.object
        if node_name(pod):
            self._placed.setdefault(uid(pod), frame.version)
            mounts = [mount for _, mount in self._mounts(pod)]
            self._owners.setdefault(uid(pod), {}).update({mount["asset"]: mount["claimUID"] for mount in mounts})
        if not is_ready(pod) or uid(pod) in self._heard:
            return
        self._heard.add(uid(pod))
        self._await(pod)
        log = self._logs.get(uid(pod))
        if log is not None:
            for kind, obj in self._events(pod, log):
                yield _at(frame, kind, obj)

    def _mounts(self, pod: Obj) -> Iterator[tuple[str, Obj]]:
        """The claims of a pod, as its containers see them, by the name of the pod's volume; those that are bound."""
        volumes = [entry for entry in pod["spec"].get("volumes") or () if _is_claim(entry)]
        for entry, at in zip(volumes, claim_keys(pod), strict=True):
            claim = self._seen.get(at)
            volume = self._seen.get(Key("PersistentVolume", "", volume_name(claim))) if claim is not None else None
            if claim is None or volume is None or has_data_source(claim):  # A copy holds what others wrote.
                continue
            yield (
                entry["name"],
                {
                    "claim": name(claim),
                    "claimUID": uid(claim),
                    "volume": name(volume),
                    "volumeUID": uid(volume),
                    "asset": asset_of(volume),
                    "size": str(get(volume, "spec", "capacity", "storage") or "0"),
                },
            )

    def _events(self, pod: Obj, log: Log) -> Iterator[tuple[str, Obj]]:
        """What a pod told: its volumes come into the ledger, the pod runs, its marks are on them."""
        told, written = [], []
        for called, mount in self._mounts(pod):
            found, asset, size = log.found.get(called), mount["asset"], mount.pop("size")
            if found is None:
                continue
            disk = self._disks.setdefault(asset, Disk(size))
            if not disk.told:
                disk.told = True
                yield "ADDED", disk.event(asset)
            read = self._last(found, uid(pod), asset)
            own = read is not None and read["claim"] == mount["claimUID"]
            if found.read and (own or self._is_sure(disk, pod, mount["claimUID"])):
                told.append({**mount, "read": read})
            if found.wrote:
                written.append((disk, asset, mount["claimUID"]))
        if told:
            spec = {"pod": name(pod), "namespace": namespace(pod), "podUID": uid(pod), "node": node_name(pod)}
            process = self._running[uid(pod)] = _ledger("Process", uid(pod), {**spec, "volumes": told})
            yield "ADDED", process
        for disk, asset, claim in written:
            disk.marks.append(({"claim": claim, "pod": name(pod), "podUID": uid(pod)}, log.done))
            yield "MODIFIED", disk.event(asset)

    def _last(self, found: Found, reader: str, asset: str) -> Obj | None:
        """The last mark that others left."""
        marks = [mark for mark in found.marks if mark != reader]
        if not marks:
            return None
        owners = self._owners.get(marks[-1], {})
        claim = owners.get(asset) or next(iter(owners.values()), SOMEBODY)
        return {"claim": claim, "podUID": marks[-1]}

    def _is_sure(self, disk: Disk, pod: Obj, claim: str) -> bool:
        """Whether finding nothing tells anything: nobody wrote, or somebody wrote before the pod had a node."""
        others = [done for mark, done in disk.marks if mark["claim"] == claim and mark["podUID"] != uid(pod)]
        return not others or min(others) <= self._placed.get(uid(pod), 0)

    def _await(self, pod: Obj) -> None:
        """Read a pod's log, all of it: its program may have begun a moment ago."""
        limit = monotonic() + LOG_SECONDS
        while not self._read(pod) and monotonic() < limit:
            sleep(LOG_PAUSE)

    def _read(self, pod: Obj) -> bool:
        """Read a pod's log unless that was done; False when it is worth another try."""
        at = uid(pod)
        if at in self._logs or at in self._refused or (not self._logs and len(self._refused) >= MOST_REFUSALS):
            return True
        asked, found = looked_at(pod), dict[str, Found]()
        if not asked:
            return True
        try:
            for container, volumes in asked.items():
                told = found_in(self._connection.text(path_of(key(pod), "log"), {"container": container}))
                if not volumes.issubset(told):
                    return False
                found = {**told, **found}  # Where two containers have one volume, both find the mark of their pod.
        except NotFound:  # The pod is gone, and what it would have told with it.
            self._refused[at] = "they were gone before they were asked"
            return True
        except (ApiError, Unavailable) as error:
            self._refused[at] = str(error)
            return True
        self._logs[at] = Log(found, self._present() or inf)
        return True


def _stuck(pod: Obj) -> str:
    """Why a container of a pod does not start, "" if it may."""
    for entry in get(pod, "status", "containerStatuses") or ():
        waiting = get(entry, "state", "waiting") or {}
        if waiting.get("reason") in NEVER:
            return f"{waiting['reason']}: {waiting.get('message', '')}"
    return ""


def _is_claim(entry: Obj) -> bool:
    return "persistentVolumeClaim" in entry or "ephemeral" in entry


def _ledger(kind: str, called: str, spec: Obj) -> Obj:
    metadata = {"name": called, "uid": f"{kind.lower()}-{called}"}
    return {"apiVersion": API_VERSIONS[kind], "kind": kind, "metadata": metadata, "spec": spec}


def _at(frame: Frame, kind: str, obj: Obj) -> Frame:
    """A frame of a ledger, at the place of one that was watched."""
    stamped = put(obj, ("metadata", "resourceVersion"), str(frame.version))
    return Frame(kind, stamped, frame.arrived)
