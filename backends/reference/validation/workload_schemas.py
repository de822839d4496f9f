"""The fields of pods and sets that a server knows; of pods, those that the model looks at."""

from pvkit.backends.reference.validation.schemas import (
    CLAIM_SPEC,
    CLAIM_STATUS,
    CONDITION,
    HOST_PATH,
    METADATA,
    OBJECT,
    SELECTOR,
)
from pvkit.backends.reference.validation.shapes import (
    AMOUNTS,
    ANYTHING,
    MARKS,
    NUMBER,
    NUMBER_KEPT,
    NUMBER_OR_TEXT,
    TEXT,
    TEXT_KEPT,
    TRUTH,
    Many,
    Struct,
)

_MOUNT = Struct({"name": TEXT_KEPT, "mountPath": TEXT_KEPT, "readOnly": TRUTH}, open=True)
_CONTAINER = Struct(
    {
        "name": TEXT_KEPT,
        "image": TEXT,
        "resources": Struct({"limits": AMOUNTS, "requests": AMOUNTS, "claims": ANYTHING}),
        "volumeMounts": Many(_MOUNT),
        "imagePullPolicy": TEXT,
        "terminationMessagePath": TEXT,
        "terminationMessagePolicy": TEXT,
    },
    open=True,
    always={"resources": {}},
)
_CLAIM_TEMPLATE = Struct({"metadata": METADATA, "spec": CLAIM_SPEC}, always={"metadata": {}})
_SOURCE = Struct({}, open=True)
_POD_VOLUME = Struct(
    {
        "name": TEXT_KEPT,
        "persistentVolumeClaim": Struct({"claimName": TEXT_KEPT, "readOnly": TRUTH}),
        "ephemeral": Struct({"volumeClaimTemplate": _CLAIM_TEMPLATE}),
        "hostPath": HOST_PATH,
        **dict.fromkeys(("emptyDir", "secret", "configMap", "downwardAPI", "projected"), _SOURCE),
    },
    open=True,
)
_TOLERATION = Struct({"key": TEXT, "operator": TEXT, "value": TEXT, "effect": TEXT, "tolerationSeconds": NUMBER_KEPT})
_POD_SPEC = Struct(
    {
        "volumes": Many(_POD_VOLUME),
        "containers": Many(_CONTAINER),
        "initContainers": Many(_CONTAINER),
        "nodeName": TEXT,
        "nodeSelector": MARKS,
        "hostname": TEXT,
        "subdomain": TEXT,
        "restartPolicy": TEXT,
        "terminationGracePeriodSeconds": NUMBER_KEPT,
        "activeDeadlineSeconds": NUMBER_KEPT,
        "dnsPolicy": TEXT,
        "schedulerName": TEXT,
        "tolerations": Many(_TOLERATION),
        "hostNetwork": TRUTH,
    },
    open=True,
)
_POD_CONDITION = Struct({"type": TEXT_KEPT, "status": TEXT_KEPT}, open=True)
_POD_STATUS = Struct(
    {
        **dict.fromkeys(("phase", "message", "reason", "nominatedNodeName", "qosClass"), TEXT),
        "conditions": Many(_POD_CONDITION),
    },
    open=True,
)

_STATUS_NUMBERS = ("observedGeneration", "readyReplicas", "currentReplicas", "updatedReplicas")
_SET_STATUS = Struct(
    {
        **dict.fromkeys(_STATUS_NUMBERS, NUMBER),
        "replicas": NUMBER_KEPT,
        "availableReplicas": NUMBER_KEPT,
        "currentRevision": TEXT,
        "updateRevision": TEXT,
        "collisionCount": NUMBER_KEPT,
        "conditions": Many(CONDITION),
    },
    always={"replicas": 0, "availableReplicas": 0},
)
_SET_CLAIM = Struct(
    {"kind": TEXT, "apiVersion": TEXT, "metadata": METADATA, "spec": CLAIM_SPEC, "status": CLAIM_STATUS}
)
_SET_SPEC = Struct(
    {
        "replicas": NUMBER_KEPT,
        "selector": SELECTOR,
        "template": Struct({"metadata": METADATA, "spec": _POD_SPEC}, always={"metadata": {}, "spec": {}}),
        "volumeClaimTemplates": Many(_SET_CLAIM),
        "serviceName": TEXT_KEPT,
        "podManagementPolicy": TEXT,
        "updateStrategy": Struct(
            {"type": TEXT, "rollingUpdate": Struct({"partition": NUMBER_KEPT, "maxUnavailable": NUMBER_OR_TEXT})}
        ),
        "revisionHistoryLimit": NUMBER_KEPT,
        "minReadySeconds": NUMBER,
        "persistentVolumeClaimRetentionPolicy": Struct({"whenDeleted": TEXT, "whenScaled": TEXT}),
        "ordinals": Struct({"start": NUMBER_KEPT}, always={"start": 0}),
    },
    always={"template": {"metadata": {}, "spec": {}}, "updateStrategy": {}, "serviceName": ""},
)

STATEFUL_SET = Struct({**OBJECT, "spec": _SET_SPEC, "status": _SET_STATUS}, always={"spec": _SET_SPEC.always})
POD = Struct({**OBJECT, "spec": _POD_SPEC, "status": _POD_STATUS}, always={"spec": {}, "status": {}})
