"""The command lines of a control plane: etcd, API server, controller manager, scheduler, KWOK, provisioner.

Everything listens on loopback only, on ports that were free a moment ago; the controller manager and the scheduler
listen nowhere, because they would on every interface.
"""

import socket
from dataclasses import dataclass
from pathlib import Path

from pvkit.backends.live.programs import Programs

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Ports:
    """Loopback ports of one cluster."""

    etcd: int
    peer: int
    api: int


def free_ports() -> Ports:
    """Three ports that nobody listens on."""
    sockets = [socket.socket() for _ in range(3)]
    try:
        for entry in sockets:
            entry.bind((LOOPBACK, 0))
        numbers = [entry.getsockname()[1] for entry in sockets]
    finally:
        for entry in sockets:
            entry.close()
    return Ports(*numbers)


@dataclass(frozen=True, slots=True)
class Layout:
    """Where one cluster keeps its things."""

    folder: Path
    programs: Programs
    ports: Ports
    emulated: str = ""
    """Minor version to emulate, "" for none."""

    resync_seconds: float = 15

    @property
    def server(self) -> str:
        """The URL of the API server."""
        return f"https://{LOOPBACK}:{self.ports.api}"

    @property
    def kubeconfig(self) -> Path:
        """The kubeconfig of the cluster's owner."""
        return self.folder / "kubeconfig"

    @property
    def authority(self) -> Path:
        """The certificate that clients verify the API server with; the server writes it at its first start."""
        return self.folder / "certificates" / "apiserver.crt"


def command(layout: Layout, program: str) -> list[str]:
    """The command line of one component."""
    return [*layout.programs.heads[program], *_ARGUMENTS[program](layout)]


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
        "--service-cluster-ip-range=10.0.0.0/24",
        "--disable-admission-plugins=ServiceAccount,TaintNodesByCondition",
        "--enable-admission-plugins=PodNodeSelector",
        *_emulation(layout),
    ]


def _controller_manager(layout: Layout) -> list[str]:
    return [
        f"--kubeconfig={layout.kubeconfig}",
        "--leader-elect=false",
        "--secure-port=0",
        f"--service-account-private-key-file={layout.folder / 'service-account.key'}",
        f"--controllers={','.join(('*', *(f'-{controller}' for controller in _IDLE)))}",
        f"--pvclaimbinder-sync-period={layout.resync_seconds:g}s",
        *_FAST,
        *_emulation(layout),
    ]


def _scheduler(layout: Layout) -> list[str]:
    return [
        f"--kubeconfig={layout.kubeconfig}",
        "--leader-elect=false",
        "--secure-port=0",
        *_FAST,
        *_emulation(layout),
    ]


def _kwok(layout: Layout) -> list[str]:
    stages = layout.folder / "stages.yaml"
    return [f"--kubeconfig={layout.kubeconfig}", "--manage-all-nodes", f"--config={stages}", "--server-address="]


def _provisioner(layout: Layout) -> list[str]:
    return [f"--kubeconfig={layout.kubeconfig}"]


_IDLE = ("nodelifecycle", "ttl", "root-ca-certificate-publisher-controller")
"""Controllers that would only make every namespace and node cost more; nothing here logs in from a pod."""
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
