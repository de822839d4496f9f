"""One actor's line: frames that are held and released, calls that are counted, what is still to come."""

import json

import pytest

from pvkit.backends.live.calls import Call, call_of
from pvkit.backends.live.line import Line, Stream, Trouble, merged

CLAIM = "PersistentVolumeClaim"
UPDATE = Call("update", CLAIM, "c")
END = b'{"type":"BOOKMARK","object":{"metadata":{"annotations":{"k8s.io/initial-events-end":"true"}}}}\n'


@pytest.mark.parametrize(
    ("method", "path", "query", "expected"),
    [
        ("GET", "/api/v1/persistentvolumes", {"watch": "true"}, Call("watch", "PersistentVolume")),
        ("GET", "/api/v1/persistentvolumeclaims", {"watch": "1"}, Call("watch", CLAIM)),
        ("GET", "/api/v1/namespaces/n/pods", {}, Call("list", "Pod")),
        ("GET", "/api/v1/namespaces/n/pods/p", {}, Call("get", "Pod", "p")),
        ("POST", "/api/v1/namespaces/n/pods", {}, Call("create", "Pod")),
        ("POST", "/api/v1/namespaces/n/pods/p/binding", {}, Call("update", "Pod", "p")),
        ("PUT", "/api/v1/persistentvolumes/v", {}, Call("update", "PersistentVolume", "v")),
        ("PUT", "/api/v1/persistentvolumes/v/status", {}, Call("update-status", "PersistentVolume", "v")),
        ("PATCH", "/api/v1/namespaces/n/pods/p/status", {}, Call("update-status", "Pod", "p")),
        ("DELETE", "/apis/apps/v1/namespaces/n/statefulsets/s", {}, Call("delete", "StatefulSet", "s")),
        ("GET", "/api/v1/namespaces/n", {}, Call("get", "Namespace", "n")),
        ("PUT", "/api/v1/namespaces/n/status", {}, Call("update-status", "Namespace", "n")),
        ("GET", "/apis/storage.k8s.io/v1/storageclasses", {}, Call("list", "StorageClass")),
        ("GET", "/version", {}, Call("list", "")),
        ("POST", "/apis/events.k8s.io/v1/namespaces/n/events", {}, Call("create", "Event")),
    ],
)
def test_a_request_is_the_call_that_faults_speak_of(
    method: str, path: str, query: dict[str, str], expected: Call
) -> None:
    assert call_of(method, path, query) == expected


def frame(kind: str, name: str, uid: str = "1") -> bytes:
    return json.dumps({"type": kind, "object": {"metadata": {"namespace": "n", "name": name, "uid": uid}}}).encode()


def told(stream: Stream) -> list[bytes | None]:
    """What has gone out."""
    return [stream.ready.get_nowait() for _ in range(stream.ready.qsize())]


def held(*frames: bytes) -> tuple[Line, Stream]:
    """A line on which the watch of claims is held, and these frames have come."""
    line = Line("binder")
    stream = line.open(CLAIM, initial=False)
    line.hold(CLAIM)
    for each in frames:
        line.take(stream, each)
    return line, stream


def test_frames_go_out_at_once_while_nothing_is_held() -> None:
    line = Line("binder")
    stream = line.open(CLAIM, initial=False)
    line.take(stream, b"one")
    assert told(stream) == [b"one"]


def test_held_frames_go_out_in_order_after_the_release_and_later_ones_at_once() -> None:
    line, stream = held(b"one", b"two")
    before = told(stream)
    line.release(CLAIM)
    line.take(stream, b"three")
    assert (before, told(stream)) == ([], [b"one", b"two", b"three"])


def test_a_watch_of_another_kind_is_not_held() -> None:
    line, _ = held(b"one")
    other = line.open("Pod", initial=False)
    line.take(other, b"pod")
    assert told(other) == [b"pod"]


def test_some_are_released_and_the_rest_stays_held() -> None:
    line, stream = held(b"one", b"two", b"three")
    line.release(CLAIM, how="some", count=2)
    line.take(stream, b"four")
    assert told(stream) == [b"one", b"two"]
    assert line.state()["pending"] == 2


