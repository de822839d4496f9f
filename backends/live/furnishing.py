"""What a cluster finds in its folder: token, keys, kubeconfig, stages, and the file that tells how it was started.

The token and the key that signs service accounts' tokens are made anew for each start, and so is the certificate
authority, which the API server makes itself. The folder has mode 0700 and its secrets 0600. The API server lets in
whoever has the token; etcd asks nobody, but answers on loopback only.
"""

import base64
import json
import secrets
from importlib.resources import files
from pathlib import Path
from typing import Any

from pvkit.backends.live.components import COMPONENTS_GROUP, CONTROL, LOOPBACK, RECORDERS, Layout, Ports, commands
from pvkit.backends.live.programs import Programs

STATE = "cluster.json"
_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # FIPS 186-5, curve P-256

ADMISSION: dict[str, Any] = {
    "apiVersion": "apiserver.config.k8s.io/v1",
    "kind": "AdmissionConfiguration",
    "plugins": [
        {
            "name": "EventRateLimit",
            "configuration": {
                "apiVersion": "eventratelimit.admission.k8s.io/v1alpha1",
                "kind": "Configuration",
                "limits": [{"type": "Server", "qps": 1, "burst": 20}],
            },
        }
    ],
}
"""Nobody is judged by Event objects, and unhindered they are a tenth of all requests."""


def furnish(layout: Layout) -> None:
    """Write everything that the components read into the cluster's folder, which exists."""
    token, own = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    users = f'{token},pvkit,pvkit,"system:masters"\n{own},components,components,"{COMPONENTS_GROUP}"\n'
    _private(layout.folder / "tokens.csv", users)
    _private(layout.folder / "service-account.key", signing_key())
    _private(layout.kubeconfig, json.dumps(_kubeconfig(layout, token, layout.server), indent=1) + "\n")
    said = json.dumps(_kubeconfig(layout, own, layout.server), indent=1)
    _private(layout.components_kubeconfig, said + "\n")
    for actor, port in layout.lines.items():
        if actor != CONTROL:
            told = _kubeconfig(layout, token if actor in RECORDERS else own, f"https://{LOOPBACK}:{port}")
            _private(layout.kubeconfig_of(actor), json.dumps(told, indent=1) + "\n")
    stages = files("pvkit.backends.live") / "controlplane" / "stages.yaml"
    (layout.folder / "stages.yaml").write_text(stages.read_text())
    (layout.folder / "admission.json").write_text(json.dumps(ADMISSION, indent=1) + "\n")
    (layout.folder / STATE).write_text(json.dumps(_state(layout), indent=1) + "\n")


def _private(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)


def signing_key() -> str:
    """A fresh private key on P-256 as PEM (RFC 5915); the public half, which readers work out, is left out."""
    number = secrets.randbelow(_P256_ORDER - 1) + 1
    curve = bytes.fromhex("a00a06082a8648ce3d030107")
    body = b"\x02\x01\x01\x04\x20" + number.to_bytes(32, "big") + curve
    text = base64.b64encode(bytes([0x30, len(body)]) + body).decode()
    lines = "\n".join(text[at : at + 64] for at in range(0, len(text), 64))
    return f"-----BEGIN EC PRIVATE KEY-----\n{lines}\n-----END EC PRIVATE KEY-----\n"


def _kubeconfig(layout: Layout, token: str, server: str) -> dict[str, Any]:
    """A kubeconfig; JSON is YAML, and every client reads it."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "pvkit", "cluster": {"server": server, "certificate-authority": str(layout.authority)}}],
        "users": [{"name": "pvkit", "user": {"token": token}}],
        "contexts": [{"name": "pvkit", "context": {"cluster": "pvkit", "user": "pvkit"}}],
        "current-context": "pvkit",
    }


def _state(layout: Layout) -> dict[str, Any]:
    programs = layout.programs
    return {
        "programs": {
            "heads": {name: list(head) for name, head in programs.heads.items()},
            "version": programs.version,
            "source": programs.source,
            "notes": list(programs.notes),
        },
        "ports": {"etcd": layout.ports.etcd, "peer": layout.ports.peer, "api": layout.ports.api},
        "emulated": layout.emulated,
        "resync": layout.resync_seconds,
        "lines": dict(layout.lines),
        "commands": commands(layout),
    }


def state_of(folder: Path) -> dict[str, Any]:
    """What `cluster.json` says; {} while it has not been written, or not wholly."""
    try:
        said: dict[str, Any] = json.loads((folder / STATE).read_text())
    except (OSError, ValueError):
        return {}
    return said


def layout_in(folder: Path) -> Layout | None:
    """The layout that a folder was furnished for; None when it was not."""
    said = state_of(folder)
    if not said:
        return None
    told = said["programs"]
    heads = {name: tuple(head) for name, head in told["heads"].items()}
    programs = Programs(heads, told["version"], told["source"], tuple(told["notes"]))
    return Layout(folder, programs, Ports(**said["ports"]), said["emulated"], said["resync"], said["lines"])
