"""One request to a cluster of ours, by the standard library: starting one must not wait for a client to be imported."""

import json
import ssl
import urllib.error
import urllib.request
from typing import Any

from pvkit.backends.live.components import LOOPBACK, Layout

ANSWER_SECONDS = 40.0


def request(layout: Layout, method: str, path: str, body: dict[str, Any] | None = None, server: str = "") -> Any:
    """The API server's answer, its certificate verified: JSON, or text. Raises `OSError` when it is not 2xx.

    Another `server` of the cluster has the same certificate.
    """
    token = json.loads(layout.kubeconfig.read_text())["users"][0]["user"]["token"]
    asked = urllib.request.Request(
        (server or layout.server) + path,
        None if body is None else json.dumps(body).encode(),
        {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        method=method,
    )
    trusted = ssl.create_default_context(cafile=str(layout.authority))
    return _answer(urllib.request.HTTPSHandler(context=trusted), asked)


def request_etcd(layout: Layout, path: str) -> Any:
    """etcd's answer. Raises `OSError` when it is not 2xx."""
    asked = urllib.request.Request(f"http://{LOOPBACK}:{layout.ports.etcd}{path}")
    return _answer(urllib.request.HTTPHandler(), asked)


def _answer(handler: urllib.request.AbstractHTTPHandler, asked: urllib.request.Request) -> Any:
    """Ask loopback itself, whatever proxy the environment names."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), handler)
    try:
        with opener.open(asked, timeout=ANSWER_SECONDS) as answer:
            text = answer.read().decode()
    except urllib.error.HTTPError as refusal:
        refusal.close()
        raise
    return json.loads(text) if text.startswith(("{", "[")) else text


def answers(layout: Layout, path: str) -> bool:
    """Whether the API server says yes to a GET."""
    try:
        request(layout, "GET", path)
    except (OSError, ValueError):
        return False
    return True
