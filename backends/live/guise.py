"""What a plan's objects wear on a cluster of somebody else's, where pods really run and storage is really made.

Containers get an image that exists and a program that leaves marks. Classes of the kit's provisioner, which is not
there, get the provisioner and the parameters of a class of the cluster's; that class itself is only read.
"""

import re
from dataclasses import dataclass
from functools import partial

from pvkit.backends.errors import NotFound, UsageError
from pvkit.backends.live.connection import Connection, path_of
from pvkit.backends.live.marks import dressed, undressed, with_containers
from pvkit.backends.live.permissions import LOGS, refusals
from pvkit.backends.objects import Key, Obj, name
from pvkit.backends.storage import KIT_PROVISIONER, NO_PROVISIONER, waits_for_consumer

NO_STORAGE = "volumes that plans make by hand have no storage behind them: pods that use them would never start"
NO_IMAGE = "no pod of a plan writes or reads; with `--image busybox`, or another small image that has `sh`, they do"
NO_CLASS = "nobody here makes volumes for the plans' classes; with `--storage-class NAME` they are made as for that one"
NO_LEDGERS = "what a storage backend holds and what runs on a node is not shown by an API server"
_REFERENCE = re.compile(r"[A-Za-z0-9][\w.:/@-]*")
BORROWED = ("provisioner", "parameters", "mountOptions")


@dataclass(frozen=True, slots=True)
class Guise:
    """What is put on: the image ("" for none), and the class of the cluster that is copied, if any."""

    image: str = ""
    borrowed: Obj | None = None

    def worn(self, obj: Obj) -> Obj:
        """An object, or a merge patch of one, as it is sent; `kind` must be there."""
        if self.image:
            obj = with_containers(obj, partial(dressed, image=self.image))
        if self.borrowed is not None and obj.get("kind") == "StorageClass":
            return _borrowing(obj, self.borrowed)
        return obj

    def shed(self, obj: Obj) -> Obj:
        """An object as it is told. Who makes a volume is told as it is, for other objects tell it, too."""
        return with_containers(obj, undressed) if self.image else obj

    @property
    def deed(self) -> str:
        """What is done with it, for the owner of the cluster to consent to."""
        image = (
            f"\npods run the image {self.image} and write a small file to each of their volumes" if self.image else ""
        )
        if self.borrowed is None:
            return image
        maker = f"{self.borrowed.get('provisioner')}, as for class {name(self.borrowed)}, and removed at the end"
        return f"{image}\nvolumes for the plans' claims are made by {maker}"

    @property
    def lacks(self) -> dict[str, str]:
        """What plans cannot show in it, each with the reason."""
        found = {"ledgers": NO_LEDGERS, "storage of volumes made by hand": NO_STORAGE}
        if not self.image:
            found["data"] = NO_IMAGE
        if self.borrowed is None:
            found["provisioning"] = NO_CLASS
        return found


def _borrowing(obj: Obj, borrowed: Obj) -> Obj:
    """A class of the kit's provisioner as one of the cluster's.

    Who waits for a pod is mostly bound to: such a provisioner asks for its node.
    """
    if obj.get("provisioner") != KIT_PROVISIONER:
        return obj
    made = {field: value for field, value in obj.items() if field not in BORROWED}
    made |= {field: borrowed[field] for field in BORROWED if field in borrowed}
    return {**made, "volumeBindingMode": "WaitForFirstConsumer"} if waits_for_consumer(borrowed) else made


def fitting(connection: Connection, image: str, called: str) -> Guise:
    """The guise for an image and the class of that name, "" for none; raises `UsageError` for what cannot be put on."""
    if image and not _REFERENCE.fullmatch(image):
        raise UsageError(f"--image {image!r} names no image; busybox and mirror.example/busybox:1.37 are names")
    if image and refusals(connection, (LOGS,)):
        raise UsageError(
            f"--image {image}: you may not get pods/log on {connection.server}, so nobody would hear what pods find"
        )
    return Guise(image, borrowable(connection, called) if called else None)


def borrowable(connection: Connection, called: str) -> Obj:
    """The class of that name; raises `UsageError` when it is not there, or nobody provisions for it."""
    try:
        found = connection.request("GET", path_of(Key("StorageClass", "", called)))
    except NotFound:
        listed = connection.request("GET", path_of(Key("StorageClass", "", ""))).get("items") or ()
        there = ", ".join(sorted(map(name, listed))) or "none at all"
        raise UsageError(f"--storage-class {called}: {connection.server} has no such class; it has {there}") from None
    if found.get("provisioner") == NO_PROVISIONER:
        raise UsageError(f"--storage-class {called}: nobody makes volumes for that class (no-provisioner)")
    return found
