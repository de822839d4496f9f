"""StatefulSets with claim templates, and the headless services before them.

The traits are those on which order, identity, updates and the fate of claims turn. Names of sets and templates collide
on purpose, see `names`.
"""

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from pvkit.backends.objects import API_VERSIONS, Obj, put
from pvkit.backends.workloads import BEHAVIOUR
from pvkit.strategies.claims import TRAITS as CLAIM_TRAITS
from pvkit.strategies.claims import claim
from pvkit.strategies.digits import Digits, digits
from pvkit.strategies.names import names
from pvkit.strategies.pods import IMAGE
from pvkit.strategies.traits import Trait, checked_features, chosen, given_or, with_traits

REPLICAS = (1, 2, 3, 2, 3, 0, 4)


def retained(deleted: str, scaled: str) -> Mapping[str, Any]:
    """The part of a spec that says what becomes of claims when their set is deleted, or scaled."""
    return {"persistentVolumeClaimRetentionPolicy": {"whenDeleted": deleted, "whenScaled": scaled}}


def rolling(**fields: Any) -> Mapping[str, Any]:
    """The part of a spec that asks for rolling updates."""
    return {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": fields}}


TRAITS: tuple[Trait, ...] = (
    Trait("sets", {"podManagementPolicy": "Parallel"}),
    Trait("retention", retained("Retain", "Delete")),
    Trait("retention", retained("Delete", "Retain")),
    Trait("retention", retained("Delete", "Delete")),
    Trait("updates", rolling(partition=1)),
    Trait("updates", {"updateStrategy": {"type": "OnDelete"}}),
    Trait("sets", {"ordinals": {"start": 1}}),
    Trait("updates", {"minReadySeconds": 10}),
    Trait("updates", rolling(partition=2)),
    Trait("updates", rolling(maxUnavailable=2)),
    Trait("updates", rolling(partition=1, maxUnavailable="50%")),
    Trait("updates", {"revisionHistoryLimit": 1}),
    Trait("sets", {"ordinals": {"start": 3}}),
    Trait("updates", {"updateStrategy": {"type": "RollingUpdate"}}),
    Trait("updates", {"revisionHistoryLimit": 0}),
)


def template(name: str, *traits: Trait, size: str = "1Gi", storage_class: str = "fast") -> Obj:
    """A claim template: a claim without a namespace."""
    made = claim(name, *traits, size=size, storage_class=storage_class)
    metadata = {field: value for field, value in made["metadata"].items() if field != "namespace"}
    return {"metadata": metadata, "spec": made["spec"]}


def stateful_set(
    name: str,
    *templates: Obj,
    traits: tuple[Trait, ...] = (),
    replicas: int = 1,
    namespace: str = "default",
    behaviour: str = "",
) -> Obj:
    """A set whose pods mount one claim of each template, selected by the label `app`."""
    marks = {"app": name}
    mounts = [{"name": entry["metadata"]["name"], "mountPath": f"/{entry['metadata']['name']}"} for entry in templates]
    container: Obj = {"name": "app", "image": IMAGE, **({"volumeMounts": mounts} if mounts else {})}
    metadata: Obj = {"labels": marks, **({"annotations": {BEHAVIOUR: behaviour}} if behaviour else {})}
    plain: Obj = {
        "apiVersion": API_VERSIONS["StatefulSet"],
        "kind": "StatefulSet",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": marks},
            "serviceName": name,
            "template": {"metadata": metadata, "spec": {"containers": [container]}},
            **({"volumeClaimTemplates": list(templates)} if templates else {}),
        },
    }
    return with_traits(plain, *traits)


def service(name: str, namespace: str = "default") -> Obj:
    """The headless service before a set."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"clusterIP": "None", "selector": {"app": name}, "ports": [{"port": 80, "name": "web"}]},
    }


def changed_template(stateful_set: Obj, image: str, behaviour: str = "") -> Obj:
    """The set with another pod template: an image, and whether its pods are healthy."""
    made = put(
        stateful_set, ("spec", "template", "metadata", "annotations"), {BEHAVIOUR: behaviour} if behaviour else None
    )
    if not behaviour:
        del made["spec"]["template"]["metadata"]["annotations"]
    containers = [{**entry, "image": image} for entry in made["spec"]["template"]["spec"]["containers"]]
    return put(made, ("spec", "template", "spec", "containers"), containers)


_TEMPLATE_FEATURES = frozenset({"modes", "block", "selectors", "classes", "attributes"})


def statefulsets(
    name: SearchStrategy[str] | None = None,
    replicas: SearchStrategy[int] | None = None,
    features: tuple[str, ...] | None = None,
    namespace: str = "default",
) -> SearchStrategy[Obj]:
    """StatefulSets of up to four replicas with one or two claim templates that an API server admits.

    Boosted: Parallel, partitions, OnDelete, start ordinals, all retention policies, minReadySeconds, short histories.
    Shrinks to one replica with one plain template. Raises `UsageError` for an unknown feature.
    """
    wanted = checked_features(features, _TEMPLATE_FEATURES | {trait.feature for trait in TRAITS})

    def made(drawn: tuple[str, int, Digits]) -> Obj:
        called, count, numbers = drawn
        traits = chosen(numbers, TRAITS, wanted)
        shape = chosen(numbers, CLAIM_TRAITS, _TEMPLATE_FEATURES if wanted is None else _TEMPLATE_FEATURES & wanted)
        templates = [template("data", *shape)] + ([template("logs")] if numbers.chance(56) else [])
        return stateful_set(called, *templates, traits=tuple(traits), replicas=count, namespace=namespace)

    return st.tuples(
        given_or(name, names("StatefulSet")), given_or(replicas, st.sampled_from(REPLICAS)), digits(10)
    ).map(made)
