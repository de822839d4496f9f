"""The fields that a server knows, kind by kind; those of pods and sets are in `workload_schemas`.

Volumes, claims, classes and sets are told in full: a field that is not here is dropped, as a server drops it. Of pods
and the lighter kinds only what the model looks at is told, and the rest is kept as it came.
"""

from pvkit.backends.reference.validation.shapes import (
    AMOUNT,
    AMOUNTS,
    ANYTHING,
    MARKS,
    NUMBER,
    NUMBER_KEPT,
    TEXT,
    TEXT_KEPT,
    TEXTS,
    TRUTH,
    TRUTH_KEPT,
    Many,
    Shape,
    Struct,
    Table,
)

_OWNER = Struct(
    {
        "apiVersion": TEXT_KEPT,
        "kind": TEXT_KEPT,
        "name": TEXT_KEPT,
        "uid": TEXT_KEPT,
        "controller": TRUTH_KEPT,
        "blockOwnerDeletion": TRUTH_KEPT,
    }
)
METADATA = Struct(
    {
        "name": TEXT,
        "generateName": TEXT,
        "namespace": TEXT,
        "uid": TEXT,
        "resourceVersion": TEXT,
        "generation": NUMBER,
        "creationTimestamp": TEXT,
        "deletionTimestamp": TEXT,
        "deletionGracePeriodSeconds": NUMBER_KEPT,
        "labels": MARKS,
        "annotations": MARKS,
        "ownerReferences": Many(_OWNER),
        "finalizers": TEXTS,
    }
)

_REQUIREMENT = Struct({"key": TEXT_KEPT, "operator": TEXT_KEPT, "values": TEXTS}, always={"key": "", "operator": ""})
SELECTOR = Struct({"matchLabels": MARKS, "matchExpressions": Many(_REQUIREMENT)})
_NODE_TERM = Struct({"matchExpressions": Many(_REQUIREMENT), "matchFields": Many(_REQUIREMENT)})
_NODE_SELECTOR = Struct({"nodeSelectorTerms": Many(_NODE_TERM)})
_SECRET = Struct({"name": TEXT, "namespace": TEXT})

_CSI = Struct(
    {
        "driver": TEXT_KEPT,
        "volumeHandle": TEXT_KEPT,
        "readOnly": TRUTH,
        "fsType": TEXT,
        "volumeAttributes": MARKS,
        "controllerPublishSecretRef": _SECRET,
        "nodeStageSecretRef": _SECRET,
        "nodePublishSecretRef": _SECRET,
        "controllerExpandSecretRef": _SECRET,
        "nodeExpandSecretRef": _SECRET,
    }
)
_ISCSI = Struct(
    {
        "targetPortal": TEXT_KEPT,
        "iqn": TEXT_KEPT,
        "lun": NUMBER_KEPT,
        "iscsiInterface": TEXT,
        "fsType": TEXT,
        "readOnly": TRUTH,
        "portals": TEXTS,
        "chapAuthDiscovery": TRUTH,
        "chapAuthSession": TRUTH,
        "secretRef": _SECRET,
        "initiatorName": TEXT_KEPT,
    },
    always={"lun": 0},
)
_FC = Struct({"targetWWNs": TEXTS, "lun": NUMBER_KEPT, "fsType": TEXT, "readOnly": TRUTH, "wwids": TEXTS})
HOST_PATH = Struct({"path": TEXT_KEPT, "type": TEXT_KEPT})
_NFS = Struct({"server": TEXT_KEPT, "path": TEXT_KEPT, "readOnly": TRUTH})
_LOCAL = Struct({"path": TEXT_KEPT, "fsType": TEXT_KEPT})
_OTHER_SOURCE = Struct({}, open=True)

SOURCES: dict[str, Shape] = {
    "hostPath": HOST_PATH,
    "gcePersistentDisk": _OTHER_SOURCE,
    "awsElasticBlockStore": _OTHER_SOURCE,
    "glusterfs": _OTHER_SOURCE,
    "flocker": _OTHER_SOURCE,
    "nfs": _NFS,
    "rbd": _OTHER_SOURCE,
    "quobyte": _OTHER_SOURCE,
    "cephfs": _OTHER_SOURCE,
    "iscsi": _ISCSI,
    "cinder": _OTHER_SOURCE,
    "fc": _FC,
    "flexVolume": _OTHER_SOURCE,
    "azureFile": _OTHER_SOURCE,
    "vsphereVolume": _OTHER_SOURCE,
    "photonPersistentDisk": _OTHER_SOURCE,
    "portworxVolume": _OTHER_SOURCE,
    "azureDisk": _OTHER_SOURCE,
    "scaleIO": _OTHER_SOURCE,
    "local": _LOCAL,
    "storageos": _OTHER_SOURCE,
    "csi": _CSI,
}
"""The sources that a volume may have, in the order in which a server looks at them (VALID-10)."""

