"""Volumes: every source the API has, every field that binding looks at, and reservations right and wrong.

Addresses are those set aside for documentation, so that nothing real is ever mounted; a path on a node is never
deleted or recycled.
"""

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from pvkit.backends.objects import API_VERSIONS, Key, Obj
from pvkit.backends.storage import BETA_CLASS, BOUND_BY_CONTROLLER, MIGRATED_TO, PROVISIONED_BY, volume_source
from pvkit.strategies.digits import Digits, digits
from pvkit.strategies.names import names
from pvkit.strategies.quantities import quantities
from pvkit.strategies.traits import Trait, chosen, given_or, known_features, with_traits

SOURCES: dict[str, Obj] = {
    "nfs": {"server": "192.0.2.1", "path": "/export/{}"},
    "csi": {"driver": "csi.example.com", "volumeHandle": "{}"},
    "hostPath": {"path": "/nonexistent/pvkit/{}"},
    "local": {"path": "/nonexistent/pvkit/{}"},
    "iscsi": {"targetPortal": "192.0.2.2:3260", "iqn": "iqn.2001-04.com.example:{}", "lun": 0},
    "fc": {"targetWWNs": ["500a0982991b8dc5"], "lun": 1},
    "rbd": {"monitors": ["192.0.2.3:6789"], "image": "{}"},
    "cephfs": {"monitors": ["192.0.2.4:6789"], "path": "/{}"},
    "glusterfs": {"endpoints": "gluster", "path": "{}"},
    "cinder": {"volumeID": "{}"},
    "gcePersistentDisk": {"pdName": "{}"},
    "awsElasticBlockStore": {"volumeID": "{}"},
    "azureDisk": {"diskName": "{}", "diskURI": "https://disks.example.com/{}"},
    "azureFile": {"secretName": "share", "shareName": "{}"},
    "vsphereVolume": {"volumePath": "[store] {}"},
    "photonPersistentDisk": {"pdID": "{}"},
    "portworxVolume": {"volumeID": "{}"},
    "quobyte": {"registry": "192.0.2.5:7861", "volume": "{}"},
    "flocker": {"datasetName": "{}"},
    "flexVolume": {"driver": "example.com/{}"},
    "scaleIO": {
        "gateway": "https://192.0.2.6",
        "system": "s",
        "secretRef": {"name": "gateway", "namespace": "default"},
        "volumeName": "{}",
    },
    "storageos": {"volumeName": "{}"},
}
"""One of each kind of source; `{}` stands for the volume's name, so that no two volumes are the same storage."""

RWO, ROX, RWX, RWOP = "ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"


def on_nodes(*terms: tuple[str, str, tuple[str, ...]]) -> Obj:
    """Node affinity of ORed terms, each of a label, an operator and values."""
    made = [
        {"matchExpressions": [{"key": label, "operator": operator, **({"values": list(values)} if values else {})}]}
        for label, operator, values in terms
    ]
    return {"required": {"nodeSelectorTerms": made}}


HOSTNAME, ZONE = "kubernetes.io/hostname", "topology.kubernetes.io/zone"

TRAITS: tuple[Trait, ...] = (
    Trait("selectors", labels={"zone": "a"}),
    Trait("modes", {"accessModes": [RWO, RWX]}),
    Trait("reclaim", {"persistentVolumeReclaimPolicy": "Delete"}),
    Trait("classes", {"storageClassName": "slow"}),
    Trait("selectors", labels={"zone": "b"}),
    Trait("modes", {"accessModes": [ROX]}),
    Trait("modes", {"accessModes": [RWOP]}),
    Trait("modes", {"accessModes": [RWX, RWO, ROX]}),
    Trait("modes", {"accessModes": [RWX]}),
    Trait("block", {"volumeMode": "Block"}),
    Trait("block", {"volumeMode": "Filesystem"}),
    Trait("classes", {"storageClassName": ""}),
    Trait("classes", {"storageClassName": None}),
    Trait("beta", annotations={BETA_CLASS: "slow"}),
    Trait("beta", annotations={BETA_CLASS: ""}),
    Trait("selectors", labels={"zone": "a", "tier": "gold"}),
    Trait("selectors", labels={"tier": ""}),
    Trait("attributes", {"volumeAttributesClassName": "gold"}),
    Trait("attributes", {"volumeAttributesClassName": "silver"}),
    Trait("reclaim", {"persistentVolumeReclaimPolicy": "Recycle"}),
    Trait("affinity", {"nodeAffinity": on_nodes((HOSTNAME, "In", ("n1",)))}),
    Trait("affinity", {"nodeAffinity": on_nodes((HOSTNAME, "In", ("n2",)))}),
    Trait("affinity", {"nodeAffinity": on_nodes((HOSTNAME, "In", ("n1",)), (ZONE, "In", ("b",)))}),
    Trait("affinity", {"nodeAffinity": on_nodes((ZONE, "NotIn", ("a",)))}),
    Trait("affinity", {"nodeAffinity": on_nodes(("rank", "Gt", ("3",)))}),
    Trait("affinity", {"nodeAffinity": on_nodes((ZONE, "Exists", ()))}),
    Trait("finalizers", finalizers=("example.com/hold",)),
    Trait("provisioning", annotations={PROVISIONED_BY: "example.com/nobody"}),
    Trait("provisioning", annotations={PROVISIONED_BY: "kubernetes.io/no-such"}),
    Trait("provisioning", annotations={MIGRATED_TO: "csi.example.com"}),
    Trait("imports", annotations={BOUND_BY_CONTROLLER: "yes"}),
    *(Trait("sources", {kind: source}) for kind, source in SOURCES.items() if kind != "nfs"),
)


