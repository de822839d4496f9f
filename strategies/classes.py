"""Classes of storage and of attributes: without a provisioner, with one that works, is slow or fails, and with one
that nobody stands behind; binding at once and late; default, twice default, and nearly default."""

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from pvkit.backends.objects import API_VERSIONS, Obj
from pvkit.backends.storage import BETA_DEFAULT_CLASS, DEFAULT_CLASS, NO_PROVISIONER
from pvkit.strategies.digits import Digits, digits
from pvkit.strategies.names import names
from pvkit.strategies.traits import checked_features, given_or
from pvkit.strategies.volumes import HOSTNAME, ZONE

PROVISIONER = "pvkit.dev/provisioner"
LATE = {"volumeBindingMode": "WaitForFirstConsumer"}
MADE = {"provisioner": PROVISIONER}
VARIANTS: tuple[tuple[str, Obj], ...] = (
    ("classes", {}),
    ("delayed", LATE),
    ("provisioning", MADE),
    ("provisioning", {**MADE, **LATE}),
    ("defaults", {"metadata": {"annotations": {DEFAULT_CLASS: "true"}}}),
    ("expansion", {**MADE, "allowVolumeExpansion": True}),
    ("provisioning", {**MADE, "reclaimPolicy": "Retain"}),
    ("provisioning", {**MADE, "parameters": {"slow": "20"}}),
    ("provisioning", {**MADE, **LATE, "parameters": {"slow": "5"}}),
    ("provisioning", {**MADE, "parameters": {"fail": "2"}}),
    ("provisioning", {**MADE, **LATE, "parameters": {"fail": "1"}}),
    ("provisioning", {"provisioner": "example.com/nobody"}),
    ("provisioning", {"provisioner": "kubernetes.io/no-such"}),
    ("defaults", {**MADE, "metadata": {"annotations": {DEFAULT_CLASS: "true"}}}),
    ("defaults", {**LATE, "metadata": {"annotations": {BETA_DEFAULT_CLASS: "true"}}}),
    ("defaults", {"metadata": {"annotations": {DEFAULT_CLASS: "True"}}}),
    ("affinity", {**MADE, **LATE, "allowedTopologies": [{"matchLabelExpressions": [{"key": ZONE, "values": ["b"]}]}]}),
    ("affinity", {**LATE, "allowedTopologies": [{"matchLabelExpressions": [{"key": HOSTNAME, "values": ["n1"]}]}]}),
    ("expansion", {"allowVolumeExpansion": True}),
)
"""A feature and what a class of it has beside a name."""


def storage_class(name: str, variant: Obj | None = None) -> Obj:
    """A class without a provisioner that binds at once, but for what a variant says."""
    variant = variant or {}
    return {
        "apiVersion": API_VERSIONS["StorageClass"],
        "kind": "StorageClass",
        "provisioner": NO_PROVISIONER,
        **variant,
        "metadata": {"name": name, **variant.get("metadata", {})},
    }


def attributes_class(name: str) -> Obj:
    """A class of volume attributes."""
    kind = "VolumeAttributesClass"
    return {
        "apiVersion": API_VERSIONS[kind],
        "kind": kind,
        "metadata": {"name": name},
        "driverName": "csi.example.com",
        "parameters": {"tier": name},
    }


def variant_of(numbers: Digits, features: frozenset[str] | None) -> Obj:
    """One variant of the features that take part."""
    pool = [variant for feature, variant in VARIANTS if features is None or feature in features]
    return numbers.pick(pool) if pool else {}


def classes(name: SearchStrategy[str] | None = None, features: tuple[str, ...] | None = None) -> SearchStrategy[Obj]:
    """Classes that an API server admits; shrinks to one that has no provisioner and binds at once.

    Boosted: provisioners that exist, slow and failing ones (parameters `slow: <seconds>` and `fail: <times>`),
    annotations that make a class default and such as only look like it. Raises `UsageError` for an unknown feature.
    """
    wanted = checked_features(features, {feature for feature, _ in VARIANTS})
    return st.tuples(given_or(name, names("StorageClass")), digits(1)).map(
        lambda drawn: storage_class(drawn[0], variant_of(drawn[1], wanted))
    )
