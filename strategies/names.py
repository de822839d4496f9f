"""Names from pools so small that they collide: between kinds, sets, namespaces and incarnations.

The pool of sets and that of claim templates are chosen so that two sets can come to the same claim name
(`data-db-web-0` is of template `data-db` in set `web`, and of `data` in set `db-web`), and some names of claims and
pods are those that a set would give. Kubernetes decides by name only where it says so; elsewhere the UID decides.
"""

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from pvkit.backends.errors import UsageError
from pvkit.backends.objects import API_VERSIONS

NAMESPACES = ("default", "other")
NODES = ("n1", "n2", "n3")
VOLUMES = ("v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12")
CLAIMS = ("c1", "c2", "c3", "data-web-0", "data-web-1", "data-web-2", "data-db-web-0", "data-web-00")
SETS = ("web", "db-web", "db")
TEMPLATES = ("data", "data-db", "logs")
PODS = ("p1", "p2", "p3", "web-0", "web-1", "web-01", "web-5", "db-0")
CLASSES = ("fast", "slow", "late", "made", "grow")
ATTRIBUTES = ("gold", "silver")
POOLS: dict[str, tuple[str, ...]] = {
    "PersistentVolume": VOLUMES,
    "PersistentVolumeClaim": CLAIMS,
    "Pod": PODS,
    "StatefulSet": SETS,
    "StorageClass": CLASSES,
    "VolumeAttributesClass": ATTRIBUTES,
    "Node": NODES,
    "Namespace": NAMESPACES,
    "Service": SETS,
}


def names(kind: str) -> SearchStrategy[str]:
    """Names for objects of a kind, from its pool; raises `UsageError` for a kind that has none."""
    if kind not in POOLS:
        known = ", ".join(sorted(POOLS))
        what = "no pool of names" if kind in API_VERSIONS else "no kind of that name"
        raise UsageError(f"names({kind!r}): {what}; choose from {known}")
    return st.sampled_from(POOLS[kind])


def namespaces() -> SearchStrategy[str]:
    """Namespaces: `default`, and one other."""
    return st.sampled_from(NAMESPACES)
