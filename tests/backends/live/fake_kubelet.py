"""A kubelet in this process: folders are volumes, and the programs of pods run in this machine's `sh`.

Paths in containers are lengthened by the folder of their volume. Nothing is bound here: tests bind claims themselves.
"""

import os
import subprocess
from pathlib import Path
from typing import Any

from pvkit.backends.live.connection import path_of
from pvkit.backends.objects import Obj, key, name, put, uid
from pvkit.backends.storage import PROVISIONED_BY
from tests.backends.live.fake_cluster import FakeCluster


def printed(container: Obj, pod_uid: str, folders: dict[str, Path]) -> str:
    """What a container's program prints up to its sleep, with these folders for its volumes."""
    program = container["command"][2].partition("while :; do")[0]
    told = (str(at).partition("=")[0] for at in container.get("args", ()))
    arguments = [f"{volume}={folders[volume]}" for volume in told]
    command = [*container["command"][:2], program, container["command"][3], *arguments]
    environment = {"PATH": os.environ["PATH"], "PVKIT_POD_UID": pod_uid}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=30).stdout


class Kubelet:
    """Runs the pods of a fake cluster in folders below `root`, one for each volume, and says that they are ready."""

    def __init__(self, cluster: FakeCluster, root: Path) -> None:
        self.cluster, self.root = cluster, root

    def provision(self, claim: Obj) -> Obj:
        """Make a volume for a claim, and bind both; returns the volume."""
        called = f"pvc-{uid(claim)}"
        (self.root / called).mkdir()
        place = claim["metadata"]["namespace"]
        spec: Obj = {
            "capacity": {"storage": "1Gi"},
            "storageClassName": claim["spec"].get("storageClassName"),
            "csi": {"driver": "disk.example", "volumeHandle": called},
            "claimRef": {"namespace": place, "name": name(claim), "uid": uid(claim)},
        }
        metadata = {"name": called, "annotations": {PROVISIONED_BY: "disk.example"}}
        made = self.cluster.write(
            {"kind": "PersistentVolume", "metadata": metadata, "spec": spec, "status": {"phase": "Bound"}}
        )
        bound = put(put(claim, ("spec", "volumeName"), called), ("status",), {"phase": "Bound"})
        self.cluster.write(bound)
        return made

    def run(self, pod: Obj) -> Obj:
        """Place a pod and run it; returns it as it is when it is ready."""
        placed = self.cluster.write(put(pod, ("spec", "nodeName"), "theirs"))
        log = self.log(placed)
        self.cluster.logs[path_of(key(pod), "log")] = lambda: log
        conditions = [{"type": "PodScheduled", "status": "True"}, {"type": "Ready", "status": "True"}]
        return self.cluster.write(put(placed, ("status",), {"phase": "Running", "conditions": conditions}))

    def log(self, pod: Obj) -> str:
        """What the containers of a pod print."""
        folders = {}
        for entry in pod["spec"].get("volumes") or ():
            claim = self._claim(pod, entry["persistentVolumeClaim"]["claimName"])
            folders[entry["name"]] = self.root / claim["spec"]["volumeName"]
        return "".join(printed(container, uid(pod), folders) for container in pod["spec"]["containers"])

    def _claim(self, pod: Obj, called: str) -> Any:
        place = pod["metadata"]["namespace"]
        return next(
            obj
            for at, obj in self.cluster.objects.items()
            if (at.kind, at.namespace, at.name) == ("PersistentVolumeClaim", place, called)
        )
