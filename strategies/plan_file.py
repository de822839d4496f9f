"""Plans as YAML that a person can write: Kubernetes manifests and steps.

    apiVersion: pvkit/v1
    kind: Plan
    metadata: {name: two-claims-one-volume}
    setup: {nodes: [{metadata: {name: n1}}]}
    steps:
    - create: {file: volumes.yaml}
    - create: {kind: PersistentVolumeClaim, metadata: {name: first}, spec: ...}
    - hold: {controller: binder, kind: PersistentVolume}
    - delete: {kind: PersistentVolumeClaim, name: first}
    - settle: {}
    - expect: {kind: PersistentVolumeClaim, name: first, absent: true}
    schedule: []

What cannot be read is a `PlanError` that names file and line, and says what would be right.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from pvkit.backends.errors import Place, PlanError
from pvkit.backends.objects import Key, Obj, put, without
from pvkit.backends.protocol import KUBERNETES_VERSIONS, VERBS, Departure, Fault, Operation, Setup
from pvkit.backends.reference.gates import ON_SINCE
from pvkit.strategies.documents import Part, read_documents
from pvkit.strategies.faults import FAULT_WORDS, WORDS
from pvkit.strategies.manifests import KINDS, check_quantities, manifest, manifests, read_manifests
from pvkit.strategies.plan import Expect, Plan, Settle, Step, Turns
from pvkit.strategies.plan_text import PLAN_VERSION, write_plan

__all__ = ["PLAN_VERSION", "read_manifests", "read_plans", "write_plan"]

SETTINGS: dict[str, type] = {
    "dynamic-provisioning": bool,
    "node-grace-seconds": float,
    "resync": bool,
    "resync-seconds": float,
    "stopping-seconds": float,
}
"""The settings of components that a plan may make (`Setup.options`)."""

_ASKED: dict[str, dict[str, type]] = {
    "create": {},
    "update": {"subresource": str},
    "patch": {"subresource": str},
    "delete": {"propagation": str, "grace": int, "uid": str, "version": str},
    "scale": {"replicas": int},
    "get": {},
    "list": {"selector": dict},
}
"""Options of each verb, beside `at-once`, which all have."""
_WORDS = (*VERBS, "settle", "turns", "expect", *FAULT_WORDS)
_SHORT = {"name": ("metadata", "name"), "namespace": ("metadata", "namespace"), "phase": ("status", "phase")}
_FIELDS = ("apiVersion", "kind", "metadata", "failure", "features", "setup", "steps", "schedule", "expect")


def read_plans(path: str | Path) -> list[Plan]:
    """The plans of a file, one a document; raises `PlanError`. What a plan says of a `failure` is for people only."""
    documents = read_documents(path)
    if not documents:
        raise PlanError(Place(str(path)), "the file is empty", f"a plan: apiVersion: {PLAN_VERSION}, kind: Plan, steps")
    return [_plan(document, Path(path).parent) for document in documents]


def _plan(part: Part, folder: Path) -> Plan:
    part.of(dict, f"a plan: apiVersion: {PLAN_VERSION}, kind: Plan, steps")
    version = part.need("apiVersion", f"apiVersion: {PLAN_VERSION}")
    if version.value != PLAN_VERSION:
        raise version.error(f"a plan of version {version.value!r}", f"{PLAN_VERSION!r}, which this pvkit reads")
    part.need("kind", "kind: Plan").one_of(("Plan",), "kind")
    part.only(_FIELDS, "field of a plan")
    named, setup = part.get("metadata"), part.get("setup")
    return Plan(
        steps=tuple(step for entry in part.need("steps").parts() for step in _steps(entry, folder)),
        setup=_setup(setup) if setup else Setup(),
        schedule=tuple(_departure(entry) for entry in _entries(part, "schedule")),
        name=_name(named) if named else "",
        expect=tuple(_expected(entry) for entry in _entries(part, "expect")),
        features=tuple(entry.text("feature") for entry in _entries(part, "features")),
    )


def _entries(part: Part, field: str) -> Iterator[Part]:
    found = part.get(field)
    return found.parts() if found else iter(())


def _name(metadata: Part) -> str:
    metadata.only(("name",), "field of a plan's metadata")
    name = metadata.get("name")
    return str(name.of(str)) if name else ""


def _setup(part: Part) -> Setup:
    part.only(("kubernetesVersion", "nodes", "namespaces", "gates", "options"), "field of setup")
    version, gates, options = part.get("kubernetesVersion"), part.get("gates"), part.get("options")
    for node in _entries(part, "nodes"):
        manifest(node, "Node")
    chosen = {} if version is None else {"kubernetes_version": version.one_of(KUBERNETES_VERSIONS, "version")}
    return Setup(
        **chosen,
        nodes=tuple(node.value for node in _entries(part, "nodes")),
        namespaces=tuple(entry.text("name of a namespace") for entry in _entries(part, "namespaces")),
        gates=_options(gates, dict.fromkeys(ON_SINCE, bool), "feature gate") if gates else {},
        options=_options(options, SETTINGS, "option") if options else {},
    )


def _options(part: Part, known: dict[str, type], what: str) -> dict[str, Any]:
    """The fields of a mapping, each of its type."""
    part.only(known, what)
    return {field: part.need(field).of(known[field]) for field in part.of(dict)}


def _departure(part: Part) -> Departure:
    part.only(("turn", "tie", "take"), "field of a departure")
    points: tuple[Literal["turn", "tie"], ...] = ("turn", "tie")
    found = [point for point in points if part.get(point)]
    if len(found) != 1:
        raise part.error("a departure", "one of 'turn' and 'tie', and 'take'")
    take = part.need("take", "'take': a worker for a turn, the number of an option for a tie")
    return Departure(found[0], part.need(found[0]).of(int), take.of(str if found[0] == "turn" else int))


def _steps(part: Part, folder: Path) -> Iterator[Step]:
    """The steps that one entry makes: several when it names a file or a list of manifests."""
    if isinstance(part.value, str):
        yield _bare(part.one_of(_WORDS, "step"), part)
        return
    part.only(_WORDS, "step")
    if len(part.value or ()) != 1:
        raise part.error(f"a step of {len(part.value or ())} words", "one word a step, such as 'settle: {}'")
    word = next(iter(part.value))
    yield from _step(word, part.need(word), folder)


def _bare(word: str, part: Part) -> Step:
    """A step that is only a word."""
    if word == "settle":
        return Settle()
    if word in WORDS and not WORDS[word].needs:
        return Fault(word)
    raise part.error(f"{word!r} alone", f"'{word}:' with what it applies to")


def _step(word: str, part: Part, folder: Path) -> Iterator[Step]:
    match word:
        case "create" | "update":
            yield from _sent(word, part, folder)
        case "settle":
            part.only((), "field of settle")
            yield Settle()
        case "turns":
            yield Turns((part.need("count") if isinstance(part.value, dict) else part).of(int))
        case "expect":
            several = isinstance(part.value, list)
            yield Expect(tuple(_expected(entry) for entry in (part.parts() if several else (part,))))
        case _ if word in WORDS:
            yield _fault(word, part)
        case _:
            yield _asked(word, part)


def _sent(verb: str, part: Part, folder: Path) -> Iterator[Operation]:
    """A create or update: manifests, or `object` or `file` with options beside it."""
    if isinstance(part.value, list):
        yield from (Operation(verb, obj) for entry in part.parts() for obj in manifests(entry))
        return
    part.of(dict, "a manifest, or 'file' with the path of manifests")
    whole, file = part.get("object"), part.get("file")
    if whole is None and file is None:
        yield from (Operation(verb, obj) for obj in manifests(part))
        return
    known = {**_ASKED[verb], "at-once": bool, "object": dict, "file": str}
    part.only(known, f"option of {verb}")
    given = {field: part.need(field).of(known[field]) for field in part.value if field not in ("object", "file")}
    found = ([manifest(whole)] if whole else []) + (_manifests_at(file, folder) if file else [])
    yield from (Operation(verb, obj, options=given) for obj in found)


def _manifests_at(file: Part, folder: Path) -> list[Obj]:
    path = folder / file.text("path of a file")
    if not path.is_file():
        raise file.error(f"no file {file.value!r}", "the path of a file with manifests, seen from the plan's folder")
    return read_manifests(path)


def _asked(verb: str, part: Part) -> Operation:
    """Any other verb: the object by kind, namespace and name, and options."""
    options: dict[str, type] = {**_ASKED[verb], "at-once": bool}
    part.only((*options, "kind", "namespace", "name", *(["patch"] if verb == "patch" else ())), f"field of {verb}")
    patch = part.need("patch", "'patch': a mapping (merge patch) or a list (JSON patch)") if verb == "patch" else None
    if patch is not None and not isinstance(patch.value, dict | list):
        raise patch.error(f"{patch.value!r}", "a mapping (merge patch) or a list (JSON patch)")
    if patch is not None:
        check_quantities(patch)
    if verb == "scale":
        part.need("replicas", "'replicas', how many there shall be")
    given = {field: part.need(field).of(options[field]) for field in part.value if field in options}
    return Operation(verb, None, _target(verb, part), patch.value if patch else None, given)


def _target(verb: str, part: Part) -> Key:
    kind, name, namespace = part.get("kind"), part.get("name"), part.get("namespace")
    if kind is None and verb != "scale":
        raise part.error(f"a {verb} without a kind", "the kind and name of an object")
    if name is None and verb != "list":
        raise part.error(f"a {verb} without a name", "the kind and name of an object")
    return Key(
        kind.one_of(KINDS, "kind") if kind else "StatefulSet",
        namespace.text("namespace") if namespace else "",
        name.text("name") if name else "",
    )


def _fault(word: str, part: Part) -> Fault:
    needs, may = WORDS[word].needs, WORDS[word].may
    for field in needs:
        part.need(field, f"{field!r}, which {word} needs")
    return Fault(word, _options(part, {**needs, **may}, f"option of {word}"))


def _expected(part: Part) -> Obj:
    """A partial object; `name`, `namespace` and `phase` may stand at the top."""
    part.of(dict, "a partial object with kind and name")
    part.need("kind", "the kind of object").one_of(KINDS, "kind")
    found: Obj = dict(part.value)
    for short, path in _SHORT.items():
        if short in found:
            found = put(without(found, (short,)), path, found[short])
    if not (found.get("metadata") or {}).get("name"):
        raise part.error("an expectation without a name", "'name', the object's")
    return found
