"""Plans written as YAML, in the form that `plan_file` reads."""

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from pvkit.backends.objects import Obj
from pvkit.backends.protocol import DEFAULT_KUBERNETES, Departure, Fault, Operation, Setup
from pvkit.strategies.plan import Expect, Plan, Settle, Step, Turns

PLAN_VERSION = "pvkit/v1"


class _Dumper(yaml.SafeDumper):
    """Plain YAML without aliases: an object that is used twice is written twice."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def write_plan(plan: Plan, failure: Mapping[str, Any] | None = None) -> str:
    """The plan as one YAML document; reading it back gives an equal plan.

    `failure` is what the plan breaks and where, for a person to read on top.
    """
    fields = dict(_document(plan, failure))
    return yaml.dump(fields, Dumper=_Dumper, sort_keys=False, width=110, default_flow_style=None)


def _document(plan: Plan, failure: Mapping[str, Any] | None) -> Iterator[tuple[str, Any]]:
    yield "apiVersion", PLAN_VERSION
    yield "kind", "Plan"
    yield "metadata", {"name": plan.name}
    if failure:
        yield "failure", dict(failure)
    if plan.features:
        yield "features", list(plan.features)
    setup = dict(_setup(plan.setup))
    if setup:
        yield "setup", setup
    yield "steps", [_step(step) for step in plan.steps]
    yield "schedule", [_departure(entry) for entry in plan.schedule]
    if plan.expect:
        yield "expect", [_expected(obj) for obj in plan.expect]


def _setup(setup: Setup) -> Iterator[tuple[str, Any]]:
    if setup.kubernetes_version != DEFAULT_KUBERNETES:
        yield "kubernetesVersion", setup.kubernetes_version
    for field, value in (("nodes", list(setup.nodes)), ("namespaces", list(setup.namespaces))):
        if value:
            yield field, value
    for field, pairs in (("gates", dict(setup.gates)), ("options", dict(setup.options))):
        if pairs:
            yield field, pairs


def _departure(entry: Departure) -> Obj:
    return {entry.point: entry.at, "take": entry.take}


def _step(step: Step) -> Obj:
    if isinstance(step, Settle):
        return {"settle": {}}
    if isinstance(step, Turns):
        return {"turns": step.count}
    if isinstance(step, Expect):
        return {"expect": [_expected(obj) for obj in step.objects]}
    if isinstance(step, Fault):
        return {step.word: dict(step.options)}
    return {step.verb: _operation(step)}


def _operation(operation: Operation) -> Obj:
    options = dict(operation.options)
    if operation.object is not None:
        return {"object": operation.object, **options} if options else operation.object
    at = operation.target
    assert at is not None, f"{operation.verb} names no object"
    target = {"kind": at.kind, "namespace": at.namespace, "name": at.name}
    named = {field: value for field, value in target.items() if value}
    return {**named, **options, **({} if operation.patch is None else {"patch": operation.patch})}


def _expected(obj: Obj) -> Obj:
    """The short form, where the metadata holds only name and namespace, and the status only the phase."""
    short = {"kind": obj["kind"], **obj}
    metadata, status = obj.get("metadata") or {}, obj.get("status") or {}
    if set(metadata) <= {"name", "namespace"}:
        short = {"kind": obj["kind"], **metadata, **{field: obj[field] for field in obj if field != "metadata"}}
    if set(status) == {"phase"}:
        return {**{field: value for field, value in short.items() if field != "status"}, "phase": status["phase"]}
    return short
