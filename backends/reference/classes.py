"""Classes: what a claim's storage class means for its binding, and how a volume is asked for.

A class that waits for its first consumer keeps the binder from taking free volumes. A claim without an opinion gets
the default class once nothing without a class fits it. What cannot be matched is handed to the provisioner that the
class names, by an annotation; whether anybody listens is not the binder's concern.
"""

from collections.abc import Hashable, Iterable
from typing import Any

from pvkit.backends.objects import Key, Obj, annotate, annotations, created_at, key, name, uid, version
from pvkit.backends.reference.rules import STOP, Effect, Say, Write, rule
from pvkit.backends.reference.view import Seen
from pvkit.backends.storage import (
    BETA_STORAGE_PROVISIONER,
    SELECTED_NODE,
    STORAGE_PROVISIONER,
    has_class,
    is_default,
    storage_class,
    waits_for_consumer,
)
from pvkit.backends.tables import Index
from pvkit.backends.workloads import claim_keys, is_finished, node_name

IN_TREE = "kubernetes.io/"


def _waiting(pod: Obj) -> Iterable[tuple[Hashable, Any]]:
    if not node_name(pod) and not is_finished(pod):
        for claim in claim_keys(pod):
            yield claim, name(pod)


def _default(found: Obj) -> Iterable[tuple[Hashable, Any]]:
    if is_default(found):
        yield "default", name(found)


WAITING = Index("unscheduled pods by claim", "Pod", _waiting)
DEFAULTS = Index("default classes", "StorageClass", _default)


def class_of(seen: Seen, claim: Obj) -> Obj | None:
    """The cached class object of a claim."""
    return seen.get("StorageClass", "", storage_class(claim)) if storage_class(claim) else None


def waits(seen: Seen, claim: Obj) -> bool:
    """Whether binding is left to the scheduler (SCHED-01); a class without object is immediate (BIND-11)."""
    return waits_for_consumer(class_of(seen, claim))


def has_node(claim: Obj) -> bool:
    """Whether the scheduler has chosen a node for a volume to be made."""
    return SELECTED_NODE in annotations(claim)


def default_for(seen: Seen, claim: Obj) -> Obj | None:
    """The class that a claim without an opinion gets: of several defaults the newest, then by name (DEFAULT-02)."""
    if has_class(claim):
        return None
    found = list(seen.find(DEFAULTS, "default"))
    newest = max((created_at(entry) for entry in found), default="")
    return next((entry for entry in found if created_at(entry) == newest), None)


def waiting_words(seen: Seen, claim: Obj) -> tuple[str, str, str]:
    """The event of a claim that waits for a consumer, or for the node of one that is there (SCHED-01)."""
    key = Key("PersistentVolumeClaim", claim["metadata"]["namespace"], name(claim))
    pods = [name(pod) for pod in seen.find(WAITING, key)]
    if not pods:
        return ("Normal", "WaitForFirstConsumer", "waiting for first consumer to be created before binding")
    text = f"waiting for pod{'s' if len(pods) > 1 else ''} {','.join(pods)} to be scheduled"
    return ("Normal", "WaitForPodScheduled", text)


def cannot_provision(seen: Seen, claim: Obj) -> str:
    """Why nobody can be asked for a volume, "" if somebody can (CLASS-03, CLASS-04, CLASS-11)."""
    found = class_of(seen, claim)
    if found is None:
        return f'storageclass.storage.k8s.io "{storage_class(claim)}" not found'
    provisioner = str(found.get("provisioner"))
    return f"no volume plugin matched name: {provisioner}" if provisioner.startswith(IN_TREE) else ""


def _claim(seen: Seen, at: Key) -> Obj | None:
    """The claim that is to be provisioned for, if it still is as the binder saw it: else the write would be refused."""
    claim = seen.get("PersistentVolumeClaim", at.namespace, at.name)
    asked = seen.memory.get(f"asked for {key(claim)}") if claim is not None else None
    return claim if claim is not None and asked == (uid(claim), version(claim)) else None


@rule("CLASS-12.1", on="Provisioning")
def name_provisioner(seen: Seen, at: Key) -> Effect | None:
    """The claim gets the name of the provisioner that is to make its volume; a refusal is not tried again."""
    claim = _claim(seen, at)
    found = class_of(seen, claim) if claim is not None else None
    if claim is None or found is None:
        return STOP
    if annotations(claim).get(STORAGE_PROVISIONER) == found["provisioner"]:
        return None
    marks = {STORAGE_PROVISIONER: found["provisioner"], BETA_STORAGE_PROVISIONER: found["provisioner"]}

    def refused(reason: str) -> Effect:
        seen.scratch.setdefault(at.kind, {})["refused"] = f"Error saving claim: {seen.refusal}"
        return Say(claim, "Warning", "ProvisioningFailed", f"Error saving claim: {seen.refusal}")

    if seen.scratch.setdefault(at.kind, {}).get("refused"):
        return STOP

    def saved(stored: Obj) -> None:
        seen.memory[f"asked for {key(stored)}"] = uid(stored), version(stored)

    return Write("update", annotate(claim, **marks), refused=refused, remember=saved)


@rule("CLASS-12.2", on="Provisioning")
def tell_of_provisioner(seen: Seen, at: Key) -> Effect | None:
    """An event says who is waited for."""
    claim = _claim(seen, at)
    found = class_of(seen, claim) if claim is not None else None
    if claim is None or found is None:
        return STOP
    text = (
        f"Waiting for a volume to be created either by the external provisioner '{found['provisioner']}' or manually "
        "by the system administrator. If volume creation is delayed, please verify that the provisioner is running "
        "and correctly registered."
    )
    return Say(claim, "Normal", "ExternalProvisioning", text)


PROVISIONING_RULES = (name_provisioner, tell_of_provisioner)
