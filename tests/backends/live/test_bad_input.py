"""Whatever commonly goes wrong with somebody's cluster has its message and its exit code."""

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pvkit.backends.live.permissions import GRANTS
from tests.backends.live.calling import Called, call
from tests.backends.live.fake_server import FakeServer, kubeconfig, serving, status

BAD = 2
Pvkit = Callable[..., Called]


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No kubeconfig of the person who runs the tests, and no proxy."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PVKIT_CLUSTERS", str(tmp_path / "clusters"))
    for name in ("KUBECONFIG", "PVKIT_KUBECONFIG", "HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with serving(FakeServer()) as fake:
        yield fake


@pytest.fixture
def pvkit(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Pvkit:
    return lambda *words: call(capsys, monkeypatch, *words)


@pytest.fixture
def preflight(pvkit: Pvkit, server: FakeServer, tmp_path: Path) -> Callable[[], Called]:
    """`pvkit preflight` on the fake server."""
    return lambda: pvkit("preflight", "--kubeconfig", kubeconfig(tmp_path / "config", server.url))


def test_without_a_kubeconfig_it_says_how_to_name_one(pvkit: Pvkit, tmp_path: Path) -> None:
    found = pvkit("preflight", "--kubeconfig", tmp_path / "absent")
    assert found.code == BAD
    assert "no usable kubeconfig" in found.err
    assert "--kubeconfig or KUBECONFIG" in found.err


def test_without_any_kubeconfig_it_says_so_too(pvkit: Pvkit) -> None:
    found = pvkit("preflight")
    assert found.code == BAD
    assert "--kubeconfig or KUBECONFIG" in found.err


def test_the_environment_names_a_kubeconfig_as_it_does_for_kubectl(
    pvkit: Pvkit, server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path / 'absent'}:{kubeconfig(tmp_path / 'config', server.url)}")
    found = pvkit("preflight")
    assert found.code == 0
    assert server.url in found.out


def test_an_unknown_context_is_told_with_those_that_there_are(pvkit: Pvkit, tmp_path: Path) -> None:
    config = kubeconfig(tmp_path / "config", "https://127.0.0.1:1")
    found = pvkit("preflight", "--kubeconfig", config, "--context", "prd")
    assert found.code == BAD
    assert "no context 'prd' in the kubeconfig; it has prod" in found.err


@pytest.mark.parametrize(
    "text",
    [
        "clusters: [",
        "[1, 2]",
        "hello",
        "",
        "clusters: {}",
        "apiVersion: v1\nkind: Config\ncontexts: 3\nclusters: []\nusers: []",
    ],
    ids=["no YAML", "a list", "a word", "empty", "a mapping for a list", "a number for a list"],
)
def test_a_malformed_kubeconfig_is_told_as_such(pvkit: Pvkit, tmp_path: Path, text: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    found = pvkit("preflight", "--kubeconfig", path)
    assert found.code == BAD
    assert "kubeconfig" in found.err
    assert "Traceback" not in found.err


def test_a_kubeconfig_with_rubbish_for_a_certificate_is_told_as_such(pvkit: Pvkit, tmp_path: Path) -> None:
    with serving(FakeServer(), tls=True) as fake:
        rubbish = {"certificate-authority-data": "bm9uc2Vuc2U="}
        found = pvkit("preflight", "--kubeconfig", kubeconfig(tmp_path / "config", fake.url, **rubbish))
    assert found.code == BAD
    assert "certificate" in found.err


def test_a_server_that_is_down_is_told_with_the_reason(pvkit: Pvkit, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"https://127.0.0.1:{free.getsockname()[1]}"
        found = pvkit("preflight", "--kubeconfig", kubeconfig(tmp_path / "config", url))
    assert found.code == BAD
    assert f"{url} does not answer" in found.err
    assert "refused" in found.err
    assert "is the cluster up" in found.err


def test_a_certificate_that_nobody_vouches_for_is_told_and_no_way_round_is_offered(
    pvkit: Pvkit, tmp_path: Path
) -> None:
    with serving(FakeServer(), tls=True) as fake:
        found = pvkit("preflight", "--kubeconfig", kubeconfig(tmp_path / "config", fake.url))
    assert found.code == BAD
    assert f"the certificate of {fake.url} is none that the kubeconfig trusts" in found.err
    assert "insecure" not in found.err


def test_a_server_that_speaks_no_tls_is_told_as_such(pvkit: Pvkit, server: FakeServer, tmp_path: Path) -> None:
    url = server.url.replace("http:", "https:")
    found = pvkit("preflight", "--kubeconfig", kubeconfig(tmp_path / "config", url))
    assert found.code == BAD
    assert "does not speak TLS as expected" in found.err


def test_a_token_that_has_expired_is_told_as_such(preflight: Callable[[], Called], server: FakeServer) -> None:
    server.refuse["GET /version"] = status(401, "Unauthorized", "Unauthorized")
    found = preflight()
    assert found.code == BAD
    assert "has expired" in found.err
    assert "log in again" in found.err


def test_something_else_that_answers_is_no_api_server(preflight: Callable[[], Called], server: FakeServer) -> None:
    server.refuse["GET /version"] = (200, "<html>Please log in</html>")
    found = preflight()
    assert found.code == BAD
    assert "not as a Kubernetes API server does" in found.err


@pytest.mark.parametrize(("major", "minor"), [("1", "31"), ("1", "38+"), ("2", "0")])
def test_a_version_without_rules_is_told_with_those_that_have(
    preflight: Callable[[], Called], server: FakeServer, major: str, minor: str
) -> None:
    server.version = {"major": major, "minor": minor, "gitVersion": f"v{major}.{minor}"}
    found = preflight()
    assert found.code == BAD
    assert f"is Kubernetes v{major}.{minor}; there are rules for 1.32 to 1.37 only" in found.err


def test_an_emulated_version_is_the_one_that_counts(preflight: Callable[[], Called], server: FakeServer) -> None:
    server.version |= {"emulationMajor": "1", "emulationMinor": "33"}
    found = preflight()
    assert found.code == 0
    assert "judged by the rules for 1.33" in found.out


def test_a_server_without_apps_v1_cannot_be_judged(preflight: Callable[[], Called], server: FakeServer) -> None:
    del server.served["/apis/apps/v1"]
    found = preflight()
    assert found.code == BAD
    assert "the server does not know apps/v1 StatefulSet" in found.out


def test_a_server_without_attributes_classes_can_be_judged(preflight: Callable[[], Called], server: FakeServer) -> None:
    server.served["/apis/storage.k8s.io/v1"] = "storageclasses csinodes"
    found = preflight()
    assert found.code == 0
    assert "the server does not know storage.k8s.io/v1 VolumeAttributesClass" in found.out


def test_a_missing_permission_is_named_with_the_way_to_get_it(
    preflight: Callable[[], Called], server: FakeServer
) -> None:
    server.denied = {
        ("create", "persistentvolumes"),
        ("delete", "persistentvolumes"),
        ("patch", "persistentvolumes/status"),
    }
    found = preflight()
    assert found.code == BAD
    assert "persistentvolumes: create, delete" in found.out
    assert "persistentvolumes/status: patch" in found.out
    assert "--print-rbac" in found.out


def test_a_permission_that_few_plans_need_hinders_nothing(preflight: Callable[[], Called], server: FakeServer) -> None:
    server.denied = {("create", "resourcequotas")}
    found = preflight()
    assert found.code == 0
    assert "resourcequotas: create; without, plans that make quotas or limits cannot be replayed" in found.out


def test_reviews_that_are_refused_are_told_as_a_refusal(preflight: Callable[[], Called], server: FakeServer) -> None:
    server.refuse["POST .*selfsubjectaccessreviews"] = status(403, "Forbidden", "not for you")
    found = preflight()
    assert found.code == BAD
    assert "refuses (403): not for you" in found.err


def test_looking_asks_for_exactly_the_table_and_writes_nothing(
    preflight: Callable[[], Called], server: FakeServer
) -> None:
    assert preflight().code == 0
    assert sorted(server.reviewed) == sorted((verb, grant.resource) for grant in GRANTS for verb in grant.verbs)
    assert server.written() == []


RUN = ("run", "--backend", "live", "--max-examples", "1", "--quiet")


@pytest.fixture
def run(pvkit: Pvkit, server: FakeServer, tmp_path: Path) -> Callable[..., Called]:
    """`pvkit run` on the fake server."""
    words = ("--kubeconfig", kubeconfig(tmp_path / "config", server.url), "--output-dir", tmp_path / "report")
    return lambda *more: pvkit(*RUN, *words, *more)


def test_a_run_begins_only_with_all_permissions(run: Callable[..., Called], server: FakeServer) -> None:
    server.denied = {("create", "pods"), ("delete", "pods"), ("list", "nodes"), ("watch", "nodes")}
    found = run()
    assert found.code == BAD
    assert "you may not create pods" in found.err or "you may not delete pods" in found.err
    assert "and 1 more" in found.err
    assert server.written() == []


FULL = "exceeded quota: small, requested: persistentvolumeclaims=1, used: persistentvolumeclaims=5, limited: persistentvolumeclaims=5"
WEBHOOK = 'admission webhook "policy.example.com" denied the request: no StatefulSets here'


@pytest.mark.parametrize(
    ("pattern", "kind", "message"),
    [
        ("POST .*/persistentvolumeclaims", "PersistentVolumeClaim", FULL),
        ("POST .*/statefulsets", "StatefulSet", WEBHOOK),
        ("POST /api/v1/namespaces$", "Namespace", 'admission webhook "tenants.example.com" denied the request: ask IT'),
    ],
    ids=["a full quota", "a webhook", "a webhook on namespaces"],
)
def test_what_admission_refuses_ends_a_run_before_its_first_plan(
    run: Callable[..., Called], server: FakeServer, pattern: str, kind: str, message: str
) -> None:
    server.refuse[pattern] = status(403, "Forbidden", message)
    found = run()
    assert found.code == BAD
    assert f"does not let a run make a {kind} (403 Forbidden): {message}" in found.err
    assert server.objects == {}


def test_a_webhook_that_cannot_rehearse_hinders_nothing(server: FakeServer, tmp_path: Path) -> None:
    from pvkit.backends.live.connection import Connection
    from pvkit.backends.live.rehearsal import PARTS, rehearse

    message = 'admission webhook "w.example.com" does not support dry run'
    server.refuse["POST .*/pods"] = status(400, "BadRequest", message)
    rehearse(Connection(str(kubeconfig(tmp_path / "config", server.url))), "abc123")
    tried = [path for method, path, _ in server.requests if "dryRun" in path]
    assert len(tried) == len(PARTS)
    assert server.objects == {}
