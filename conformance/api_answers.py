"""The answers of a real API server (`answers/api_cases.yaml`), and how the model or a server is asked the same."""

import copy
import re
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import yaml

from pvkit.backends.errors import ApiError, Cause
from pvkit.backends.objects import NAMESPACED, Key, Obj
from pvkit.backends.protocol import Setup
from pvkit.backends.reference.assignment import binding
from pvkit.backends.reference.clock import Clock
from pvkit.backends.reference.patches import patched
from pvkit.backends.reference.store import Store

UID = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
VERSIONS = re.compile(r"\(\d+\) does not match the ResourceVersion in record \(\d+\)")
FIVE = re.compile("Bad_[a-z0-9]{5}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
FIRST, LAST = "2026", "2030"
"""The years in which a time may lie that a server gave; the cases themselves name times before and after."""


class Api(Protocol):
    """What answers requests: the model's store, or a server."""

    def create(self, obj: Obj) -> Obj:
        """Store a new object, or bind a pod."""

    def read(self, at: Key, /) -> Obj | None:
        """What is stored, None if nothing is."""

    def update(self, obj: Obj, subresource: str = "") -> Obj:
        """Replace an object."""

    def patch(self, at: Key, patch: Any, subresource: str = "") -> Obj:
        """Change an object by a merge patch, or a JSON patch if it is a list."""

    def delete(self, at: Key, /, **options: Any) -> Obj | None:
        """Ask for an object's end."""


@cache
def book() -> Any:
    """The whole file."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load((Path(__file__).parent / "answers" / "api_cases.yaml").read_text(), loader)


def cases() -> list[Obj]:
    """Its cases."""
    return list(book()["cases"])


def expand(tree: Any) -> Any:
    """A tree with its abbreviations written out."""
    if isinstance(tree, dict):
        if tree.keys() == {"repeat", "times"}:
            return tree["repeat"] * tree["times"]
        if tree.keys() == {"repeat", "keys"}:
            return {f"{tree['repeat']}{number}": "" for number in range(tree["keys"])}
        return {field: expand(value) for field, value in tree.items()}
    return [expand(value) for value in tree] if isinstance(tree, list) else tree


def plain(tree: Any) -> Any:
    """A tree without nulls, and with words for what differs from run to run."""
    if isinstance(tree, dict):
        return {field: plain(value) for field, value in tree.items() if value is not None}
    if isinstance(tree, list):
        return [plain(value) for value in tree]
    return _worded(tree) if isinstance(tree, str) else tree


def _worded(text: str) -> str:
    if TIME.fullmatch(text) and FIRST <= text < LAST:
        return "<time>"
    return FIVE.sub("Bad_<five>", UID.sub("<uid>", text))


_NEVER_TOLD = ("uid", "resourceVersion", "managedFields")
_OF_MACHINES = ("daemonEndpoints", "nodeInfo")
"""What a server stores of a node's machine, empty until a kubelet tells; the model has no machines."""


def told(obj: Obj | None) -> Obj:
    """What the answers tell of a stored object."""
    if obj is None:
        return {}
    metadata = {field: value for field, value in obj["metadata"].items() if field not in _NEVER_TOLD}
    shown: Obj = plain({**obj, "metadata": metadata})
    if obj.get("kind") == "Node" and "status" in shown:
        shown["status"] = {field: value for field, value in shown["status"].items() if field not in _OF_MACHINES}
    return {field: value for field, value in shown.items() if field not in ("apiVersion", "kind")}


def difference(before: Obj, after: Obj) -> Obj:
    """The merge patch that leads from one tree to another."""
    gone = {field: None for field in before if field not in after}
    changed = {
        field: difference(before[field], value)
        if isinstance(value, dict) and isinstance(before.get(field), dict)
        else value
        for field, value in after.items()
        if field not in before or before[field] != value
    }
    return gone | changed


def model_of(case: Obj) -> Store:
    """The model's API server, with nothing in it but the namespace `default`."""
    store = Store(Setup(case.get("kubernetes", "1.36"), gates=case.get("gates", {})), Clock())
    store.create({"kind": "Namespace", "metadata": {"name": "default"}})
    return store


class Asked:
    """The model's API server, or another, that is asked what a case asks."""

    def __init__(self, case: Obj, api: Api | None = None) -> None:
        self.store: Any = model_of(case) if api is None else api
        self.at, self.sent = Key("", "", ""), dict[str, Any]()

    def answer(self, ask: Obj) -> Obj:
        """The answer, in the form of the file."""
        ask = expand(ask)
        verb = next(iter(ask))
        self.at, self.sent = self._target(ask, ask[verb])
        before = self.store.read(self.at)
        try:
            created = getattr(self, verb)(ask, before)
        except ApiError as error:
            return _refusal(error)
        at = Key(self.at.kind, self.at.namespace, created) if created else self.at
        after = self.store.read(at)
        answer: Obj = {"code": 201 if verb in ("create", "bind") else 200}
        if after is None:
            return {**answer, "gone": True}
        if before is not None and _version(after) == _version(before):
            return {**answer, "same": True}
        known = (
            plain({field: value for field, value in self.sent.items() if field != "kind"}) if created else told(before)
        )
        return {**answer, "changed": difference(known, told(after))}

    def _target(self, ask: Obj, kind: str) -> tuple[Key, Obj]:
        base = book()["bases"][kind]
        sent = patched({"kind": kind, **copy.deepcopy(base)}, ask.get("with") or {}) if _sends(ask) else {}
        metadata = sent.get("metadata") or {}
        where = ask.get("namespace") or metadata.get("namespace") or "default"
        name = ask.get("name") or metadata.get("name") or ("" if _sends(ask) else base["metadata"]["name"])
        return Key(kind, where if kind in NAMESPACED else "", name), sent

    def create(self, ask: Obj, before: Obj | None) -> str:
        """Send a new object; returns its name."""
        return str(self.store.create(self._placed())["metadata"]["name"])

    def replace(self, ask: Obj, before: Obj | None) -> None:
        """Send a whole object in place of the stored one."""
        self.store.update(self._placed(), ask.get("sub", ""))

    def _placed(self) -> Obj:
        metadata = {**self.sent["metadata"], **({"namespace": self.at.namespace} if self.at.namespace else {})}
        return {**self.sent, "metadata": metadata}

    def update(self, ask: Obj, before: Obj | None) -> None:
        """Send the stored object back with something changed."""
        self.store.update(patched(before or {}, ask.get("with") or {}), ask.get("sub", ""))

    def patch(self, ask: Obj, before: Obj | None) -> None:
        """Send a patch."""
        self.store.patch(self.at, ask["with"], ask.get("sub", ""))

    def bind(self, ask: Obj, before: Obj | None) -> None:
        """Bind a pod to a node."""
        assert before is not None
        self.store.create(binding(before, ask["with"]["node"]))

    def delete(self, ask: Obj, before: Obj | None) -> None:
        """Ask for the end of an object."""
        stored = (before or {}).get("metadata") or {}
        own = {"$uid": stored.get("uid"), "$version": stored.get("resourceVersion")}
        options = {word: own.get(value, value) for word, value in (ask.get("options") or {}).items()}
        self.store.delete(self.at, **options)


def _version(obj: Obj) -> Any:
    return obj["metadata"].get("resourceVersion")


def _sends(ask: Obj) -> bool:
    return "create" in ask or "replace" in ask


def _refusal(error: ApiError) -> Obj:
    answer: Obj = {"code": error.code}
    if error.code != 500:
        answer["reason"] = error.reason
    if error.causes:
        told_once = {tuple(_cause(cause)) for cause in error.causes}  # A real server tells some causes twice or more.
        return {**answer, "causes": sorted(map(list, told_once))}
    versions = "(<v>) does not match the ResourceVersion in record (<v>)"
    return {**answer, "message": _known(VERSIONS.sub(versions, _worded(error.message)).split("\n")[0])}


def _cause(cause: Cause) -> list[str]:
    message = "..." if cause.field == "patch" else _worded(cause.message).split("\n")[0]
    return [cause.field, cause.reason, message]


def _known(message: str) -> str:
    """A message up to what only Go knows: the names of its types and files."""
    return message.partition("json: cannot unmarshal")[0].partition(' "pkg/runtime/')[0]


def expected(step: Obj) -> Obj:
    """The answer of the real server, in the same form."""
    answer: Obj = dict(step["answer"])
    if "message" in answer:
        answer["message"] = _known(_spelled(answer["message"]))
    if "causes" in step:
        answer["causes"] = sorted([_spelled(str(part)) for part in cause] for cause in step["causes"])
    if "changed" in step:
        answer["changed"] = expand(step["changed"])
    return answer


def _spelled(text: str) -> str:
    for word, long in book()["texts"].items():
        text = text.replace(f"<{word}>", long)
    return text
