"""Controllers that release, recycle, delete or protect the wrong thing, or not at all."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from pvkit.backends.mutants.binder_steps import changed_write, dropped
from pvkit.backends.mutants.registry import Edit, edit, mutant
from pvkit.backends.objects import Key, deleting, put, uid, without
from pvkit.backends.reference import phases, protection, reclaim
from pvkit.backends.reference.rules import STOP, Write
from pvkit.backends.storage import CLAIM_PROTECTION, claim_ref
from pvkit.backends.workloads import claim_keys, is_finished, node_name


@mutant("released-loses-reference", breaks=("PVB-133",), after="loft-sh/vcluster#4034", family="FIELD")
def released_loses_reference() -> Iterable[Edit]:
    """A volume that is released forgets its claim, so anybody may have it and its data."""

    def make(original: Any) -> Any:
        def release(seen: Any, at: Key) -> Any:
            effect = original(seen, at)
            return (
                Write("update", without(effect.object, ("spec", "claimRef"))) if isinstance(effect, Write) else effect
            )

        return release

    yield edit(phases.release, "body", make)


@mutant("cleared-reference-returns", breaks=("PVB-045",), after="loft-sh/vcluster#1464", family="FIELD")
def cleared_reference_returns() -> Iterable[Edit]:
    """A reference that an administrator cleared is written back."""

    def make(original: Any) -> Any:
        def keep(seen: Any, at: Key) -> Any:
            volume = seen.lookup(at)
            known = seen.memory.setdefault("references", {})
            if volume is not None and claim_ref(volume) is not None:
                known[uid(volume)] = claim_ref(volume)
            elif volume is not None and uid(volume) in known:
                return Write("update", put(volume, ("spec", "claimRef"), known[uid(volume)]))
            return original(seen, at)

        return keep

    yield edit(phases.make_available, "body", make)


@mutant("never-released", breaks=("PVB-025", "PVB-055", "PVB-095"), canary=True, family="GATE")
def never_released() -> Iterable[Edit]:
    """A volume whose claim is gone goes on saying that it is Bound."""
    yield dropped(phases.release)


@mutant("retain-is-delete", breaks=("PVB-090",), canary=True, after="kubernetes/minikube#3955", family="FIELD")
def retain_is_delete() -> Iterable[Edit]:
    """Volumes to be retained are deleted when they are released."""
    yield edit(phases, "RECLAIMS", lambda original: {**original, "Retain": "Deletion"})
    yield edit(reclaim, "reclaim_policy", lambda original: lambda volume: "Delete")
    yield edit(reclaim, "deleter", lambda original: lambda volume: "")


@mutant("delete-is-retain", breaks=("PVB-094",), after="rancher/k3k#478", family="SCOPE")
def delete_is_retain() -> Iterable[Edit]:
    """Nothing is done about released volumes of policy Delete that have no deleter: they never become Failed."""
    yield edit(phases, "RECLAIMS", lambda original: {"Recycle": "Recycling"})


@mutant("external-volume-failed", breaks=("PVB-093",), after="kubernetes/kubernetes#43138", family="SCOPE")
def external_volume_failed() -> Iterable[Edit]:
    """A released volume that somebody else deletes is marked Failed, and so is never deleted."""
    yield edit(reclaim, "deleter", lambda original: lambda volume: original(volume) or "no volume plugin matched")


@mutant("recycled-unwiped", breaks=("PVB-133",), after="kubernetes/kubernetes#53413", family="NAME")
def recycled_unwiped() -> Iterable[Edit]:
    """A recycled volume is offered to the next claim with the data of the last."""
    yield dropped(reclaim.wipe)


@mutant("recycled-in-use", breaks=("PVB-096",), after="kubernetes/kubernetes#70580", family="NAME")
def recycled_in_use() -> Iterable[Edit]:
    """A volume is not recycled while any claim of the name is used by a pod, its own or another."""

    def make(original: Any) -> Any:
        def users(seen: Any, volume: Any) -> Any:
            at = phases.claim_key(volume)
            return sorted(
                pod["metadata"]["name"] for pod in seen.all("Pod") if at in claim_keys(pod) and node_name(pod)
            )

        return users

    yield edit(reclaim, "_users", make)


@mutant("recycles-without-looking", breaks=("PVB-097",), family="TERM")
def recycles_without_looking() -> Iterable[Edit]:
    """Whatever was released is recycled, whether its kind can be scrubbed or not."""
    kinds = ("nfs", "hostPath", "local", "csi", "iscsi", "fc", "azureFile", "azureDisk", "cephfs", "rbd", "cinder")
    yield edit(reclaim, "RECYCLABLE", lambda original: kinds)


@mutant("failed-without-a-word", breaks=("PVB-063",), family="FIELD")
def failed_without_a_word() -> Iterable[Edit]:
    """A volume that becomes Failed does not say why."""

    def make(original: Any) -> Any:
        return lambda volume, to, message="": original(volume, to)

    yield edit(reclaim, "in_phase", make)


@mutant("claims-not-protected", breaks=("PVB-101",), canary=True, after="kubernetes/kubernetes#27198", family="FINAL")
def claims_not_protected() -> Iterable[Edit]:
    """A claim is removed while a pod uses it."""
    yield dropped(protection.keep_used_claim)


@mutant(
    "pod-list-from-cache", breaks=("PVB-101",), after="kubernetes/kubernetes#76703", needs=("stale",), family="CACHE"
)
def pod_list_from_cache() -> Iterable[Edit]:
    """Whether a pod uses a claim is told by the cache alone."""

    def make(original: Any) -> Any:
        def keep(seen: Any, at: Key) -> Any:
            claim = seen.lookup(at)
            if claim is None or not protection.wants_off(claim, CLAIM_PROTECTION):
                return original(seen, at)
            return STOP if any(protection.holds(pod, at) for pod in seen.find(protection.PODS, at)) else None

        return keep

    yield edit(protection.keep_used_claim, "body", make)


@mutant("finished-pods-do-not-hold", breaks=("PVB-101",), family="TERM")
def finished_pods_do_not_hold() -> Iterable[Edit]:
    """A claim is removed while a pod that has finished still exists."""
    yield edit(protection, "holds", lambda original: lambda pod, at: original(pod, at) and not is_finished(pod))


@mutant("unscheduled-pods-hold", breaks=("PVB-103",), family="TERM")
def unscheduled_pods_hold() -> Iterable[Edit]:
    """A claim is kept by a pod that never got a node."""
    yield edit(protection, "holds", lambda original: lambda pod, at: at in claim_keys(pod))


@mutant(
    "merged-deletion-unseen", breaks=("PVB-103",), after="kubernetes/kubernetes#80475", needs=("stale",), family="WAKE"
)
def merged_deletion_unseen() -> Iterable[Edit]:
    """A pod replaced between two looks wakes only the claims of the new one."""

    def make(original: Any) -> Any:
        wake = original["Pod"]
        return {**original, "Pod": lambda old, new, seen: wake(None if new is not None else old, new, seen)}

    yield edit(protection.CLAIM_PROTECTOR, "watches", make)


@mutant("missed-while-down", breaks=("PVB-103",), after="topolvm/topolvm#278", needs=("crash",), family="WAKE")
def missed_while_down() -> Iterable[Edit]:
    """A claim that was deleted while the protector was down is never let go."""

    def make(original: Any) -> Any:
        wake = original["PersistentVolumeClaim"]
        return {**original, "PersistentVolumeClaim": lambda old, new, seen: wake(old, new, seen) if old else ()}

    yield edit(protection.CLAIM_PROTECTOR, "watches", make)


@mutant(
    "claims-never-let-go", breaks=("PVB-103",), canary=True, after=("kubernetes/kubernetes#60764", "W4"), family="FINAL"
)
def claims_never_let_go() -> Iterable[Edit]:
    """The finalizer of a claim that nobody uses is not taken off."""
    yield dropped(protection.release_claim)


@mutant("volumes-not-protected", breaks=("PVB-102",), family="FINAL")
def volumes_not_protected() -> Iterable[Edit]:
    """A volume is removed while it is bound."""

    def make(original: Any) -> Any:
        return lambda obj: "" if obj["kind"] == "PersistentVolume" and deleting(obj) else original(obj)

    yield edit(protection, "phase", make)


@mutant(
    "volumes-never-let-go",
    breaks=("PVB-104",),
    canary=True,
    after="kubernetes-sigs/kube-scheduler-simulator#160",
    family="FINAL",
)
def volumes_never_let_go() -> Iterable[Edit]:
    """The finalizer of a volume that is not bound is not taken off."""
    yield dropped(protection.release_volume)


@mutant("finalizers-forced-off", breaks=("PVB-131",), after="kubernetes-sigs/kwok#925", family="FINAL")
def finalizers_forced_off() -> Iterable[Edit]:
    """Taking off the own finalizer takes off all others."""

    def change(seen: Any, write: Any) -> Any:
        return replace(write, object=put(write.object, ("metadata", "finalizers"), []))

    yield changed_write(protection.release_claim, change)
    yield changed_write(protection.release_volume, change)


@mutant("dies-of-a-missing-reference", breaks=("PVB-056",), canary=True, after="loft-sh/vcluster#708", family="FIELD")
def dies_of_a_missing_reference() -> Iterable[Edit]:
    """A volume without a reference ends every pass over it with an error."""

    def make(original: Any) -> Any:
        def body(seen: Any, at: Key) -> Any:
            volume = seen.lookup(at)
            if volume is not None and claim_ref(volume) is None:
                return binder_failure()
            return original(seen, at)

        return body

    yield edit(phases.make_available, "body", make)


def binder_failure() -> Any:
    """The error of a pass."""
    from pvkit.backends.reference.rules import Fail

    return Fail("nil reference")


@mutant("protected-once", breaks=("PVB-105",), family="WAKE")
def protected_once() -> Iterable[Edit]:
    """Protection that somebody took off a claim or volume is not put on again."""
    for restore in (protection.protect_claim, protection.protect_volume):
        yield edit(restore, "body", lambda original: lambda seen, at: STOP)
