"""Limits of a namespace: LimitRange and ResourceQuota (VALID-121, VALID-122).

What is used is counted when a request arrives. A real server keeps the count in the quota's status, which the quota
controller fills in at first; so a quota binds here at once, and its status stays empty. Quotas with scopes, and what
containers ask of processor and memory, are not looked at.
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Protocol

from pvkit.backends.errors import Forbidden
from pvkit.backends.objects import API_VERSIONS, Obj, get, name, namespace
from pvkit.backends.quantities import Amount, amount, written
from pvkit.backends.storage import requested, storage_class
from pvkit.backends.workloads import is_finished

Usage = dict[str, Amount]


class Shelf(Protocol):
    """As much of a store as limits need."""

    def list(self, kind: str, namespace: str = "", selector: Obj | None = None) -> Iterable[Obj]:
        """Objects of a kind in a namespace."""


@lru_cache
def resource(kind: str) -> str:
    """The resource name that messages of the API server use for a kind: `statefulsets.apps`."""
    plural = f"{kind.lower()}es" if kind.endswith("s") else f"{kind.lower()}s"
    plural = plural[:-2] + "ies" if kind.endswith("y") else plural
    group, _, version = API_VERSIONS.get(kind, "v1").rpartition("/")
    return f"{plural}.{group}" if group and version else plural


def forbidden(obj: Obj, why: str) -> Forbidden:
    """The refusal of an object by an admission plugin."""
    return Forbidden(f'{resource(obj["kind"])} "{name(obj)}" is forbidden: {why}')


def check_limits(claim: Obj, shelf: Shelf) -> None:
    """Refuse a claim whose request is outside the limits of its namespace."""
    for limits in shelf.list("LimitRange", namespace(claim)):
        broken = [words for limit in limits["spec"].get("limits") or [] for words in _outside(limit, claim)]
        if broken:
            raise forbidden(claim, broken[0] if len(broken) == 1 else f"[{', '.join(broken)}]")


def _outside(limit: Obj, claim: Obj) -> Iterator[str]:
    if limit["type"] != "PersistentVolumeClaim":
        return
    asked = get(claim, "spec", "resources", "requests", "storage") or "0"
    for side, word in (("min", "minimum"), ("max", "maximum")):
        bound = (limit.get(side) or {}).get("storage")
        if bound is not None and (amount(asked) - amount(bound)) * (1 if side == "max" else -1) > 0:
            yield f"{word} storage usage per PersistentVolumeClaim is {bound}, but request is {asked}"


def usage(obj: Obj) -> Usage:
    """What one object takes from a quota."""
    used: Usage = {f"count/{resource(obj['kind'])}": 1}
    if obj["kind"] == "PersistentVolumeClaim":
        used |= {"persistentvolumeclaims": 1, "requests.storage": requested(obj)}
        if storage_class(obj):
            prefix = f"{storage_class(obj)}.storageclass.storage.k8s.io"
            used |= {f"{prefix}/persistentvolumeclaims": 1, f"{prefix}/requests.storage": requested(obj)}
    elif obj["kind"] == "Pod":
        used["pods"] = 0 if is_finished(obj) else 1
    elif obj["kind"] == "Service":
        used["services"] = 1
    return used


def check_quota(obj: Obj, old: Obj | None, shelf: Shelf) -> None:
    """Refuse an object that would take more than a quota of its namespace leaves."""
    quotas = list(shelf.list("ResourceQuota", namespace(obj)))
    if not quotas:
        return
    before = usage(old) if old is not None else {}
    delta = {key: value - before.get(key, 0) for key, value in usage(obj).items()}
    taken = [usage(entry) for entry in shelf.list(obj["kind"], namespace(obj))]
    for quota in quotas:
        if not quota["spec"].get("scopes") and not quota["spec"].get("scopeSelector"):
            _check_one(obj, quota, delta, taken)


def _check_one(obj: Obj, quota: Obj, delta: Usage, taken: list[Usage]) -> None:
    hard = quota["spec"].get("hard") or {}
    over = []
    for key in sorted(delta.keys() & hard.keys()):
        used, like = sum(entry.get(key, 0) for entry in taken), _like(key, obj)
        if delta[key] > 0 and used + delta[key] > amount(hard[key]):
            over.append((key, written(delta[key], like), written(used, like), hard[key]))
    if over:
        asked, used_by_now, limited = (",".join(f"{row[0]}={row[column]}" for row in over) for column in (1, 2, 3))
        words = f"requested: {asked}, used: {used_by_now}, limited: {limited}"
        raise forbidden(obj, f"exceeded quota: {name(quota)}, {words}")


def _like(key: str, obj: Obj) -> str:
    """A quantity in the notation of which a resource is told: that of the claim's own request, or a plain number."""
    return (get(obj, "spec", "resources", "requests", "storage") or "1") if key.endswith("requests.storage") else "1"
