from osd.monitor.judge import Judge, Patience, Verdict
from osd.monitor.loop import Monitor

__all__ = ["Judge", "Monitor", "Patience", "Verdict"]
