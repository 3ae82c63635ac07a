"""The transcript of a run: one line for everything that happened, for people.

Rule: a line begins with the step, then the world's milliseconds. Two runs of a
seed give the same bytes.
"""

from eventlog.telling import tell
from projections.replica_group import Folded
from simulation.observers import Observer
from simulation.reference import Told
from simulation.seeds import Failure, Run
from simulation.stores import Machine


class Transcript(Observer):
    """Collects lines."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self.lines: list[str] = []

    def started(self, machine: Machine) -> None:
        """See `Observer`."""
        self.noted(f"{machine.address} runs, {machine.store} boot {machine.boot}")

    def crashed(self, machine: Machine) -> None:
        """See `Observer`."""
        self.noted(f"{machine.address} is dead, {machine.store} boot {machine.boot}")

    def appended(self, told: Told, folded: Folded | None) -> None:
        """See `Observer`."""
        record = told.record
        line = f"{record.topic}/{record.partition}@{record.offset} {tell(told.event)}"
        if folded is not None and folded.void is not None:
            line += f" [void: {folded.void}]"
        elif folded is not None and folded.items:
            items = ", ".join(f"v{item.version}: {item.rule}" for item in folded.items)
            line += f" [void {items}]"
        self.noted(line)

    def noted(self, what: str) -> None:
        """See `Observer`."""
        self.lines.append(f"{self._run.step:>4} {self._run.cluster.world.now:>9}  {what}")


def transcript_of(run: Run) -> tuple[str, Failure | None]:
    """Do the run; all that happened, and what it came to."""
    transcript = Transcript(run)
    run.cluster.observers.insert(0, transcript)
    failure = run.go()
    end = str(failure) if failure is not None else "all is well"
    return "\n".join([*transcript.lines, end]) + "\n", failure
