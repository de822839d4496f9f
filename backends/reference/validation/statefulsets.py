"""StatefulSets, at the door of the API server (VALID-01 to VALID-19 of the sets' catalogue)."""

import re
from collections.abc import Iterator
from typing import Any

from pvkit.backends.errors import Cause
from pvkit.backends.objects import Obj, get, put, selects
from pvkit.backends.reference.validation import names
from pvkit.backends.reference.validation.claims import check_spec as check_claim_spec
from pvkit.backends.reference.validation.claims import with_mode
from pvkit.backends.reference.validation.fields import (
    IMMUTABLE,
    each,
    forbidden,
    invalid,
    not_negative,
    required,
    unsupported,
)
from pvkit.backends.reference.validation.metadata import annotated, marked
from pvkit.backends.reference.validation.pod_defaults import template_spec
from pvkit.backends.reference.validation.pods import check_spec as check_pod_spec
from pvkit.backends.reference.validation.selectors import label_selector
from pvkit.backends.reference.validation.treatment import Moment, Treatment

_FIXED = ("selector", "volumeClaimTemplates", "serviceName", "podManagementPolicy")
_PERCENT = re.compile("[0-9]+%")
_COUNTS = ("replicas", "readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas")
_PATH = "spec.template"


def default(stateful_set: Obj, old: Obj, at: Moment) -> Obj:
    """One replica, ordered, rolling updates; `rollingUpdate` is filled in only with the type (UPDATE-04)."""
    if stateful_set["spec"] is not old.get("spec"):
        stateful_set = {**stateful_set, "spec": _spec(stateful_set["spec"], at)}
    status = stateful_set.get("status")
    return stateful_set if status else {**stateful_set, "status": {"replicas": 0, "availableReplicas": 0}}


def _spec(spec: Obj, at: Moment) -> Obj:
    spec = {"replicas": 1, "podManagementPolicy": "OrderedReady", "revisionHistoryLimit": 10, **spec}
    spec["template"] = {**spec["template"], "spec": template_spec(spec["template"]["spec"])}
    spec["updateStrategy"] = _strategy(spec["updateStrategy"], at)
    retention = spec.get("persistentVolumeClaimRetentionPolicy") or {}
    spec["persistentVolumeClaimRetentionPolicy"] = {"whenDeleted": "Retain", "whenScaled": "Retain", **retention}
    if "volumeClaimTemplates" in spec:
        spec["volumeClaimTemplates"] = [_claim_template(template) for template in spec["volumeClaimTemplates"]]
    return spec


def _strategy(strategy: Obj, at: Moment) -> Obj:
    if "type" not in strategy:
        strategy = {"rollingUpdate": {}, **strategy, "type": "RollingUpdate"}
    if strategy["type"] != "RollingUpdate" or "rollingUpdate" not in strategy:
        return strategy
    at_once = {"maxUnavailable": 1} if at.gate("MaxUnavailableStatefulSet") else {}
    return {**strategy, "rollingUpdate": {"partition": 0, **at_once, **strategy["rollingUpdate"]}}


def _claim_template(template: Obj) -> Obj:
    return {
        "kind": "PersistentVolumeClaim",
        "apiVersion": "v1",
        "metadata": {},
        **template,
        "spec": with_mode(template.get("spec") or {"resources": {}}),
        "status": {"phase": "Pending", **(template.get("status") or {})},
    }


def birth(stateful_set: Obj, at: Moment) -> Obj:
    """A new set has generation 1 and an empty status (STATUS-16)."""
    made = {**stateful_set, "status": {"replicas": 0, "availableReplicas": 0}}
    return put(change({"spec": {}}, made, at), ("metadata", "generation"), 1)


def change(old: Obj, new: Obj, at: Moment) -> Obj:
    """maxUnavailable is dropped while its gate is off, unless the stored set has one (UPDATE-17)."""
    path = ("spec", "updateStrategy", "rollingUpdate")
    rolling = get(new, *path)
    if not rolling or "maxUnavailable" not in rolling or at.gate("MaxUnavailableStatefulSet"):
        return new
    if "maxUnavailable" in (get(old, *path) or {}):
        return new
    return put(new, path, {field: value for field, value in rolling.items() if field != "maxUnavailable"})


