"""An API server for tests, of the standard library: answers what a test wants, keeps objects, writes down requests."""

import json
import re
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

Answer = tuple[int, Any]
REVIEW = "selfsubjectaccessreviews"
SERVED = {
    "/api/v1": "namespaces persistentvolumes persistentvolumeclaims pods services nodes resourcequotas limitranges",
    "/apis/apps/v1": "statefulsets controllerrevisions",
    "/apis/storage.k8s.io/v1": "storageclasses volumeattributesclasses csinodes",
    "/apis/discovery.k8s.io/v1": "endpointslices",
}
CERTIFICATE = Path(__file__).parent / "loopback.pem"
"""A certificate for 127.0.0.1 with its key, signed by itself and trusted by nobody; it guards nothing."""


def status(code: int, reason: str, message: str) -> Answer:
    """A refusal."""
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure"}
    return code, {**body, "code": code, "reason": reason, "message": message}


@dataclass
class FakeServer:
    """`refuse` maps a pattern over `METHOD /path` to an answer, `denied` are pairs of verb and resource that reviews
    refuse. `objects` are by path. `requests` are the writes, as method, path with query, body.
    """

    url: str = ""
    listens: str = ""
    version: dict[str, str] = field(default_factory=lambda: {"major": "1", "minor": "36", "gitVersion": "v1.36.3"})
    served: dict[str, str] = field(default_factory=lambda: dict(SERVED))
    refuse: dict[str, Answer] = field(default_factory=dict)
    denied: set[tuple[str, str]] = field(default_factory=set)
    objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    requests: list[tuple[str, str, Any]] = field(default_factory=list)
    reviewed: list[tuple[str, str]] = field(default_factory=list)
    counter: Iterator[int] = field(default_factory=lambda: count(100))
    lock: threading.Lock = field(default_factory=threading.Lock)

    def put(self, path: str, **obj: Any) -> dict[str, Any]:
        """An object that is there already."""
        number = next(self.counter)
        made = {"name": path.rpartition("/")[2], "uid": f"uid-{number}", "resourceVersion": str(number)}
        if "/namespaces/" in path and not path.rpartition("/")[0].endswith("/namespaces"):
            made["namespace"] = path.split("/namespaces/")[1].split("/")[0]
        made["creationTimestamp"] = f"2026-01-01T00:00:{number % 60:02}Z"
        self.objects[path] = {**obj, "metadata": {**made, **obj.get("metadata", {})}}
        return self.objects[path]

    def written(self) -> list[str]:
        """The writes that were not dry runs or reviews, as `METHOD path`."""
        return [f"{method} {path}" for method, path, _ in self.requests if "dryRun" not in path and REVIEW not in path]

    def answer(self, method: str, url: str, body: Any) -> Answer:
        """What is answered to a request."""
        asked = urlsplit(url)
        query = {name: values[0] for name, values in parse_qs(asked.query).items()}
        with self.lock:
            if method != "GET":
                self.requests.append((method, url, body))
            for pattern, refusal in self.refuse.items():
                if re.search(pattern, f"{method} {url}"):
                    return refusal
            if asked.path == "/version":
                return 200, self.version
            if asked.path in self.served:
                return 200, {"resources": [{"name": name} for name in self.served[asked.path].split()]}
            if asked.path.endswith(REVIEW):
                return 201, self._review(body)
            return getattr(self, f"_{method.lower()}")(asked.path, query, body)  # type: ignore[no-any-return]

    def _review(self, body: Any) -> dict[str, Any]:
        told = body["spec"]["resourceAttributes"]
        resource = "/".join(filter(None, [told["resource"], told.get("subresource")]))
        self.reviewed.append((told["verb"], resource))
        return {"status": {"allowed": (told["verb"], resource) not in self.denied}}

    def _get(self, path: str, query: dict[str, str], body: Any) -> Answer:
        if path in self.objects:
            return 200, self.objects[path]
        if path.split("/")[-1] not in " ".join(self.served.values()).split():
            return status(404, "NotFound", f"{path} not found")
        wanted = [term.split("=") for term in query.get("labelSelector", "").split(",") if term]
        items = [
            obj
            for at, obj in self.objects.items()
            if _in(at, path)
            and all((obj["metadata"].get("labels") or {}).get(label) == value for label, value in wanted)
        ]
        return 200, {"metadata": {"resourceVersion": str(next(self.counter))}, "items": items}

    def _post(self, path: str, query: dict[str, str], body: Any) -> Answer:
        at = f"{path}/{body['metadata']['name']}"
        if "dryRun" in query:
            return 201, body
        return 201, self.put(at, **body)

    def _patch(self, path: str, query: dict[str, str], body: Any) -> Answer:
        if path not in self.objects:
            return status(404, "NotFound", "gone")
        found, metadata = self.objects[path], body.get("metadata", {})
        if any(
            metadata.get(part, found["metadata"][part]) != found["metadata"][part]
            for part in ("uid", "resourceVersion")
        ):
            return status(409, "Conflict", "the object has been modified")
        made = {**found["metadata"], **metadata, "resourceVersion": str(next(self.counter))}
        self.objects[path] = {
            **found,
            **body,
            "spec": {**found.get("spec", {}), **body.get("spec", {})},
            "metadata": made,
        }
        if "deletionTimestamp" in made and not made.get("finalizers"):
            del self.objects[path]
        return 200, found

    def _delete(self, path: str, query: dict[str, str], body: Any) -> Answer:
        if path not in self.objects:
            return status(404, "NotFound", "gone")
        found = self.objects[path]
        if (body.get("preconditions") or {}).get("uid") != found["metadata"]["uid"]:
            return status(409, "Conflict", "the UID in the precondition is not that of the object")
        inside = [at for at in self.objects if at.startswith("/") and f"/namespaces/{found['metadata']['name']}/" in at]
        for at in (*inside, path) if path.startswith("/api/v1/namespaces/") else (path,):
            if not self.objects[at]["metadata"].get("finalizers"):
                del self.objects[at]
            else:
                self.objects[at]["metadata"]["deletionTimestamp"] = "2026-01-02T00:00:00Z"
        return 200, found


