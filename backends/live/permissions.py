"""What a run may do on a cluster: one table, from which questions to the server and the printed role are made.

A run sees all objects of the kinds it watches, in every namespace, for its own namespaces do not exist beforehand. It
writes only what carries its label, but a role cannot say that: what is granted is more than what is used.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from pvkit.backends.errors import ApiError
from pvkit.backends.live.connection import Connection, path_of
from pvkit.backends.objects import API_VERSIONS, Key

REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
SEE = ("list", "watch")
MAKE = ("create", "delete", "get", "patch", "update")


@dataclass(frozen=True, slots=True)
class Grant:
    """Verbs on the objects of a kind, or on a subresource of theirs.

    `without` tells what cannot be done where the verbs are refused; "" where nothing can.
    """

    kind: str
    verbs: tuple[str, ...]
    subresource: str = ""
    without: str = ""

    @property
    def group(self) -> str:
        """The API group, "" for the core."""
        return API_VERSIONS[self.kind].rpartition("/")[0]

    @property
    def resource(self) -> str:
        """The resource as roles name it, such as `persistentvolumes/status`."""
        plural = path_of(Key(self.kind, "", "")).rpartition("/")[2]
        return f"{plural}/{self.subresource}" if self.subresource else plural


_QUOTAS = "plans that make quotas or limits cannot be replayed"
LOGS = Grant("Pod", ("get",), "log", without="--image cannot be given, for nobody hears what pods find")
GRANTS = (
    Grant("Namespace", (*SEE, "create", "delete", "get")),
    Grant("PersistentVolumeClaim", (*SEE, *MAKE)),
    Grant("PersistentVolumeClaim", ("patch",), "status"),
    Grant("PersistentVolume", (*SEE, *MAKE)),
    Grant("PersistentVolume", ("patch",), "status"),
    Grant("Pod", (*SEE, *MAKE)),
    Grant("Service", (*SEE, *MAKE)),
    Grant("StatefulSet", (*SEE, *MAKE)),
    Grant("ControllerRevision", (*SEE, "delete", "get", "patch")),
    Grant("StorageClass", (*SEE, *MAKE)),
    Grant("VolumeAttributesClass", (*SEE, *MAKE)),
    Grant("EndpointSlice", SEE),
    Grant("Node", (*SEE, "get")),
    Grant("CSINode", SEE),
    Grant("ResourceQuota", SEE),
    Grant("LimitRange", SEE),
    Grant("ResourceQuota", MAKE, without=_QUOTAS),
    Grant("LimitRange", MAKE, without=_QUOTAS),
    LOGS,
)
"""All that the live backend and `pvkit cleanup` ask of a cluster whose nodes are not the kit's own."""

MAY_LACK = frozenset({"VolumeAttributesClass"})
"""Kinds that a server need not know; what speaks of them is then not judged."""

CREATED = (
    ("Namespace", "two for each plan, one plan after another, with claims, pods, StatefulSets and services inside"),
    ("PersistentVolume", "without storage behind them, and those that the cluster's provisioners make for claims"),
    ("StorageClass", "names of their own"),
    ("VolumeAttributesClass", "names of their own, where the server knows them"),
)
"""What a run makes outside of namespaces, for a person to read."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """One verb that is refused on one resource, in a group; `reason` is the server's, if it gave one."""

    grant: Grant
    verb: str
    reason: str = ""

    def __str__(self) -> str:
        said = f" ({self.reason})" if self.reason else ""
        return f"{self.verb} {self.grant.resource}{f'.{self.grant.group}' if self.grant.group else ''}{said}"


def refusals(connection: Connection, grants: Iterable[Grant] = GRANTS) -> list[Refusal]:
    """What of the table is refused, by a SelfSubjectAccessReview for each verb; raises `ApiError` if even that is."""
    found = []
    for grant in grants:
        for verb in grant.verbs:
            status = connection.request("POST", REVIEWS, _review(grant, verb)).get("status") or {}
            if not status.get("allowed"):
                reason = str(status.get("evaluationError") or status.get("reason") or "")
                found.append(Refusal(grant, verb, reason))
    return found


def _review(grant: Grant, verb: str) -> dict[str, Any]:
    plural, _, subresource = grant.resource.partition("/")
    asked = {"group": grant.group, "resource": plural, "verb": verb, "subresource": subresource}
    return {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {field: value for field, value in asked.items() if value or field == "group"}},
    }


def absent_kinds(connection: Connection, grants: Iterable[Grant] = GRANTS) -> list[str]:
    """The kinds of the table that the server does not serve, as `apiVersion kind`."""
    kinds = {grant.kind: grant.resource for grant in grants if not grant.subresource}
    served: dict[str, set[str]] = {}
    for version in {API_VERSIONS[kind] for kind in kinds}:
        try:
            listed = connection.request("GET", f"/apis/{version}" if "/" in version else f"/api/{version}")
        except ApiError:
            listed = {}
        served[version] = {entry["name"] for entry in listed.get("resources") or ()}
    return [f"{API_VERSIONS[kind]} {kind}" for kind in kinds if kinds[kind] not in served[API_VERSIONS[kind]]]


def cluster_role(name: str = "pvkit") -> dict[str, Any]:
    """The smallest ClusterRole under which a run works, as a manifest."""
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": name},
        "rules": list(_rules(grant for grant in GRANTS if not grant.without)),
    }


def _rules(grants: Iterable[Grant]) -> Iterator[dict[str, Any]]:
    """Rules in which resources of one group with the same verbs stand together."""

    def alike(grant: Grant) -> tuple[str, list[str]]:
        return grant.group, sorted(grant.verbs)

    for (group, verbs), members in groupby(sorted(grants, key=alike), key=alike):
        yield {"apiGroups": [group], "resources": sorted(grant.resource for grant in members), "verbs": verbs}
