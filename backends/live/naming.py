"""Each plan's own names on a shared cluster.

Namespaces, volumes, nodes and classes get a tag in front, so that plans cannot take each other's volumes or anybody
else's; what comes back is told in the plan's own names again. Names inside a namespace stay as they are.
"""

from collections.abc import Callable
from typing import Any

from pvkit.backends.objects import NAMESPACED, Key, Obj, annotations, get, put
from pvkit.backends.storage import BETA_CLASS, SELECTED_NODE

_CLASS_FIELDS = (("spec", "storageClassName"), ("spec", "volumeAttributesClassName"))


class Names:
    """The mapping of one plan, by a tag such as `k3f-7`."""

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self._front = f"{tag}-"

    def key(self, at: Key) -> Key:
        """Where an object of the plan is on the cluster."""
        if at.kind in NAMESPACED:
            return Key(at.kind, self.tagged(at.namespace or "default"), at.name)
        return Key(at.kind, "", self.tagged(at.name))

    def tagged(self, name: str) -> str:
        """A name with the tag in front; the empty name stays empty, for it means none."""
        return self._front + name if name and not name.startswith(self._front) else name

    def out(self, obj: Obj) -> Obj:
        """An object of the plan as it is sent to the cluster."""
        kind = obj.get("kind", "")
        sent = self._metadata(obj, kind)
        match kind:
            case "PersistentVolume" | "PersistentVolumeClaim":
                sent = self._storage(sent)
            case "StatefulSet" if get(sent, "spec", "volumeClaimTemplates"):
                templates = [self._storage(entry) for entry in sent["spec"]["volumeClaimTemplates"]]
                sent = put(sent, ("spec", "volumeClaimTemplates"), templates)
        return sent

    def _metadata(self, obj: Obj, kind: str) -> Obj:
        if "metadata" not in obj:
            return obj
        metadata = dict(obj["metadata"])
        if kind in NAMESPACED:
            metadata["namespace"] = self.tagged(metadata.get("namespace") or "default")
        elif "name" in metadata:
            metadata["name"] = self.tagged(metadata["name"])
        return {**obj, "metadata": metadata}

    def _storage(self, obj: Obj) -> Obj:
        for path in (*_CLASS_FIELDS, ("spec", "volumeName")):
            if get(obj, *path):
                obj = put(obj, path, self.tagged(get(obj, *path)))
        if get(obj, "spec", "claimRef", "namespace"):
            obj = put(obj, ("spec", "claimRef", "namespace"), self.tagged(obj["spec"]["claimRef"]["namespace"]))
        marks = annotations(obj) if "metadata" in obj else {}
        for name in (BETA_CLASS, SELECTED_NODE):
            if marks.get(name):
                obj = put(obj, ("metadata", "annotations", name), self.tagged(marks[name]))
        return obj

    def home(self, tree: Any) -> Any:
        """What the cluster said, in the plan's own names."""
        return _mapped(tree, lambda text: text.replace(self._front, ""))

    def mine(self, obj: Obj) -> bool:
        """Whether an object on the cluster belongs to this plan."""
        metadata = obj["metadata"]
        return str(metadata.get("namespace") or metadata["name"]).startswith(self._front)


def _mapped(tree: Any, change: Callable[[str], str]) -> Any:
    if isinstance(tree, dict):
        return {field: _mapped(value, change) for field, value in tree.items()}
    if isinstance(tree, list):
        return [_mapped(value, change) for value in tree]
    return change(tree) if isinstance(tree, str) else tree
