"""Operations as requests: what a plan asks for, under the plan's own names, in the server's words."""

from pvkit.backends.errors import BadRequest, Forbidden, UsageError
from pvkit.backends.live.connection import Connection, path_of
from pvkit.backends.live.guest import objection
from pvkit.backends.live.naming import PLAN_LABEL, Names
from pvkit.backends.objects import API_VERSIONS, LEDGERS, NAMESPACED, Key, Obj, get, put
from pvkit.backends.protocol import Operation


class Asker:
    """Sends the requests of one plan. With `held` the plan's pods are held to its own nodes by a selector.

    Without, the cluster is somebody else's, and what would reach beyond the plan is refused here.
    """

    def __init__(self, connection: Connection, names: Names, held: bool) -> None:
        self._connection, self._names, self._held = connection, names, held

    def ask(self, operation: Operation) -> Obj:
        """The server's answer; raises `ApiError` for a refusal and `Unavailable` when none came."""
        reason = "" if self._held else objection(operation)
        if reason:
            raise Forbidden(f"not sent to a cluster that others use: {reason}")
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
            selector = {**(get(sent, "spec", "nodeSelector") or {}), PLAN_LABEL: self._names.tag}
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
                return send("DELETE", path_of(at), _delete_options(operation))
        raise UsageError(f"unknown verb {operation.verb!r}")


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
