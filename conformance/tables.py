"""What `kubectl get pv,pvc,pod` would print: the same columns, the same words.

The rules are those of kubectl's own printers (k8s.io/kubernetes/pkg/printers/internalversion), restated.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from pvkit.backends.objects import Obj, condition, deleting, get, key, name, namespace, phase
from pvkit.backends.quantities import QuantityError, canonical
from pvkit.backends.storage import BETA_CLASS, access_modes, claim_ref, volume_name
from pvkit.backends.workloads import is_finished, is_ready, node_name
from pvkit.conformance.history import State

_SHORT = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}
_MINUTE, _HOUR, _DAY, _YEAR = 60, 3_600, 86_400, 365 * 86_400

Cells = Callable[[Obj], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Table:
    """One kind's rows under its columns."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    @property
    def ageless(self) -> tuple[tuple[str, ...], ...]:
        """The rows without their age, which changes while nothing else does."""
        at = self.columns.index("AGE")
        return tuple((*row[:at], *row[at + 1 :]) for row in self.rows)

    def __str__(self) -> str:
        lines = [self.columns, *self.rows]
        widths = [max(len(line[at]) for line in lines) for at in range(len(self.columns))]
        return "\n".join(
            "   ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
        )


@dataclass(frozen=True, slots=True)
class _Printer:
    """How one kind is shown: its name on the command line, its columns and their cells, narrow and then wide."""

    kind: str
    word: str
    columns: tuple[str, ...]
    cells: Cells
    wide_columns: tuple[str, ...]
    wide_cells: Cells


def tables(state: State, wide: bool = False) -> dict[str, Table]:
    """The tables of everything there is, by kind, in kubectl's order; a kind without objects has none.

    Objects outside `default` bring a column NAMESPACE with them, as `--all-namespaces` does.
    """
    spread = any(namespace(obj) not in ("", "default") for printer in _PRINTERS for obj in state.all(printer.kind))
    made = {printer.kind: _table(printer, state, wide, spread) for printer in _PRINTERS}
    return {kind: table for kind, table in made.items() if table.rows}


def render(state: State, wide: bool = False) -> str:
    """All tables, one below the other."""
    return "\n\n".join(map(str, tables(state, wide).values())) or "No resources found"


def _table(printer: _Printer, state: State, wide: bool, spread: bool) -> Table:
    rows = []
    for obj in sorted(state.all(printer.kind), key=lambda entry: (namespace(entry), name(entry))):
        place = (namespace(obj),) if spread and namespace(obj) else ()
        more = printer.wide_cells(obj) if wide else ()
        rows.append((*place, f"{printer.word}/{name(obj)}", *printer.cells(obj), _age(state, obj), *more))
    head = ("NAMESPACE", "NAME") if spread and printer.kind != "PersistentVolume" else ("NAME",)
    return Table((*head, *printer.columns, "AGE", *(printer.wide_columns if wide else ())), tuple(rows))


def _age(state: State, obj: Obj) -> str:
    life = state.life(key(obj))
    return duration(state.time - life.born_at) if life is not None else "<unknown>"


def duration(seconds: float) -> str:
    """A time span in two figures at most, as kubectl shortens it."""
    whole = max(int(seconds), 0)
    for limit, large, small, unit, part in (
        (2 * _MINUTE, 1, 0, "s", ""),
        (10 * _MINUTE, _MINUTE, 1, "m", "s"),
        (3 * _HOUR, _MINUTE, 0, "m", ""),
        (8 * _HOUR, _HOUR, _MINUTE, "h", "m"),
        (2 * _DAY, _HOUR, 0, "h", ""),
        (8 * _DAY, _DAY, _HOUR, "d", "h"),
        (2 * _YEAR, _DAY, 0, "d", ""),
        (8 * _YEAR, _YEAR, _DAY, "y", "d"),
    ):
        if whole < limit:
            rest = whole % large // small if small else 0
            return f"{whole // large}{unit}{f'{rest}{part}' if rest else ''}"
    return f"{whole // _YEAR}y"


def _modes(modes: Iterable[str]) -> str:
    there = set(modes)
    return ",".join(short for mode, short in _SHORT.items() if mode in there)


