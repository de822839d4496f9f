"""What components may do on a cluster of ours."""

from typing import Any

import pytest

from pvkit.backends.live.connection import path_of
from pvkit.backends.live.granting import RULES
from pvkit.backends.objects import API_VERSIONS, LEDGERS, Key

KINDS = sorted(set(API_VERSIONS) - set(LEDGERS) - {"Event"})


def allows(rule: dict[str, Any], group: str, resource: str, verb: str) -> bool:
    """As RBAC matches: a resource by its name or by any, a subresource by its own name under any."""
    wanted = {"*", resource, "*/" + resource.partition("/")[2]} if "/" in resource else {"*", resource}
    return (
        not {"*", group}.isdisjoint(rule.get("apiGroups", ()))
        and not wanted.isdisjoint(rule.get("resources", ()))
        and not {"*", verb}.isdisjoint(rule["verbs"])
    )


def may(group: str, resource: str, verb: str) -> bool:
    return any(allows(rule, group, resource, verb) for rule in RULES)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("part", ["", "/status"])
def test_components_may_write_every_kind_of_a_plan(kind: str, part: str) -> None:
    group, plural = API_VERSIONS[kind].rpartition("/")[0], path_of(Key(kind, "", "")).rpartition("/")[2]
    assert all(may(group, plural + part, verb) for verb in ("get", "create", "update", "patch", "delete"))


@pytest.mark.parametrize("group", ["", "events.k8s.io"])
def test_components_may_not_record_events_but_remove_them(group: str) -> None:
    assert not any(may(group, "events", verb) for verb in ("create", "update", "patch"))
    assert all(may(group, "events", verb) for verb in ("list", "watch", "delete", "deletecollection"))


def test_what_a_user_brings_can_be_collected() -> None:
    assert all(may("example.org", "widgets", verb) for verb in ("list", "watch", "delete", "deletecollection"))
