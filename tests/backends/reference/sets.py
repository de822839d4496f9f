"""A small world with the StatefulSet controller and a kubelet made for these tests, and the words to watch it with.

Pods come with a node name from their template. The kubelet makes them ready and ends deleted ones, except those that a
test has put into `unready` or `lingering`. A trace tells what became of the pods: `+0` added, `0:ready`, `0:term`
deletion asked for, `-0` gone.
"""

from typing import Any

from pvkit.backends.objects import Key, Obj, deleting, name, owners
from pvkit.backends.protocol import Budget, Departure, Setup
from pvkit.backends.reference.clock import stamp
from pvkit.backends.reference.engine import Engine
from pvkit.backends.reference.faults import disturb
from pvkit.backends.reference.rules import STOP, Controller, Effect, Write, itself, rule
from pvkit.backends.reference.statefulset import STATEFULSET
from pvkit.backends.reference.view import Seen
from pvkit.backends.workloads import is_finished, is_ready, ordinal

PARALLEL = {"podManagementPolicy": "Parallel"}
ON_DELETE = {"updateStrategy": {"type": "OnDelete"}}


def rolling(**options: Any) -> Obj:
    """`spec.updateStrategy` of type RollingUpdate with these options, partition 0 unless it is one of them."""
    return {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0, **options}}}


def policy(scaled: str, deleted: str) -> Obj:
    """The retention policy."""
    return {"persistentVolumeClaimRetentionPolicy": {"whenScaled": scaled, "whenDeleted": deleted}}


def claim_template(called: str = "www", **labels: str) -> Obj:
    """A claim template of one gibibyte."""
    metadata = {"name": called, "labels": labels} if labels else {"name": called}
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    return {"metadata": metadata, "spec": spec}


def stateful_set(called: str = "web", replicas: int = 3, **spec: Any) -> Obj:
    """A set with one claim template; anything in its spec may be told otherwise."""
    marks = {"app": called}
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": called, "namespace": "default"},
        "spec": {
            "replicas": replicas,
            "serviceName": called,
            "podManagementPolicy": "OrderedReady",
            "revisionHistoryLimit": 10,
            "selector": {"matchLabels": marks},
            "template": {"metadata": {"labels": marks}, "spec": template_spec("1")},
            "volumeClaimTemplates": [claim_template()],
            **rolling(),
            **policy("Retain", "Retain"),
            **spec,
        },
    }


def template_spec(image: str) -> Obj:
    """The spec of a pod template with that image; its pods are on a node from birth."""
    return {
        "containers": [{"name": "main", "image": image}],
        "nodeName": "n1",
        "terminationGracePeriodSeconds": 30,
        "restartPolicy": "Always",
    }


@rule("KUBELET.1", on="Pod")
def finish(seen: Seen, at: Key) -> Effect | None:
    """A deleted pod goes, unless the test lets it linger."""
    pod = seen.lookup(at)
    if pod is None or at.name in seen.world.get("lingering", ()):
        return STOP
    return Write("delete", pod, options={"grace": 0}) if deleting(pod) else None


@rule("KUBELET.2", on="Pod")
def start(seen: Seen, at: Key) -> Effect | None:
    """A pod becomes ready, or pending where the test wants that."""
    pod = seen.lookup(at)
    if pod is None or is_finished(pod):
        return STOP
    ready = at.name not in seen.world.get("unready", ())
    if is_ready(pod) == ready and pod.get("status", {}).get("phase"):
        return STOP
    since = {"lastTransitionTime": stamp(int(seen.now))}
    status = {"phase": "Running", "conditions": [{"type": "Ready", "status": str(ready), **since}]}
    return Write("update-status", {**pod, "status": status if ready else {"phase": "Pending"}})


KUBELET = Controller("kubelet", {"Pod": (finish, start)}, {"Pod": itself})


