"""Each plan's own names on a shared cluster.

Namespaces, volumes, nodes and classes get a tag in front, so that plans cannot take each other's volumes or anybody
else's; what comes back is told in the plan's own names again, without what only the kit put there. Namespaces and nodes
may be those of an earlier plan and keep its tag. Names inside a namespace stay as they are. A volume that was made on
demand has a name of its own and is known by its claim.
"""

from collections.abc import Callable
from typing import Any

from pvkit.backends.live.guest import UNSET_MARK, classed, unclassed
from pvkit.backends.live.guise import Guise
from pvkit.backends.objects import NAMESPACED, Key, Obj, annotations, get, name, put, uid, without
from pvkit.backends.storage import BETA_CLASS, PROVISIONED_BY, SELECTED_NODE

RUN_LABEL = "pvkit.dev/run"
"""The label with the run's id that everything made by a run carries."""
PLAN_LABEL = "pvkit.dev/plan"
"""The label of a plan's own nodes; pods of the plan's namespaces are held to it by an annotation of the namespace.

Its value is the tag of these nodes and namespaces."""
NODE_SELECTOR = "scheduler.alpha.kubernetes.io/node-selector"

_NAMED_FIELDS: tuple[tuple[str, ...], ...] = (
    ("spec", "storageClassName"),
    ("spec", "volumeAttributesClassName"),
    ("spec", "volumeName"),
    ("spec", "claimRef", "namespace"),
    ("spec", "dataSourceRef", "namespace"),
    ("spec", "nodeName"),
    ("status", "currentVolumeAttributesClassName"),
    ("status", "nominatedNodeName"),
    ("metadata", "annotations", BETA_CLASS),
    ("metadata", "annotations", SELECTED_NODE),
)
"""Fields of claims, volumes and pods that hold a name which the tag belongs to."""
_NODE_FIELDS = frozenset(
    {("spec", "nodeName"), ("status", "nominatedNodeName"), ("metadata", "annotations", SELECTED_NODE)}
)
"""Those of them that hold the name of a node."""
_PLACES = frozenset({"Namespace", "Node", "CSINode"})
"""Kinds outside of namespaces that are named by the site."""
_TERM_LISTS: tuple[tuple[str, ...], ...] = (
    ("spec", "nodeAffinity", "required", "nodeSelectorTerms"),
    ("spec", "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms"),
)


