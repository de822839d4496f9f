"""What `kubectl get pv,pvc,pod` would print: the same columns, the same words.

The rules are those of kubectl's own printers (k8s.io/kubernetes/pkg/printers/internalversion), restated.
"""

from collections.abc import Iterable
from datetime import datetime

from pvkit.backends.objects import Obj, created_at, deleting, get, name, namespace, phase
from pvkit.backends.storage import BETA_CLASS, access_modes, claim_ref, volume_name
from pvkit.backends.workloads import is_ready, node_name
from pvkit.conformance.history import State

_SHORT = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}
_VOLUMES = (
    "NAME", "CAPACITY", "ACCESS MODES", "RECLAIM POLICY", "STATUS", "CLAIM", "STORAGECLASS", "VOLUMEATTRIBUTESCLASS",
    "REASON", "AGE",
)  # fmt: skip
_CLAIMS = (
    "NAME", "STATUS", "VOLUME", "CAPACITY", "ACCESS MODES", "STORAGECLASS", "VOLUMEATTRIBUTESCLASS", "AGE"
)  # fmt: skip
_PODS = ("NAME", "READY", "STATUS", "RESTARTS", "AGE", "IP", "NODE")


def render(state: State) -> str:
    """The three tables of everything there is; kinds without objects are left out, as kubectl leaves them out."""
    now = _latest(state)
    tables = [
        _table(_VOLUMES, (_volume(entry, now) for entry in state.all("PersistentVolume"))),
        _table(_CLAIMS, (_claim(entry, now) for entry in state.all("PersistentVolumeClaim"))),
        _table(_PODS, (_pod(entry, now) for entry in state.all("Pod"))),
    ]
    return "\n\n".join(table for table in tables if table) or "No resources found"


def _table(columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [columns, *sorted(rows)]
    widths = [max(len(line[at]) for line in lines) for at in range(len(columns))]
    if len(lines) == 1:
        return ""
    return "\n".join(
        "   ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def _latest(state: State) -> float:
    """The time of the state, on the clock of its own timestamps."""
    born = [_seconds(created_at(entry)) for kind in ("Namespace", "Node") for entry in state.all(kind)]
    return min(born, default=0.0) + state.time


def _seconds(stamp: str) -> float:
    return datetime.fromisoformat(stamp.replace("Z", "+00:00")).timestamp() if stamp else 0.0


def _age(obj: Obj, now: float) -> str:
    seconds = int(max(now - _seconds(created_at(obj)), 0))
    if seconds < 120:
        return f"{seconds}s"
    minutes, rest = divmod(seconds, 60)
    if minutes < 10:
        return f"{minutes}m{rest}s" if rest else f"{minutes}m"
    return f"{minutes}m" if minutes < 180 else f"{minutes // 60}h"


def _modes(modes: Iterable[str]) -> str:
    there = set(modes)
    return ",".join(short for mode, short in _SHORT.items() if mode in there)


def _class(obj: Obj) -> str:
    return str((obj["metadata"].get("annotations") or {}).get(BETA_CLASS) or obj["spec"].get("storageClassName") or "")


def _attributes(obj: Obj) -> str:
    said = obj["spec"].get("volumeAttributesClassName")
    return "<unset>" if said is None else str(said)


def _volume(volume: Obj, now: float) -> tuple[str, ...]:
    found = claim_ref(volume)
    return (
        f"persistentvolume/{name(volume)}",
        str(get(volume, "spec", "capacity", "storage") or "0"),
        _modes(access_modes(volume)),
        str(volume["spec"].get("persistentVolumeReclaimPolicy") or ""),
        "Terminating" if deleting(volume) else phase(volume),
        f"{found.get('namespace') or ''}/{found.get('name') or ''}" if found else "",
        _class(volume),
        _attributes(volume),
        str(get(volume, "status", "reason") or ""),
        _age(volume, now),
    )


def _claim(claim: Obj, now: float) -> tuple[str, ...]:
    bound = bool(volume_name(claim))
    return (
        f"persistentvolumeclaim/{name(claim)}"
        if namespace(claim) == "default"
        else f"{namespace(claim)}/{name(claim)}",
        "Terminating" if deleting(claim) else phase(claim),
        volume_name(claim),
        str(get(claim, "status", "capacity", "storage") or "0") if bound else "",
        _modes(get(claim, "status", "accessModes") or ()) if bound else "",
        _class(claim),
        _attributes(claim),
        _age(claim, now),
    )


def _pod(pod: Obj, now: float) -> tuple[str, ...]:
    total = len(pod["spec"].get("containers") or ())
    return (
        f"pod/{name(pod)}" if namespace(pod) == "default" else f"{namespace(pod)}/{name(pod)}",
        f"{total if is_ready(pod) else 0}/{total}",
        "Terminating" if deleting(pod) else str(get(pod, "status", "reason") or phase(pod)),
        "0",
        _age(pod, now),
        str(get(pod, "status", "podIP") or "<none>"),
        node_name(pod) or "<none>",
    )
