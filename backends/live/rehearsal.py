"""A rehearsal: whether a cluster lets a run make what it is going to make.

A quota, a policy or an admission webhook may refuse what permissions allow. One namespace is made, in it and beside it
one object of each kind is created as a dry run, which the server admits or refuses without keeping it; then the
namespace goes.
"""

from collections.abc import Callable

from pvkit.backends.errors import ApiError, BackendError, NotFound
from pvkit.backends.live.connection import Connection, path_of
from pvkit.backends.live.naming import RUN_LABEL
from pvkit.backends.objects import API_VERSIONS, NAMESPACED, Key, Obj, uid

CLASS = "pvkit-rehearsal"
_NO_DRY_RUN = "does not support dry run"
_CLAIM: Obj = {
    "accessModes": ["ReadWriteOnce"],
    "storageClassName": CLASS,
    "resources": {"requests": {"storage": "1Mi"}},
}
_POD: Obj = {"containers": [{"name": "main", "image": "registry.k8s.io/pause:3.10"}]}
_VOLUME: Obj = {
    "capacity": {"storage": "1Mi"},
    "accessModes": ["ReadWriteOnce"],
    "storageClassName": CLASS,
    "persistentVolumeReclaimPolicy": "Retain",
    "nfs": {"server": "192.0.2.1", "path": "/rehearsal"},
}
_SET: Obj = {
    "serviceName": "rehearsal",
    "selector": {"matchLabels": {"app": "rehearsal"}},
    "template": {"metadata": {"labels": {"app": "rehearsal"}}, "spec": _POD},
    "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": _CLAIM}],
}
PARTS: tuple[tuple[str, Obj], ...] = (
    ("StorageClass", {"provisioner": "kubernetes.io/no-provisioner"}),
    ("VolumeAttributesClass", {"driverName": "csi.example.com", "parameters": {"tier": "rehearsal"}}),
    ("PersistentVolume", {"spec": _VOLUME}),
    ("PersistentVolumeClaim", {"spec": _CLAIM}),
    ("Service", {"spec": {"clusterIP": "None", "selector": {"app": "rehearsal"}}}),
    ("StatefulSet", {"spec": _SET}),
    ("Pod", {"spec": _POD}),
)
"""One object of each kind that plans make, as plain as it gets."""


def rehearse(connection: Connection, run_id: str, worn: Callable[[Obj], Obj] = lambda obj: obj) -> None:
    """Try what a run will make, in what it wears; raises `BackendError` with what the server says against it."""
    place = f"k{run_id}-rehearsal"
    made = _create(connection, _object("Namespace", place, run_id, {}), "")
    try:
        for kind, body in PARTS:
            sent = _object(kind, place, run_id, body)
            if kind in NAMESPACED:
                sent["metadata"]["namespace"] = place
            _create(connection, worn(sent), "All")
    finally:
        options = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": uid(made)}}
        connection.request("DELETE", path_of(Key("Namespace", "", place)), options)


def _object(kind: str, called: str, run_id: str, body: Obj) -> Obj:
    metadata = {"name": called, "labels": {RUN_LABEL: run_id}}
    return {"apiVersion": API_VERSIONS[kind], "kind": kind, "metadata": metadata, **body}


def _create(connection: Connection, obj: Obj, dry_run: str) -> Obj:
    at = Key(obj["kind"], obj["metadata"].get("namespace", ""), "")
    try:
        return connection.request("POST", path_of(at), obj, {"dryRun": dry_run} if dry_run else None)
    except NotFound:
        if obj["kind"] == "VolumeAttributesClass":  # A server need not know it.
            return obj
        raise
    except ApiError as error:
        if dry_run and _NO_DRY_RUN in error.message:  # A webhook that cannot rehearse; the run itself will tell.
            return obj
        refused = f"does not let a run make a {obj['kind']} ({error.code} {error.reason})"
        raise BackendError(f"{connection.server} {refused}: {error.message}") from None