def test_merged_frames_are_the_last_of_each_object() -> None:
    frames = [frame("ADDED", "a"), frame("DELETED", "b"), frame("MODIFIED", "a"), frame("ADDED", "b", "2")]
    assert merged(frames) == [frames[2], frames[3]]


def test_a_watch_that_begins_with_what_exists_tells_it_although_its_kind_is_held() -> None:
    line = Line("binder")
    line.hold(CLAIM)
    stream = line.open(CLAIM, initial=True)
    for each in (b"old", END, b"new"):
        line.take(stream, each)
    assert told(stream) == [b"old", END]
    assert line.state()["pending"] == 1


def test_after_a_restart_that_sees_nothing_what_exists_comes_with_the_release() -> None:
    line = Line("binder")
    line.restart([CLAIM])
    stream = line.open(CLAIM, initial=True)
    for each in (b"old", END, b"new"):
        line.take(stream, each)
    before = told(stream)
    line.release(CLAIM)
    assert (before, told(stream)) == ([END], [b"old", b"new"])


def test_only_what_a_watch_tells_first_can_be_hidden() -> None:
    line = Line("binder")
    line.open(CLAIM, initial=True)
    line.open("Pod", initial=False)
    assert line.hideable == {CLAIM}


def test_a_restart_ends_what_was_held() -> None:
    line, _ = held(b"one")
    line.restart([])
    stream = line.open(CLAIM, initial=False)
    line.take(stream, b"two")
    assert told(stream) == [b"two"]


@pytest.mark.parametrize(
    ("trouble", "expected"),
    [
        (Trouble("refuse"), [True, False, False, False]),
        (Trouble("refuse", nth=2), [False, True, False, False]),
        (Trouble("refuse", nth=2, times=2), [False, True, True, False]),
        (Trouble("refuse", kind=CLAIM, verb="update"), [True, False, False, False]),
        (Trouble("refuse", kind="Pod"), [False, False, False, False]),
        (Trouble("refuse", verb="create"), [False, False, False, False]),
        (Trouble("refuse", only="k1-0-"), [True, False, False, False]),
        (Trouble("refuse", only="k2-0-"), [False, False, False, False]),
    ],
)
def test_the_nth_matching_call_is_in_trouble(trouble: Trouble, expected: list[bool]) -> None:
    assert [trouble.meets(UPDATE, b"/api/v1/namespaces/k1-0-default") for _ in range(4)] == expected


@pytest.mark.parametrize(
    "call", [Call("get", CLAIM, "c"), Call("watch", CLAIM), Call("create", "Event"), Call("create", "")]
)
def test_reads_events_and_strange_kinds_are_not_counted_as_writes(call: Call) -> None:
    assert not Trouble("refuse").meets(call, b"")


def test_a_read_is_in_trouble_when_its_verb_is_named() -> None:
    assert Trouble("refuse", verb="get").meets(Call("get", CLAIM, "c"), b"")


def test_of_two_troubles_the_first_that_meets_counts_the_call() -> None:
    line = Line("binder")
    first, second = Trouble("refuse"), Trouble("delay")
    line.troubles = [first, second]
    assert [line.trouble(UPDATE, b"") for _ in range(3)] == [first, second, None]
    assert line.state()["met"] == 2


def test_an_actor_is_starting_until_it_watches_all_that_it_did() -> None:
    line = Line("binder", [CLAIM])
    line.open("Pod", initial=False)
    line.open(CLAIM, initial=False)
    line.restart([])
    line.open(CLAIM, initial=False)
    halfway = line.busy()
    line.open("Pod", initial=False)
    assert halfway == "binder is starting"
    assert line.seeing == {CLAIM, "Pod"}


def test_heal_releases_all_and_forgets_troubles() -> None:
    line, stream = held(b"one")
    line.troubles.append(Trouble("refuse"))
    line.heal()
    assert told(stream) == [b"one"]
    assert line.trouble(UPDATE, b"") is None