_REFERENCE = Struct(
    dict.fromkeys(("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath"), TEXT)
)
_VOLUME_SPEC = Struct(
    {
        **SOURCES,
        "capacity": Table(AMOUNT, keep=True),
        "accessModes": TEXTS,
        "claimRef": _REFERENCE,
        "persistentVolumeReclaimPolicy": TEXT,
        "storageClassName": TEXT,
        "mountOptions": TEXTS,
        "volumeMode": TEXT_KEPT,
        "nodeAffinity": Struct({"required": _NODE_SELECTOR}),
        "volumeAttributesClassName": TEXT_KEPT,
    }
)
_VOLUME_STATUS = Struct({"phase": TEXT, "message": TEXT, "reason": TEXT, "lastPhaseTransitionTime": TEXT})

_DATA_SOURCE = {"apiGroup": TEXT_KEPT, "kind": TEXT_KEPT, "name": TEXT_KEPT}
_UNNAMED = {"apiGroup": None, "kind": "", "name": ""}
_RESOURCES = Struct({"limits": AMOUNTS, "requests": Table(AMOUNT, keep=True)})
CLAIM_SPEC = Struct(
    {
        "accessModes": TEXTS,
        "selector": SELECTOR,
        "resources": _RESOURCES,
        "volumeName": TEXT,
        "storageClassName": TEXT_KEPT,
        "volumeMode": TEXT_KEPT,
        "dataSource": Struct(_DATA_SOURCE, always=_UNNAMED),
        "dataSourceRef": Struct({**_DATA_SOURCE, "namespace": TEXT_KEPT}, always=_UNNAMED),
        "volumeAttributesClassName": TEXT_KEPT,
    },
    always={"resources": {}},
)
CONDITION = Struct(
    dict.fromkeys(("reason", "message", "lastProbeTime", "lastTransitionTime"), TEXT)
    | {"type": TEXT_KEPT, "status": TEXT_KEPT}
)
CLAIM_STATUS = Struct(
    {
        "phase": TEXT,
        "accessModes": TEXTS,
        "capacity": AMOUNTS,
        "conditions": Many(CONDITION),
        "allocatedResources": AMOUNTS,
        "allocatedResourceStatuses": MARKS,
        "currentVolumeAttributesClassName": TEXT_KEPT,
        "modifyVolumeStatus": Struct({"targetVolumeAttributesClassName": TEXT, "status": TEXT_KEPT}),
        "healthStatus": ANYTHING,
    }
)

_HARD, _USED, _ANY = (
    Struct({"hard": AMOUNTS}, open=True),
    Struct({"hard": AMOUNTS, "used": AMOUNTS}),
    Struct({}, open=True),
)
_LIMIT = Struct({"type": TEXT_KEPT} | dict.fromkeys(("max", "min", "default", "defaultRequest"), AMOUNTS), open=True)
_NODE_STATUS = Struct({"capacity": AMOUNTS, "allocatable": AMOUNTS}, open=True)
_TOPOLOGY = Struct({"matchLabelExpressions": Many(Struct({"key": TEXT_KEPT, "values": TEXTS}, always={"key": ""}))})
_SERVICE_SPEC = Struct({"clusterIP": TEXT, "clusterIPs": TEXTS, "ports": Many(_ANY), "selector": MARKS}, open=True)


OBJECT = {"apiVersion": TEXT, "kind": TEXT, "metadata": METADATA}
"""What every object has."""


def _kind(known: dict[str, Shape], open: bool = False, always: dict[str, object] | None = None) -> Struct:
    return Struct({**OBJECT, **known}, open, always or {})


KINDS: dict[str, Struct] = {
    "PersistentVolume": _kind({"spec": _VOLUME_SPEC, "status": _VOLUME_STATUS}, always={"spec": {}, "status": {}}),
    "PersistentVolumeClaim": _kind(
        {"spec": CLAIM_SPEC, "status": CLAIM_STATUS}, always={"spec": {"resources": {}}, "status": {}}
    ),
    "StorageClass": _kind(
        {
            "provisioner": TEXT_KEPT,
            "parameters": MARKS,
            "reclaimPolicy": TEXT_KEPT,
            "mountOptions": TEXTS,
            "allowVolumeExpansion": TRUTH_KEPT,
            "volumeBindingMode": TEXT_KEPT,
            "allowedTopologies": Many(_TOPOLOGY),
        },
        always={"provisioner": ""},
    ),
    "VolumeAttributesClass": _kind({"driverName": TEXT_KEPT, "parameters": MARKS}, always={"driverName": ""}),
    "ControllerRevision": _kind({"data": ANYTHING, "revision": NUMBER_KEPT}, always={"revision": 0}),
    "ResourceQuota": _kind({"spec": _HARD, "status": _USED}, always={"spec": {}, "status": {}}),
    "LimitRange": _kind({"spec": Struct({"limits": Many(_LIMIT)})}, always={"spec": {}}),
    "Namespace": _kind({"spec": Struct({"finalizers": TEXTS}), "status": _ANY}, always={"spec": {}, "status": {}}),
    "Service": _kind({"spec": _SERVICE_SPEC, "status": _ANY}, always={"spec": {}, "status": {}}),
    "CSIDriver": _kind({"spec": _ANY}, always={"spec": {}}),
    "Node": _kind({"spec": _ANY, "status": _NODE_STATUS}, open=True, always={"spec": {}, "status": {}}),
}
"""The shapes of whole objects; a kind that is not here is open, but for its metadata."""

OTHER = _kind({}, open=True)
