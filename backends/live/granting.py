"""What the components of a cluster of ours may do: all that they need, and not to record Events.

Nobody is judged by Event objects, and what records them sent every seventh request. Who may not write them is told so
before the request is read, and does not try again. A role cannot say "all but", so what it grants is listed; of kinds
that it does not know it lets objects be read and deleted, so that a namespace can always go.
"""

from typing import Any

from pvkit.backends.live.components import COMPONENTS_GROUP, Layout
from pvkit.backends.live.requests import request

_RBAC = "rbac.authorization.k8s.io"
_CORE = (
    "bindings",
    "componentstatuses",
    "configmaps",
    "endpoints",
    "limitranges",
    "namespaces",
    "nodes",
    "persistentvolumeclaims",
    "persistentvolumes",
    "pods",
    "podtemplates",
    "replicationcontrollers",
    "resourcequotas",
    "secrets",
    "serviceaccounts",
    "services",
)
_GROUPS = (
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "apiregistration.k8s.io",
    "apps",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "autoscaling",
    "batch",
    "certificates.k8s.io",
    "coordination.k8s.io",
    "discovery.k8s.io",
    "flowcontrol.apiserver.k8s.io",
    "internal.apiserver.k8s.io",
    "networking.k8s.io",
    "node.k8s.io",
    "policy",
    _RBAC,
    "resource.k8s.io",
    "scheduling.k8s.io",
    "storage.k8s.io",
    "storagemigration.k8s.io",
)
_SUBRESOURCES = (
    "approval",
    "binding",
    "ephemeralcontainers",
    "eviction",
    "finalize",
    "resize",
    "scale",
    "status",
    "token",
)
RULES: tuple[dict[str, list[str]], ...] = (
    {"apiGroups": [""], "resources": [*_CORE, *(f"*/{part}" for part in _SUBRESOURCES)], "verbs": ["*"]},
    {"apiGroups": [*_GROUPS], "resources": ["*"], "verbs": ["*"]},
    {"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch", "delete", "deletecollection"]},
    {"nonResourceURLs": ["*"], "verbs": ["*"]},
)


def grant(layout: Layout) -> None:
    """Let the components of a cluster do their work; its API server must be ready. Raises `OSError`."""
    kinds: dict[str, dict[str, Any]] = {
        "ClusterRole": {"rules": [*RULES]},
        "ClusterRoleBinding": {
            "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": COMPONENTS_GROUP},
            "subjects": [{"apiGroup": _RBAC, "kind": "Group", "name": COMPONENTS_GROUP}],
        },
    }
    for kind, body in kinds.items():
        made = {"apiVersion": f"{_RBAC}/v1", "kind": kind, "metadata": {"name": COMPONENTS_GROUP}, **body}
        request(layout, "POST", f"/apis/{_RBAC}/v1/{kind.lower()}s", made)