class World:
    """An engine with the StatefulSet controller and the tests' kubelet, and a client's hands."""

    def __init__(
        self,
        version: str = "1.36",
        gates: dict[str, bool] | None = None,
        schedule: tuple[Departure, ...] = (),
    ) -> None:
        self.gates = dict(gates or {})
        setup = Setup(kubernetes_version=version, gates=self.gates)
        self.engine = Engine(setup, (STATEFULSET, KUBELET), schedule)
        self.store = self.engine.store
        self.store.create({"kind": "Namespace", "metadata": {"name": "default"}}, by="setup")
        self.read_up_to = 0
        self._known: dict[str, Obj] = {}

    def create(self, obj: Obj) -> Obj:
        """Create as a client, a second later."""
        self.engine.advance(1.0)
        return self.store.create(obj)

    def patch(self, kind: str, called: str, patch: Any, subresource: str = "") -> Obj:
        """Patch as a client, a second later."""
        self.engine.advance(1.0)
        return self.store.patch(Key(kind, "default", called), patch, subresource)

    def edit(self, called: str = "web", **spec: Any) -> Obj:
        """Change fields of a set's spec."""
        return self.patch("StatefulSet", called, {"spec": spec})

    def roll(self, image: str, called: str = "web") -> Obj:
        """Give a set's template another image."""
        return self.edit(called, template={"spec": template_spec(image)})

    def delete(self, kind: str, called: str, **options: Any) -> None:
        """Delete as a client, a second later."""
        self.engine.advance(1.0)
        self.store.delete(Key(kind, "default", called), **options)

    def fault(self, word: str, **options: Any) -> None:
        """Make a fault."""
        disturb(self.engine, word, options)

    def keep(self, how: str, *pods: str) -> None:
        """Keep pods `unready` or `lingering` from now on, and settle."""
        self.engine.world.setdefault(how, set()).update(pods)
        self._nudge(pods)

    def let_go(self, how: str, *pods: str) -> None:
        """The opposite of `keep`."""
        self.engine.world[how].difference_update(pods)
        self._nudge(pods)

    def _nudge(self, pods: tuple[str, ...]) -> None:
        for pod in pods:
            self.engine.instances["kubelet"].add(Key("Pod", "default", pod))
        self.settle()

    def fail(self, called: str, phase: str = "Failed") -> None:
        """A pod ends by itself."""
        self.patch("Pod", called, {"status": {"phase": phase, "conditions": None}}, "status")

    def settle(self) -> "World":
        """Run until all is quiet, which it must become."""
        assert self.engine.settle(Budget()).quiet
        return self

    def get(self, kind: str, called: str) -> Obj | None:
        """An object as stored."""
        return self.store.read(Key(kind, "default", called))

    def got(self, kind: str, called: str) -> Obj:
        """An object as stored; it must be there."""
        return self.store.get(Key(kind, "default", called))

    def status(self, called: str = "web") -> Obj:
        """The status of a set."""
        return self.got("StatefulSet", called)["status"]

    def names(self, kind: str) -> list[str]:
        """The names of all objects of a kind, sorted."""
        return sorted(map(name, self.store.list(kind)))

    def image(self, pod: str) -> str:
        """The image that a pod runs."""
        return str(self.got("Pod", pod)["spec"]["containers"][0]["image"])

    def images(self, called: str = "web") -> str:
        """The images of a set's pods by ascending ordinal."""
        pods = sorted((pod for pod in self.store.list("Pod") if name(pod).startswith(f"{called}-")), key=ordinal)
        return " ".join(self.image(name(pod)) for pod in pods)

    def said(self, reason: str = "") -> list[str]:
        """The messages of the Kubernetes Events recorded so far, of one reason or of all."""
        return [event["message"] for event in self.store.list("Event") if reason in ("", event["reason"])]

    def owner_kinds(self, claim: str) -> list[str]:
        """What kinds of objects own a claim."""
        return [owner["kind"] for owner in owners(self.got("PersistentVolumeClaim", claim))]

    def fired(self, id: str) -> int:
        """How often a rule has fired."""
        return self.engine.fired[id]

    def trace(self, called: str = "web") -> str:
        """What became of a set's pods since the last trace."""
        words: list[str] = []
        for event in self.store.log[self.read_up_to :]:
            if event.object["kind"] == "Pod" and name(event.object).startswith(f"{called}-"):
                words += self._words(event.type, event.object)
        self.read_up_to = len(self.store.log)
        return " ".join(words)

    def _words(self, type: str, pod: Obj) -> list[str]:
        at, old = ordinal(pod), self._known.pop(name(pod), None)
        if type == "DELETED":
            return [f"-{at}"]
        self._known[name(pod)] = pod
        if old is None:
            return [f"+{at}"]
        became_ready = is_ready(pod) and not is_ready(old)
        return [f"{at}:ready"] * became_ready + [f"{at}:term"] * (deleting(pod) and not deleting(old))


def orphan(called: str, app: str = "web", **marks: str) -> Obj:
    """A pod that nobody controls."""
    return {
        "kind": "Pod",
        "metadata": {"name": called, "namespace": "default", "labels": {"app": app, **marks}},
        "spec": template_spec("1"),
    }
