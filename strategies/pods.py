"""Pods that use claims, and pods that are not healthy: slow, never ready, crashing, finishing, evicted, hanging."""

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from pvkit.backends.errors import UsageError
from pvkit.backends.objects import API_VERSIONS, Obj
from pvkit.backends.workloads import BEHAVIOUR
from pvkit.strategies.digits import Digits, digits
from pvkit.strategies.names import CLAIMS, names
from pvkit.strategies.traits import checked_features, given_or
from pvkit.strategies.volumes import HOSTNAME

BEHAVIOURS = ("unready", "slow:20", "crash", "finish", "evicted", "reject", "hang")
LASTING = ("unready", "slow:20", "hang")
"""Behaviours that a set can give all its pods and still come to rest: pods that end would be replaced for ever."""
IMAGE = "registry.example/app:1"


def pod(
    name: str,
    *claims: str,
    namespace: str = "default",
    behaviour: str = "",
    labels: Obj | None = None,
    spec: Obj | None = None,
) -> Obj:
    """A pod of one container that mounts each of the claims; `spec` adds fields to its spec."""
    metadata: Obj = {"name": name, "namespace": namespace}
    if labels:
        metadata["labels"] = labels
    if behaviour:
        metadata["annotations"] = {BEHAVIOUR: behaviour}
    mounts = [{"name": f"volume-{number}", "mountPath": f"/data/{number}"} for number in range(len(claims))]
    used = [
        {"name": f"volume-{number}", "persistentVolumeClaim": {"claimName": used}} for number, used in enumerate(claims)
    ]
    container: Obj = {"name": "app", "image": IMAGE, **({"volumeMounts": mounts} if mounts else {})}
    made: Obj = {"containers": [container], **({"volumes": used} if used else {}), **(spec or {})}
    return {"apiVersion": API_VERSIONS["Pod"], "kind": "Pod", "metadata": metadata, "spec": made}


PLACES: tuple[tuple[str, Obj], ...] = (
    ("pods", {}),
    ("pods", {}),
    ("pods", {}),
    ("pods", {}),
    ("affinity", {"nodeSelector": {HOSTNAME: "n1"}}),
    ("affinity", {"nodeSelector": {HOSTNAME: "n2"}}),
    ("nodes", {"nodeName": "n1"}),
    ("nodes", {"nodeName": "n2"}),
    ("pods", {"terminationGracePeriodSeconds": 0}),
)
"""A feature, and where a pod of it may run or how it ends."""


def pod_of(numbers: Digits, name: str, claims: tuple[str, ...], namespace: str, features: frozenset[str] | None) -> Obj:
    """A pod of one to two of the claims, healthy more often than not."""
    first = numbers.number(max(len(claims), 1))
    used = claims[first : first + 1 + numbers.chance(56)]
    behaviour = numbers.pick(BEHAVIOURS) if numbers.chance(64) else ""
    places = [place for feature, place in PLACES if features is None or feature in features]
    broken = behaviour if features is None or "behaviours" in features else ""
    return pod(name, *used, namespace=namespace, behaviour=broken, spec=numbers.pick(places) if places else {})


def pods(
    name: SearchStrategy[str] | None = None,
    claims: tuple[str, ...] = CLAIMS,
    namespace: str = "default",
    features: tuple[str, ...] | None = None,
) -> SearchStrategy[Obj]:
    """Pods that an API server admits, on one or two of the claims named; shrinks to a healthy pod of the first.

    Boosted: behaviours other than healthy, pods bound to a node by selector or by name. Raises `UsageError` for an
    unknown feature, and when no claim is named.
    """
    wanted = checked_features(features, {"behaviours", *(feature for feature, _ in PLACES)})
    if not claims:
        raise UsageError("pods(claims=()): at least one claim is needed")
    return st.tuples(given_or(name, names("Pod")), digits(5)).map(
        lambda drawn: pod_of(drawn[1], drawn[0], claims, namespace, wanted)
    )
