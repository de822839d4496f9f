"""A real API server, asked what the model is asked, and where their answers differ.

Nobody else writes meanwhile: on a cluster of the kit's own all components but etcd and the API server are stopped.
After each case what it made is taken away again, finalizers and all.
"""

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from time import perf_counter, sleep
from typing import Any
from urllib.parse import quote

from pvkit.backends.errors import ApiError, BackendError, NotFound
from pvkit.backends.live import cluster
from pvkit.backends.live.components import Layout, commands
from pvkit.backends.live.connection import Connection, path_of
from pvkit.backends.objects import API_VERSIONS, NAMESPACED, Key, Obj, key
from pvkit.conformance.api_answers import Asked, cases
from pvkit.conformance.progress import Listener, Tick, deaf

SERVING = ("etcd", "kube-apiserver")
ADMITTING = ("LimitRange", "StorageClass", "Namespace", "ResourceQuota", "CSIDriver", "Node")
"""Kinds that admission looks up in caches of its own, which follow the store a moment later."""
CACHE_SECONDS = 0.15
ATTEMPTS = 20
SHOWN = 40
_DELETE = {"kind": "DeleteOptions", "apiVersion": "v1"}


@dataclass(frozen=True, slots=True)
class Answered:
    """One request of a case and both answers to it, in the form of the table."""

    case: str
    ask: Obj
    model: Obj
    live: Obj

    def __str__(self) -> str:
        return f"{self.case}: {self.ask}: model {self.model}, live {self.live}"


class Server:
    """The API server behind a connection, as an `Api`. It remembers what was made on it."""

    def __init__(self, connection: Connection) -> None:
        self._connection, self._made = connection, dict[Key, None]()

    def create(self, obj: Obj) -> Obj:
        """Store a new object, or bind a pod."""
        at = _key(obj)
        if obj["kind"] == "Binding":
            path = path_of(_quoted(at._replace(kind="Pod")), "binding")
            return self._connection.request("POST", path, {"apiVersion": "v1", **obj})
        stored = self._connection.request("POST", path_of(at._replace(name="")), _whole(obj))
        self._made[at._replace(name=stored["metadata"]["name"])] = None
        self._follow(at.kind)
        return stored

    def read(self, at: Key) -> Obj | None:
        """What is stored, None if nothing is."""
        if not at.name:
            return None
        with suppress(NotFound):
            return self._connection.request("GET", path_of(_quoted(at)))
        return None

    def update(self, obj: Obj, subresource: str = "") -> Obj:
        """Replace an object."""
        stored = self._connection.request("PUT", path_of(_quoted(_key(obj)), subresource), _whole(obj))
        self._follow(obj["kind"])
        return stored

    def patch(self, at: Key, patch: Any, subresource: str = "") -> Obj:
        """Change an object."""
        stored = self._connection.request("PATCH", path_of(_quoted(at), subresource), patch)
        self._follow(at.kind)
        return stored

    def delete(self, at: Key, /, **options: Any) -> Obj | None:
        """Ask for an object's end."""
        found = self._connection.request("DELETE", path_of(_quoted(at)), _options(options))
        self._follow(at.kind)
        return found

    def clear(self) -> None:
        """Take away what was made."""
        for at in reversed(self._made):
            self._end(at)
            self._follow(at.kind)
        self._made.clear()

    def _end(self, at: Key) -> None:
        for _ in range(ATTEMPTS):
            found = self.read(at)
            if found is None:
                return
            with suppress(ApiError):
                if found["metadata"].get("finalizers"):
                    self._connection.request("PATCH", path_of(_quoted(at)), {"metadata": {"finalizers": None}})
                if at.kind == "Namespace" and found["metadata"].get("deletionTimestamp"):
                    body = {**found, "spec": {"finalizers": []}}
                    self._connection.request("PUT", path_of(_quoted(at), "finalize"), body)
                grace = {"gracePeriodSeconds": 0, "propagationPolicy": "Background"}
                self._connection.request("DELETE", path_of(_quoted(at)), {**_DELETE, **grace})
        raise BackendError(f"{at} does not go from the API server, and the next case would meet it")

    def _follow(self, kind: str) -> None:
        if kind in ADMITTING:
            sleep(CACHE_SECONDS)


def _key(obj: Obj) -> Key:
    found = key({**obj, "metadata": {"name": "", **obj["metadata"]}})
    return found if obj["kind"] in NAMESPACED or obj["kind"] == "Binding" else found._replace(namespace="")


def _quoted(at: Key) -> Key:
    return at._replace(name=quote(at.name, safe=""))


def _whole(obj: Obj) -> Obj:
    return {"apiVersion": API_VERSIONS[obj["kind"]], **obj}


def _options(asked: dict[str, Any]) -> Obj:
    made: Obj = dict(_DELETE)
    if "propagation" in asked:
        made["propagationPolicy"] = asked["propagation"]
    if "grace" in asked:
        made["gracePeriodSeconds"] = asked["grace"]
    wanted = {"uid": "uid", "version": "resourceVersion"}
    conditions = {field: asked[word] for word, field in wanted.items() if word in asked}
    return {**made, "preconditions": conditions} if conditions else made


def stop_others(layout: Layout) -> None:
    """Stop all components of a cluster of ours but those that store and serve; its end ends them, too."""
    for component in commands(layout):
        process = cluster.process_of(layout.folder, component)
        if component not in SERVING and process:
            os.kill(process, signal.SIGSTOP)


def compared(connection: Connection, minor: str, hear: Listener = deaf) -> Iterator[Answered]:
    """Every request of the table that is not about another version, asked of both as this one."""
    server, start = Server(connection), perf_counter()
    meant = [case for case in cases() if case.get("kubernetes", minor) == minor and not case.get("gates")]
    asked = [{**case, "kubernetes": minor} for case in meant]
    for number, case in enumerate(asked):
        try:
            yield from _one(case, server)
        finally:
            server.clear()
        hear(Tick("cases", number + 1, len(asked), perf_counter() - start))


def _one(case: Obj, server: Server) -> Iterator[Answered]:
    model, live = Asked(case), Asked(case, server)
    for step in case["steps"]:
        yield Answered(case["case"], step["ask"], model.answer(step["ask"]), live.answer(step["ask"]))


def told(answers: Sequence[Answered]) -> list[str]:
    """What a comparison of answers came to, a line for each difference."""
    other = [entry for entry in answers if entry.model != entry.live]
    refused = sum(entry.live["code"] >= 400 for entry in answers)
    same = f"{len(answers) - len(other):,} of {len(answers):,} answers of the API the same"
    how = "code, reason, field, cause, message, and all that is stored"
    left = len(cases()) - len({entry.case for entry in answers})
    more = [f"  and {len(other) - SHOWN} more"] if len(other) > SHOWN else []
    return [
        f"{same} ({how}); {refused:,} of them are refusals; {left} cases about other versions or gates were left out",
        *(f"  {entry}" for entry in other[:SHOWN]),
        *more,
    ]
