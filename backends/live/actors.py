"""Who can be disturbed on a cluster for faults: each controller that a fault may name, in a process of its own.

The reference model's controllers are apart; most of the real ones share the controller manager, its watches included.
So a cluster that is started for faults runs one controller manager for each of them, which does nothing else, and one
for all the rest. Then a controller can be held, paused, killed or doubled alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass

MANAGER = "kube-controller-manager"


@dataclass(frozen=True, slots=True)
class Actor:
    """A controller by the name that faults give it: its program, its part of that program, what it needs to see.

    `kinds` are watched by it whenever it is at work.
    """

    name: str
    program: str
    part: str = ""
    kinds: tuple[str, ...] = ()

    @property
    def component(self) -> str:
        """The name of its process."""
        return f"{self.program}-{self.name}" if self.part else self.program


_VOLUMES = ("PersistentVolume", "PersistentVolumeClaim")
_ACTORS = (
    Actor("binder", MANAGER, "persistentvolume-binder-controller", (*_VOLUMES, "StorageClass", "Pod")),
    Actor("pvc-protection", MANAGER, "persistentvolumeclaim-protection-controller", ("PersistentVolumeClaim", "Pod")),
    Actor("pv-protection", MANAGER, "persistentvolume-protection-controller", ("PersistentVolume",)),
    Actor("vac-protection", MANAGER, "volumeattributesclass-protection-controller", ()),
    Actor("statefulset", MANAGER, "statefulset-controller", ("StatefulSet", "Pod", _VOLUMES[1], "ControllerRevision")),
    Actor("garbage-collector", MANAGER, "garbage-collector-controller", ("StatefulSet", "Pod", "ControllerRevision")),
    Actor("namespace", MANAGER, "namespace-controller", ("Namespace",)),
    Actor("endpointslice", MANAGER, "endpointslice-controller", ("Service", "Pod", "EndpointSlice")),
    Actor("pod-gc", MANAGER, "pod-garbage-collector-controller", ("Pod", "Node")),
    Actor("scheduler", "kube-scheduler", "", ("Pod", "Node", *_VOLUMES, "StorageClass")),
    Actor("provisioner", "provisioner", "", (*_VOLUMES, "StorageClass")),
    Actor("kubelet", "kwok", "", ("Pod", "Node")),
)
ACTORS: Mapping[str, Actor] = {actor.name: actor for actor in _ACTORS}
PARTS = tuple(actor for actor in _ACTORS if actor.part)
"""Those that a controller manager of their own runs."""

ABSENT: Mapping[str, str] = {
    "expander": "nobody expands volumes where nodes and storage are simulated",
    "node-lifecycle": "it does not run where the nodes are simulated by one process",
}
"""Controllers of the model that a cluster of ours does not have, each with the reason."""


def actors_of(programs: tuple[str, ...]) -> tuple[Actor, ...]:
    """Those that a cluster made of these programs has."""
    return tuple(actor for actor in _ACTORS if actor.program in programs)
