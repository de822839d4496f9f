"""What the engine counts: rules that fired, and those that changed what a watch shows."""

from pvkit.backends.objects import Key
from pvkit.backends.protocol import Budget, Operation, Setup
from pvkit.backends.reference.model import ReferenceModel


def test_a_rule_is_said_to_write_as_often_as_it_changed_something() -> None:
    model = ReferenceModel()
    model.reset(Setup())
    spec = {"accessModes": ["ReadWriteOnce"], "storageClassName": "fast"}
    volume = {**spec, "capacity": {"storage": "1Gi"}, "nfs": {"server": "192.0.2.1", "path": "/"}}
    claim = {**spec, "resources": {"requests": {"storage": "1Gi"}}}
    model.invoke(Operation("create", {"kind": "PersistentVolume", "metadata": {"name": "v"}, "spec": volume}))
    at = {"name": "c", "namespace": "default"}
    model.invoke(Operation("create", {"kind": "PersistentVolumeClaim", "metadata": at, "spec": claim}))
    model.settle(Budget())
    bound = model.invoke(Operation("get", target=Key("PersistentVolumeClaim", "default", "c"))).object
    by_controllers = [event for event in model.observe() if event.by not in ("client", "setup")]
    assert bound is not None
    assert bound["status"]["phase"] == "Bound"
    assert sum(model.engine.wrote.values()) == sum(event.object["kind"] != "Asset" for event in by_controllers)
    assert sum(model.engine.wrote.values()) < sum(model.engine.fired.values())
    assert model.engine.wrote.keys() <= model.engine.fired.keys()
