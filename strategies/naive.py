"""A plain generator to compare with: wide pools, no model to guide it, no moves, faults anywhere.

It draws what somebody would draw who had an hour: independent objects with independent names, and operations on names
that may or may not exist. What the real strategies are worth is the difference.
"""

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from pvkit.backends.objects import Key, Obj
from pvkit.backends.protocol import Fault, Operation, Setup
from pvkit.backends.storage import ACCESS_MODES
from pvkit.strategies.plan import Plan, Settle, Step

_NAMES = [f"object-{number}" for number in range(10)]
_CLASSES = ["", "a", "b", "c", "d"]
_CONTROLLERS = ["binder", "statefulset", "scheduler", "provisioner", "pvc-protection", "garbage-collector"]
_WATCHED = ["PersistentVolume", "PersistentVolumeClaim", "Pod", "StatefulSet"]
_NODE: Obj = {"metadata": {"name": "n1", "labels": {"kubernetes.io/hostname": "n1"}}}


def naive_plans() -> SearchStrategy[Plan]:
    """Plans of up to fifteen independent steps."""
    return st.lists(_steps(), min_size=1, max_size=15).map(lambda steps: Plan(tuple(steps), Setup(nodes=(_NODE,))))


def _steps() -> SearchStrategy[Step]:
    return st.one_of(_creations(), _deletions(), _scalings(), _faults(), st.just(Settle()))


def _creations() -> SearchStrategy[Step]:
    kinds = st.one_of(_volumes(), _claims(), _sets(), _pods())
    return kinds.map(lambda obj: Operation("create", obj))


def _storage_specs() -> SearchStrategy[Obj]:
    return st.fixed_dictionaries(
        {
            "accessModes": st.lists(st.sampled_from(ACCESS_MODES), min_size=1, max_size=2, unique=True),
            "storageClassName": st.sampled_from(_CLASSES),
            "volumeMode": st.sampled_from(["Filesystem", "Block"]),
        }
    )


def _sizes() -> SearchStrategy[str]:
    return st.integers(1, 100).map(lambda number: f"{number}Gi")


def _volumes() -> SearchStrategy[Obj]:
    policies = st.sampled_from(["Retain", "Delete"])
    source = {"nfs": {"server": "192.0.2.1", "path": "/export"}}
    return st.builds(
        lambda name, spec, size, policy: {
            "kind": "PersistentVolume",
            "metadata": {"name": name},
            "spec": {**spec, "capacity": {"storage": size}, "persistentVolumeReclaimPolicy": policy, **source},
        },
        st.sampled_from(_NAMES), _storage_specs(), _sizes(), policies,
    )  # fmt: skip


def _claims() -> SearchStrategy[Obj]:
    return st.builds(
        lambda name, spec, size: {
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": name},
            "spec": {**spec, "resources": {"requests": {"storage": size}}},
        },
        st.sampled_from(_NAMES), _storage_specs(), _sizes(),
    )  # fmt: skip


def _pods() -> SearchStrategy[Obj]:
    return st.builds(
        lambda name, claim: {
            "kind": "Pod",
            "metadata": {"name": name},
            "spec": {
                "containers": [{"name": "c", "image": "i"}],
                "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": claim}}],
            },
        },
        st.sampled_from(_NAMES), st.sampled_from(_NAMES),
    )  # fmt: skip


def _sets() -> SearchStrategy[Obj]:
    return st.builds(
        lambda name, replicas, spec, size: {
            "kind": "StatefulSet",
            "metadata": {"name": name},
            "spec": {
                "replicas": replicas,
                "serviceName": name,
                "selector": {"matchLabels": {"app": name}},
                "template": {
                    "metadata": {"labels": {"app": name}},
                    "spec": {"containers": [{"name": "c", "image": "i"}]},
                },
                "volumeClaimTemplates": [
                    {"metadata": {"name": "data"}, "spec": {**spec, "resources": {"requests": {"storage": size}}}}
                ],
            },
        },
        st.sampled_from(_NAMES), st.integers(0, 4), _storage_specs(), _sizes(),
    )  # fmt: skip


def _deletions() -> SearchStrategy[Step]:
    kinds = st.sampled_from(["PersistentVolume", "PersistentVolumeClaim", "Pod", "StatefulSet"])
    return st.builds(
        lambda kind, name: Operation("delete", target=Key(kind, "" if kind == "PersistentVolume" else "default", name)),
        kinds, st.sampled_from(_NAMES),
    )  # fmt: skip


def _scalings() -> SearchStrategy[Step]:
    return st.builds(
        lambda name, replicas: Operation(
            "scale", target=Key("StatefulSet", "default", name), options={"replicas": replicas}
        ),
        st.sampled_from(_NAMES), st.integers(0, 4),
    )  # fmt: skip


def _faults() -> SearchStrategy[Step]:
    named = st.sampled_from(_CONTROLLERS)
    return st.one_of(
        st.builds(lambda at, kind: Fault("hold", {"controller": at, "kind": kind}), named, st.sampled_from(_WATCHED)),
        st.builds(lambda at: Fault("crash", {"controller": at}), named),
        st.builds(lambda at: Fault("refuse", {"controller": at}), named),
        st.just(Fault("heal")),
    )
