"""What others have on a cluster, and a picture of everything that is on it."""

from typing import Any

from pvkit.backends.live.components import Layout
from pvkit.backends.live.requests import request

OFTEN_CHANGING = frozenset({"events", "leases"})
THEIRS = "bystander"


def volume(name: str, storage_class: str = "", modes: tuple[str, ...] = ("ReadWriteOnce",)) -> dict[str, Any]:
    spec: dict[str, Any] = {"capacity": {"storage": "10Gi"}, "accessModes": [*modes], "storageClassName": storage_class}
    spec |= {"persistentVolumeReclaimPolicy": "Retain", "nfs": {"server": "192.0.2.9", "path": f"/{name}"}}
    return {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": spec}


def claim(name: str, storage_class: str | None, namespace: str, mode: str = "ReadWriteOnce") -> dict[str, Any]:
    spec: dict[str, Any] = {"accessModes": [mode], "resources": {"requests": {"storage": "1Gi"}}}
    if storage_class is not None:
        spec["storageClassName"] = storage_class
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec}


def plant(cluster: Layout) -> None:
    """A default class, a bound pair, a free volume that would fit much, a claim that much would fit.

    Names are those that plans use, too.
    """
    default = {"name": "standard", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}
    request(cluster, "POST", CLASSES, {"metadata": default, "provisioner": "csi.example.com"})
    request(cluster, "POST", "/api/v1/namespaces", {"metadata": {"name": THEIRS}})
    for made in (volume("shelf", "manual"), volume("free")):
        request(cluster, "POST", VOLUMES, made)
    for made in (claim("data", "manual", THEIRS), claim("hungry", "", THEIRS, "ReadWriteMany")):
        request(cluster, "POST", f"/api/v1/namespaces/{THEIRS}/persistentvolumeclaims", made)


VOLUMES, CLASSES = "/api/v1/persistentvolumes", "/apis/storage.k8s.io/v1/storageclasses"


def picture(cluster: Layout) -> dict[str, Any]:
    """Every object on a cluster by its path, down to its resourceVersion; of nodes, which beat, without that."""
    groups = request(cluster, "GET", "/apis")["groups"]
    found: dict[str, Any] = {}
    for path in ("/api/v1", *(f"/apis/{group['preferredVersion']['groupVersion']}" for group in groups)):
        for kind in request(cluster, "GET", path)["resources"]:
            if "list" in kind["verbs"] and kind["name"] not in OFTEN_CHANGING:
                for item in request(cluster, "GET", f"{path}/{kind['name']}")["items"]:
                    at = f"{path}/{kind['name']}/{item['metadata'].get('namespace', '')}/{item['metadata']['name']}"
                    found[at] = item["spec"] if kind["name"] == "nodes" else item
    return found
