"""What pods do on real kubelets: they write their UID to each of their volumes, and tell what they found there.

A plan's containers name images that nobody has. Where pods really run, each container gets an image that a person chose
and a small program for `sh` instead; what was replaced travels in its environment, so that histories tell the container
as the plan said it. The program asks for no privilege and touches one file on each volume.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass

from pvkit.backends.objects import Obj, get, put

POD, INSTEAD_OF = "PVKIT_POD_UID", "PVKIT_INSTEAD_OF"
REPLACED = ("image", "command", "args", "env")
CONTAINERS = {
    "Pod": ("spec", "containers"),
    "StatefulSet": ("spec", "template", "spec", "containers"),
    "ControllerRevision": ("data", "spec", "template", "spec", "containers"),
}
"""Where objects hold containers, by kind."""

# A kubelet takes dollar signs before brackets, and double ones, for its own; there are none here. Whoever cannot read
# says so, for a file that cannot be read is not an empty one.
PROGRAM = """\
trap 'kill "$!" 2>/dev/null; exit 0' TERM INT
for at in "$@"; do
  folder=${at#*=} file=${at#*=}/pvkit-marks found= comma= read=false wrote=false
  if [ -f "$file" ] && [ -r "$file" ]; then
    read=true
    while IFS= read -r mark || [ -n "$mark" ]; do
      case $mark in "" | *[!0-9A-Za-z-]*) read=false ;; *) found="$found$comma\\"$mark\\"" comma=, ;; esac
    done <"$file"
  elif [ -d "$folder" ] && [ -x "$folder" ] && ! [ -e "$file" ]; then
    read=true
  fi
  if { echo "$PVKIT_POD_UID" >>"$file"; } 2>/dev/null; then
    while IFS= read -r mark; do
      if [ "$mark" = "$PVKIT_POD_UID" ]; then wrote=true; fi
    done <"$file"
  fi
  printf '{"pvkit": "marks", "volume": "%s", "found": [%s], "read": %s, "wrote": %s}\\n' \\
    "${at%%=*}" "$found" "$read" "$wrote"
done
sync 2>/dev/null
while :; do
  sleep 3600 &
  wait "$!"
done
"""
"""For any `sh`; its arguments are `volume=path`, one for each mount. It ends when it is told to.

A mark is one line of a file on the volume: the UID of the pod that wrote it.
"""


@dataclass(frozen=True, slots=True)
class Found:
    """What a pod found on one of its volumes, named as in the pod: the marks, oldest first; whether it could look; and
    whether its own mark was there afterwards."""

    volume: str
    marks: tuple[str, ...]
    read: bool
    wrote: bool


def found_in(log: str) -> dict[str, Found]:
    """What a container's log tells, by volume; other lines are passed over, and of several the last counts."""
    told: dict[str, Found] = {}
    for line in log.splitlines():
        try:
            said = json.loads(line)
            if said["pvkit"] == "marks":
                one = Found(
                    str(said["volume"]), tuple(map(str, said["found"])), bool(said["read"]), bool(said["wrote"])
                )
                told[one.volume] = one
        except (ValueError, KeyError, TypeError):  # Half a line, or another program's.
            continue
    return told


def dressed(container: Obj, image: str) -> Obj:
    """A container as it is sent: the image, the program and its mounts; writable ones only."""
    if is_dressed(container):
        return container
    mounts = [entry for entry in container.get("volumeMounts") or () if not entry.get("readOnly")]
    replaced = {field: container[field] for field in REPLACED if field in container}
    return {
        "imagePullPolicy": "IfNotPresent",
        **container,
        "image": image,
        "command": ["sh", "-c", PROGRAM, "pvkit"],
        "args": [f"{entry.get('name')}={entry.get('mountPath')}" for entry in mounts],
        "env": [
            {"name": INSTEAD_OF, "value": json.dumps(replaced, sort_keys=True)},
            {"name": POD, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.uid"}}},
        ],
    }


def _replaced(container: Obj) -> str | None:
    """What a container was before, as JSON; `None` where it still is that."""
    return next(
        (str(entry.get("value")) for entry in container.get("env") or () if entry.get("name") == INSTEAD_OF), None
    )


def is_dressed(container: Obj) -> bool:
    """Whether a container runs the program."""
    return _replaced(container) is not None


def undressed(container: Obj) -> Obj:
    """A container as the plan said it."""
    replaced = _replaced(container)
    if replaced is None:
        return container
    return {**{field: value for field, value in container.items() if field not in REPLACED}, **json.loads(replaced)}


def looked_at(pod: Obj) -> dict[str, frozenset[str]]:
    """The volumes of which each container of a pod will tell, by the names of both; only containers that have some."""
    return {
        str(container["name"]): frozenset(at.partition("=")[0] for at in container["args"])
        for container in pod["spec"]["containers"]
        if is_dressed(container) and container.get("args")  # An API server leaves an empty list out.
    }


def with_containers(obj: Obj, change: Callable[[Obj], Obj]) -> Obj:
    """An object, or a merge patch of one, with each of its containers changed; `kind` must be there."""
    path = CONTAINERS.get(str(obj.get("kind")), ())
    found = get(obj, *path) if path else None
    if not isinstance(found, list):
        return obj
    return put(obj, path, [change(entry) if isinstance(entry, dict) else entry for entry in found])
