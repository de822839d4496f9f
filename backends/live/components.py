"""The command lines of a control plane: etcd, API server, controller manager, scheduler, KWOK, provisioner.

Everything listens on loopback only, on ports that were free a moment ago; the controller manager and the scheduler
listen nowhere, because they would on every interface.
"""

import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pvkit.backends.live.actors import MANAGER, PARTS, Actor, actors_of
from pvkit.backends.live.programs import Programs

LOOPBACK = "127.0.0.1"
PROXY, CONTROL = "proxy", "control"
"""The component that makes faults, and the name of its port that takes them."""
COMPONENTS_GROUP = "pvkit:components"
"""The group of the one user that components are."""
RECORDERS = ("provisioner",)
"""Who acts as the owner instead and may record Events: why a volume is not made stands nowhere else."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Loopback ports of one cluster."""

    etcd: int
    peer: int
    api: int


def free_ports() -> Ports:
    """Three ports that nobody listens on."""
    return Ports(*_free(3))


def free_lines(programs: Programs) -> dict[str, int]:
    """Ports of a proxy: one for each actor that these programs are, and one that takes faults."""
    names = [*(actor.name for actor in actors_of(programs.components)), CONTROL]
    return dict(zip(names, _free(len(names)), strict=True))


def _free(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for entry in sockets:
            entry.bind((LOOPBACK, 0))
        return [int(entry.getsockname()[1]) for entry in sockets]
    finally:
        for entry in sockets:
            entry.close()


@dataclass(frozen=True, slots=True)
class Layout:
    """Where one cluster keeps its things."""

    folder: Path
    programs: Programs
    ports: Ports
    emulated: str = ""
    """Minor version to emulate, "" for none."""

    resync_seconds: float = 15
    lines: Mapping[str, int] = field(default_factory=dict)
    """The proxy's port for each actor; {} in a cluster that was not started for faults, which has no proxy."""

    @property
    def server(self) -> str:
        """The URL of the API server."""
        return f"https://{LOOPBACK}:{self.ports.api}"

    @property
    def kubeconfig(self) -> Path:
        """The kubeconfig of the cluster's owner."""
        return self.folder / "kubeconfig"

    def kubeconfig_of(self, actor: str) -> Path:
        """The kubeconfig of one actor, which has a line of its own where there is a proxy."""
        if actor in self.lines:
            return self.folder / f"kubeconfig-{actor}"
        return self.kubeconfig if actor in RECORDERS else self.components_kubeconfig

    @property
    def components_kubeconfig(self) -> Path:
        """The kubeconfig of components, who may do less than the owner."""
        return self.folder / "kubeconfig-components"

    @property
    def authority(self) -> Path:
        """The certificate that clients verify the API server with; the server writes it at its first start."""
        return self.folder / "certificates" / "apiserver.crt"


def command(layout: Layout, program: str) -> list[str]:
    """The command line of one component."""
    return [*layout.programs.heads[program], *_ARGUMENTS[program](layout)]


def commands(layout: Layout) -> dict[str, list[str]]:
    """The command lines of all components, in the order of starting."""
    found = {component: command(layout, component) for component in layout.programs.components}
    if layout.lines:
        found[PROXY] = [sys.executable, "-m", "pvkit.backends.live.proxy", str(layout.folder)]
        head = layout.programs.heads[MANAGER]
        found |= {actor.component: [*head, *_part(layout, actor)] for actor in PARTS}
    return found


def _emulation(layout: Layout) -> list[str]:
    return [f"--emulated-version=kube={layout.emulated}"] if layout.emulated else []


def _etcd(layout: Layout) -> list[str]:
    client, peer = f"http://{LOOPBACK}:{layout.ports.etcd}", f"http://{LOOPBACK}:{layout.ports.peer}"
    return [
        f"--data-dir={layout.folder / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]


def _api_server(layout: Layout) -> list[str]:
    return [
        f"--etcd-servers=http://{LOOPBACK}:{layout.ports.etcd}",
        f"--secure-port={layout.ports.api}",
        f"--bind-address={LOOPBACK}",
        f"--external-hostname={LOOPBACK}",
        f"--cert-dir={layout.folder / 'certificates'}",
        "--service-account-issuer=https://pvkit.invalid",
        f"--service-account-key-file={layout.folder / 'service-account.key'}",
        f"--service-account-signing-key-file={layout.folder / 'service-account.key'}",
        f"--token-auth-file={layout.folder / 'tokens.csv'}",
        "--authorization-mode=RBAC",
        "--enable-priority-and-fairness=false",
        "--profiling=false",
        "--service-cluster-ip-range=10.0.0.0/24",
        "--disable-admission-plugins=ServiceAccount,TaintNodesByCondition",
        "--enable-admission-plugins=PodNodeSelector,EventRateLimit",
        f"--admission-control-config-file={layout.folder / 'admission.json'}",
        f"--runtime-config={','.join(f'{group}=false' for group in _UNUSED)}",
        *_emulation(layout),
    ]


def _controller_manager(layout: Layout) -> list[str]:
    elsewhere = [actor.part for actor in PARTS] if layout.lines else []
    return _manager(
        layout, layout.components_kubeconfig, ["*", *(f"-{controller}" for controller in (*_IDLE, *elsewhere))]
    )


def _part(layout: Layout, actor: Actor) -> list[str]:
    return _manager(layout, layout.kubeconfig_of(actor.name), [actor.part])


def _manager(layout: Layout, kubeconfig: Path, controllers: list[str]) -> list[str]:
    return [
        f"--kubeconfig={kubeconfig}",
        "--leader-elect=false",
        "--secure-port=0",
        f"--service-account-private-key-file={layout.folder / 'service-account.key'}",
        f"--controllers={','.join(controllers)}",
        f"--pvclaimbinder-sync-period={layout.resync_seconds:g}s",
        *_FAST,
        *_emulation(layout),
    ]


def _scheduler(layout: Layout) -> list[str]:
    return [
        f"--kubeconfig={layout.kubeconfig_of('scheduler')}",
        "--leader-elect=false",
        "--secure-port=0",
        *_FAST,
        *_emulation(layout),
    ]


def _kwok(layout: Layout) -> list[str]:
    stages, kubeconfig = layout.folder / "stages.yaml", layout.kubeconfig_of("kubelet")
    return [f"--kubeconfig={kubeconfig}", "--manage-all-nodes", f"--config={stages}", "--server-address="]


def _provisioner(layout: Layout) -> list[str]:
    return [f"--kubeconfig={layout.kubeconfig_of('provisioner')}"]


_UNUSED = ("autoscaling/v1", "autoscaling/v2", "batch/v1")
"""Groups without a part in storage; whoever deletes a namespace looks through all that there are."""
_IDLE = (
    "node-lifecycle-controller",
    "ttl-controller",
    "root-ca-certificate-publisher-controller",
    "endpoints-controller",
    "endpointslice-mirroring-controller",
    "daemonset-controller",
    "horizontal-pod-autoscaler-controller",
    "job-controller",
    "cronjob-controller",
    "ttl-after-finished-controller",
    "persistentvolume-attach-detach-controller",
    "ephemeral-volume-controller",
    "resourceclaim-controller",
    "taint-eviction-controller",
    "device-taint-eviction-controller",
)
"""Controllers that would only make every namespace, node and pod cost more; nothing here logs in from a pod."""
_FAST = ["--kube-api-qps=2000", "--kube-api-burst=4000"]
_ARGUMENTS = {
    "etcd": _etcd,
    "kube-apiserver": _api_server,
    "kube-controller-manager": _controller_manager,
    "kube-scheduler": _scheduler,
    "kwok": _kwok,
    "provisioner": _provisioner,
}
COMPONENTS = tuple(_ARGUMENTS)
"""In the order of starting."""
