"""Counts pods that an API server removed without having marked them, while one name is made and deleted over and over.

Beside a cluster of the kit: `pvkit cluster up --name finding`, this file, `pvkit cluster down --name finding`.
"""

import threading
from contextlib import suppress
from time import monotonic
from typing import Any

from pvkit.backends.errors import ApiError, Unavailable
from pvkit.backends.live.cluster import layout_of
from pvkit.backends.live.connection import Connection, path_of
from pvkit.backends.objects import Key, deleting, uid, version

SECONDS = 10.0
PODS, POD = path_of(Key("Pod", "default", "")), path_of(Key("Pod", "default", "x"))
MADE = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "x"},
    "spec": {"schedulerName": "nobody", "containers": [{"name": "main", "image": "none"}]},
}


def main() -> None:
    """Play, watch, and print what was seen."""
    kubeconfig = str(layout_of("finding").kubeconfig)
    end, streams, marked, removed, unmarked = monotonic() + SECONDS, list[Any](), set[str](), 0, 0

    def again(verb: str, path: str, body: dict[str, Any] | None) -> None:
        connection = Connection(kubeconfig)
        while monotonic() < end:
            with suppress(ApiError):  # It is there already, or gone already.
                connection.request(verb, path, body)

    watcher = Connection(kubeconfig)
    since = version(watcher.request("GET", PODS))
    jobs = [("POST", PODS, MADE), *[("DELETE", POD, None)] * 3]
    for job in jobs:
        threading.Thread(target=again, args=job, daemon=True).start()
    threading.Timer(SECONDS + 1, lambda: streams[0].shutdown()).start()
    with suppress(Unavailable):  # The stream is ended from here.
        for frame in watcher.watch(PODS, str(since), 240, streams.append):
            if frame["type"] == "DELETED":
                removed += 1
                unmarked += uid(frame["object"]) not in marked
            elif deleting(frame["object"]):
                marked.add(uid(frame["object"]))
    print(f"{removed} pods removed, {unmarked} of them without having been marked")


if __name__ == "__main__":
    main()
