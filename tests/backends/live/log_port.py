"""The log port of a kubelet: what an API server asks for the logs of pods, answered by programs that really run.

No container is started. The first time a pod's log is asked for, its program runs in this machine's `sh`, in a folder
for each volume below `root`, as it would have run when the pod became ready.
"""

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from pvkit.backends.objects import Obj, uid
from tests.backends.live.fake_kubelet import printed
from tests.backends.live.fake_server import CERTIFICATE

Get = Callable[[str], Obj]


class Logs:
    """What pods have printed, by UID; `get` tells an object of the cluster by its path."""

    def __init__(self, root: Path, get: Get) -> None:
        self.root, self._get = root, get
        self._printed: dict[str, str] = {}
        self._lock = threading.Lock()

    def of(self, place: str, pod: str, container: str) -> str:
        """The log of a container."""
        found = self._get(f"/api/v1/namespaces/{place}/pods/{pod}")
        with self._lock:
            if uid(found) not in self._printed:
                (running,) = [entry for entry in found["spec"]["containers"] if entry["name"] == container]
                self._printed[uid(found)] = printed(running, uid(found), self._folders(place, found))
            return self._printed[uid(found)]

    def _folders(self, place: str, pod: Obj) -> dict[str, Path]:
        folders = {}
        for entry in pod["spec"].get("volumes") or ():
            if "persistentVolumeClaim" in entry:
                claims = f"/api/v1/namespaces/{place}/persistentvolumeclaims"
                claim = self._get(f"{claims}/{entry['persistentVolumeClaim']['claimName']}")
                folders[entry["name"]] = self.root / str(claim["spec"]["volumeName"])
                folders[entry["name"]].mkdir(exist_ok=True)
        return folders


@contextmanager
def serving_logs(logs: Logs) -> Iterator[int]:
    """Serve them as a kubelet does, on a free port of loopback; yields the port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            _, word, place, pod, container = self.path.partition("?")[0].split("/")
            text = logs.of(place, pod, container).encode() if word == "containerLogs" else b""
            self.send_response(200)
            self.send_header("Content-Type", "text/plain")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *said: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
