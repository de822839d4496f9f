"""A cluster in this process, as far as a connection shows it: objects by path, one counter, watches that can be broken."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pvkit.backends.errors import AlreadyExists, ApiError, NotFound, Unavailable
from pvkit.backends.live.connection import path_of
from pvkit.backends.objects import API_VERSIONS, Key, Obj, key, put, version

PATIENCE = 30.0


class FakeCluster:
    """Keeps objects and a log of frames. Tests write as other components do, by `write` and `remove`.

    `cut` ends all watches as a broken connection does, `compact` forgets the log, `hold` keeps back the frames of a
    kind until `release`, `unknown` are kinds that the server does not have. `logs` are what pods have printed, by path.
    """

    def __init__(self, *unknown: str) -> None:
        self.unknown = unknown
        self.changed = threading.Condition()
        self.objects: dict[Key, Obj] = {}
        self.log: list[tuple[str, Obj]] = []
        self.counter, self.compacted, self.epoch = 100, 0, 0
        self.held: set[str] = set()
        self.watching: dict[str, int] = {}
        self.requests: list[tuple[str, str, Any]] = []
        self.logs: dict[str, Callable[[], str]] = {}

    def connect(self) -> Any:
        """A connection; it has what `Connection` has."""
        return _Connection(self)

    def write(self, obj: Obj) -> Obj:
        """Store an object, new or changed; returns it with its version."""
        with self.changed:
            self.counter += 1
            made = put(
                {"apiVersion": API_VERSIONS[obj["kind"]], **obj}, ("metadata", "resourceVersion"), str(self.counter)
            )
            made = put(made, ("metadata", "uid"), made["metadata"].get("uid") or f"uid-{self.counter}")
            kind = "MODIFIED" if key(made) in self.objects else "ADDED"
            self.objects[key(made)] = made
            self.log.append((kind, made))
            self.changed.notify_all()
            return made

    def remove(self, obj: Obj) -> Obj:
        """Remove an object."""
        with self.changed:
            self.counter += 1
            gone = put(self.objects.pop(key(obj)), ("metadata", "resourceVersion"), str(self.counter))
            self.log.append(("DELETED", gone))
            self.changed.notify_all()
            return gone

    def cut(self) -> None:
        """Break all watches."""
        with self.changed:
            self.epoch += 1
            self.changed.notify_all()

    def compact(self) -> None:
        """Forget the log and break all watches: who comes back with an old version is refused."""
        with self.changed:
            self.compacted = self.counter
            self.epoch += 1
            self.changed.notify_all()

    def hold(self, kind: str) -> None:
        """Keep back the frames of a kind."""
        self.held.add(kind)

    def release(self, kind: str) -> None:
        """Let the frames of a kind go."""
        with self.changed:
            self.held.discard(kind)
            self.changed.notify_all()

    def listed(self, kind: str, place: str) -> Obj:
        """A list of a kind, in one namespace or in all."""
        items = [obj for at, obj in self.objects.items() if at.kind == kind and place in ("", at.namespace)]
        bare = [
            {field: value for field, value in item.items() if field not in ("kind", "apiVersion")} for item in items
        ]
        metadata = {"resourceVersion": str(self.counter)}
        return {"kind": f"{kind}List", "apiVersion": API_VERSIONS[kind], "metadata": metadata, "items": bare}


def _place(path: str) -> tuple[str, str]:
    """The kind and namespace of a collection's path."""
    for kind in API_VERSIONS:
        for place in ("", path.split("/namespaces/")[1].split("/")[0] if "/namespaces/" in path else ""):
            if path == path_of(Key(kind, place, "")):
                return kind, place
    raise LookupError(path)


class _Connection:
    server = "https://fake.invalid"

    def __init__(self, cluster: FakeCluster) -> None:
        self._cluster = cluster

    def request(self, method: str, path: str, body: Any = None, query: Mapping[str, str] | None = None) -> Obj:
        cluster = self._cluster
        with cluster.changed:
            cluster.requests.append((method, path, body))
            if method == "GET" and path == "/version":
                return {"major": "1", "minor": "36"}
            if method == "POST":
                if key(body) in cluster.objects:
                    raise AlreadyExists("taken")
                return cluster.write(json.loads(json.dumps(body)))
            found = next((obj for at, obj in cluster.objects.items() if path == path_of(at)), None)
            if method == "GET" and found is None:
                kind, place = _collection(path)
                if kind in cluster.unknown:
                    raise NotFound("the server could not find the requested resource")
                return cluster.listed(kind, place)
            if found is None:
                raise NotFound(f"{path} not found")
            if method == "DELETE":
                return cluster.remove(found)
            if method in ("PATCH", "PUT"):
                return cluster.write(_merged(found, body))
            return found

    def text(self, path: str, query: Mapping[str, str] | None = None) -> str:
        self._cluster.requests.append(("GET", path, query))
        if path not in self._cluster.logs:
            raise NotFound(f"{path} not found")
        return self._cluster.logs[path]()

    def watch(
        self, path: str, since: str, seconds: int, opened: Callable[[Any], None] = lambda _: None
    ) -> Iterator[Obj]:
        cluster, (kind, _) = self._cluster, _collection(path)
        epoch, told = cluster.epoch, int(since)
        response = _Response(cluster)
        opened(response)
        if told < cluster.compacted:
            yield {"type": "ERROR", "object": {"code": 410, "message": f"too old resource version: {told}"}}
            return
        while True:
            with cluster.changed:
                cluster.watching[kind] = epoch
                cluster.changed.notify_all()

                def fresh(told: int = told) -> list[tuple[str, Obj]]:
                    if kind in cluster.held:
                        return []
                    return [(how, obj) for how, obj in cluster.log if obj["kind"] == kind and version(obj) > told]

                cluster.changed.wait_for(
                    lambda fresh=fresh: response.closed or cluster.epoch != epoch or fresh()  # type: ignore[misc]
                )
                frames = fresh()
            if response.closed or cluster.epoch != epoch:
                raise Unavailable("the connection was broken")
            for how, obj in frames:
                told = version(obj)
                yield {"type": how, "object": obj}


def _collection(path: str) -> tuple[str, str]:
    try:
        return _place(path)
    except LookupError:
        raise NotFound(f"{path} not found") from None


def _merged(found: Obj, patch: Any) -> Obj:
    if isinstance(patch, list):
        raise ApiError("no JSON patches here")
    made = dict(found)
    for field, value in patch.items():
        if value is None:
            made.pop(field, None)
        else:
            made[field] = _merged(found.get(field) or {}, value) if isinstance(value, dict) else value
    return made


class _Response:
    def __init__(self, cluster: FakeCluster) -> None:
        self._cluster, self.closed = cluster, False

    def shutdown(self) -> None:
        with self._cluster.changed:
            self.closed = True
            self._cluster.changed.notify_all()


def claim(name: str, namespace: str = "mine", **fields: Any) -> Obj:
    """A claim as a server shows it."""
    return {"kind": "PersistentVolumeClaim", "metadata": {"name": name, "namespace": namespace, **fields}, "spec": {}}


def volume(name: str, **spec: Any) -> Obj:
    """A volume as a server shows it."""
    return {"kind": "PersistentVolume", "metadata": {"name": name}, "spec": spec}
