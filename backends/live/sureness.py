"""A simulated kubelet that means what a real one means: this pod, not whatever now has its name.

A kubelet deletes a pod, and tells its status, under the UID that it saw. KWOK names no UID, so what it asks for late
would meet the pod's successor. The proxy knows what KWOK has seen, and adds the UID of that.
"""

import json
from typing import Any

from pvkit.backends.live.calls import READS, Call

AT_ONCE = b'k8s\x00\n\x13\n\x02v1\x12\rDeleteOptions\x12\x02\x08\x00\x1a\x00"\x00'
"""The options of KWOK's deletes in the binary format: a grace of 0 s, and nothing else."""


class Sureness:
    """The UIDs of the pods that one actor was shown."""

    def __init__(self) -> None:
        self._shown: dict[tuple[str, str], str] = {}
        self._going: dict[tuple[str, str], str] = {}

    def learn(self, frame: bytes) -> None:
        """A frame that was passed on."""
        metadata = json.loads(frame)["object"].get("metadata") or {}
        if metadata.get("uid"):
            at = metadata.get("namespace", ""), metadata["name"]
            self._shown[at] = metadata["uid"]
            if metadata.get("deletionTimestamp"):
                self._going[at] = metadata["uid"]

    def sure(self, call: Call, path: str, body: bytes) -> bytes:
        """The body of a request, with the UID of the pod that is meant; as it is if that is not known, or said.

        Only what terminates is deleted, so that is meant even when the next of the name has been shown meanwhile.
        """
        at = _namespace(path), call.name
        uid = self._going.get(at) if call.verb == "delete" else self._shown.get(at)
        if call.kind != "Pod" or call.verb in (*READS, "create") or uid is None:
            return body
        try:
            said = {**_OPTIONS, "gracePeriodSeconds": 0} if body == AT_ONCE else json.loads(body or b"{}")
        except ValueError:
            return body
        return json.dumps(_with_uid(said, uid, call.verb == "delete")).encode()


_OPTIONS: dict[str, Any] = {"apiVersion": "v1", "kind": "DeleteOptions"}


def _namespace(path: str) -> str:
    return path.partition("/namespaces/")[2].partition("/")[0]


def _with_uid(said: Any, uid: str, is_delete: bool) -> Any:
    """Options of a delete with a precondition, a JSON patch with a test, or a merge patch that names the UID."""
    if is_delete:
        options: dict[str, Any] = said or _OPTIONS
        return {**options, "preconditions": {"uid": uid, **(options.get("preconditions") or {})}}
    if isinstance(said, list):
        return [{"op": "test", "path": "/metadata/uid", "value": uid}, *said]
    return {**said, "metadata": {"uid": uid, **(said.get("metadata") or {})}}
