"""A server that is not on this machine is named, and nothing is written there without a yes."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pvkit.backends.live.consent import Declined, consent, is_on_loopback
from pvkit.backends.live.reaching import Reached, connect, reach
from pvkit.conformance.commands import cluster_options
from tests.backends.live.calling import Called, call
from tests.backends.live.fake_server import FakeServer, kubeconfig, serving
from tests.conformance.test_pytest_plugin import suite

BAD = 2
LABELS = {"pvkit.dev/run": "abc123"}


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No proxy, and no clusters of the person who runs the tests."""
    monkeypatch.setenv("PVKIT_CLUSTERS", str(tmp_path / "clusters"))
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def remote() -> Iterator[FakeServer]:
    """A server that is told by an address that is not loopback, with something of a run on it."""
    with serving(FakeServer(), host="0.0.0.0") as fake:
        fake.put("/api/v1/persistentvolumes/k1", spec={}, metadata={"labels": LABELS})
        yield fake


@pytest.fixture
def pvkit(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, remote: FakeServer, tmp_path: Path
) -> Callable[..., Called]:
    """`pvkit` on that server."""
    config = kubeconfig(tmp_path / "config", remote.url)
    return lambda *words: call(capsys, monkeypatch, *words, "--kubeconfig", config)


@pytest.mark.parametrize(
    ("server", "local"),
    [
        ("https://127.0.0.1:6443", True),
        ("https://127.9.9.9", True),
        ("https://localhost:6443", True),
        ("https://[::1]:6443", True),
        ("https://10.0.0.1:6443", False),
        ("https://0.0.0.0:6443", False),
        ("https://[2001:db8::1]:6443", False),
        ("https://cluster.example.com", False),
        ("https://localhost.example.com", False),
        ("https://127.0.0.1.example.com", False),
        ("https://127.0.0.1@cluster.example.com", False),
        ("nonsense", False),
    ],
)
def test_only_loopback_itself_counts_as_this_machine(server: str, local: bool) -> None:
    assert is_on_loopback(server) is local


def test_the_server_of_these_tests_looks_remote_and_listens_on_loopback_only(remote: FakeServer) -> None:
    assert (is_on_loopback(f"http://{remote.listens}"), is_on_loopback(remote.url)) == (True, False)


@pytest.mark.parametrize(
    "words",
    [
        ("run", "--backend", "live", "--max-examples", "1"),
        ("replay", "walkthrough", "--backend", "live"),
        ("cleanup", "--run-id", "abc123"),
    ],
    ids=lambda words: words[0],
)
def test_without_a_yes_the_server_is_named_and_nothing_is_written(
    pvkit: Callable[..., Called], remote: FakeServer, tmp_path: Path, words: tuple[str, ...]
) -> None:
    more = ("--output-dir", tmp_path / "report") if words[0] == "run" else ()
    found = pvkit(*words, *more)
    assert found.code == BAD
    assert f"{remote.url} (context prod, Kubernetes v1.36.3) is not on this machine" in found.err
    assert "Add --yes" in found.err
    assert remote.written() == []


def test_a_run_says_what_it_would_create_and_how_to_remove_it(pvkit: Callable[..., Called], tmp_path: Path) -> None:
    found = pvkit("run", "--backend", "live", "--output-dir", tmp_path / "report")
    for word in ("pvkit.dev/run=", "Namespace", "PersistentVolume", "StorageClass", "pvkit cleanup --run-id"):
        assert word in found.err


def test_a_dry_run_says_the_same_and_needs_no_yes(
    pvkit: Callable[..., Called], remote: FakeServer, tmp_path: Path
) -> None:
    found = pvkit("run", "--backend", "live", "--dry-run", "--output-dir", tmp_path / "report")
    assert found.code == 0
    assert remote.url in found.out
    assert "StorageClass" in found.out
    assert remote.written() == []


def test_yes_is_enough(pvkit: Callable[..., Called], remote: FakeServer) -> None:
    assert pvkit("cleanup", "--run-id", "abc123", "--yes").code == 0
    assert remote.objects == {}


def test_the_plug_in_names_its_own_option_and_writes_nothing(remote: FakeServer, tmp_path: Path) -> None:
    config = kubeconfig(tmp_path / "config", remote.url)
    done = suite(tmp_path, "--pv-backend", "live", "--pv-kubeconfig", str(config), "--pv-include", "PVB-001")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "is not on this machine" in done.stdout
    assert "Add --pv-yes if that is meant" in done.stdout
    assert remote.written() == []


def test_a_dry_cleanup_needs_no_yes_and_writes_nothing(pvkit: Callable[..., Called], remote: FakeServer) -> None:
    found = pvkit("cleanup", "--run-id", "abc123", "--dry-run")
    assert found.code == 0
    assert "persistentvolume/k1" in found.out
    assert remote.written() == []


@pytest.mark.parametrize(("says", "code", "left"), [(True, 0, 0), (False, BAD, 1)])
def test_a_person_at_the_terminal_decides(
    pvkit: Callable[..., Called], remote: FakeServer, monkeypatch: pytest.MonkeyPatch, says: bool, code: int, left: int
) -> None:
    asked = []

    def person(question: str) -> bool:
        asked.append(question)
        return says

    monkeypatch.setattr(cluster_options, "asker", lambda: person)
    found = pvkit("cleanup", "--run-id", "abc123")
    assert found.code == code
    assert len(remote.objects) == left
    assert [remote.url in question for question in asked] == [True]


def test_nobody_is_asked_where_there_is_nothing_to_remove(pvkit: Callable[..., Called], remote: FakeServer) -> None:
    found = pvkit("cleanup", "--run-id", "ffffff")
    assert found.code == 0
    assert f"nothing on {remote.url} carries the run id ffffff" in found.out


def test_loopback_through_a_proxy_is_not_this_machine(tmp_path: Path) -> None:
    config = kubeconfig(tmp_path / "config", "http://127.0.0.1:1", **{"proxy-url": "http://proxy.example.com:3128"})
    connection = connect(str(config), None)
    reached = Reached(connection.server, "prod", "v1.36.3", "1.36")
    with pytest.raises(Declined, match=r"through http://proxy\.example\.com:3128"):
        consent(connection, reached, "write", yes=False)


def test_loopback_needs_no_yes(tmp_path: Path) -> None:
    with serving(FakeServer()) as fake:
        connection = connect(str(kubeconfig(tmp_path / "config", fake.url)), None)
        reached = reach(connection, "prod")
        asked: list[str] = []
        consent(connection, reached, "write", yes=False, ask=lambda question: not asked.append(question))
    assert asked == []