def _check_strategy(strategy: Obj, recreates: bool) -> Iterator[Cause]:
    path, kind, rolling = "spec.updateStrategy", strategy["type"], strategy.get("rollingUpdate")
    if kind == "RollingUpdate":
        yield from _check_rolling(rolling or {}, f"{path}.rollingUpdate")
    elif kind == "OnDelete" or (kind == "Recreate" and recreates):
        if rolling is not None:
            detail = "only allowed for updateStrategy 'RollingUpdate'"
            yield invalid(f"{path}.rollingUpdate", _as_go_prints(rolling), detail)
    else:
        known = "'RollingUpdate', 'OnDelete', or 'Recreate'" if recreates else "'RollingUpdate' or 'OnDelete'"
        yield invalid(path, {"Type": kind, "RollingUpdate": rolling and _as_go_prints(rolling)}, f"must be {known}")


def _as_go_prints(rolling: Obj) -> Obj:
    return {"Partition": rolling.get("partition", 0), "MaxUnavailable": rolling.get("maxUnavailable")}


def _check_rolling(rolling: Obj, path: str) -> Iterator[Cause]:
    yield from not_negative(f"{path}.partition", rolling.get("partition"))
    most = rolling.get("maxUnavailable")
    if most is None:
        return
    path = f"{path}.maxUnavailable"
    if isinstance(most, str) and not _PERCENT.fullmatch(most):
        detail = "a valid percent string must be a numeric string followed by an ending '%'"
        yield invalid(path, most, f"{detail} (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')")
    elif isinstance(most, int):
        yield from not_negative(path, most)
    share = _number(most)
    if share == 0:
        yield invalid(path, most, "cannot be 0")
    if isinstance(most, str) and share > 100:
        yield invalid(path, most, "must not be greater than 100%")


def _number(most: Any) -> int:
    if isinstance(most, int):
        return most
    return int(most[:-1]) if _PERCENT.fullmatch(most) else 0


def _check_retention(policy: Obj) -> Iterator[Cause]:
    for when in ("whenDeleted", "whenScaled"):
        if policy[when] not in ("Retain", "Delete"):
            path = f"spec.persistentVolumeClaimRetentionPolicy.{when}"
            yield unsupported(path, policy[when], ("Retain", "Delete"))


def check_spec(spec: Obj, at: Moment, *, new: bool, template: bool = True, recreates: bool = False) -> Iterator[Cause]:
    """What is wrong with a set's spec; what cannot change is looked at only when `new`."""
    if spec["podManagementPolicy"] not in ("OrderedReady", "Parallel"):
        detail = "must be 'OrderedReady' or 'Parallel'"
        yield invalid("spec.podManagementPolicy", spec["podManagementPolicy"], detail)
    yield from _check_strategy(spec["updateStrategy"], recreates)
    yield from _check_retention(spec["persistentVolumeClaimRetentionPolicy"])
    if new and at.minor >= 34:
        for position, claim in enumerate(spec.get("volumeClaimTemplates") or []):
            yield from check_claim_spec(claim["spec"], f"spec.volumeClaimTemplates[{position}].spec")
    for field in ("replicas", "minReadySeconds"):
        yield from not_negative(f"spec.{field}", spec.get(field))
    yield from not_negative("spec.ordinals.start", get(spec, "ordinals", "start"))
    if new and at.minor >= 33 and spec["serviceName"]:
        yield from each("spec.serviceName", spec["serviceName"], names.label(spec["serviceName"]))
    yield from _check_selection(spec, at, template)
    policy = spec["template"]["spec"]["restartPolicy"]
    if policy != "Always":
        yield unsupported(f"{_PATH}.spec.restartPolicy", policy, ["Always"])
    if "activeDeadlineSeconds" in spec["template"]["spec"]:
        detail = "activeDeadlineSeconds in StatefulSet is not Supported"
        yield forbidden(f"{_PATH}.spec.activeDeadlineSeconds", detail)


