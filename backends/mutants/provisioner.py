"""Provisioners that lose, leak or mix up the storage they make, and resizers that miscount."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from pvkit.backends.mutants.binder_steps import changed_write, dropped
from pvkit.backends.mutants.registry import Edit, edit, mutant
from pvkit.backends.objects import Key, annotate, annotations, deleting, name, put, uid, without
from pvkit.backends.reference import binding, expansion, provisioning
from pvkit.backends.reference.rules import STOP, Fail, Write
from pvkit.backends.storage import PROVISIONED_BY, SELECTED_NODE, asset_of, volume_name


def _volume(change: Any) -> Edit:
    """Volumes are made as they should be, then changed; `change` gets claim, class and volume."""

    def make(original: Any) -> Any:
        return lambda claim, found, node: change(claim, found, original(claim, found, node))

    return edit(provisioning, "volume_for", make)


def _tried(seen: Any, write: Any) -> Any:
    """Count the tries to store a volume, until one is known to have succeeded."""
    if write.verb != "create":
        return write
    handle = write.object["spec"]["csi"]["volumeHandle"]
    seen.memory[f"tries {handle}"] = seen.memory.get(f"tries {handle}", 0) + 1

    def stored(obj: Any) -> None:
        seen.memory[f"tries {handle}"] = 0

    return replace(write, remember=stored)


def _tries(seen: Any, claim: Any) -> int:
    return int(seen.memory.get(f"tries pvc-{uid(claim)}", 0)) if claim is not None else 0


@mutant(
    "roll-back-of-what-was-stored",
    breaks=("PVB-130",),
    after="kubernetes/kubernetes#44372",
    needs=("lost-answer",),
    family="STEPS",
)
def roll_back_of_what_was_stored() -> Iterable[Edit]:
    """When the answer to the creation of a volume is lost, the next try finds it there and deletes its storage."""

    def make(original: Any) -> Any:
        def ignore(seen: Any, at: Key) -> Any:
            claim = seen.lookup(at)
            effect = original(seen, at)
            if effect is not STOP or not _tries(seen, claim):
                return effect
            asset = seen.live(provisioning._asset_key(claim))
            return Write("delete", asset) if asset is not None else STOP

        return ignore

    yield edit(provisioning.ignore, "body", make)
    yield changed_write(provisioning.make_volume, _tried)


@mutant(
    "names-are-drawn",
    breaks=("PVB-083",),
    after="kubernetes-csi/external-provisioner#426",
    needs=("lost-answer",),
    family="NAME",
)
def names_are_drawn() -> Iterable[Edit]:
    """Each try to make a volume gives it another name, so one whose answer was lost is made again."""

    def make(original: Any) -> Any:
        def ignore(seen: Any, at: Key) -> Any:
            claim = seen.lookup(at)
            lost = _tries(seen, claim) and provisioning.is_asked(seen, claim) is not None
            return None if lost else original(seen, at)

        return ignore

    def change(seen: Any, write: Any) -> Any:
        if write.verb != "create":
            return write
        called = write.object["metadata"]["name"]
        tries = seen.memory.get(f"tries {called}", 0)
        again = put(write.object, ("metadata", "name"), f"{called}-{tries}") if tries else write.object
        return replace(_tried(seen, write), object=again)

    yield edit(provisioning.ignore, "body", make)
    yield changed_write(provisioning.make_volume, change)


@mutant(
    "crash-leaves-storage",
    breaks=("PVB-132",),
    after="kubernetes-csi/external-provisioner#486",
    needs=("refused",),
    family="STEPS",
)
def crash_leaves_storage() -> Iterable[Edit]:
    """Storage made for a claim that went away before the volume was written is never found again."""
    yield edit(provisioning.delete_unclaimed, "body", lambda original: lambda seen, at: STOP)


@mutant(
    "failed-volume-costs-storage",
    breaks=("PVB-134",),
    after="kubernetes-csi/external-provisioner#94",
    needs=("lost-answer",),
    family="STEPS",
)
def failed_volume_costs_storage() -> Iterable[Edit]:
    """When the creation of a volume fails, its storage is deleted at once, though the volume may have been stored."""

    def make(original: Any) -> Any:
        def ignore(seen: Any, at: Key) -> Any:
            claim = seen.lookup(at)
            asset = seen.live(provisioning._asset_key(claim)) if _tries(seen, claim) else None
            if asset is None:
                return original(seen, at)
            seen.memory[f"tries pvc-{uid(claim)}"] = 0
            return Write("delete", asset)

        return ignore

    yield edit(provisioning.ignore, "body", make)
    yield changed_write(provisioning.make_volume, _tried)


@mutant("missing-volume-is-made", breaks=("PVB-084",), after="velero-io/velero#7528", family="TERM")
def missing_volume_is_made() -> Iterable[Edit]:
    """A claim that names a volume which is not there is given one that is made on demand."""

    def make(original: Any) -> Any:
        def named(seen: Any, claim: Any) -> Any:
            there = seen.get("PersistentVolume", "", volume_name(claim)) is not None
            return original(seen, claim) if there else binding.Aim("provision")

        return named

    yield edit(binding, "_named", make)
    yield edit(provisioning, "volume_name", lambda original: lambda claim: "")


@mutant("node-selected-for-everybody", breaks=("PVB-076",), family="TERM")
def node_selected_for_everybody() -> Iterable[Edit]:
    """A claim is given the node of its pod though its class binds at once."""
    node = "n1"

    def make(original: Any) -> Any:
        def ask(seen: Any, at: Key) -> Any:
            claim = seen.lookup(at)
            if claim is None or binding.aim_of(seen, at).what != "provision" or SELECTED_NODE in annotations(claim):
                return original(seen, at)
            return binding._writes(seen, "update", annotate(claim, **{SELECTED_NODE: node}))

        return ask

    yield edit(binding.ask_for_volume, "body", make)


@mutant("policy-not-from-class", breaks=("PVB-081",), after="kubernetes/minikube#3955", family="FIELD")
def policy_not_from_class() -> Iterable[Edit]:
    """Volumes are to be deleted whatever their class says."""
    path = ("spec", "persistentVolumeReclaimPolicy")
    yield _volume(lambda claim, found, volume: put(volume, path, "Delete"))


@mutant("mode-not-from-claim", breaks=("PVB-080",), after="kubernetes/kubernetes#59942", family="TERM")
def mode_not_from_claim() -> Iterable[Edit]:
    """Volumes are made as file systems, for block claims too."""
    yield _volume(lambda claim, found, volume: put(volume, ("spec", "volumeMode"), "Filesystem"))


@mutant("modes-not-from-claim", breaks=("PVB-080",), family="TERM")
def modes_not_from_claim() -> Iterable[Edit]:
    """Volumes can be written once, whatever the claim asks for."""
    yield _volume(lambda claim, found, volume: put(volume, ("spec", "accessModes"), ["ReadWriteOnce"]))


@mutant("half-the-size", breaks=("PVB-080",), canary=True, family="COUNT")
def half_the_size() -> Iterable[Edit]:
    """Volumes are made smaller than asked for."""
    yield _volume(lambda claim, found, volume: put(volume, ("spec", "capacity", "storage"), "1Mi"))


@mutant("class-not-from-claim", breaks=("PVB-080",), canary=True, family="FIELD")
def class_not_from_claim() -> Iterable[Edit]:
    """Volumes are made without a class."""
    yield _volume(lambda claim, found, volume: without(volume, ("spec", "storageClassName")))


@mutant("made-for-another-node", breaks=("PVB-082",), after="kubernetes/kubernetes#69928", family="TERM")
def made_for_another_node() -> Iterable[Edit]:
    """A volume for a selected node cannot be reached from it."""
    elsewhere = {"key": provisioning.HOSTNAME, "operator": "In", "values": ["elsewhere"]}
    terms = [{"matchExpressions": [elsewhere]}]

    def change(claim: Any, found: Any, volume: Any) -> Any:
        path = ("spec", "nodeAffinity", "required", "nodeSelectorTerms")
        return put(volume, path, terms) if SELECTED_NODE in annotations(claim) else volume

    yield _volume(change)


@mutant(
    "terminating-volume-leaks", breaks=("PVB-131",), after="kubernetes-csi/external-provisioner#546", family="FINAL"
)
def terminating_volume_leaks() -> Iterable[Edit]:
    """A volume that was deleted before its claim goes without its storage."""

    def make(original: Any) -> Any:
        def body(seen: Any, at: Key) -> Any:
            volume = seen.lookup(at)
            own = volume is not None and annotations(volume).get(PROVISIONED_BY) == provisioning.PROVISIONER
            return None if own and deleting(volume) else original(seen, at)

        return body

    yield edit(provisioning.delete_storage, "body", make)
    yield edit(provisioning.delete_unclaimed, "body", lambda original: lambda seen, at: STOP)


@mutant(
    "terminating-volume-skipped",
    breaks=("PVB-092",),
    after="kubernetes-sigs/sig-storage-lib-external-provisioner#42",
    family="FINAL",
)
def terminating_volume_skipped() -> Iterable[Edit]:
    """A volume that is being deleted is left alone for ever, though only our finalizer holds it."""

    def make(original: Any) -> Any:
        def keep(seen: Any, at: Key) -> Any:
            volume = seen.lookup(at)
            return STOP if volume is not None and deleting(volume) else original(seen, at)

        return keep

    yield edit(provisioning.keep_until_released, "body", make)


@mutant(
    "finalizer-never-taken-off",
    breaks=("PVB-092",),
    after="kubernetes-sigs/sig-storage-lib-external-provisioner#173",
    family="FINAL",
)
def finalizer_never_taken_off() -> Iterable[Edit]:
    """The storage is gone, and the volume stays for the sake of a finalizer that nobody takes off."""
    yield edit(provisioning, "_without_finalizer", lambda original: lambda volume: STOP)


@mutant("storage-not-deleted", breaks=("PVB-131",), family="FINAL")
def storage_not_deleted() -> Iterable[Edit]:
    """A released volume is removed and its storage stays."""
    yield dropped(provisioning.delete_storage)
    yield edit(provisioning.delete_unclaimed, "body", lambda original: lambda seen, at: STOP)


@mutant("storage-deleted-in-use", breaks=("PVB-130", "PVB-134"), family="GATE")
def storage_deleted_in_use() -> Iterable[Edit]:
    """The storage goes as soon as somebody deletes the volume object, bound or not."""

    def make(original: Any) -> Any:
        def body(seen: Any, at: Key) -> Any:
            volume = provisioning._own(seen, at)
            if volume is not None and deleting(volume):
                asset = seen.live(Key("Asset", "", asset_of(volume)))
                if asset is not None:
                    return Write("delete", asset)
            return original(seen, at)

        return body

    yield edit(provisioning.keep_until_released, "body", make)


@mutant("refusal-is-final", breaks=("PVB-092",), after="kubernetes/kubernetes#18832", needs=("refused",), family="WAKE")
def refusal_is_final() -> Iterable[Edit]:
    """Storage whose deletion was refused once is never deleted."""

    def make(original: Any) -> Any:
        def body(seen: Any, at: Key) -> Any:
            if seen.memory.get(f"refused {at.name}"):
                return STOP
            effect = original(seen, at)
            if isinstance(effect, Fail):
                seen.memory[f"refused {at.name}"] = True
            return effect

        return body

    yield edit(provisioning.delete_storage, "body", make)


@mutant("only-own-children", breaks=("PVB-092",), after="kubernetes/minikube#4546", needs=("crash",), family="SCOPE")
def only_own_children() -> Iterable[Edit]:
    """After a restart the provisioner does not know the volumes that it made before."""

    def make(original: Any) -> Any:
        def keep(seen: Any, at: Key) -> Any:
            return original(seen, at) if at.name in seen.memory.get("made", ()) else STOP

        return keep

    def remember(seen: Any, write: Any) -> Any:
        seen.memory.setdefault("made", set()).add(name(write.object))
        return write

    yield edit(provisioning.keep_until_released, "body", make)
    yield changed_write(provisioning.make_volume, remember)


@mutant(
    "two-provisioners-two-volumes",
    breaks=("PVB-135",),
    after="kubernetes-csi/external-provisioner#426",
    needs=("leader",),
    family="RESERVE",
)
def two_provisioners_two_volumes() -> Iterable[Edit]:
    """Each copy of the provisioner makes storage of its own for a claim."""

    def make(original: Any) -> Any:
        def body(seen: Any, at: Key) -> Any:
            claim = seen.lookup(at)
            if "#" not in seen._instance or claim is None:
                return original(seen, at)
            own = f"{provisioning._asset_key(claim).name}-2"
            if seen.live(Key("Asset", "", own)) is not None:
                return None
            size = claim["spec"]["resources"]["requests"]["storage"]
            spec = {"size": size, "claim": uid(claim), "by": provisioning.PROVISIONER, "data": []}
            made = {"kind": "Asset", "metadata": {"name": own}, "spec": spec}
            return Write("create", made, tolerate=("AlreadyExists",))

        return body

    yield edit(provisioning.make_storage, "body", make)


@mutant(
    "node-never-given-up",
    breaks=("PVB-085",),
    after="kubernetes-sigs/sig-storage-lib-external-provisioner#152",
    family="STEPS",
)
def node_never_given_up() -> Iterable[Edit]:
    """A claim keeps the node that was selected for it, though its volume cannot be made there."""
    yield edit(provisioning, "_give_up", lambda original: lambda claim: Fail("refused"))


@mutant("grows-to-nothing", breaks=("PVB-064",), after="kubernetes-csi/external-resizer#226", family="COUNT")
def grows_to_nothing() -> Iterable[Edit]:
    """A volume that was expanded tells a capacity that is no capacity at all."""

    def change(seen: Any, write: Any) -> Any:
        return replace(write, object=put(write.object, ("spec", "capacity", "storage"), "1"))

    yield changed_write(expansion.grow_volume, change)


@mutant("claim-grows-first", breaks=("PVB-065",), after="kubernetes/kubernetes#123055", family="STEPS")
def claim_grows_first() -> Iterable[Edit]:
    """A claim tells the new capacity before its volume has it."""

    def make(original: Any) -> Any:
        def body(seen: Any, at: Key) -> Any:
            claim = seen.lookup(at)
            if claim is None or expansion._pair(seen, at) is None:
                return original(seen, at)
            wanted = claim["spec"]["resources"]["requests"]["storage"]
            return Write("update-status", put(claim, ("status", "capacity", "storage"), wanted))

        return body

    yield edit(expansion.grow_storage, "body", make)


@mutant("expansion-forgotten", breaks=("PVB-066",), after="rabbitmq/cluster-operator#782", family="STEPS")
def expansion_forgotten() -> Iterable[Edit]:
    """A claim that asks for more never gets it, though its volume has grown."""
    yield edit(expansion.grow_claim, "body", lambda original: lambda seen, at: STOP)
