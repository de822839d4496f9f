"""A live cluster as a backend: operations through the official client, events from watches of every kind.

Answers come at once and events a little later, on as many connections as there are kinds. So nothing is told until a
wait has ended: then a fence is put behind everything that was written, the events up to it are told in the order of
writes, and each answer is placed among them (`TellsLate`).
"""

import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import count
from time import monotonic

from pvkit import __version__
from pvkit.backends.errors import BackendError, UsageError
from pvkit.backends.live.cleaning import HOUSEHOLD, Cleaner
from pvkit.backends.live.cleanup import sweep
from pvkit.backends.live.connection import Connection, path_of
from pvkit.backends.live.disturbing import Undisturbed
from pvkit.backends.live.guise import Guise
from pvkit.backends.live.homes import Home, Homes
from pvkit.backends.live.naming import NODE_SELECTOR, PLAN_LABEL, Names
from pvkit.backends.live.patience import Pace, patience
from pvkit.backends.live.play import Play
from pvkit.backends.live.room import Room, is_about_defaults
from pvkit.backends.live.server import Server
from pvkit.backends.live.watching import Frame, Watches
from pvkit.backends.objects import Key, Obj, key, labels, name, put, version
from pvkit.backends.protocol import Budget, Departure, Description, Event, Fault, Operation, Outcome, Settled, Setup

WATCHED = (
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Pod",
    "StatefulSet",
    "ControllerRevision",
    "Service",
    "EndpointSlice",
    "StorageClass",
    "VolumeAttributesClass",
    "ResourceQuota",
    "LimitRange",
    "CSINode",
    "Node",
    "Namespace",
)
READY_NODE: Obj = {
    "capacity": {"cpu": "1k", "memory": "1Ti", "pods": "1M"},
    "allocatable": {"cpu": "1k", "memory": "1Ti", "pods": "1M"},
    "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "simulated"}],
}
"""The status of a node that nobody has to wait for; nodes are simulated where the kit makes them."""

SIMULATED = "the nodes are simulated: no process runs and no storage is written, so nothing can be read back"
FENCE_SECONDS = 5.0
"""How long a stream may be behind a list."""
LEAST_LAG = 1.0
REQUESTS_OF_A_REACTION = 10
"""For how many requests, as slow as ours, a component has time until it has acted; on a busy machine that counts."""
LAST_LOOK_SECONDS = 1.0
"""How long is waited, before a plan is cleared, for what it made to be seen."""
DISTURBED_SECONDS = 10.0
"""How long rest is waited for while faults are in force: two views that are held apart can quarrel for ever."""


