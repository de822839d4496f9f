"""A simulator to test: it keeps what it is told, and binds each claim to the first free volume of its class that is
large enough. What it forgets is what the kit is to find."""

from copy import deepcopy
from itertools import count

from pvkit.backends.objects import Obj, key
from pvkit.backends.protocol import Budget, Departure, Description, Event, Operation, Outcome, Settled, Setup
from pvkit.backends.storage import capacity, requested, storage_class

KINDS = ("PersistentVolume", "PersistentVolumeClaim")
ANSWERS = {"NotFound": 404, "AlreadyExists": 409, "NotSupported": 501}


class Shelf:
    """The six methods of a backend."""

    def reset(self, setup: Setup, schedule: tuple[Departure, ...] = ()) -> None:
        self.stored, self.events, self.versions = {}, [], count(1)

    def invoke(self, operation: Operation) -> Outcome:
        at = key(operation.object) if operation.object else operation.target
        if at.kind not in KINDS or operation.verb not in ("create", "get", "delete"):
            return refused("NotSupported")
        if (operation.verb == "create") == (at in self.stored):
            return refused("AlreadyExists" if at in self.stored else "NotFound")
        if operation.verb == "create":
            new = deepcopy(operation.object)
            new["metadata"] |= {"uid": f"uid-{next(self.versions)}"}
            self.write("ADDED", new | {"status": {"phase": "Pending"}}, "client")
        elif operation.verb == "delete":
            self.write("DELETED", self.stored.pop(at), "client")
            return Outcome("ok")
        return Outcome("ok", object=self.stored[at])

    def settle(self, budget: Budget) -> Settled:
        claims = [obj for obj in self.stored.values() if obj["kind"] == KINDS[1]]
        for claim in [entry for entry in claims if not entry["spec"].get("volumeName")]:
            volumes = [obj for obj in self.stored.values() if obj["kind"] == KINDS[0]]
            free = [entry for entry in volumes if not entry["spec"].get("claimRef")]
            for volume in [entry for entry in free if self.fits(entry, claim)][:1]:
                self.bind(volume, claim)
        return Settled(True, 0.0)

    def bind(self, volume: Obj, claim: Obj) -> None:
        owner = {"namespace": key(claim).namespace, "name": key(claim).name, "uid": claim["metadata"]["uid"]}
        named, bound = {"volumeName": volume["metadata"]["name"]}, {"status": {"phase": "Bound"}}
        self.write("MODIFIED", volume | bound | {"spec": volume["spec"] | {"claimRef": owner}})
        self.write("MODIFIED", claim | bound | {"spec": claim["spec"] | named})

    def fits(self, volume: Obj, claim: Obj) -> bool:
        return capacity(volume) >= requested(claim) and storage_class(volume) == storage_class(claim)

    def write(self, kind: str, obj: Obj, by: str = "") -> None:
        version = next(self.versions)
        obj = obj | {"metadata": obj["metadata"] | {"resourceVersion": str(version)}}
        if kind != "DELETED":
            self.stored[key(obj)] = obj
        self.events.append(Event(version, kind, obj, by))

    def observe(self) -> list[Event]:
        seen, self.events = self.events, []
        return seen

    def describe(self) -> Description:
        return Description("shelf", "0.1", "1.36", lacks={"ledgers": "nothing is stored"})

    def close(self) -> None:
        pass


def refused(reason: str) -> Outcome:
    return Outcome("failed", ANSWERS[reason], reason)
