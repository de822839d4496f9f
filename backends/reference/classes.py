"""Classes: what a claim's storage class means for its binding, and how a volume is asked for.

A class that waits for its first consumer keeps the binder from taking free volumes. A claim without an opinion gets
the default class once nothing without a class fits it. What cannot be matched is handed to the provisioner that the
class names, by an annotation; whether anybody listens is not the binder's concern.
"""

from collections.abc import Hashable, Iterable
from typing import Any

from pvkit.backends.objects import Key, Obj, annotate, annotations, created_at, key, name, uid, version
from pvkit.backends.reference.migration import HOST_PATH, IN_TREE, NFS, driver_for, marked
from pvkit.backends.reference.operations import end, has_failed, has_succeeded, is_postponed, notes
from pvkit.backends.reference.rules import STOP, Effect, Fail, Say, Write, rule
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


def _active(pod: Obj) -> Iterable[tuple[Hashable, Any]]:
    if not is_finished(pod):
        for claim in claim_keys(pod):
            yield claim, name(pod)


def _default(found: Obj) -> Iterable[tuple[Hashable, Any]]:
    if is_default(found):
        yield "default", name(found)


ACTIVE = Index("unfinished pods by claim", "Pod", _active)
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
    pods = [name(pod) for pod in seen.find(ACTIVE, key) if not node_name(pod)]
    if not pods:
        return ("Normal", "WaitForFirstConsumer", "waiting for first consumer to be created before binding")
    text = f"waiting for pod{'s' if len(pods) > 1 else ''} {','.join(pods)} to be scheduled"
    return ("Normal", "WaitForPodScheduled", text)


def provisioner_of(seen: Seen, found: Obj) -> str:
    """Who is to make volumes of a class: the driver that took over, where the class names a plugin that left."""
    named = str(found.get("provisioner"))
    return driver_for(named, seen.setup.minor) or named


def cannot_provision(seen: Seen, claim: Obj) -> str:
    """Why nobody can be asked for a volume, "" if somebody can (CLASS-03, CLASS-04, CLASS-11)."""
    found = class_of(seen, claim)
    if found is None:
        return f'storageclass.storage.k8s.io "{storage_class(claim)}" not found'
    named = provisioner_of(seen, found)
    if named == NFS:
        return "no provisionable volume plugin matched"
    in_tree = named.startswith(IN_TREE) and named != HOST_PATH
    return f"no volume plugin matched name: {named}" if in_tree else ""


def ask(seen: Seen, claim: Obj) -> Key:
    """The key of the operation that asks for a volume, which goes by the claim as it is now."""
    seen.memory[f"asked for {key(claim)}"] = uid(claim), version(claim)
    return Key("Provisioning", claim["metadata"]["namespace"], name(claim))


def _asked(seen: Seen, at: Key) -> tuple[Obj, str] | None:
    """Claim and provisioner, if the claim still is as the binder saw it: else the write would be refused."""
    claim = seen.get("PersistentVolumeClaim", at.namespace, at.name)
    found = class_of(seen, claim) if claim is not None else None
    if claim is None or found is None:
        return None
    asked = seen.memory.get(f"asked for {key(claim)}")
    return (claim, provisioner_of(seen, found)) if asked == (uid(claim), version(claim)) else None


@rule("RECLAIM-14.2", on="Provisioning")
def wait_out_failures(seen: Seen, at: Key) -> Effect | None:
    """A claim for which asking failed a moment ago has to wait."""
    if "over" in notes(seen, at):
        return Fail("the claim was not saved")
    pair = _asked(seen, at)
    if pair is None:
        return STOP
    return Fail("asking failed a moment ago") if is_postponed(seen, at, pair[0]) else None


@rule("CLASS-12.1", on="Provisioning")
def name_provisioner(seen: Seen, at: Key) -> Effect | None:
    """The claim gets the name of the provisioner that is to make its volume; a refusal brings an event, no retry."""
    pair = _asked(seen, at)
    if pair is None or annotations(pair[0]).get(STORAGE_PROVISIONER) == pair[1]:
        return None
    claim, named = pair

    def refused(reason: str) -> Effect:
        has_failed(seen, at, claim)
        end(seen, at)
        return Say(claim, "Warning", "ProvisioningFailed", f"Error saving claim: {seen.refusal}")

    def saved(stored: Obj) -> None:
        ask(seen, stored)

    with_name = annotate(claim, **{STORAGE_PROVISIONER: named, BETA_STORAGE_PROVISIONER: named})
    return Write("update", marked(with_name, seen.setup.minor), refused=refused, remember=saved)


@rule("CLASS-12.2", on="Provisioning")
def tell_of_provisioner(seen: Seen, at: Key) -> Effect | None:
    """An event says who is waited for, or that the plugin which is still there makes no volumes (CLASS-09)."""
    pair = _asked(seen, at)
    if pair is None:
        return STOP
    claim, named = pair
    if named == HOST_PATH:
        text = f'Failed to create provisioner: provisioning in volume plugin "{HOST_PATH}" is disabled'
        return Say(claim, "Warning", "ProvisioningFailed", text)
    has_succeeded(seen, at, claim)
    text = (
        f"Waiting for a volume to be created either by the external provisioner '{named}' or manually by the system "
        "administrator. If volume creation is delayed, please verify that the provisioner is running and correctly "
        "registered."
    )
    return Say(claim, "Normal", "ExternalProvisioning", text)


PROVISIONING_RULES = (wait_out_failures, name_provisioner, tell_of_provisioner)
