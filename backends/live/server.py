"""What a server is: its version, its gates, whether all kinds share one counter of versions."""

import re
from collections.abc import Iterable
from contextlib import suppress

from pvkit.backends.errors import ApiError, NotFound
from pvkit.backends.live.connection import Connection, path_of
from pvkit.backends.live.naming import RUN_LABEL
from pvkit.backends.objects import Key, Obj, uid, version
from pvkit.backends.protocol import Setup

_GATE = re.compile(r'^kubernetes_feature_enabled\{name="(\w+)",stage="\w*"\} ([01])', re.MULTILINE)
HONOURED = {"resync": True, "dynamic-provisioning": True}
"""Settings of a plan's world that are those of any ordinary cluster."""


class Server:
    """The server at the other end of a connection."""

    def __init__(self, connection: Connection) -> None:
        told = connection.request("GET", "/version")
        major = told.get("emulationMajor") or told["major"]
        minor = str(told.get("emulationMinor") or told["minor"])
        self.minor = f"{major}.{minor.rstrip('+')}"
        self.lacks: dict[str, str] = {}
        self._gates: dict[str, bool] | None = None

    def gates(self, connection: Connection) -> dict[str, bool]:
        """The feature gates of the API server, as its metrics tell; {} where they may not be read."""
        if self._gates is None:
            try:
                text = connection.text("/metrics")
            except ApiError:
                text = ""
            self._gates = {name: value == "1" for name, value in _GATE.findall(text)}
        return self._gates

    def refuses(self, setup: Setup, connection: Connection) -> str:
        """Why a plan's world cannot be had on this cluster as it runs, "" if it can."""
        if setup.kubernetes_version != self.minor:
            return f"the plan is for Kubernetes {setup.kubernetes_version}, the server is {self.minor}"
        for option, value in setup.options.items():
            if HONOURED.get(option) != value:
                return f"the plan wants {option}: {value}, which a running cluster cannot be told"
        for gate, value in setup.gates.items():
            if self.gates(connection).get(gate) is not value:
                return f"the plan wants feature gate {gate}={str(value).lower()}, which the server has not"
        return ""

    def shares_one_counter(self, connection: Connection, run_id: str, kinds: Iterable[str]) -> bool:
        """Whether the resourceVersions of all kinds come from one counter.

        Between two writes the latest version of every kind lies between theirs, if the counter is one; a counter of its
        own would have to be there by chance.
        """
        made, seen = _make_probe(connection, f"k{run_id}-probe"), []
        try:
            for kind in kinds:
                with suppress(NotFound):
                    listed = connection.request("GET", path_of(Key(kind, "", "")), query={"limit": "1"})
                    seen.append(version(listed))
        finally:
            after = _remove_probe(connection, made)
        return all(version(made) <= one <= after for one in seen)


def _make_probe(connection: Connection, name: str) -> Obj:
    """Write something harmless, a class that nobody uses."""
    body = {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": name, "labels": {RUN_LABEL: name[1:].partition("-")[0]}},
        "provisioner": "kubernetes.io/no-provisioner",
    }
    return connection.request("POST", path_of(Key("StorageClass", "", "")), body)


def _remove_probe(connection: Connection, made: Obj) -> int:
    """Remove it, and tell the version after it is gone."""
    options = {"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {"uid": uid(made)}}
    connection.request("DELETE", path_of(Key("StorageClass", "", made["metadata"]["name"])), options)
    return version(connection.request("GET", path_of(Key("StorageClass", "", "")), query={"limit": "1"}))