def _class(obj: Obj) -> str:
    return str((obj["metadata"].get("annotations") or {}).get(BETA_CLASS) or obj["spec"].get("storageClassName") or "")


def _or_unset(said: Any) -> str:
    return "<unset>" if said is None else str(said)


def _size(capacity: Any) -> str:
    try:
        return canonical(capacity or "0")
    except QuantityError:
        return str(capacity)


def _volume(volume: Obj) -> tuple[str, ...]:
    found = claim_ref(volume)
    return (
        _size(get(volume, "spec", "capacity", "storage")),
        _modes(access_modes(volume)),
        str(volume["spec"].get("persistentVolumeReclaimPolicy") or ""),
        "Terminating" if deleting(volume) else phase(volume),
        f"{found.get('namespace') or ''}/{found.get('name') or ''}" if found else "",
        _class(volume),
        _or_unset(volume["spec"].get("volumeAttributesClassName")),
        str(get(volume, "status", "reason") or ""),
    )


def _claim(claim: Obj) -> tuple[str, ...]:
    bound = bool(volume_name(claim))
    return (
        "Terminating" if deleting(claim) else phase(claim),
        volume_name(claim),
        _size(get(claim, "status", "capacity", "storage")) if bound else "",
        _modes(get(claim, "status", "accessModes") or ()) if bound else "",
        _class(claim),
        _or_unset(claim["spec"].get("volumeAttributesClassName")),
    )


def _mode(obj: Obj) -> tuple[str, ...]:
    return (_or_unset(obj["spec"].get("volumeMode")),)


def _pod(pod: Obj) -> tuple[str, ...]:
    total, statuses = len(pod["spec"].get("containers") or ()), get(pod, "status", "containerStatuses") or ()
    ready = sum(bool(entry.get("ready")) for entry in statuses) if statuses else total * is_ready(pod)
    return f"{ready}/{total}", _pod_status(pod, statuses), str(sum(entry.get("restartCount", 0) for entry in statuses))


def _pod_status(pod: Obj, statuses: Iterable[Obj]) -> str:
    """The phase, unless a reason, a gate, a container or a deletion has more to say; the first container wins."""
    reason = str(get(pod, "status", "reason") or "")
    if deleting(pod) and not is_finished(pod):
        return "Unknown" if reason == "NodeLost" else "Terminating"
    said = [word for word in map(_container_status, statuses) if word]
    if said and not (said[0] == "Completed" and is_ready(pod)):
        return said[0]
    gated = (condition(pod, "PodScheduled") or {}).get("reason") == "SchedulingGated"
    return "SchedulingGated" if gated else reason or phase(pod)


def _container_status(status: Obj) -> str:
    state = status.get("state") or {}
    ended = state.get("terminated")
    if ended is None:
        return str((state.get("waiting") or {}).get("reason") or "")
    code = f"Signal:{ended['signal']}" if ended.get("signal") else f"ExitCode:{ended.get('exitCode', 0)}"
    return str(ended.get("reason") or code)


def _pod_place(pod: Obj) -> tuple[str, ...]:
    return (
        str(get(pod, "status", "podIP") or "<none>"),
        node_name(pod) or "<none>",
        str(get(pod, "status", "nominatedNodeName") or "<none>"),
        "<none>",
    )


_PRINTERS = (
    _Printer(
        "PersistentVolume",
        "persistentvolume",
        (
            "CAPACITY", "ACCESS MODES", "RECLAIM POLICY", "STATUS", "CLAIM", "STORAGECLASS", "VOLUMEATTRIBUTESCLASS",
            "REASON",
        ),
        _volume,
        ("VOLUMEMODE",),
        _mode,
    ),
    _Printer(
        "PersistentVolumeClaim",
        "persistentvolumeclaim",
        ("STATUS", "VOLUME", "CAPACITY", "ACCESS MODES", "STORAGECLASS", "VOLUMEATTRIBUTESCLASS"),
        _claim,
        ("VOLUMEMODE",),
        _mode,
    ),
    _Printer(
        "Pod",
        "pod",
        ("READY", "STATUS", "RESTARTS"),
        _pod,
        ("IP", "NODE", "NOMINATED NODE", "READINESS GATES"),
        _pod_place,
    ),
)  # fmt: skip
