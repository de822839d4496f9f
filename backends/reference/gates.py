"""Feature gates of the control plane: on since which minor version, unless a plan sets them.

A plan knows no patch releases, so a default is that of the newest patch: MaxUnavailableStatefulSet was on in the first
patches of 1.35 and is off in the later ones.
"""

from pvkit.backends.protocol import Setup

ON_SINCE: dict[str, int | None] = {
    "PersistentVolumeClaimUnusedSinceTime": 37,
    "MaxUnavailableStatefulSet": 37,
    "StatefulSetRecreateStrategy": None,
    "StaleControllerConsistencyStatefulSet": 36,
    "NominatedNodeNameForExpectation": 35,
    "ClearingNominatedNodeNameAfterBinding": 35,
    "PodTopologyLabelsAdmission": 35,
    "VolumeAttributesClass": 34,
    "CrossNamespaceVolumeDataSource": None,
    "MutablePVNodeAffinity": None,
    "CSIVolumeHealth": None,
}
"""The minor version that turned a gate on by default; None: off everywhere."""


def gate(setup: Setup, name: str) -> bool:
    """Whether a gate is on in the world of a plan."""
    if name in setup.gates:
        return setup.gates[name]
    since = ON_SINCE[name]
    return since is not None and setup.minor >= since