class LiveBackend:
    """Plays plans on a cluster, one after another, and removes what it made.

    `pace` tells how quick the cluster's components are. With `nodes` each plan gets nodes of its own; the cluster's API
    server must then hold pods to them (admission plugin `PodNodeSelector`), and somebody must play their kubelets.
    Without, the cluster is somebody else's, and the plan a guest there. `settle_seconds` is the longest wait for rest,
    `run_id` the label of all that is made, by default a random one. `unrest` makes faults. On
    somebody else's cluster the objects of plans wear the `guise`.
    """

    def __init__(
        self,
        kubeconfig: str | None = None,
        context: str | None = None,
        pace: Pace | None = None,
        nodes: bool = False,
        settle_seconds: float = 100.0,
        run_id: str = "",
        unrest: Undisturbed | None = None,
        guise: Guise | None = None,
    ) -> None:
        self._connect = partial(Connection, kubeconfig, context)
        self._connection = self._connect()
        self.server = Server(self._connection)
        self.run_id = run_id or secrets.token_hex(3)
        self._pace, self._makes_nodes, self._settle_seconds = pace or Pace(), nodes, settle_seconds
        self._unrest, self._guise = unrest or Undisturbed(), guise or Guise()
        self._plans = count()
        self._shared = False
        self._room, self._real_defaults = Room(), False
        self._watches = Watches(self._connect, WATCHED)
        self._ordered = self.server.shares_one_counter(self._connection, self.run_id, WATCHED)
        self._play: Play | None = None
        self._homes, self._home = Homes(), Home("", Setup())

    def beside(self) -> "LiveBackend":
        """Another backend on the same cluster, to play plans side by side; it shares the watches of this one."""
        made: LiveBackend = object.__new__(LiveBackend)
        made.__dict__.update(self.__dict__)
        made._connection = self._connect()  # Run id and count of plans are shared, so that the run is one to `cleanup`.
        made._unrest = self._unrest.beside()
        made._play, made._shared, made._real_defaults = None, True, False
        self._room.shared = True
        return made

    def foresee(self, operations: Sequence[Operation]) -> None:
        """Hear what the next plan will ask for; beside others only a plan about default classes gets real ones."""
        self._real_defaults = is_about_defaults(operations)

    def leave(self) -> None:
        """End the plan under way."""
        self.clear()

    def limit(self, seconds: float) -> None:
        """Let no plan of the run go on after so many seconds from now."""
        self._room.deadline = monotonic() + seconds

    @property
    def play(self) -> Play:
        """The plan under way."""
        if self._play is None:
            raise UsageError("no plan is under way; `reset` begins one")
        return self._play

    def refuses(self, setup: Setup) -> str:
        """Why the world of a plan cannot be made on this cluster, "" if it can."""
        if len(setup.nodes) > 1 and not self._makes_nodes:
            return "the plan wants nodes of its own, and this cluster's nodes are not ours to make"
        return self.server.refuses(setup, self._connection)

    def reset(self, setup: Setup, schedule: tuple[Departure, ...] = ()) -> None:
        """Remove what the last plan left and begin with the namespaces (and, where it may, the nodes) of this one.

        Raises `UsageError` for a world that this cluster cannot be.
        """
        self.clear()
        self._room.check()
        reason = self.refuses(setup)
        if reason:
            raise UsageError(reason)
        real = self._makes_nodes and (self._real_defaults or not self._room.shared)
        if real:
            self._room.take(self)
        tag = f"k{self.run_id}-{next(self._plans)}"
        self._home = self._homes.take(setup) or Home(tag, setup)
        names = Names(tag, self.run_id, private=not real, site=self._home.tag, guise=self._guise)
        namespaces = names.namespaces("default", *setup.namespaces)
        self._play = Play(self._connection, names, namespaces, self._makes_nodes)
        self._watches.record(self.play.tape, self._home.tape, HOUSEHOLD)
        if self._home.tape is None:
            self._furnish(setup)
        else:
            self.play.setup.update(map(version, self.play.tape.objects(*HOUSEHOLD)))

    def _furnish(self, setup: Setup) -> None:
        """The namespaces and nodes of a plan."""
        play, held = self.play, {}
        if self._makes_nodes:
            held = {"annotations": {NODE_SELECTOR: f"{PLAN_LABEL}={play.names.site}"}}
        for called in ("default", *setup.namespaces):
            play.tape.touch("Namespace", "")
            made = play.asker.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": called, **held}})
            self._note(made)
        if not self._makes_nodes:
            self._adopt_nodes()
            return
        for node in setup.nodes:
            play.tape.touch("Node", "")
            marked = put(node, ("metadata", "labels"), {**(labels(node)), PLAN_LABEL: play.names.site})
            self._note(play.asker.create({"apiVersion": "v1", "kind": "Node", **marked, "status": READY_NODE}))

    def _note(self, made: Obj) -> None:
        """One part of the plan's world was made."""
        self.play.setup.add(version(made))
        self._home.parts[key(made)] = made

    def _adopt_nodes(self) -> None:
        """Begin the history with the nodes that are there; they belong to somebody else and keep their names."""
        listed = self._connection.request("GET", path_of(Key("Node", "", "")))
        self.play.names.shared = frozenset(name(item) for item in listed["items"])
        for item in listed["items"]:
            self.play.setup.add(version(item))
            self.play.tape.take(Frame("ADDED", {"apiVersion": "v1", "kind": "Node", **item}, monotonic()))

    def invoke(self, operation: Operation) -> Outcome:
        """Ask as a client and return the answer."""
        self._room.check()
        return self.play.invoke(operation)

    def fault_words(self) -> frozenset[str]:
        """The fault words that this cluster obeys: none unless it was started for faults."""
        return self._unrest.words

    def disturb(self, fault: Fault) -> Outcome:
        """Make a fault, or say why it cannot be made here; a healed cluster is at work again when this returns."""
        self.play.mark()
        outcome = self._unrest.disturb(fault, self.play.names.tag)
        self.play.latest = monotonic()
        return outcome

    def settle(self, budget: Budget) -> Settled:
        """Wait until nothing has changed for longer than any component may still take, and fence that."""
        play, seconds = self.play, min(budget.seconds, self._settle_seconds)
        disturbed = tuple(sorted(self._unrest.active))
        seconds = min(seconds, DISTURBED_SECONDS) if disturbed else seconds
        limit = monotonic() + seconds
        while True:
            self._room.check()
            since = play.tape.arrived
            pace = replace(self._pace, reaction=max(self._pace.reaction, REQUESTS_OF_A_REACTION * play.slowness))
            play.witness.look(play.tape)
            wait = max(patience(play.tape.objects(), pace, play.time), play.witness.patience(play.tape))
            left = min(max(since, play.latest) + wait, limit, self._room.deadline) - monotonic()
            if left > 0:
                play.tape.wait(lambda since=since: play.tape.arrived > since, left)  # type: ignore[misc]
                continue
            if self._unrest.busy() and monotonic() < limit:
                play.latest = monotonic()  # Whoever starts, or was kept waiting, has its time from now on.
                continue
            fenced = play.fence(self._watches, monotonic() + FENCE_SECONDS, self._room.shared and self._ordered)
            if monotonic() >= limit:
                return Settled(False, play.time, f"still busy after {seconds:.0f} s", disturbed)
            if fenced and play.tape.arrived <= since:
                return Settled(True, play.time, "", disturbed)

    def observe(self) -> list[Event]:
        """The events of this plan up to the last fence that were not told yet, in the order of writes."""
        return self.play.observe()

    def moment(self) -> int:
        """A mark of the answer that was just given."""
        return self.play.moment()

    def events_before(self, moment: int) -> int:
        """How many of the plan's events, of those told so far, had been written before that answer came."""
        return self.play.events_before(moment)

    def describe(self) -> Description:
        """The server, what it cannot show, and whether anything of this plan's events was missed."""
        lacks = {"ledgers": SIMULATED, "data": SIMULATED} if self._makes_nodes else self._guise.lacks
        if self._makes_nodes:
            lacks["expansion"] = "nobody expands volumes where nodes and storage are simulated"
        if not self._makes_nodes:
            lacks["nodes"] = "the nodes are the cluster's own"
        lacks |= self._unrest.lacks
        lacks |= {kind: f"the server does not know the kind {kind}" for kind in self._watches.absent}
        lacks |= self._play.witness.lacks if self._play is not None else {}
        if self._play is not None and self._play.tape.gaps:
            lacks["events"] = "; ".join(self._play.tape.gaps[:3])
        called = f"live {self._connection.server}"
        lag = max(LEAST_LAG, 3 * self._pace.reaction)
        heard = "data" not in lacks
        return Description(called, __version__, self.server.minor, self._ordered, lacks=lacks, lag=lag, data=heard)

    def clear(self) -> None:
        """Remove what the present plan made, and wait for what other plans could take for theirs."""
        play, self._play = self._play, None
        self._unrest.end()
        if play is not None:
            with suppress(BackendError):  # What was made a moment ago may not have been seen yet.
                play.fence(self._watches, monotonic() + LAST_LOOK_SECONDS, self._room.shared and self._ordered)
            cleaner = Cleaner(self._connection, play.tape, play.names)
            if self._can_be_left(play):
                cleaner.empty()
                self._homes.give(self._home, play.names, play.tape)
            else:
                cleaner.remove(play.namespaces)
                self._watches.drop(play.tape)
        for left in self._homes.forsaken():
            Cleaner(self._connection, left.tape, left.names).remove(left.home.namespaces)
            self._watches.drop(left.tape)
        self._room.free(self)

    def _can_be_left(self, play: Play) -> bool:
        """Whether the next plan may have the namespaces and nodes of this one; after faults nobody knows."""
        if not self._makes_nodes or self._unrest.words or not play.asked.isdisjoint(HOUSEHOLD):
            return False
        return self._home.is_whole(play.tape)

    def close(self) -> None:
        """Remove all that the run made, stop watching, and wait until it is gone; raises `BackendError` if it stays."""
        try:
            self.clear()
        finally:
            if not self._shared:
                self._watches.close()
        if not self._shared:
            sweep(self._connection, self.run_id)
