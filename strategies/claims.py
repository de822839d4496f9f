"""Claims: every way of asking, and of asking for what there is not.

Empty and absent are not the same for a class, and are the same for a selector; both come often. A claim may name its
volume, be restored from elsewhere with the marks of a binding that was, or carry the marks of a provisioner.
"""

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from pvkit.backends.objects import API_VERSIONS, Obj
from pvkit.backends.storage import BETA_CLASS, BIND_COMPLETED, BOUND_BY_CONTROLLER, SELECTED_NODE, STORAGE_PROVISIONER
from pvkit.strategies.digits import Digits, digits
from pvkit.strategies.names import names
from pvkit.strategies.quantities import quantities
from pvkit.strategies.traits import Trait, chosen, given_or, known_features, with_traits
from pvkit.strategies.volumes import ROX, RWO, RWOP, RWX


def requirement(key: str, operator: str, *values: str) -> Obj:
    """One expression of a label selector."""
    return {"key": key, "operator": operator, **({"values": list(values)} if values else {})}


def selecting(*terms: Obj, **marks: str) -> Trait:
    """A selector of expressions and labels; without any it is empty, which selects everything."""
    made: Obj = {**({"matchLabels": marks} if marks else {}), **({"matchExpressions": list(terms)} if terms else {})}
    return Trait("selectors", {"selector": made})


TRAITS: tuple[Trait, ...] = (
    selecting(zone="a"),
    Trait("modes", {"accessModes": [RWX]}),
    Trait("modes", {"accessModes": [RWO, ROX]}),
    Trait("classes", {"storageClassName": "slow"}),
    Trait("modes", {"accessModes": [RWOP]}),
    Trait("modes", {"accessModes": [ROX]}),
    Trait("block", {"volumeMode": "Block"}),
    Trait("block", {"volumeMode": "Filesystem"}),
    Trait("classes", {"storageClassName": ""}),
    Trait("classes", {"storageClassName": None}),
    Trait("beta", {"storageClassName": None}, annotations={BETA_CLASS: "slow"}),
    Trait("beta", {"storageClassName": None}, annotations={BETA_CLASS: ""}),
    selecting(),
    selecting(requirement("zone", "In", "a", "b")),
    selecting(requirement("zone", "NotIn", "a")),
    selecting(requirement("tier", "Exists")),
    selecting(requirement("tier", "DoesNotExist")),
    selecting(requirement("tier", "Exists"), zone="a"),
    Trait("attributes", {"volumeAttributesClassName": "gold"}),
    Trait("attributes", {"volumeAttributesClassName": ""}),
    Trait("reservations", {"volumeName": "v1"}),
    Trait("reservations", {"volumeName": "v2"}),
    Trait("reservations", {"volumeName": "missing"}),
    Trait("finalizers", finalizers=("example.com/hold",)),
    Trait("imports", {"volumeName": "v1"}, annotations={BIND_COMPLETED: "yes"}),
    Trait("imports", {"volumeName": "v2"}, annotations={BIND_COMPLETED: "yes", BOUND_BY_CONTROLLER: "yes"}),
    Trait("imports", annotations={BIND_COMPLETED: "yes"}),
    Trait("provisioning", annotations={STORAGE_PROVISIONER: "pvkit.dev/provisioner"}),
    Trait("provisioning", annotations={SELECTED_NODE: "n1"}),
)


def claim(name: str, *traits: Trait, namespace: str = "default", size: str = "1Gi", storage_class: str = "fast") -> Obj:
    """A claim: ReadWriteOnce, of one class, without a selector, but for its traits."""
    plain: Obj = {
        "apiVersion": API_VERSIONS["PersistentVolumeClaim"],
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "accessModes": [RWO],
            "storageClassName": storage_class,
            "resources": {"requests": {"storage": size}},
        },
    }
    return with_traits(plain, *traits)


def claims(
    name: SearchStrategy[str] | None = None,
    size: SearchStrategy[str] | None = None,
    features: tuple[str, ...] | None = None,
    namespace: SearchStrategy[str] | None = None,
) -> SearchStrategy[Obj]:
    """Claims that an API server admits, with up to three traits of the features named (default: of all).

    Boosted: modes asked for together, empty against absent class, every operator of a selector, volumes named that
    exist, that are missing or taken. Shrinks to a plain claim of 1Gi. Raises `UsageError` for an unknown feature.
    """
    chosen_from = known_features(features, TRAITS)

    def made(drawn: tuple[str, str, str, Digits]) -> Obj:
        called, where, amount, numbers = drawn
        return claim(called, *chosen(numbers, TRAITS, chosen_from), namespace=where, size=amount)

    return st.tuples(
        given_or(name, names("PersistentVolumeClaim")),
        given_or(namespace, st.just("default")),
        given_or(size, quantities()),
        digits(8),
    ).map(made)
