"""The choices that the model leaves open, made by a short list of departures from the default.

The default schedule is empty: it is fair (each worker with work in turn) and up to date (no view lags), which is what
a healthy cluster does. Hypothesis shrinks towards it.
"""

from pvkit.backends.protocol import Departure


class Schedule:
    """Answers each open choice of one run, and counts the choices so that a departure can name one.

    `ties` holds the number of options of each choice so far.
    """

    def __init__(self, departures: tuple[Departure, ...] = ()) -> None:
        self._ties = {entry.at: int(entry.take) for entry in departures if entry.point == "tie"}
        self._turns = {entry.at: str(entry.take) for entry in departures if entry.point == "turn"}
        self.turns = 0
        self.ties: list[int] = []

    def tie(self, options: int) -> int:
        """Which of several equal options wins, from 0."""
        take = self._ties.get(len(self.ties), 0) % options
        self.ties.append(options)
        return take

    def turn(self) -> str | None:
        """The worker that a departure puts first at this turn, or nobody."""
        take = self._turns.get(self.turns) if self._turns else None
        self.turns += 1
        return take