def _check_selection(spec: Obj, at: Moment, template: bool) -> Iterator[Cause]:
    """The selector, and the template that it must select."""
    selector, labels = spec.get("selector"), get(spec, "template", "metadata", "labels")
    wrong = []
    if selector is None:
        yield required("spec.selector")
    else:
        wrong = list(label_selector(selector, "spec.selector"))
        yield from wrong
        if not selector:
            yield invalid("spec.selector", {}, "empty selector is invalid for statefulset")
    if wrong:
        yield invalid("spec.selector", selector)
        return
    if selector is None or (selector and not selects(selector, labels or {})):
        yield invalid(f"{_PATH}.metadata.labels", labels, "`selector` does not match template `labels`")
    yield from marked(labels or {}, f"{_PATH}.labels")
    yield from annotated(get(spec, "template", "metadata", "annotations") or {}, f"{_PATH}.annotations")
    if template and at.minor >= 34:
        yield from check_pod_spec(_as_pods_will_be(spec), f"{_PATH}.spec")


def _as_pods_will_be(spec: Obj) -> Obj:
    """The template's spec with the volumes of the claim templates, and without what the controller overwrites."""
    made = {field: value for field, value in spec["template"]["spec"].items() if field not in ("hostname", "subdomain")}
    called = dict.fromkeys(get(claim, "metadata", "name") or "" for claim in spec.get("volumeClaimTemplates") or [])
    if called:
        volumes = [{"name": name, "persistentVolumeClaim": {"claimName": name}} for name in called]
        own = [entry for entry in made.get("volumes") or [] if entry.get("name", "") not in called]
        made["volumes"] = volumes + own
    return made


def check(stateful_set: Obj, at: Moment) -> Iterator[Cause]:
    """What is wrong with a new set."""
    return check_spec(stateful_set["spec"], at, new=True, recreates=_recreates(at))


def _recreates(at: Moment) -> bool:
    return at.minor >= 37 and at.gate("StatefulSetRecreateStrategy")


def check_update(old: Obj, new: Obj, at: Moment) -> Iterator[Cause]:
    """What is wrong with a change of a set; what was wrong with its template before is forgiven."""
    before, after = old["spec"], new["spec"]
    if before == after:
        return
    recreates = _recreates(at) or (at.minor >= 37 and before["updateStrategy"]["type"] == "Recreate")
    sound = not any(check_spec(before, at, new=False, recreates=recreates))
    yield from check_spec(after, at, new=False, template=sound, recreates=recreates)
    fixed = (*_FIXED, "revisionHistoryLimit") if at.minor < 33 else _FIXED
    changed = [field for field in fixed if before.get(field) != after.get(field)]
    if at.minor >= 37:
        for field in changed:
            yield invalid(f"spec.{field}", after.get(field), IMMUTABLE)
    elif changed:
        free = ["replicas", "ordinals", "template", "updateStrategy", "persistentVolumeClaimRetentionPolicy"]
        free[4:4] = ["revisionHistoryLimit"] if at.minor >= 33 else []
        told = ", ".join(f"'{field}'" for field in free)
        detail = f"updates to statefulset spec for fields other than {told} and 'minReadySeconds' are forbidden"
        yield forbidden("spec", detail)


def check_status(old: Obj, new: Obj, at: Moment) -> Iterator[Cause]:
    """What is wrong with a set's status: counts below zero or above those that contain them (STATUS-13)."""
    status = new["status"]
    count = {field: status.get(field) or 0 for field in _COUNTS}
    for field in (*_COUNTS, "observedGeneration", "collisionCount"):
        yield from not_negative(f"status.{field}", status.get(field))
    for field in _COUNTS[1:]:
        if count[field] > count["replicas"]:
            yield invalid(f"status.{field}", count[field], "cannot be greater than status.replicas")
    if count["availableReplicas"] > count["readyReplicas"]:
        detail = "cannot be greater than status.readyReplicas"
        yield invalid("status.availableReplicas", count["availableReplicas"], detail)
    collisions, before = status.get("collisionCount"), get(old, "status", "collisionCount")
    if before is not None and (collisions is None or collisions < before):
        yield invalid("status.collisionCount", collisions or 0, "cannot be decremented")


STATEFUL_SET = Treatment(
    form=names.label,
    default=default,
    birth=birth,
    change=change,
    create=check,
    update=check_update,
    status=check_status,
)
