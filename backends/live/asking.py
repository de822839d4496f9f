"""Operations as requests: what a plan asks for, under the plan's own names, in the server's words."""

from pvkit.backends.errors import BadRequest, Conflict, Forbidden, NotFound, UsageError
from pvkit.backends.live.connection import Connection, path_of
from pvkit.backends.live.guest import objection, objection_beside
from pvkit.backends.live.naming import PLAN_LABEL, Names
from pvkit.backends.objects import API_VERSIONS, LEDGERS, NAMESPACED, Key, Obj, get, put, uid
from pvkit.backends.protocol import Operation

ATTEMPTS = 3
"""How often an object is looked at before it is deleted, should another have taken its name meanwhile."""


class Asker:
    """Sends the requests of one plan. With `held` the plan's pods are held to its own nodes by a selector.

    Without, the cluster is somebody else's. What would reach beyond the plan is refused here.
    """

    def __init__(self, connection: Connection, names: Names, held: bool) -> None:
        self._connection, self._names, self._held = connection, names, held

    def ask(self, operation: Operation) -> Obj:
        """The server's answer; raises `ApiError` for a refusal and `Unavailable` when none came."""
        reason = "" if self._held else objection(operation)
        if reason:
            raise Forbidden(f"not sent to a cluster that others use: {reason}")
        reason = objection_beside(operation) if self._names.private else ""
        if reason:
            raise Forbidden(f"not sent while other plans are under way: {reason}")
        if operation.verb == "create":
            return self.create(_known(operation.object))
        if operation.verb == "update":
            return self._update(_known(operation.object), str(operation.options.get("subresource", "")))
        if operation.target is None:
            raise UsageError(f"{operation.verb} names no object")
        return self._about(operation, self._names.key(operation.target))

    def create(self, obj: Obj) -> Obj:
        """Create an object of the plan, labelled with the run."""
        sent = self._names.labelled(self._names.out(obj))
        place = str(sent["metadata"].get("namespace") or "")
        return self._connection.request("POST", path_of(Key(sent["kind"], place, "")), sent)

    def _update(self, obj: Obj, subresource: str) -> Obj:
        sent = self._names.labelled(self._names.out(obj))
        if sent["kind"] == "Pod" and self._held:  # Admission had put the selector there, and it may not be taken away.
            selector = {**(get(sent, "spec", "nodeSelector") or {}), PLAN_LABEL: self._names.site}
            sent = put(sent, ("spec", "nodeSelector"), selector)
        metadata = sent["metadata"]
        place = metadata.get("namespace", "") if sent["kind"] in NAMESPACED else ""
        return self._connection.request("PUT", path_of(Key(sent["kind"], place, metadata["name"]), subresource), sent)

    def _about(self, operation: Operation, at: Key) -> Obj:
        options, send = operation.options, self._connection.request
        subresource = str(options.get("subresource", ""))
        match operation.verb:
            case "get":
                return send("GET", path_of(at))
            case "list":
                return send("GET", path_of(at._replace(name="")), query=_selector(options.get("selector")))
            case "patch":
                return send("PATCH", path_of(at, subresource), self._names.patch(at.kind, operation.patch))
            case "scale":
                return send("PATCH", path_of(at), {"spec": {"replicas": options["replicas"]}})
            case "delete":
                return self._delete(at, _delete_options(operation))
        raise UsageError(f"unknown verb {operation.verb!r}")

    def _delete(self, at: Key, options: Obj) -> Obj:
        """Delete one object of the plan; one outside of namespaces is looked at first, and only that one goes."""
        wanted = options.get("preconditions") or {}
        if at.kind in NAMESPACED:  # All that is in the plan's namespaces is the plan's.
            return self._connection.request("DELETE", path_of(at), options)
        for _ in range(ATTEMPTS):
            try:
                found = {"kind": at.kind, **self._connection.request("GET", path_of(at))}
            except NotFound:
                break
            if not self._names.made(found):
                raise Forbidden(f"not sent: {at.kind.lower()}/{at.name} was not made by this run")
            sent = {**options, "preconditions": {"uid": uid(found), **wanted}}
            try:
                return self._connection.request("DELETE", path_of(at), sent)
            except Conflict:
                if wanted:
                    raise
        return self._connection.request("DELETE", path_of(at), options)


def _known(obj: Obj | None) -> Obj:
    kind = (obj or {}).get("kind")
    if obj is None or kind not in API_VERSIONS or kind in LEDGERS:
        raise BadRequest(f'no kind "{kind}" is registered for version "v1" in scheme')
    return obj


def _selector(words: Obj | str | None) -> dict[str, str]:
    """A label selector as a query; plans give equalities."""
    if not words:
        return {}
    equal = words.get("matchLabels", words) if isinstance(words, dict) else {}
    text = words if isinstance(words, str) else ",".join(f"{label}={value}" for label, value in equal.items())
    return {"labelSelector": text}


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