class Names:
    """The mapping of one plan, by a tag such as `k3f-7`, for a run with that id.

    With `private` classes, what has no class gets one that nobody else has. `site` is the tag of namespaces and nodes,
    where that is another. `guise` is what objects wear there.
    """

    def __init__(
        self, tag: str, run_id: str = "", private: bool = False, site: str = "", guise: Guise | None = None
    ) -> None:
        self.guise = guise or Guise()
        self.tag, self.run_id, self.site = tag, run_id, site or tag
        self._classless = f"{tag}-classless" if private else ""
        self._front, self._place = f"{tag}-", f"{self.site}-"
        self._volumes: set[str] = set()
        self._unset: set[str] = set()
        self.shared: frozenset[str] = frozenset()
        """Names of nodes that were there before and keep their names."""

    @property
    def private(self) -> bool:
        """Whether what has no class gets one of the plan's own."""
        return bool(self._classless)

    def named(self, obj: Obj) -> bool:
        """Whether the plan gave an object its name."""
        return name(obj).startswith((self._front, self._place))

    def made(self, obj: Obj) -> bool:
        """Whether an object outside of namespaces was made by the run, or by a provisioner for one of its claims."""
        if (get(obj, "metadata", "labels") or {}).get(RUN_LABEL) == self.run_id:
            return True
        return obj["kind"] == "PersistentVolume" and PROVISIONED_BY in annotations(obj) and self.mine(obj)

    def key(self, at: Key) -> Key:
        """Where an object of the plan is on the cluster."""
        if at.kind in NAMESPACED:
            return Key(at.kind, self.placed(at.namespace or "default"), at.name)
        return Key(at.kind, "", self._named(at.kind, at.name))

    def _named(self, kind: str, name: str) -> str:
        """The name on the cluster of an object outside of namespaces."""
        if kind == "Node":
            return self.tagged(name, True)
        return self.placed(name) if kind in _PLACES else self.tagged(name)

    def placed(self, name: str) -> str:
        """The name of a namespace on the cluster; the empty name means none."""
        return name if not name or name.startswith(self._place) else self._place + name

    def tagged(self, name: str, is_node: bool = False) -> str:
        """A name with the tag in front; the empty name means none, and what the cluster named itself keeps its name."""
        keeps = name in self.shared if is_node else name in self._volumes
        front = self._place if is_node else self._front
        if not name or keeps or name.startswith(front):
            return name
        return front + name

    def namespaces(self, *names: str) -> frozenset[str]:
        """The namespaces of the plan on the cluster."""
        return frozenset(map(self.placed, names))

    def out(self, obj: Obj) -> Obj:
        """An object of the plan, or a merge patch of one, as it is sent to the cluster; `kind` must be there."""
        kind = obj.get("kind", "")
        sent = self.guise.worn(self._metadata(obj, kind))
        match kind:
            case "PersistentVolume" | "PersistentVolumeClaim" | "Pod":
                sent = self._fields(sent)
            case "StatefulSet":
                if get(sent, "spec", "volumeClaimTemplates"):
                    templates = [self._fields(entry) for entry in sent["spec"]["volumeClaimTemplates"]]
                    sent = put(sent, ("spec", "volumeClaimTemplates"), templates)
                if isinstance(get(sent, "spec", "template"), dict):
                    sent = put(sent, ("spec", "template"), self._fields(sent["spec"]["template"]))
        return sent

    def labelled(self, obj: Obj) -> Obj:
        """A whole object with the label of the run."""
        if self._classless:
            obj = classed(obj, self._classless)
        return put(obj, ("metadata", "labels"), {**(get(obj, "metadata", "labels") or {}), RUN_LABEL: self.run_id})

    def patch(self, kind: str, patch: Any) -> Any:
        """A merge patch (a mapping) or a JSON patch (a list) as it is sent."""
        if isinstance(patch, dict):
            sent = self.out({**patch, "kind": kind})
            if get(patch, "metadata", "namespace") is None and isinstance(sent.get("metadata"), dict):
                sent = without(sent, ("metadata", "namespace"))
            return sent if "kind" in patch else without(sent, ("kind",))
        return [self._step(kind, step) for step in patch] if isinstance(patch, list) else patch

    def _step(self, kind: str, step: Any) -> Any:
        """One step of a JSON patch: its value is mapped as if it stood at its path in an object."""
        if not isinstance(step, dict) or "value" not in step or not isinstance(step.get("path"), str):
            return step
        path = tuple(part.replace("~1", "/").replace("~0", "~") for part in step["path"].split("/")[1:])
        if not path:
            return {**step, "value": self.out({**step["value"], "kind": kind})}
        mapped = put({}, path, step["value"])
        return {**step, "value": get(mapped if kind == "StatefulSet" else self._fields(mapped), *path)}

    def _metadata(self, obj: Obj, kind: str) -> Obj:
        if not isinstance(obj.get("metadata"), dict):
            return obj
        metadata = dict(obj["metadata"])
        if kind in NAMESPACED:
            metadata["namespace"] = self.placed(metadata.get("namespace") or "default")
        elif metadata.get("name"):
            metadata["name"] = self._named(kind, metadata["name"])
        return {**obj, "metadata": metadata}

    def _fields(self, obj: Obj) -> Obj:
        for path in _NAMED_FIELDS:
            found = get(obj, *path)
            if isinstance(found, str) and found:
                is_place = path[-1] == "namespace"
                obj = put(obj, path, self.placed(found) if is_place else self.tagged(found, path in _NODE_FIELDS))
        for path in _TERM_LISTS:
            found = get(obj, *path)
            if isinstance(found, list):
                obj = put(obj, path, [self._term(term) for term in found])
        return obj

    def _term(self, term: Any) -> Any:
        """A term of node affinity; only fields hold the names of nodes, labels do not."""
        if not isinstance(term, dict) or not term.get("matchFields"):
            return term
        fields = [
            {**field, "values": [self.tagged(value, True) for value in field.get("values") or ()]}
            for field in term["matchFields"]
        ]
        return {**term, "matchFields": fields}

    def home(self, tree: Any) -> Any:
        """What the cluster said, in the plan's own names."""
        return _mapped(tree, self._homely)

    def _homely(self, text: str) -> str:
        if self._front in text:
            text = text.replace(self._front, "")
        return text.replace(self._place, "") if self._place in text else text

    def told(self, obj: Obj) -> Obj:
        """An object as the history tells it: the plan's own names, and nothing that only the kit put there."""
        plain = self.guise.shed(self._unclassed(obj) if self._classless else obj)
        made: Obj = self.home(without(plain, ("metadata", "managedFields")))
        for path in (("metadata", "labels"), ("spec", "nodeSelector"), ("metadata", "annotations")):
            found = get(made, *path)
            if isinstance(found, dict) and not found.keys().isdisjoint(_OURS):
                rest = {field: value for field, value in found.items() if field not in _OURS}
                made = put(made, path, rest) if rest else without(made, path)
        return made

    def _unclassed(self, obj: Obj) -> Obj:
        """Without the plan's own class; that a claim named none is remembered, should its annotations be changed."""
        if UNSET_MARK in annotations(obj):
            self._unset.add(uid(obj))
        return unclassed(obj, self._classless, uid(obj) in self._unset)

    def mine(self, obj: Obj) -> bool:
        """Whether an object on the cluster belongs to this plan; once it does, it always will."""
        metadata, kind = obj["metadata"], obj["kind"]
        if "namespace" in metadata or kind in _PLACES:
            if str(metadata.get("namespace") or metadata["name"]).startswith(self._place):
                return True
            return kind == "Node" and name(obj) in self.shared
        if metadata["name"].startswith(self._front):
            return True
        if kind != "PersistentVolume":
            return False
        if str(get(obj, "spec", "claimRef", "namespace") or "").startswith(self._place):
            self._volumes.add(name(obj))
        return name(obj) in self._volumes


_OURS = frozenset({RUN_LABEL, PLAN_LABEL, NODE_SELECTOR})


def _mapped(tree: Any, change: Callable[[str], str]) -> Any:
    if isinstance(tree, dict):
        return {change(field): _mapped(value, change) for field, value in tree.items()}
    if isinstance(tree, list):
        return [_mapped(value, change) for value in tree]
    return change(tree) if isinstance(tree, str) else tree
