"""Pods that come back to volumes which are made on demand: plans about what is on a volume, not about which it is.

Each plan has a set, or a pod and its claim, on a class of the kit's provisioner. Then something takes the pods away,
all comes to rest, and they are back. Few and small, for on a real cluster each start of a pod takes seconds.
"""

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from pvkit.backends.objects import Key, Obj, get, put
from pvkit.backends.protocol import Operation, Setup
from pvkit.strategies.claims import claim
from pvkit.strategies.classes import LATE, MADE, storage_class
from pvkit.strategies.plan import Plan, Settle, Step
from pvkit.strategies.pods import pod
from pvkit.strategies.statefulsets import TRAITS, changed_template, service, stateful_set, template
from pvkit.strategies.volumes import HOSTNAME

CLASS, SET, POD, CLAIM = "made", "web", "reader", "data"
MOST_ABSENCES = 3
NODE: Obj = {"metadata": {"name": "n1", "labels": {HOSTNAME: "n1"}}}
WAYS_OF_A_SET = ("delete a pod", "scale", "update", "make again", "delete a claim")
WAYS_OF_A_POD = ("delete", "delete with its claim", "second reader")
HARMLESS = tuple(trait for trait in TRAITS if trait.feature in ("sets", "retention"))
"""Traits of sets with which pods come back in any of these ways, to old claims or to new ones."""


def comebacks() -> SearchStrategy[Plan]:
    """Plans in which pods come back to their claims, each time after a rest; shrinks to a set of one, deleted once."""
    return _comebacks()


@st.composite
def _comebacks(draw: DrawFn) -> Plan:
    variant = {**MADE, "reclaimPolicy": "Delete", **(LATE if draw(st.booleans()) else {})}
    steps: list[Step] = [Operation("create", storage_class(CLASS, variant))]
    steps += _of_a_pod(draw) if draw(st.integers(0, 3)) == 3 else _of_a_set(draw)
    return Plan(tuple(steps), Setup(nodes=(NODE,)), name="comeback", features=("provisioning", "pods", "sets"))


def _of_a_set(draw: DrawFn) -> list[Step]:
    replicas = draw(st.integers(1, 2))
    traits = draw(st.lists(st.sampled_from(HARMLESS), max_size=2, unique_by=lambda trait: trait.feature))
    made = stateful_set(SET, template("www", storage_class=CLASS), traits=tuple(traits), replicas=replicas)
    steps: list[Step] = [Operation("create", service(SET)), Operation("create", made), Settle()]
    first = int(get(made, "spec", "ordinals", "start") or 0)
    for number, way in enumerate(draw(st.lists(st.sampled_from(WAYS_OF_A_SET), min_size=1, max_size=MOST_ABSENCES))):
        victim = f"{SET}-{first + draw(st.integers(0, replicas - 1))}"
        steps += [*_absence(way, made, victim, f"registry.example/app:{number + 2}"), Settle()]
    return steps


def _absence(way: str, made: Obj, victim: str, image: str) -> list[Step]:
    """What takes pods of a set away, so that they come back: by its controller, or by hand after a rest."""
    at, pods = Key("StatefulSet", "default", SET), Key("Pod", "default", victim)
    match way:
        case "scale":
            replicas = made["spec"]["replicas"]
            down, up = (Operation("scale", target=at, options={"replicas": count}) for count in (0, replicas))
            return [down, Settle(), up]
        case "update":
            containers = changed_template(put(made, ("spec", "template", "metadata", "annotations"), {}), image)
            patch = {"spec": {"template": {"spec": get(containers, "spec", "template", "spec")}}}
            return [Operation("patch", target=at, patch=patch)]
        case "make again":
            return [Operation("delete", target=at), Settle(), Operation("create", made)]
        case "delete a claim":
            claims = Key("PersistentVolumeClaim", "default", f"www-{victim}")
            return [Operation("delete", target=claims), Operation("delete", target=pods)]
    return [Operation("delete", target=pods)]


def _of_a_pod(draw: DrawFn) -> list[Step]:
    made, reader = claim(CLAIM, storage_class=CLASS), pod(POD, CLAIM)
    steps: list[Step] = [Operation("create", made), Operation("create", reader), Settle()]
    at, claims = Key("Pod", "default", POD), Key("PersistentVolumeClaim", "default", CLAIM)
    ways = draw(st.lists(st.sampled_from(WAYS_OF_A_POD), min_size=1, max_size=MOST_ABSENCES))
    for number, way in enumerate(ways):
        if way == "second reader":
            steps += [Operation("create", pod(f"{POD}-{number}", CLAIM)), Settle()]
            continue
        steps.append(Operation("delete", target=at))
        if way == "delete with its claim":
            steps += [Operation("delete", target=claims), Settle(), Operation("create", made)]
        steps += [Settle(), Operation("create", reader), Settle()]
    return steps
