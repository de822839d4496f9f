"""What a request to an API server is about, read from its method and URL, in the words of faults."""

from collections.abc import Mapping
from dataclasses import dataclass

from pvkit.backends.objects import API_VERSIONS, LEDGERS

READS = ("get", "list", "watch")
_KINDS = {
    f"{kind.lower()}{'es' if kind.endswith('Class') else 's'}": kind for kind in API_VERSIONS if kind not in LEDGERS
}
"""Kinds by their plural in paths; the official client, which knows them too, takes long to import."""
_WRITES = {"POST": "create", "PUT": "update", "PATCH": "update", "DELETE": "delete"}


@dataclass(frozen=True, slots=True)
class Call:
    """A request: `get`, `list`, `watch`, `create`, `update`, `update-status` or `delete`.

    `kind` is "" when no plan speaks of it.
    """

    verb: str
    kind: str
    name: str = ""

    @property
    def counts(self) -> bool:
        """Whether faults speak of it; recorded Kubernetes Events are no calls of the model."""
        return self.kind not in ("", "Event") and self.verb != "watch"


def call_of(method: str, path: str, query: Mapping[str, str]) -> Call:
    """The call that an HTTP request is; a binding of a pod, like any other subresource, is an update."""
    parts = [part for part in path.split("/") if part]
    parts = parts[2 if parts[:1] == ["api"] else 3 :]
    if parts[:1] == ["namespaces"] and len(parts) > 2 and parts[2] in _KINDS:
        parts = parts[2:]
    plural, name, subresource = [*parts, "", "", ""][:3]
    kind = _KINDS.get(plural, "")
    if method == "GET":
        watches = query.get("watch") in ("true", "1")
        return Call("watch" if watches else "get" if name else "list", kind, name)
    verb = _WRITES.get(method, "")
    if subresource and verb != "delete":
        verb = "update-status" if subresource == "status" else "update"
    return Call(verb, kind, name)
