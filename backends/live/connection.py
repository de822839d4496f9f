"""Raw JSON to and from an API server, through the official client.

The client's typed models drop and refuse fields they do not know; its dynamic client takes and gives JSON as it is,
and brings kubeconfig, authentication and TLS with it.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from kubernetes import config
from kubernetes.client.exceptions import ApiException
from kubernetes.client.rest import should_bypass_proxies
from kubernetes.dynamic import DynamicClient
from kubernetes.dynamic.exceptions import DynamicApiError
from urllib3.exceptions import HTTPError

from pvkit.backends.errors import (
    AlreadyExists,
    ApiError,
    BadRequest,
    Cause,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    ServerError,
    Unavailable,
    UsageError,
)
from pvkit.backends.objects import API_VERSIONS, NAMESPACED, Key, Obj

_PLURALS = {"StorageClass": "storageclasses", "VolumeAttributesClass": "volumeattributesclasses"}
_REFUSALS: dict[str, type[ApiError]] = {
    refusal.reason: refusal for refusal in (BadRequest, Forbidden, NotFound, AlreadyExists, Conflict, Invalid)
}


def path_of(at: Key, subresource: str = "") -> str:
    """The URL path of an object; of the collection when the key has no name."""
    version = API_VERSIONS[at.kind]
    parts = ["/apis" if "/" in version else "/api", version]
    if at.kind in NAMESPACED and at.namespace:
        parts += ["namespaces", at.namespace]
    parts += [_PLURALS.get(at.kind, at.kind.lower() + "s"), at.name, subresource]
    return "/".join(part for part in parts if part)


class Connection:
    """One client of one cluster. Answers are JSON trees; refusals are `ApiError`, silence is `Unavailable`."""

    def __init__(self, kubeconfig: str | None = None, context: str | None = None) -> None:
        try:
            client: Any = config.new_client_from_config(kubeconfig, context)  # type: ignore[no-untyped-call]
        except config.ConfigException as error:
            where = f" {kubeconfig}" if kubeconfig else ""
            raise UsageError(
                f"no usable kubeconfig{where}: {error}; name one with --kubeconfig or KUBECONFIG"
            ) from None
        self.server = str(client.configuration.host)
        told, bypass = client.configuration, client.configuration.no_proxy or ""
        self.proxy = "" if not told.proxy or should_bypass_proxies(self.server, no_proxy=bypass) else str(told.proxy)
        self._client: Any = DynamicClient(client, discoverer=_NoDiscovery)  # type: ignore[no-untyped-call]

    def request(self, method: str, path: str, body: Any = None, query: Mapping[str, str] | None = None) -> Obj:
        """One request; `body` is JSON, a patch if `method` is PATCH (a list is a JSON patch, else a merge patch)."""
        patch = "application/json-patch+json" if isinstance(body, list) else "application/merge-patch+json"
        answer = self._send(
            method, path, body, query, content_type=patch if method == "PATCH" else None, _request_timeout=30
        )
        found: Obj = json.loads(answer.data)
        return found

    def text(self, path: str, query: Mapping[str, str] | None = None) -> str:
        """What stands at a path that is no JSON, such as metrics."""
        return str(self._send("GET", path, None, query, _request_timeout=30).data.decode(errors="replace"))

    def watch(
        self, path: str, version: str, seconds: int, opened: Callable[[Any], None] = lambda response: None
    ) -> Iterator[Obj]:
        """The frames of one watch from a resourceVersion on, until the server ends it.

        `opened` gets the response, whose `shutdown` ends the watch from another thread.
        """
        query = {
            "watch": "true",
            "resourceVersion": version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(seconds),
        }
        answer = self._send("GET", path, None, query, _request_timeout=(10, seconds + 30))
        opened(answer)
        rest = b""
        try:
            for chunk in answer.stream(65536):
                *lines, rest = (rest + chunk).split(b"\n")
                yield from (json.loads(line) for line in lines if line.strip())
        except (HTTPError, OSError, ValueError) as error:  # ValueError: half a line, or a response that was shut down.
            raise Unavailable(str(error)) from None
        finally:
            answer.close()

    def _send(self, method: str, path: str, body: Any, query: Mapping[str, str] | None, **options: Any) -> Any:
        try:
            return self._client.request(
                method.lower(), path, body=body, query_params=list((query or {}).items()), serialize=False, **options
            )
        except (ApiException, DynamicApiError) as error:
            raise _refusal(error) from None
        except HTTPError as error:
            raise Unavailable(f"{self.server} does not answer: {error}") from None


class _NoDiscovery:
    """Stands in for the dynamic client's discovery: the kinds that a plan may name are known."""

    def __init__(self, client: DynamicClient, cache_file: str | None) -> None:
        pass


def _refusal(error: Any) -> ApiError:
    try:
        said = json.loads(error.body)
    except (TypeError, ValueError):
        said = {"message": str(error.body or error.reason), "reason": "", "code": error.status}
    causes = tuple(
        Cause(entry.get("field", ""), entry.get("reason", ""), entry.get("message", ""))
        for entry in (said.get("details") or {}).get("causes") or ()
    )
    kind = _REFUSALS.get(str(said.get("reason")), ServerError)
    refusal = kind(str(said.get("message", "")), causes)
    refusal.code = int(said.get("code") or error.status or 500)  # type: ignore[misc]
    refusal.reason = str(said.get("reason") or "")  # type: ignore[misc]
    return refusal
