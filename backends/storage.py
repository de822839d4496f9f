"""The words of volumes, claims and classes: every field path of them that we read, spelled once."""

from pvkit.backends.objects import Obj, annotations, get, name, namespace, uid
from pvkit.backends.quantities import Amount, amount

BIND_COMPLETED = "pv.kubernetes.io/bind-completed"
BOUND_BY_CONTROLLER = "pv.kubernetes.io/bound-by-controller"
PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"
MIGRATED_TO = "pv.kubernetes.io/migrated-to"
KIT_PROVISIONER = "pvkit.dev/provisioner"
"""The provisioner that the model has, and that runs beside a control plane of ours."""
STORAGE_PROVISIONER = "volume.kubernetes.io/storage-provisioner"
BETA_STORAGE_PROVISIONER = "volume.beta.kubernetes.io/storage-provisioner"
STORAGE_RESIZER = "volume.kubernetes.io/storage-resizer"
SELECTED_NODE = "volume.kubernetes.io/selected-node"
BETA_CLASS = "volume.beta.kubernetes.io/storage-class"
DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
BETA_DEFAULT_CLASS = "storageclass.beta.kubernetes.io/is-default-class"
CLAIM_PROTECTION = "kubernetes.io/pvc-protection"
VOLUME_PROTECTION = "kubernetes.io/pv-protection"
ATTRIBUTES_PROTECTION = "kubernetes.io/vac-protection"
IN_TREE_FINALIZER = "kubernetes.io/pv-controller"
PROVISIONER_FINALIZER = "external-provisioner.volume.kubernetes.io/finalizer"
NO_PROVISIONER = "kubernetes.io/no-provisioner"

READ_WRITE_ONCE, READ_ONLY_MANY = "ReadWriteOnce", "ReadOnlyMany"
READ_WRITE_MANY, READ_WRITE_ONCE_POD = "ReadWriteMany", "ReadWriteOncePod"
ACCESS_MODES = (READ_WRITE_ONCE, READ_ONLY_MANY, READ_WRITE_MANY, READ_WRITE_ONCE_POD)


def claim_ref(volume: Obj) -> Obj | None:
    """`spec.claimRef` of a volume: the claim it is bound to or reserved for."""
    found: Obj | None = volume["spec"].get("claimRef")
    return found


def claim_ref_uid(volume: Obj) -> str:
    """`spec.claimRef.uid`, "" without a reference or for a reservation by name."""
    return str((claim_ref(volume) or {}).get("uid") or "")


def volume_name(claim: Obj) -> str:
    """`spec.volumeName` of a claim, the authoritative half of a binding; "" when unset."""
    return str(claim["spec"].get("volumeName") or "")


def bind_completed(claim: Obj) -> bool:
    """Whether the claim carries the annotation on which its whole life turns (only the key matters)."""
    return BIND_COMPLETED in annotations(claim)


def refers_to(volume: Obj, claim: Obj) -> bool:
    """Whether claimRef names this claim by namespace and name, whatever its UID."""
    found = claim_ref(volume)
    return found is not None and found.get("name") == name(claim) and (found.get("namespace") or "") == namespace(claim)


def reserved_for(volume: Obj, claim: Obj) -> bool:
    """Whether claimRef is this claim's: namespace and name equal, UID empty or equal (PREB-01)."""
    return refers_to(volume, claim) and claim_ref_uid(volume) in ("", uid(claim))


def capacity(volume: Obj) -> Amount:
    """`spec.capacity.storage` of a volume in bytes; -1 where the field is absent."""
    text = get(volume, "spec", "capacity", "storage")
    return -1 if text is None else amount(text)


def requested(claim: Obj) -> Amount:
    """`spec.resources.requests.storage` of a claim in bytes; 0 where the field is absent."""
    text = get(claim, "spec", "resources", "requests", "storage")
    return 0 if text is None else amount(text)


def access_modes(obj: Obj) -> frozenset[str]:
    """`spec.accessModes` of a volume or claim as a set: order and repetition mean nothing (BIND-03)."""
    return frozenset(obj["spec"].get("accessModes") or ())


def volume_mode(obj: Obj) -> str:
    """`spec.volumeMode` of a volume or claim, absent meaning Filesystem."""
    return str(obj["spec"].get("volumeMode") or "Filesystem")


def storage_class(obj: Obj) -> str:
    """The effective class of a volume or claim: the beta annotation if present, else the field, else "" (CLASS-01)."""
    marks = annotations(obj)
    return marks[BETA_CLASS] if BETA_CLASS in marks else str(obj["spec"].get("storageClassName") or "")


def has_class(claim: Obj) -> bool:
    """Whether the claim says anything about its class; only one that does not may be defaulted (CLASS-02)."""
    return BETA_CLASS in annotations(claim) or claim["spec"].get("storageClassName") is not None


def attributes_class(obj: Obj) -> str:
    """`spec.volumeAttributesClassName` of a volume or claim, absent and "" being the same (VAC-01)."""
    return str(obj["spec"].get("volumeAttributesClassName") or "")


def selector(claim: Obj) -> Obj | None:
    """`spec.selector` of a claim."""
    found: Obj | None = claim["spec"].get("selector")
    return found


def reclaim_policy(volume: Obj) -> str:
    """`spec.persistentVolumeReclaimPolicy` of a volume, absent meaning Retain."""
    return str(volume["spec"].get("persistentVolumeReclaimPolicy") or "Retain")


def is_default(storage_class: Obj) -> bool:
    """Whether a class is marked as default: the exact text `true`, under either key (DEFAULT-01)."""
    marks = annotations(storage_class)
    return "true" in (marks.get(DEFAULT_CLASS), marks.get(BETA_DEFAULT_CLASS))


def has_data_source(claim: Obj) -> bool:
    """Whether a claim asks for a volume that is filled from something else."""
    return bool(get(claim, "spec", "dataSource") or get(claim, "spec", "dataSourceRef"))


def waits_for_consumer(storage_class: Obj | None) -> bool:
    """Whether binding is delayed until a pod is scheduled; a missing class object means Immediate (BIND-11)."""
    return storage_class is not None and storage_class.get("volumeBindingMode") == "WaitForFirstConsumer"


def node_terms(volume: Obj) -> list[Obj] | None:
    """The ORed terms of `spec.nodeAffinity.required`; `None` when the volume is reachable from every node."""
    required = get(volume, "spec", "nodeAffinity", "required")
    return None if required is None else list(required.get("nodeSelectorTerms") or ())


_SOURCES = (
    "hostPath", "gcePersistentDisk", "awsElasticBlockStore", "nfs", "iscsi", "glusterfs", "rbd", "quobyte", "cinder",
    "cephfs", "fc", "flocker", "azureFile", "azureDisk", "flexVolume", "vsphereVolume", "photonPersistentDisk",
    "portworxVolume", "scaleIO", "local", "storageos", "csi",
)  # fmt: skip


def volume_source(volume: Obj) -> tuple[str, Obj]:
    """The kind of a volume's source and the source itself; ("", {}) when there is none."""
    return next(((kind, volume["spec"][kind]) for kind in _SOURCES if volume["spec"].get(kind) is not None), ("", {}))


def asset_of(volume: Obj) -> str:
    """The name of the `Asset` behind a volume: what the storage backend holds, whatever object points to it.

    Two volumes with the same source are the same storage; a CSI volume is its driver and handle.
    """
    kind, source = volume_source(volume)
    if kind == "csi":
        return f"csi:{source.get('driver')}:{source.get('volumeHandle')}"
    return ":".join([kind, *(f"{field}={source[field]}" for field in sorted(source))])
