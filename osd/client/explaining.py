"""Explaining: why an RG is as it is, from its primary where it answers and from the log.

Rule: the log tells what led here, and who has what. Why it does not go on is
asked of the primary, and of those that it says must act next: only they know
of a full disk, a stalled log or a source that refuses. Where the primary does
not answer, that is the first thing to be said, and the rest is from the log.

What is not here: how it is printed (see `osd.cli.explaining`).
"""

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from eventlog.ids import OsdId, RgId, osd_name, parse_osd, rg_name
from eventlog.log import Log
from osd.client.answers import Facts
from osd.client.questions import Questions
from osd.client.stories import read_story
from projections.explain import OPERATOR, Explanation, Reason, marked_down
from projections.story import Story

LOG = "the log"


class Said(NamedTuple):
    """What another OSD says of the same RG."""

    osd: str
    sentence: str


class Explained(NamedTuple):
    """One RG explained."""

    why: Explanation
    seen_by: str
    """The OSD whose words these are, or the log."""
    story: Story
    said: Facts | None
    """What the primary reports, where it answered."""
    others: tuple[Said, ...] = ()
    """What those say who must act next."""


def from_log(log: Log, rg: RgId, step: Callable[[int], None] = lambda _: None) -> Explained:
    """Explained by the log alone."""
    story = Story(rg)
    read_story(log, rg, story, step)
    return Explained(story.explain(), LOG, story, None)


async def explained(
    log: Log, rg: RgId, questions: Questions, step: Callable[[int], None] = lambda _: None
) -> Explained:
    """Explained by the primary if it answers, with the log's story.

    The log is read after the answer, so that it tells of all that the answer rests on.
    """
    primary = questions.primary(rg)
    said = await questions.rg_at(primary, rg) if primary is not None else None
    told = await asyncio.to_thread(from_log, log, rg, step)
    if primary is not None and said is not None:
        if isinstance(said, str):
            return told._replace(why=_silent(rg, primary, said, told))
        if not said["is_primary"]:
            return told._replace(why=_silent(rg, primary, "it has not read the map yet", told))
        why = Explanation(said["explanation"], Reason(said["reason"]), tuple(said["who_acts"]))
        told = told._replace(why=why, seen_by=osd_name(primary), said=said)
    return await _with_others(rg, told, questions)


def _silent(rg: RgId, primary: OsdId, why_not: str, told: Explained) -> Explanation:
    """The primary by the map does not answer for the RG."""
    if told.why.reason is Reason.STOPPED:
        return told.why
    name = osd_name(primary)
    sentence = (
        f"{rg_name(rg)} is led by {name} as the map has it, but {why_not}; "
        f"by the log {told.why.sentence}"
    )
    return Explanation(sentence, Reason.SILENT, (name,))


async def _with_others(rg: RgId, told: Explained, questions: Questions) -> Explained:
    """With what those say who must act next, and are not the one that was asked first."""
    names = [name for name in told.why.who if name not in (OPERATOR, told.seen_by)]
    osds = list(map(parse_osd, names))
    answers = await asyncio.gather(*(questions.rg_at(osd, rg) for osd in osds))
    others = tuple(
        Said(name, f"no answer: {said}" if isinstance(said, str) else said["explanation"])
        for name, said in zip(names, answers, strict=True)
    )
    runs = await asyncio.gather(*map(questions.is_marked_down, osds))
    marked = tuple(name for name, is_so in zip(names, runs, strict=True) if is_so)
    return told._replace(why=_but_marked_down(told.why, marked), others=others)


def _but_marked_down(why: Explanation, marked: tuple[str, ...]) -> Explanation:
    """These are said to have to come up, and run: somebody has said that they are down."""
    if not marked:
        return why
    others = tuple(name for name in why.who if name not in marked)
    sentence = f"{why.sentence.removesuffix('.')}; {marked_down(marked)}."
    reason = why.reason if others else Reason.MARKED_DOWN
    return Explanation(sentence, reason, (*others, OPERATOR))
