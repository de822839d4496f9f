"""CSI migration: plugins that left Kubernetes, and the drivers that took their volumes over.

An object that names such a plugin is marked with the driver, and the mark is taken off one that names none any more
(BIND-18 line 0, RECLAIM-16). What carries the mark is the driver's business and not the binder's.
"""

from pvkit.backends.objects import Obj, annotations, put, without
from pvkit.backends.storage import (
    BETA_STORAGE_PROVISIONER,
    MIGRATED_TO,
    PROVISIONED_BY,
    STORAGE_PROVISIONER,
    volume_source,
)

IN_TREE = "kubernetes.io/"
HOST_PATH, NFS = "kubernetes.io/host-path", "kubernetes.io/nfs"
"""Plugins that are still there: the first may delete and recycle, the second only recycle."""

_DRIVERS = {
    "kubernetes.io/aws-ebs": "ebs.csi.aws.com",
    "kubernetes.io/azure-disk": "disk.csi.azure.com",
    "kubernetes.io/azure-file": "file.csi.azure.com",
    "kubernetes.io/cinder": "cinder.csi.openstack.org",
    "kubernetes.io/gce-pd": "pd.csi.storage.gke.io",
    "kubernetes.io/vsphere-volume": "csi.vsphere.vmware.com",
}
_SOURCES = {
    "awsElasticBlockStore": "kubernetes.io/aws-ebs",
    "azureDisk": "kubernetes.io/azure-disk",
    "azureFile": "kubernetes.io/azure-file",
    "cinder": "kubernetes.io/cinder",
    "gcePersistentDisk": "kubernetes.io/gce-pd",
    "vsphereVolume": "kubernetes.io/vsphere-volume",
}
_PORTWORX, _PORTWORX_UNTIL = {"kubernetes.io/portworx-volume": "pxd.portworx.com"}, 35


def driver_for(provisioner: str, minor: int) -> str:
    """The driver that took over from an in-tree plugin, "" if none did in that minor version."""
    known = {**_DRIVERS, **_PORTWORX} if minor <= _PORTWORX_UNTIL else _DRIVERS
    return known.get(provisioner, "")


def plugin_behind(volume: Obj, minor: int) -> str:
    """The plugin that left Kubernetes of a volume whose source is still that plugin's, "" if it is none of these."""
    known = {**_SOURCES, "portworxVolume": "kubernetes.io/portworx-volume"} if minor <= _PORTWORX_UNTIL else _SOURCES
    return known.get(volume_source(volume)[0], "")


def marked(obj: Obj, minor: int) -> Obj:
    """A volume or claim with the mark of migration that it should have; the object itself if nothing has to change."""
    marks = annotations(obj)
    keys = (PROVISIONED_BY,) if obj["kind"] == "PersistentVolume" else (STORAGE_PROVISIONER, BETA_STORAGE_PROVISIONER)
    named = next((marks[key] for key in keys if key in marks), None)
    if named is None:
        return obj
    driver, path = driver_for(named, minor), ("metadata", "annotations", MIGRATED_TO)
    if driver:
        return obj if marks.get(MIGRATED_TO) == driver else put(obj, path, driver)
    return without(obj, path) if marks.get(MIGRATED_TO) else obj
