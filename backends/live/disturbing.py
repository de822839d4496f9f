"""Faults for a live backend: which of them a cluster can make, and asking its proxy for them.

Only the kit's own clusters that were started for faults have a proxy. What the model can do and no real cluster can is
named here with its reason, so that a plan's faults are never passed over in silence.
"""

from collections.abc import Mapping
from typing import Any

from pvkit.backends.errors import BackendError
from pvkit.backends.live.actors import ABSENT, ACTORS
from pvkit.backends.live.components import CONTROL, LOOPBACK, Layout
from pvkit.backends.live.requests import request
from pvkit.backends.protocol import Fault, Outcome

WORDS = frozenset(
    {"hold", "release", "freeze", "thaw", "crash", "refuse", "lose-answer", "delay", "second-leader", "heal"}
)
NO_PROXY = "this cluster was not started for faults; `pvkit cluster up --faults` starts one that is"
LACKS: Mapping[str, str] = {
    "advance": "time passes by itself on a cluster",
    "cut-off": "all simulated kubelets are one process",
    "power-off": "all simulated kubelets are one process",
    "rejoin": "all simulated kubelets are one process",
    "storage": "the simulated storage is told by class parameters only",
    "stale lists": "an API server tells what is, never what was",
    "turns": "nobody tells a running cluster who goes next",
}
"""What the model can be told and a cluster cannot, each with its reason."""


def lacking(fault: Fault) -> str:
    """Why no cluster of ours can make a fault, "" if one can."""
    options = fault.options
    if fault.word not in WORDS:
        return LACKS.get(fault.word, f"unknown fault {fault.word!r}")
    who = str(options.get("controller", ""))
    if fault.word != "heal" and who not in ACTORS:
        return ABSENT.get(who, f"unknown controller {who!r}")
    if any(str(how).startswith("stale") for how in (options.get("lists") or {}).values()):
        return LACKS["stale lists"]
    if options.get("lists") and options.get("after"):
        return "what a component lists after a crash is told only where the crash comes at once"
    if options.get("kind") in ("Asset", "Process"):
        return "ledgers are the model's own"
    if fault.word == "second-leader" and ACTORS[who].program == "kwok":
        return "a second process that plays all kubelets would be no second kubelet"
    return ""


class Undisturbed:
    """A cluster that makes no faults; `reason` says why. `active` are the faults in force, in the model's words."""

    words: frozenset[str] = frozenset()

    def __init__(self, reason: str = NO_PROXY) -> None:
        self._reason = reason
        self.active: list[str] = []

    @property
    def lacks(self) -> Mapping[str, str]:
        """What of faults a plan cannot have, each with its reason."""
        return {"faults": self._reason}

    def disturb(self, fault: Fault, only: str = "") -> Outcome:
        """Make a fault, or say why it cannot be made; `only` is the tag of the plan whose calls it is about."""
        return Outcome("failed", 501, "NotSupported", self._reason)

    def busy(self) -> str:
        """What is still to come without anybody doing anything, "" for nothing."""
        return ""

    def end(self) -> None:
        """Heal what the last plan left disturbed."""

    def beside(self) -> "Undisturbed":
        """What plans have that are played side by side."""
        return Undisturbed(self._reason)


class Disturber(Undisturbed):
    """Asks the proxy of one cluster."""

    words = WORDS

    def __init__(self, layout: Layout) -> None:
        super().__init__()
        self._layout = layout
        self._server = f"https://{LOOPBACK}:{layout.lines[CONTROL]}"
        self._calm = True

    @property
    def lacks(self) -> Mapping[str, str]:
        """What only the model can be told."""
        return {f"fault: {word}": reason for word, reason in LACKS.items()}

    def disturb(self, fault: Fault, only: str = "") -> Outcome:
        """Make a fault; after a crash, and after `heal`, everybody is at work again."""
        reason = lacking(fault)
        if not reason:
            self._calm = False
            reason = self._ask(fault, only)
        if reason:
            return Outcome("failed", 501, "NotSupported", reason)
        self._note(fault)
        return Outcome("ok")

    def _ask(self, fault: Fault, only: str) -> str:
        asked = {"word": fault.word, "options": dict(fault.options), "only": only}
        try:
            return str(request(self._layout, "POST", "/", asked, self._server)["lacks"])
        except OSError as error:
            raise BackendError(f"the fault {fault.word} {dict(fault.options)} could not be made: {error}") from None

    def _note(self, fault: Fault) -> None:
        """What is still in force, in the words of the model."""
        about = " ".join(str(fault.options[name]) for name in ("controller", "kind") if name in fault.options)
        match fault.word:
            case "heal":
                self.active.clear()
                self._calm = True
            case "hold" | "freeze" | "second-leader" if f"{fault.word} {about}" not in self.active:
                self.active.append(f"{fault.word} {about}")
            case "crash" if fault.options.get("lists"):
                self.active.extend(f"hold {about} {kind}" for kind in fault.options["lists"])
            case "release" | "thaw" if fault.options.get("how") != "some":
                begun = {"release": "hold", "thaw": "freeze"}[fault.word]
                self.active = [entry for entry in self.active if entry != f"{begun} {about}"]

    def states(self) -> dict[str, dict[str, Any]]:
        """How it stands with each actor.

        `busy` (why, or ""), kinds `held`, the number of frames `pending`, kinds it is `seeing`, and the number of
        calls that have `met` trouble.
        """
        found: dict[str, dict[str, Any]] = request(self._layout, "GET", "/", None, self._server)
        return found

    def busy(self) -> str:
        """What is still to come without anybody doing anything, "" for nothing."""
        if self._calm:
            return ""
        return next((state["busy"] for state in self.states().values() if state["busy"]), "")

    def end(self) -> None:
        """Heal what the last plan left disturbed."""
        if not self._calm:
            self.disturb(Fault("heal"))

    def beside(self) -> Undisturbed:
        """A fault would meet every plan on the cluster."""
        return Undisturbed("faults meet every plan on a cluster: plans with faults are played one at a time")
