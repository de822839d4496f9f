"""The storage that a volume names: a path, a share, a disk of a driver."""

import re
from collections.abc import Callable, Iterator

from pvkit.backends.errors import Cause
from pvkit.backends.objects import Obj
from pvkit.backends.reference.validation import names
from pvkit.backends.reference.validation.fields import each, forbidden, invalid, required, too_long, unsupported

_IQN = re.compile(
    r"iqn\.\d{4}-\d{2}\.([A-Za-z0-9][A-Za-z0-9-_]*[A-Za-z0-9]\.)*[A-Za-z0-9]+(:[A-Za-z0-9.:\-_]*)?"
    r"|eui\.[A-Fa-f0-9]{16}|naa\.(?:[A-Fa-f0-9]{16}|[A-Fa-f0-9]{32})",
    re.ASCII,
)
_PATH_TYPES = (
    "", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"
)  # fmt: skip
MOUNT_OPTIONS = frozenset(
    {
        "gcePersistentDisk", "awsElasticBlockStore", "glusterfs", "nfs", "rbd", "quobyte", "iscsi", "cinder", "cephfs",
        "azureFile", "vsphereVolume", "azureDisk", "photonPersistentDisk",
    }
)  # fmt: skip
"""Sources that may be mounted with the options of the beta annotation (VALID-22)."""


def _no_way_back(value: str, path: str) -> Iterator[Cause]:
    if ".." in value.split("/"):
        yield invalid(path, value, "must not contain '..'")


def host_path(source: Obj, path: str) -> Iterator[Cause]:
    """A path on a node (VALID-18, VALID-74)."""
    if not source.get("path"):
        yield required(f"{path}.path")
        return
    yield from _no_way_back(source["path"], f"{path}.path")
    if source.get("type", "") not in _PATH_TYPES:
        yield unsupported(f"{path}.type", source["type"], _PATH_TYPES)


def _local(source: Obj, path: str) -> Iterator[Cause]:
    if not source.get("path"):
        yield required(f"{path}.path")
    else:
        yield from _no_way_back(source["path"], f"{path}.path")


def _nfs(source: Obj, path: str) -> Iterator[Cause]:
    for part in ("server", "path"):
        if not source.get(part):
            yield required(f"{path}.{part}")
    if not source.get("path", "").startswith("/"):
        yield invalid(f"{path}.path", source.get("path", ""), "must be an absolute path")


def driver_name(driver: str, path: str) -> Iterator[Cause]:
    """The name of a CSI driver (VALID-20)."""
    if not driver:
        yield required(path)
        return
    if len(driver) > 63:
        yield too_long(path, 63)
    yield from each(path, driver, names.subdomain(driver.lower()))


def _csi(source: Obj, path: str) -> Iterator[Cause]:
    yield from driver_name(source.get("driver", ""), f"{path}.driver")
    if not source.get("volumeHandle"):
        yield required(f"{path}.volumeHandle")
    for part in ("controllerPublish", "controllerExpand", "nodePublish", "nodeExpand"):
        if f"{part}SecretRef" in source:
            yield from _secret(source[f"{part}SecretRef"], f"{path}.{part}SecretRef")


def _secret(reference: Obj, path: str) -> Iterator[Cause]:
    for part, form in (("name", names.subdomain), ("namespace", names.label)):
        if not reference.get(part):
            yield required(f"{path}.{part}")
        else:
            yield from each(f"{path}.{part}", reference[part], form(reference[part]))


def _unit_number(source: Obj, path: str) -> Iterator[Cause]:
    if not 0 <= source["lun"] <= 255:
        yield invalid(f"{path}.lun", source["lun"], "must be between 0 and 255, inclusive")


def _iscsi(source: Obj, path: str) -> Iterator[Cause]:
    if not source.get("targetPortal"):
        yield required(f"{path}.targetPortal")
    if not source.get("iqn"):
        yield required(f"{path}.iqn")
    elif not _IQN.fullmatch(source["iqn"]):
        yield invalid(f"{path}.iqn", source["iqn"], "must be valid format")
    yield from _unit_number(source, path)
    if (source.get("chapAuthDiscovery") or source.get("chapAuthSession")) and "secretRef" not in source:
        yield required(f"{path}.secretRef")
    if not source.get("secretRef", {"name": "-"}).get("name"):
        yield required(f"{path}.secretRef.name")
    if "initiatorName" in source and not _IQN.fullmatch(source["initiatorName"]):
        yield invalid(f"{path}.initiatorname", source["initiatorName"], "must be valid format")


def _fibre_channel(source: Obj, path: str) -> Iterator[Cause]:
    targets, wide = source.get("targetWWNs"), source.get("wwids")
    if not targets and not wide:
        yield required(f"{path}.targetWWNs", "must specify either targetWWNs or wwids, but not both")
    if targets and wide:
        yield invalid(f"{path}.targetWWNs", targets, "targetWWNs and wwids can not be specified simultaneously")
    if targets and "lun" not in source:
        yield required(f"{path}.lun", "lun is required if targetWWNs is specified")
    elif targets:
        yield from _unit_number(source, path)


_CHECKS: dict[str, Callable[[Obj, str], Iterator[Cause]]] = {
    "hostPath": host_path,
    "local": _local,
    "nfs": _nfs,
    "csi": _csi,
    "iscsi": _iscsi,
    "fc": _fibre_channel,
}
"""The sources whose own fields are looked at; those of the other kinds are taken on trust."""


def checked(kind: str, source: Obj, path: str) -> Iterator[Cause]:
    """What is wrong with a source."""
    return _CHECKS[kind](source, path) if kind in _CHECKS else iter(())


def second(kind: str) -> Cause:
    """The refusal of another source beside the first."""
    return forbidden(f"spec.{'cephFS' if kind == 'cephfs' else kind}", "may not specify more than 1 volume type")
