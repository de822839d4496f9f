"""A live cluster as a backend: operations through the official client, events from watches of every kind."""

import contextlib
import secrets
import threading
from dataclasses import replace
from functools import partial
from itertools import count
from time import monotonic

from pvkit import __version__
from pvkit.backends.errors import ApiError, NotFound, Unavailable
from pvkit.backends.live.connection import Connection, path_of
from pvkit.backends.live.naming import Names
from pvkit.backends.live.watching import Frame, Watches
from pvkit.backends.objects import Key, Obj, key, labels, phase, put, uid, version
from pvkit.backends.protocol import Budget, Departure, Description, Event, Operation, Outcome, Settled, Setup

RUN_LABEL = "pvkit.dev/run"
WATCHED = (
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Pod",
    "StatefulSet",
    "ControllerRevision",
    "StorageClass",
    "Node",
    "Namespace",
)
CLUSTER_WIDE = ("PersistentVolume", "StorageClass", "Node", "Namespace")


class LiveBackend:
    """Plays plans on a cluster, one after another, and removes what it made.

    `resync` is the sync period of the cluster's volume binder in seconds: a claim that is not bound yet may have to
    wait for it, so settling does too.
    """

    def __init__(
        self, kubeconfig: str | None = None, context: str | None = None, resync: float = 15.0, nodes: bool = False
    ) -> None:
        self._connect = partial(Connection, kubeconfig, context)
        self._connection = self._connect()
        self.run_id = secrets.token_hex(3)
        self._resync, self._makes_nodes = resync, nodes
        self._plans = count()
        self._watches = Watches(self._connect, WATCHED)
        self._version = self._connection.request("GET", "/version")
        self._made: dict[Key, str] = {}
        self._answers: set[int] = set()
        self._lock = threading.Lock()
        self.reset(Setup())

    def reset(self, setup: Setup, schedule: tuple[Departure, ...] = ()) -> None:
        """Remove what the last plan left and begin with the namespaces (and, where it may, the nodes) of this one."""
        self._clear()
        self._setup, self._names = setup, Names(f"k{self.run_id}-{next(self._plans)}")
        self._watches.drain()
        self._answers.clear()
        self._index, self._start = 0, monotonic()
        for name in ("default", *setup.namespaces):
            self._create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        for node in setup.nodes if self._makes_nodes else ():
            self._create({"apiVersion": "v1", "kind": "Node", **node})

    def _create(self, obj: Obj) -> Obj:
        sent = self._names.out(obj)
        sent = put(sent, ("metadata", "labels"), {**labels(sent), RUN_LABEL: self.run_id})
        at = key(sent)
        made = self._connection.request("POST", path_of(Key(at.kind, at.namespace, "")), sent)
        if at.kind in CLUSTER_WIDE:
            self._made[at] = uid(made)
        return made

    def invoke(self, operation: Operation) -> Outcome:
        """Ask as a client; names go out with this plan's tag and come back without it."""
        try:
            found = self._ask(operation)
        except ApiError as error:
            home = self._names.home
            causes = tuple(replace(cause, message=home(cause.message)) for cause in error.causes)
            return Outcome("failed", error.code, error.reason, home(error.message), causes)
        except Unavailable as error:
            return Outcome("unknown", 0, "Unavailable", str(error))
        if operation.verb not in ("get", "list") and "resourceVersion" in found.get("metadata", {}):
            self._answers.add(version(found))
        return Outcome("ok", 201 if operation.verb == "create" else 200, object=self._names.home(found))

    def _ask(self, operation: Operation) -> Obj:
        options, send = operation.options, self._connection.request
        subresource = str(options.get("subresource", ""))
        if operation.verb == "create" and operation.object is not None:
            return self._create(operation.object)
        if operation.verb == "update" and operation.object is not None:
            sent = self._names.out(operation.object)
            return send("PUT", path_of(key(sent), subresource), sent)
        assert operation.target is not None
        at = self._names.key(operation.target)
        match operation.verb:
            case "get" | "list":
                return send("GET", path_of(at))
            case "patch":
                body = operation.patch
                sent = self._names.out({"kind": at.kind, **body}) if isinstance(body, dict) else body
                return send("PATCH", path_of(at, subresource), sent)
            case "scale":
                return send("PATCH", path_of(at), {"spec": {"replicas": options["replicas"]}})
        return send("DELETE", path_of(at), _delete_options(operation))

    def settle(self, budget: Budget) -> Settled:
        """Wait until no event has come for long enough: longer than a resync while a claim is still unbound."""
        limit = monotonic() + budget.seconds
        while True:
            self._fence()
            quiet = self._resync * 1.5 + 1.0 if self._unbound() else 0.6
            since = self._watches.quiet_since()
            left = since + quiet - monotonic()
            if left <= 0:
                return Settled(True, self._time())
            if monotonic() > limit:
                return Settled(False, self._time(), f"still busy after {budget.seconds:.0f} s")
            self._watches.wait(lambda since=since: self._watches.quiet_since() > since, left)  # type: ignore[misc]

    def _unbound(self) -> bool:
        claims = self._watches.streams["PersistentVolumeClaim"].known
        return any(phase(claim) != "Bound" and self._names.mine(claim) for claim in list(claims.values()))

    def _fence(self) -> None:
        """Wait until every stream has shown the latest version that a list of its kind tells."""
        for kind, stream in self._watches.streams.items():
            items = self._connection.request("GET", path_of(Key(kind, "", "")))["items"]
            newest = max((version(item) for item in items), default=0)
            self._watches.wait(lambda stream=stream, newest=newest: stream.version >= newest, 5.0)  # type: ignore[misc]

    def observe(self) -> list[Event]:
        """The events of this plan since the last call, in the order of writes."""
        mine = [frame for frame in self._watches.drain() if self._names.mine(frame.object)]
        return [self._event(frame) for frame in mine]

    def _event(self, frame: Frame) -> Event:
        by = "client" if version(frame.object) in self._answers else ""
        self._index += 1
        seen = self._names.home(frame.object)
        return Event(self._index - 1, frame.type, seen, by, frame.arrived - self._start)  # type: ignore[arg-type]

    def _time(self) -> float:
        return monotonic() - self._start

    def describe(self) -> Description:
        """The server, and what it cannot show."""
        lacks = {"ledgers": "a live cluster does not tell what a storage backend holds"}
        minor = f"{self._version['major']}.{self._version['minor'].rstrip('+')}"
        return Description(f"live {self._connection.server}", __version__, minor, ordered=True, lacks=lacks)

    def _clear(self) -> None:
        """Delete what this run created, by UID, namespaces first."""
        for at in sorted(self._made, key=lambda at: CLUSTER_WIDE.index(at.kind), reverse=True):
            self._remove(at, self._made.pop(at))

    def _remove(self, at: Key, known: str) -> None:
        options = {
            "kind": "DeleteOptions",
            "apiVersion": "v1",
            "preconditions": {"uid": known},
            "gracePeriodSeconds": 0,
        }
        with contextlib.suppress(NotFound):
            self._connection.request("DELETE", path_of(at), options)

    def close(self) -> None:
        """Remove what the last plan made and stop watching."""
        self._clear()
        self._watches.close()


def _delete_options(operation: Operation) -> Obj:
    asked = operation.options
    made: Obj = {"kind": "DeleteOptions", "apiVersion": "v1"}
    if "propagation" in asked:
        made["propagationPolicy"] = asked["propagation"]
    if "grace" in asked:
        made["gracePeriodSeconds"] = asked["grace"]
    preconditions = {
        name: asked[word] for word, name in (("uid", "uid"), ("version", "resourceVersion")) if word in asked
    }
    return {**made, "preconditions": preconditions} if preconditions else made
