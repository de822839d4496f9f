"""One table says what a run needs; the questions, the role and the backend agree with it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from pvkit.backends.live.backend import WATCHED
from pvkit.backends.live.cleanup import INSIDE, OUTSIDE
from pvkit.backends.live.permissions import CREATED, GRANTS, cluster_role
from pvkit.backends.live.rehearsal import PARTS
from tests.backends.live.calling import call
from tests.backends.live.fake_server import FakeServer, kubeconfig, serving

NEEDED = {(grant.group, grant.resource, verb) for grant in GRANTS if not grant.without for verb in grant.verbs}
VERBS = {kind: {verb for grant in GRANTS if grant.kind == kind for verb in grant.verbs} for kind in WATCHED}


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with serving(FakeServer()) as fake:
        yield fake


def test_the_role_grants_exactly_what_is_needed() -> None:
    granted = [
        (group, resource, verb)
        for rule in cluster_role()["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    ]
    assert sorted(granted) == sorted(NEEDED)


def test_the_role_names_every_verb_and_resource_and_no_wildcard() -> None:
    assert "*" not in json.dumps(cluster_role())


def test_nobody_is_let_near_nodes_secrets_or_roles() -> None:
    writing = {(resource, verb) for _, resource, verb in NEEDED if verb not in ("get", "list", "watch")}
    touched = {resource.partition("/")[0] for resource, _ in writing}
    assert touched.isdisjoint({"nodes", "csinodes", "secrets", "serviceaccounts", "clusterroles", "roles"})


@pytest.mark.parametrize("kind", WATCHED)
def test_what_the_backend_watches_may_be_seen(kind: str) -> None:
    assert {"list", "watch"} <= VERBS[kind]


@pytest.mark.parametrize("kind", [*OUTSIDE, *INSIDE])
def test_what_cleanup_looks_for_may_be_listed(kind: str) -> None:
    assert "list" in VERBS[kind]


@pytest.mark.parametrize("kind", ["Namespace", *(kind for kind, _ in PARTS)])
def test_what_a_run_makes_may_be_made_and_removed(kind: str) -> None:
    assert {"create", "delete"} <= VERBS[kind]


def test_all_that_is_made_outside_of_namespaces_is_announced() -> None:
    assert {kind for kind, _ in CREATED} == {
        "Namespace", "PersistentVolume", "StorageClass", "VolumeAttributesClass"
    }  # fmt: skip


def test_the_printed_role_is_the_table_as_yaml(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = call(capsys, monkeypatch, "preflight", "--print-rbac")
    assert found.code == 0
    assert yaml.safe_load(found.out) == cluster_role()
    assert "kubectl create clusterrolebinding pvkit --clusterrole=pvkit" in found.out


@pytest.mark.parametrize(("group", "resource", "verb"), sorted(NEEDED))
def test_each_missing_verb_is_noticed(
    server: FakeServer, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    group: str, resource: str, verb: str,
) -> None:  # fmt: skip
    server.denied = {(verb, resource)}
    config = kubeconfig(tmp_path / "config", server.url)
    found = call(capsys, monkeypatch, "preflight", "--json", "--kubeconfig", config)
    missing = [(row["group"], row["resource"], row["verb"]) for row in json.loads(found.out)["missing"]]
    assert (group, resource, verb) in missing
    assert found.code == 2