def _in(at: str, collection: str) -> bool:
    """Whether an object is listed by a collection, in one namespace or in all."""
    folder, plural = at.rpartition("/")[0], collection.rpartition("/")[2]
    if folder == collection:
        return True
    version = collection.rpartition("/")[0]
    return bool(re.fullmatch(rf"{re.escape(version)}/namespaces/[^/]+/{plural}", folder))


@contextmanager
def serving(fake: FakeServer, host: str = "127.0.0.1", tls: bool = False) -> Iterator[FakeServer]:
    """Serve it on a free port of loopback, as ever; clients are told `host` instead.

    Who connects to `0.0.0.0` reaches loopback, under an address that is none.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # Headers and body in one packet; two would wait for each other.

        def _any(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(size)) if size else None
            code, said = fake.answer(self.command, self.path, body)
            text = said.encode() if isinstance(said, str) else json.dumps(said).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _any

        def log_message(self, *said: Any) -> None:
            pass

        def log_error(self, *said: Any) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            pass  # A client that does not trust us leaves in the middle of the handshake.

    server = Quiet(("127.0.0.1", 0), Handler)
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(CERTIFICATE)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    fake.listens = str(server.server_address[0])
    fake.url = f"{'https' if tls else 'http'}://{host}:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def kubeconfig(path: Path, url: str, **cluster: str) -> Path:
    """A kubeconfig for a server; JSON is YAML. `cluster` has more fields of the cluster's entry."""
    said = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": url, **cluster}}],
        "users": [{"name": "u", "user": {"token": "a-token"}}],
        "contexts": [{"name": "prod", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "prod",
    }
    path.write_text(json.dumps(said))
    return path
