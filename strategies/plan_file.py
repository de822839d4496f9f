"""Plans as YAML that a person can write: Kubernetes manifests and steps.

    apiVersion: pvkit/v1
    kind: Plan
    metadata: {name: two-claims-one-volume}
    setup: {nodes: [{metadata: {name: n1}}]}
    steps:
    - create: {kind: PersistentVolume, ...}        # or a list, or {file: volumes.yaml}
    - patch: {kind: PersistentVolume, name: shelf, patch: {spec: {claimRef: null}}}
    - delete: {kind: Pod, name: web-0}
    - hold: {controller: binder, kind: PersistentVolumeClaim}
    - turns: {count: 3}
    - settle: {}
    - expect: [{kind: PersistentVolumeClaim, name: www-web-0, phase: Bound}]
    schedule: [{turn: 12, take: binder}, {tie: 3, take: 1}]

Whatever is wrong is told with file and line, what was seen, and what was expected.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from pvkit.backends.objects import API_VERSIONS, LEDGERS, NAMESPACED, Key, Obj
from pvkit.backends.protocol import KUBERNETES_VERSIONS, Departure, Fault, Operation, Setup
from pvkit.backends.quantities import QuantityError, amount
from pvkit.strategies.fault_words import FAULT_WORDS
from pvkit.strategies.plan import Expect, Plan, Settle, Step, Turns
from pvkit.strategies.yaml_nodes import Spot, documents, suggest

VERSION = "pvkit/v1"
KINDS = tuple(sorted(set(API_VERSIONS) - LEDGERS))
_TOP = ("apiVersion", "kind", "metadata", "failure", "features", "setup", "steps", "schedule", "expect")
_SETUP = ("kubernetesVersion", "nodes", "namespaces", "gates", "options")
_TARGETED = {
    "get": (),
    "list": ("selector",),
    "patch": ("patch", "subresource"),
    "delete": ("propagation", "grace", "uid", "version"),
    "scale": ("replicas",),
}
_TARGET = ("kind", "namespace", "name", "at-once")
_OTHER = ("create", "update", "settle", "turns", "expect")
STEPS = (*_OTHER, *_TARGETED, *FAULT_WORDS)
_QUANTITIES = (("spec", "capacity", "storage"), ("spec", "resources", "requests", "storage"))


def read_plans(path: str | Path) -> list[Plan]:
    """The plans of a file, in order; raises `PlanError`."""
    return [_plan(spot) for spot in documents(Path(path))]


def read_manifests(path: str | Path) -> list[Obj]:
    """The Kubernetes manifests of a file, lists taken apart; raises `PlanError`."""
    return [manifest for spot in documents(Path(path)) for manifest in _manifests(spot)]


def _known(spot: Spot, fields: tuple[str, ...], of: str) -> None:
    for name, value in spot.fields():
        if name not in fields:
            value.refuse(f"unknown field {name!r} in {of}", suggest(name, fields) if fields else "no fields")


def _plan(spot: Spot) -> Plan:
    version, kind = spot.find("apiVersion"), spot.find("kind")
    if version is None or version.value != VERSION:
        (version or spot).refuse(
            f"apiVersion {version.value if version else None!r}", f"{VERSION!r}, the version this kit reads"
        )
    if kind is None or kind.value != "Plan":
        (kind or spot).refuse(f"kind {kind.value if kind else None!r}", "'Plan'")
    _known(spot, _TOP, "a plan")
    steps = spot.find("steps")
    if steps is None:
        spot.refuse("a plan without steps", "a list `steps`")
    name = spot.find("metadata", "name")
    features = spot.find("features")
    return Plan(
        tuple(step for entry in steps.items() for step in _steps(entry)),
        _setup(spot.find("setup")),
        tuple(_departure(entry) for entry in _entries(spot.find("schedule"))),
        str(name.value) if name else "",
        tuple(_expected(entry) for entry in _entries(spot.find("expect"))),
        tuple(features.value) if features else (),
    )


def _entries(spot: Spot | None) -> Iterator[Spot]:
    return spot.items() if spot is not None else iter(())


def _setup(spot: Spot | None) -> Setup:
    if spot is None:
        return Setup()
    _known(spot, _SETUP, "setup")
    version = spot.find("kubernetesVersion")
    if version is not None and version.value not in KUBERNETES_VERSIONS:
        version.refuse(f"Kubernetes {version.value!r}", f"a text, one of {', '.join(KUBERNETES_VERSIONS)}")
    for node in _entries(spot.find("nodes")):
        _named(node)
    given = spot.value
    return Setup(
        str(given.get("kubernetesVersion", Setup().kubernetes_version)),
        tuple(given.get("nodes") or ()),
        tuple(given.get("namespaces") or ()),
        dict(given.get("gates") or {}),
        dict(given.get("options") or {}),
    )


def _named(spot: Spot) -> None:
    if spot.find("metadata", "name") is None and spot.find("metadata", "generateName") is None:
        spot.refuse("an object without a name", "metadata.name")


def _steps(spot: Spot) -> Iterator[Step]:
    fields = list(spot.fields())
    if len(fields) != 1:
        spot.refuse(f"a step with {len(fields)} fields", "one field a step, such as `- settle: {}`")
    verb, body = fields[0]
    if verb in ("create", "update"):
        yield from (Operation(verb, manifest) for manifest in _bodies(body))
    elif verb in _TARGETED:
        yield _targeted(verb, body)
    elif verb == "settle":
        _known(body, (), "settle")
        yield Settle()
    elif verb == "turns":
        _known(body, ("count",), "turns")
        yield Turns(int(body.value.get("count", 1)))
    elif verb == "expect":
        yield Expect(tuple(_expected(entry) for entry in body.items()))
    elif verb in FAULT_WORDS:
        _known(body, FAULT_WORDS[verb], verb)
        yield Fault(verb, dict(body.value))
    else:
        spot.refuse(f"unknown step {verb!r}", suggest(verb, STEPS))


def _bodies(spot: Spot) -> Iterator[Obj]:
    file = spot.find("file")
    if file is not None:
        yield from read_manifests(Path(spot.file).parent / str(file.value))
    elif isinstance(spot.value, list):
        for entry in spot.items():
            yield from _manifests(entry)
    else:
        yield from _manifests(spot)


def _manifests(spot: Spot) -> Iterator[Obj]:
    kind = spot.find("kind")
    if kind is None:
        spot.refuse("an object without a kind", f"a field `kind`: {', '.join(KINDS)}")
    if str(kind.value).endswith("List") and spot.find("items") is not None:
        for entry in _entries(spot.find("items")):
            yield from _manifests(entry)
        return
    _check_kind(kind)
    _named(spot)
    _check_quantities(spot)
    for template in _entries(spot.find("spec", "volumeClaimTemplates")):
        _check_quantities(template)
    yield spot.value


def _check_kind(kind: Spot) -> None:
    if kind.value not in KINDS:
        kind.refuse(f"unknown kind {kind.value!r}", suggest(str(kind.value), KINDS))


def _check_quantities(spot: Spot) -> None:
    for path in _QUANTITIES:
        found = spot.find(*path)
        try:
            amount(found.value if found is not None else "0")
        except QuantityError:
            assert found is not None
            found.refuse(f"{found.value!r} is not a quantity", "a number with a suffix such as 500Mi, 5G or 0.5Gi")


def _targeted(verb: str, spot: Spot) -> Operation:
    _known(spot, (*_TARGET, *_TARGETED[verb]), verb)
    kind, name = spot.find("kind"), spot.find("name")
    if kind is None or (name is None and verb != "list"):
        spot.refuse(f"{verb} without {'kind' if kind is None else 'name'}", "kind and name of the object")
    _check_kind(kind)
    given: dict[str, Any] = spot.value
    namespace = str(given.get("namespace") or ("default" if kind.value in NAMESPACED and verb != "list" else ""))
    options = {word: given[word] for word in given if word not in ("kind", "namespace", "name", "patch")}
    return Operation(verb, None, Key(kind.value, namespace, str(given.get("name") or "")), given.get("patch"), options)


def _expected(spot: Spot) -> Obj:
    kind = spot.find("kind")
    if kind is None or (spot.find("name") is None and spot.find("metadata", "name") is None):
        spot.refuse("an expectation without kind or name", "kind and name of an object")
    _check_kind(kind)
    found: Obj = spot.value
    return found


def _departure(spot: Spot) -> Departure:
    _known(spot, ("turn", "tie", "take"), "a departure")
    given = spot.value
    if "take" not in given or ("turn" in given) == ("tie" in given):
        spot.refuse(f"the departure {given}", "{turn: N, take: CONTROLLER} or {tie: N, take: NUMBER}")
    point = "turn" if "turn" in given else "tie"
    return Departure(point, int(given[point]), given["take"])  # type: ignore[arg-type]


def write_plan(plan: Plan, failure: dict[str, Any] | None = None) -> str:
    """A plan as YAML that `read_plans` reads back as the same plan; `failure` goes on top, for a person to read."""
    written: dict[str, Any] = {"apiVersion": VERSION, "kind": "Plan", "metadata": {"name": plan.name}}
    written |= {"failure": failure} if failure else {}
    written |= {"features": list(plan.features)} if plan.features else {}
    written |= {"setup": setup_fields(plan.setup), "steps": [step_fields(step) for step in plan.steps]}
    written |= {"schedule": [{entry.point: entry.at, "take": entry.take} for entry in plan.schedule]}
    written |= {"expect": list(plan.expect)} if plan.expect else {}
    return yaml.dump(written, Dumper=_Dumper, sort_keys=False, width=110, default_flow_style=None)


class _Dumper(yaml.SafeDumper):
    """Writes out what is shared, for a person reads it."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def setup_fields(setup: Setup) -> dict[str, Any]:
    """A setup as a plan file has it."""
    fields: dict[str, Any] = {"kubernetesVersion": setup.kubernetes_version}
    for name in ("nodes", "namespaces"):
        fields |= {name: list(getattr(setup, name))} if getattr(setup, name) else {}
    for name in ("gates", "options"):
        fields |= {name: dict(getattr(setup, name))} if getattr(setup, name) else {}
    return fields


def step_fields(step: Step) -> dict[str, Any]:
    """A step as a plan file has it: one verb and its body."""
    match step:
        case Settle():
            return {"settle": {}}
        case Turns(count):
            return {"turns": {"count": count}}
        case Expect(objects):
            return {"expect": list(objects)}
        case Fault(word, options):
            return {word: dict(options)}
        case Operation(verb, obj) if verb in ("create", "update"):
            return {verb: obj}
    target = step.target
    assert target is not None
    named = {"kind": target.kind, "namespace": target.namespace, "name": target.name}
    body = {word: text for word, text in named.items() if text} | dict(step.options)
    return {step.verb: body | ({"patch": step.patch} if step.patch is not None else {})}
