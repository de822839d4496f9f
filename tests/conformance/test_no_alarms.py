"""Plans on which a promise once cried although the correct model keeps it, at every point where the race can fall."""

from itertools import product
from pathlib import Path

import pytest

from pvkit.backends.objects import Key, Obj
from pvkit.backends.protocol import Operation, Setup
from pvkit.backends.reference.model import ReferenceModel
from pvkit.conformance.catalogue import all_invariants
from pvkit.conformance.execute import execute
from pvkit.conformance.judge import judge
from pvkit.conformance.verdict import Verdict
from pvkit.strategies.plan import Plan, Turns
from pvkit.strategies.plan_file import read_plans

PLANS = Path(__file__).parent / "no_alarms"

SETUP = Setup(nodes=({"metadata": {"name": "n1"}},))
LATE: Obj = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "StorageClass",
    "metadata": {"name": "late"},
    "provisioner": "kubernetes.io/no-provisioner",
    "volumeBindingMode": "WaitForFirstConsumer",
}
CLAIM: Obj = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "c"},
    "spec": {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "late",
        "resources": {"requests": {"storage": "1Gi"}},
    },
}
POD: Obj = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "p"},
    "spec": {
        "containers": [{"name": "c", "image": "image"}],
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "c"}}],
    },
}


def volume(called: str) -> Obj:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": called},
        "spec": {
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "late",
            "nfs": {"server": "192.0.2.1", "path": "/export"},
        },
    }


def uid_of_the_claim() -> str:
    model = ReferenceModel()
    model.reset(SETUP)
    model.invoke(Operation("create", LATE))
    made = model.invoke(Operation("create", CLAIM)).object
    assert made is not None
    return str(made["metadata"]["uid"])


def test_a_volume_reserved_while_the_scheduler_is_at_work_may_come_too_late() -> None:
    reference = {"namespace": "default", "name": "c", "uid": uid_of_the_claim()}
    reserve = Operation("patch", target=Key("PersistentVolume", "", "v2"), patch={"spec": {"claimRef": reference}})
    cried = set()
    for before, between in product(range(0, 12, 2), range(0, 20, 2)):
        made = [Operation("create", obj) for obj in (LATE, CLAIM, volume("v1"), POD)]
        steps = (*made, Turns(before), Operation("create", volume("v2")), Turns(between), reserve)
        results = judge(execute(Plan(steps, SETUP), ReferenceModel()), all_invariants())
        cried |= {entry.invariant.id for entry in results if entry.verdict is Verdict.FAIL}
    assert cried == set()


@pytest.mark.parametrize("path", sorted(PLANS.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_plan_on_which_a_promise_once_cried_wolf_is_judged_as_kept(path: Path) -> None:
    (plan,) = read_plans(path)
    results = judge(execute(plan, ReferenceModel()), all_invariants())
    assert [entry.violations[0].message for entry in results if entry.verdict is Verdict.FAIL] == []
