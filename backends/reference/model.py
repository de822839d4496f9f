"""The reference model as a backend: what a healthy Kubernetes does, and what it may do when disturbed.

It answers in this process, in logical time. One `ReferenceModel` plays plan after plan; `reset` begins each with an
empty world.
"""

from pvkit import __version__
from pvkit.backends.errors import ApiError, BadRequest, UsageError
from pvkit.backends.objects import API_VERSIONS, LEDGERS, NAMESPACED, Key, Obj
from pvkit.backends.protocol import Budget, Departure, Description, Event, Fault, Operation, Outcome, Settled, Setup
from pvkit.backends.reference import (
    binder,
    collection,
    endpoints,
    expansion,
    namespaces,
    node_lifecycle,
    pod_collection,
    pods,
    protection,
    provisioning,
    scheduling,
    statefulset,
)
from pvkit.backends.reference.engine import Engine
from pvkit.backends.reference.faults import FAULTS, disturb
from pvkit.backends.reference.rules import Controller

CONTROLLERS: tuple[Controller, ...] = (
    binder.BINDER,
    protection.CLAIM_PROTECTOR,
    protection.VOLUME_PROTECTOR,
    protection.ATTRIBUTES_PROTECTOR,
    provisioning.PROVISIONING,
    expansion.EXPANDER,
    statefulset.STATEFULSET,
    scheduling.SCHEDULER,
    pods.KUBELET,
    node_lifecycle.NODE_LIFECYCLE,
    pod_collection.POD_COLLECTOR,
    collection.GARBAGE_COLLECTOR,
    namespaces.NAMESPACES,
    endpoints.ENDPOINT_SLICES,
)


class ReferenceModel:
    """A `Backend`, `CanDisturb` and `CanStep` without a cluster."""

    def __init__(self) -> None:
        self.reset(Setup())

    def reset(self, setup: Setup, schedule: tuple[Departure, ...] = ()) -> None:
        """Begin a plan in an empty world that holds the nodes and namespaces of the setup."""
        self._engine = Engine(setup, CONTROLLERS, schedule)
        self._seen = 0
        for name in ("default", *setup.namespaces):
            self._engine.store.create({"kind": "Namespace", "metadata": {"name": name}}, by="setup")
        for node in setup.nodes:
            self._engine.store.create({"kind": "Node", **node}, by="setup")

    @property
    def engine(self) -> Engine:
        """The world of the present plan, for those who study the model itself."""
        return self._engine

    def invoke(self, operation: Operation) -> Outcome:
        """Ask as a client; a second of logical time passes before each request unless it says `at-once`."""
        if not operation.options.get("at-once"):
            self._engine.advance(1.0)
        try:
            return Outcome("ok", 201 if operation.verb == "create" else 200, object=self._ask(operation))
        except ApiError as error:
            return Outcome("failed", error.code, error.reason, error.message, error.causes)

    def _ask(self, operation: Operation) -> Obj | None:
        store, options = self._engine.store, operation.options
        subresource = str(options.get("subresource", ""))
        match operation.verb:
            case "create":
                return store.create(_known(operation.object))
            case "update":
                return store.update(_placed(_known(operation.object)), subresource)
        at = _target(operation)
        match operation.verb:
            case "get":
                return store.get(at)
            case "list":
                return {"kind": "List", "items": store.list(at.kind, at.namespace, options.get("selector"))}
            case "patch":
                return store.patch(at, operation.patch, subresource)
            case "scale":
                return store.patch(at, {"spec": {"replicas": options["replicas"]}})
            case "delete":
                wanted = {name: options[name] for name in ("uid", "version", "propagation", "grace") if name in options}
                return store.delete(at, **wanted)
        raise UsageError(f"unknown verb {operation.verb!r}")

    def settle(self, budget: Budget) -> Settled:
        """Run until nothing more happens."""
        return self._engine.settle(budget)

    def run(self, turns: int) -> None:
        """Let controllers take at most that many turns."""
        self._engine.run(turns)

    def observe(self) -> list[Event]:
        """The events since the last call, in the order of writes."""
        fresh = self._engine.store.log[self._seen :]
        self._seen += len(fresh)
        return fresh

    def fault_words(self) -> frozenset[str]:
        """All of them."""
        return frozenset(FAULTS)

    def disturb(self, fault: Fault) -> Outcome:
        """Make a fault."""
        disturb(self._engine, fault.word, dict(fault.options))
        return Outcome("ok")

    def describe(self) -> Description:
        """The model, at the version of Kubernetes that the plan asks for."""
        return Description(
            "pvkit reference model", __version__, self._engine.setup.kubernetes_version, True, True, lag=0.0
        )

    def close(self) -> None:
        """Nothing to leave behind."""


def _known(obj: Obj | None) -> Obj:
    kind = (obj or {}).get("kind")
    if obj is None or kind not in API_VERSIONS or kind in LEDGERS:
        raise BadRequest(f'no kind "{kind}" is registered for version "v1" in scheme')
    return obj


def _placed(obj: Obj) -> Obj:
    if obj["kind"] in NAMESPACED and not obj["metadata"].get("namespace"):
        return {**obj, "metadata": {**obj["metadata"], "namespace": "default"}}
    return obj


def _target(operation: Operation) -> Key:
    at = operation.target
    if at is None:
        raise UsageError(f"{operation.verb} names no object")
    return Key(at.kind, at.namespace or "default", at.name) if at.kind in NAMESPACED else Key(at.kind, "", at.name)