def volume(name: str, *traits: Trait, size: str = "1Gi", storage_class: str = "fast") -> Obj:
    """A volume: one share of a file server, ReadWriteOnce, Retain, but for its traits; whole enough for the server."""
    plain: Obj = {
        "apiVersion": API_VERSIONS["PersistentVolume"],
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {"capacity": {"storage": size}, "accessModes": [RWO], "storageClassName": storage_class},
    }
    made = with_traits(plain, *traits)
    spec = made["spec"]
    if "volumeAttributesClassName" in spec:
        spec = {field: value for field, value in spec.items() if field not in SOURCES} | {"csi": SOURCES["csi"]}
    kind = volume_source({"spec": spec})[0] or "nfs"
    spec = {field: value for field, value in spec.items() if field not in SOURCES or field == kind}
    spec[kind] = _named(SOURCES[kind], name)
    if kind == "local":
        spec.setdefault("nodeAffinity", on_nodes((HOSTNAME, "In", ("n1",))))
    if kind == "hostPath":
        spec.pop("persistentVolumeReclaimPolicy", None)
    return {**made, "spec": spec}


def _named(source: Obj, name: str) -> Obj:
    return {part: value.replace("{}", name) if isinstance(value, str) else value for part, value in source.items()}


def reserved(claim: Key, uid: str = "") -> Trait:
    """A reservation for a claim, by name or with a UID."""
    ref = {"kind": "PersistentVolumeClaim", "namespace": claim.namespace, "name": claim.name}
    return Trait("reservations", {"claimRef": {**ref, "uid": uid} if uid else ref})


STALE_UID = "00000000-0000-4000-8000-00000000dead"
"""A UID that no object ever has."""


def reservation(numbers: Digits, claims: tuple[Key, ...], uids: tuple[str, ...] = ()) -> Trait:
    """A reservation for one of the claims: mostly by name, else with its UID, where that is known, or a stale one."""
    at = numbers.number(len(claims))
    return reserved(claims[at], numbers.pick(("", "", uids[at] if at < len(uids) else "", STALE_UID)))


def volumes(
    name: SearchStrategy[str] | None = None,
    size: SearchStrategy[str] | None = None,
    features: tuple[str, ...] | None = None,
    claims: tuple[Key, ...] = (),
) -> SearchStrategy[Obj]:
    """Volumes that an API server admits, with up to three traits of the features named (default: of all).

    With `claims`, one in four is reserved for one of them, by name or with a stale UID. Traits are boosted where a
    comparison can go wrong: several access modes, absent and empty classes, labels with empty values. Shrinks to a
    plain volume of 1Gi. Raises `UsageError` for an unknown feature.
    """
    chosen_from = known_features(features, TRAITS)

    def made(drawn: tuple[str, str, Digits]) -> Obj:
        called, amount, numbers = drawn
        traits = chosen(numbers, TRAITS, chosen_from)
        if claims and numbers.chance(64):
            traits.append(reservation(numbers, claims))
        return volume(called, *traits, size=amount)

    return st.tuples(given_or(name, names("PersistentVolume")), given_or(size, quantities()), digits(8)).map(made)
