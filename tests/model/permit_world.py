# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The world in which the product's own machines are walked: two feeds, a plug, a load, a controller, a card, a person.

Permit, sending and conduct are imported and asked, never copied. Times are folded to an order of events: what takes
longer than 30 s (a stability window) ends what a person may still do on a sentence that was taken back. The unit
feeds its load from the primary where that is live, else from the secondary. ``tag`` marks a world in which somebody
lied; what comes of it is SAFETY 8 and is counted apart.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats import conduct
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats import permit as permits
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats import sending as sendings
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.conduct import Return, Seen
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.instructions import standing
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.permit import (
    NO_LOAD,
    SECONDARY,
    Event,
    Permit,
    PermitState,
    What,
)
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.sending import FileEvent, Sending
from ansible_collections.dcops.apc.tests.unit.plugins.module_utils.acts import TAKES, Act, allowed

METHODS = {"single_source": SECONDARY, "no_load": NO_LOAD}
# The controller: no download since the card's boot, one due, one running, done, failed.
QUIET, PENDING, RUNNING, DONE, FAILED = "quiet", "pending", "running", "done", "failed"
UPGRADE, RESTORE = "upgrade", "restore"
# What is recorded and not yet measured again, said or sent.
ALLOW, BEGIN, LAST, GIVE_BACK = "allow", "begin", "last", "give_back"


class World(NamedTuple):
    permit: Permit
    file: Sending
    method: str
    aos_new: bool = False
    app_in: bool = False
    plug: bool = True
    feed_a: bool = True
    feed_b: bool = True
    load: bool = True
    controller: str = QUIET
    card: bool = True
    restarted: bool = False  # by nobody of ours, or nobody watched for long: the deed is over, unseen as yet
    run: str = ""
    recorded: str = ""
    said: frozenset[str] = frozenset()
    ended: bool = True  # the evidence shows the end of the last run
    late: frozenset[str] = frozenset()  # taken back; somebody may still act on it for 30 s
    dark: str = ""  # the dark-rack sentence that a person has heard: plug, or loads
    word: bool = False  # a deed given beforehand, or at the question, that the permit has not taken yet
    tag: bool = False

    @property
    def live_b(self) -> bool:
        return self.plug and self.feed_b

    @property
    def powered(self) -> bool:
        return self.feed_a or self.live_b

    @property
    def answers(self) -> bool:
        return self.card and self.powered


class Broken(Exception):
    """A law is broken by the step that is being taken."""


@lru_cache(maxsize=1000)
def _told(permit: Permit) -> str:
    """Why the product's own sentence for this permit breaks a law; empty where it does not."""
    words = standing(permit)
    if not words.strip() or "{" in words:
        return f"no instruction for {permit.state.value}"
    says_may = "you may" in words.lower()
    return f"{permit.state.value}: {words}" if says_may else ""


def instructed(permit: Permit) -> None:
    """Every permit that is met has an instruction, and none that is read without a run at hand allows a hand."""
    wrong = _told(Permit(state=permit.state, rests_on=permit.rests_on, primary=permit.primary))
    if wrong:
        raise Broken(wrong)


class Unseen(Exception):
    """An end that SAFETY 8 names: counted apart, not followed."""


Step = tuple[str, World]


def start(method: str) -> World:
    return World(_known(Permit()), _known(Sending(kind="aos")), method)


# A way to where an app has just gone in: a bounded walk from there sees what lies too deep from the start.
TO_THE_APP = (
    "a run starts with promise",
    "reads_in",
    "permission",
    "said",
    ("the person pulls plug B", "the person takes the loads off"),
    "the person says that it is out",
    *("reads_out", "deed", "holds", "stor", "STOR", "the AOS is in", "stor", "STOR", "last_block"),
    "the last block leaves",
)


def reached(world: World, labels: Iterable[str | tuple[str, ...]]) -> World:
    for label in labels:
        wanted = (label,) if isinstance(label, str) else label
        world = next(after for name, after in moves(world) if name in wanted)
    return world


# -- words: a fresh one each time, and the old ones, folded so that there are finitely many ---------------------------


def _fold(permit: Permit) -> Permit:
    """A spent word is "old ..." for ever after; the next fresh one may have its name."""

    def old(text: str) -> str:
        return text if text.startswith("old ") else f"old {text}"

    current = {text for text in (permit.promise, permit.deed) if text}
    spent = tuple(sorted({text if text in current else old(text) for text in permit.spent}))
    given = tuple(sorted({text for text in permit.given if text in current or text not in permit.spent}))
    plain = {"since": "", "last_in_at": "", "released_at": "", "refusal": ""}
    return replace(permit, spent=spent, given=given, number=min(permit.number, 1), **plain)


# Equal permits are one object here, and what a machine answered is remembered: a walk asks the same a million times.
_one: dict[Permit | Sending, Permit | Sending] = {}
_steps: dict[tuple[int, What, str, str], tuple[Permit, bool, str]] = {}
_files: dict[tuple[int, FileEvent], Sending] = {}


def _stepped(permit: Permit, what: What, text: str, method: str) -> tuple[Permit, bool, str]:
    """Its permit, whether every word from before it is too old now, and why it was not taken."""
    asked = (id(permit), what, text, method)
    if asked not in _steps:
        rests_on = METHODS[method]
        primary = "A" if rests_on == SECONDARY else ""
        event = Event(what, at="now", text=text, method=method, primary=primary, rests_on=rests_on)
        after = permits.step(_known(permit), event)
        _steps[asked] = _known(_fold(after)), after.last_in_at == "now", after.refusal
    return _steps[asked]


def _known(thing: Any) -> Any:
    return _one.setdefault(thing, thing)


def tell(world: World, what: What, text: str = "", must: bool = True) -> World:
    """The event, recorded; a deed from before a moment at which it read live counts no longer."""
    after, too_old, refusal = _stepped(world.permit, what, text, world.method)
    if refusal and must:
        raise Broken(f"the run chose what the permit refuses: {refusal}")
    return world._replace(permit=after, word=world.word and not too_old)


def mark(world: World, *events: FileEvent) -> World:
    for event in events:
        asked = (id(world.file), event)
        if asked not in _files:
            _files[asked] = _known(replace(sendings.step(world.file, event), refusal=""))
        world = world._replace(file=_files[asked])
    return world


def key(world: World) -> Hashable:
    """Equal for equal worlds, and quick."""
    return world[3:], id(world.permit), id(world.file)


def forget() -> None:
    """For tests that put another machine in the place of the product's."""
    for memory in (_one, _steps, _files):
        memory.clear()


# -- what happens without the run ------------------------------------------------------------------------------------


def nature(world: World) -> Iterator[Step]:
    yield "feed A changes", world._replace(feed_a=not world.feed_a)
    yield "feed B changes", world._replace(feed_b=not world.feed_b)
    yield "the card falls silent, or answers again", world._replace(card=not world.card)
    due = PENDING if world.controller == FAILED else world.controller
    yield "the card restarts by itself", world._replace(restarted=True, controller=due)
    if world.controller == PENDING and world.powered:
        yield "the download begins", world._replace(controller=RUNNING)
    if world.controller == RUNNING:
        yield "the download ends", world._replace(controller=DONE)
        yield "the download fails", world._replace(controller=FAILED)
    if world.late:
        yield "30 s pass without a line", world._replace(late=frozenset())
    if not world.run and world.permit.deed:
        yield "nobody watches for 30 minutes", world._replace(restarted=True)


def person(world: World) -> Iterator[Step]:
    heard = world.said | world.late
    if Act.PULL_SECONDARY in heard and world.plug:
        yield "the person pulls plug B", world._replace(plug=False)
    if Act.UNLOAD in heard and world.load:
        yield "the person takes the loads off", world._replace(load=False)
    if Act.PUT_BACK_SECONDARY in heard and not world.plug:
        yield "the person plugs B in", world._replace(plug=True)
    if Act.CONNECT_LOADS in heard and not world.load and world.feed_a and world.live_b:
        yield "the person connects the loads", world._replace(load=True)
    if world.dark and not world.powered and not world.plug:
        load = world.load and world.dark == "plug"
        yield "the rack is dark, the person plugs B in", world._replace(plug=True, load=load)
    if not world.word:
        off = not world.plug if world.method == "single_source" else not world.load
        if off:
            yield "the person says that it is out", world._replace(word=True, dark="")
        elif world.run == UPGRADE and world.permit.state is PermitState.OUT:
            yield "the person lies that it is out", world._replace(word=True, dark="", tag=True)


def fate(before: World, after: World) -> None:
    """What physics makes of it."""
    if after.controller == RUNNING and after.feed_a and after.live_b and after.load:
        if after.tag:
            raise Unseen("damaged after a lie")
        raise Broken("DAMAGE: the controller is flashed with both sources live and a load on")
    if after.controller == RUNNING and not after.powered:
        raise Unseen("the only feed fails during the download")
    pulled = before.plug and not after.plug
    if pulled and before.live_b and not before.feed_a and before.load:
        if before.said:
            raise Unseen("the primary fails and the hand pulls before the next sample")
        raise Unseen("the primary fails and the hand pulls within 30 s of a line that was taken back")


# -- the run ---------------------------------------------------------------------------------------------------------


def reads_out(world: World) -> bool:
    return not world.live_b if world.method == "single_source" else not world.load


def holds(world: World) -> bool:
    """The interlock's verdict but for the words, on a sample of now."""
    quiet = world.controller in (QUIET, DONE, FAILED)
    primary = world.feed_a or world.method == "no_load"
    return world.answers and quiet and primary and not world.restarted and reads_out(world)


def look(world: World) -> Seen:
    single = world.method == "single_source"
    if not world.answers:
        out_before = world.permit.was_out and not world.permit.read_in
        return Seen(answered=False, bad="silent", dark=single and (out_before or not world.plug))
    busy = world.controller in (PENDING, RUNNING)
    bad = "primary" if single and not world.feed_a else "busy" if busy else "restarted" if world.restarted else ""
    return Seen(
        out=reads_out(world),
        bad=bad,
        ready=not bad,
        hold=holds(world),
        dark=single and not world.feed_a and not world.live_b,
        deed="deed" if world.word else "",
        deed_over="restarted" if world.restarted else "",
    )


def look_back(world: World) -> Return:
    quiet = world.controller in (QUIET, DONE)
    single = world.method == "single_source"
    fine = world.answers and quiet and (world.feed_a or not single)
    if world.permit.rests_on and world.app_in and world.controller != DONE:
        fine = False
    due = (single and not world.live_b) or (world.permit.loads_off and not world.load)
    steady = world.answers and world.feed_a and world.live_b and not due
    return Return(holds=fine, broken="" if fine else "broken", steady=steady, due=due)


def check_said(world: World) -> None:
    """Laws of a sentence that stands, at a moment at which the run has just measured."""
    if Act.PULL_SECONDARY in world.said:
        if not world.feed_a:
            raise Broken("a permission to pull B while A is dead")
        if world.controller in (PENDING, RUNNING):
            raise Broken("a permission to pull while a download is due")
    if world.said & {Act.PUT_BACK_SECONDARY, Act.CONNECT_LOADS} and (
        world.controller in (PENDING, RUNNING, FAILED) or world.permit.unsettled
    ):
        raise Broken("a permission to return before it settled")


def check_sent(world: World) -> None:
    if not (world.permit.promise and world.permit.deed):
        raise Broken("a byte is sent without promise and deed")
    if not holds(world) and world.answers:
        raise Broken("a byte is sent against the verdict")
    still_on = world.plug if world.method == "single_source" else world.load
    if still_on and not world.tag:
        raise Broken("a byte is sent, nobody lied, and it is not out")


def stop(world: World) -> World:
    return world._replace(said=frozenset(), late=world.late | world.said, recorded="")


def gone(world: World, ended: bool = False) -> World:
    """The process is gone, whatever it was at."""
    return stop(world)._replace(run="", ended=ended)


def taken(label: str, world: World, change: Callable[[World], World]) -> Iterator[Step]:
    """Said first, then written: the disk may fail, the STOP is out all the same."""
    yield label, change(stop(world))
    yield f"{label}, not recorded", gone(world)


def written(label: str, world: World, change: Callable[[World], World]) -> Iterator[Step]:
    """Written first: where that fails the run ends, and nothing was said."""
    yield label, change(world)
    yield from ended(world, f"{label}: not recorded")


def ended(world: World, label: str = "the run ends") -> Iterator[Step]:
    what = conduct.ends(world.permit)
    if what is not None:
        yield from taken(f"{label}: {what.value}", world, lambda one: gone(tell(one, what), ended=True))
        return
    unused = world.permit.state in (PermitState.ASKED, PermitState.WITHDRAWN) and not world.permit.was_out
    if unused and not world.permit.unsettled and world.answers and not reads_out(world):
        yield f"{label}: nothing out", gone(tell(world, What.NOTHING_OUT), ended=True)
    yield label, gone(world, ended=True)
    yield f"{label}, which is not recorded", gone(world)


def apply(world: World, what: What) -> Iterator[Step]:
    text = "deed" if what is What.DEED else ""
    if what in TAKES:

        def change(one: World) -> World:
            after = tell(one, what)
            if what in (What.DEED_ENDS, What.WITHDRAW, What.READS_IN):
                after = after._replace(restarted=after.restarted and not after.answers)
            return after

        for label, after in taken(what.value, world, change):
            yield label, _hear_dark(world, after)
    elif what in (What.PERMISSION, What.RELEASE):
        recorded = ALLOW if what is What.PERMISSION else GIVE_BACK
        yield from written(what.value, world, lambda one: tell(one, what)._replace(recorded=recorded))
    else:

        def change(one: World) -> World:
            after = tell(one, what, text)._replace(word=one.word and not text)
            over = after.said if not after.permit.stands else frozenset()
            return after._replace(said=after.said - over, late=after.late | over)

        yield from written(what.value, world, change)


def _hear_dark(world: World, after: World) -> World:
    if not look(world).dark:
        return after
    return after._replace(dark="loads" if world.permit.unsettled else "plug")


def say(world: World) -> Iterator[Step]:
    """Recorded; measured once more; only now said."""
    if world.recorded == ALLOW:
        what = conduct.isolating(world.permit, look(world))
    else:
        what = conduct.returning(world.permit, look_back(world))
    if what is What.WITHDRAW:
        yield from apply(world, what)
        return
    after = world._replace(recorded="", said=allowed(world.permit), late=frozenset(), dark="")
    check_said(after)
    yield "said", after


def send(world: World) -> Iterator[Step]:
    """STOR was recorded; the verdict is the last thing before it."""
    if world.permit.may_send and holds(world):
        check_sent(world)
        yield "STOR", mark(world, FileEvent.STOR)._replace(recorded="", late=frozenset())
    else:
        yield "nothing is sent", mark(tell(world, What.FILE_OVER), FileEvent.CUT)._replace(recorded="")


def verdict_for_the_last_block(world: World) -> bool:
    return bool(world.permit.deed) and (holds(world) or not world.answers)


def release(world: World) -> Iterator[Step]:
    """The last block was recorded; the verdict is the last thing before it. A deaf card: the last verdict carries."""
    if verdict_for_the_last_block(world):
        check_sent(world)
        installed = world._replace(recorded="", app_in=True, controller=PENDING)
        yield "the last block leaves", mark(installed, FileEvent.END)
    else:
        yield "the last block is held, then cut", mark(world, FileEvent.BREAK)._replace(recorded="")


def upgrade(world: World) -> Iterator[Step]:
    yield from ended(world)
    if world.recorded:
        yield from {ALLOW: say, GIVE_BACK: say, BEGIN: send, LAST: release}[world.recorded](world)
        return
    state, seen = world.permit.state, look(world)
    if state is PermitState.SENDING:
        yield from sending(world, seen)
        return
    again = world.permit.unsettled and world.app_in and not world.permit.stands
    if again or state in (PermitState.SETTLING, PermitState.SETTLED):
        yield from settling(world, seen)
    what = conduct.isolating(world.permit, seen)
    if what is not None:
        yield from apply(world, what)
        return
    if world.answers:
        check_said(world)
        if world.restarted and not world.permit.deed:
            yield "the restart is noted", world._replace(restarted=False)
    if state is PermitState.ISOLATED and world.permit.may_send and holds(world):

        def begin(one: World) -> World:
            return mark(tell(one, What.STOR), FileEvent.AGREE)._replace(recorded=BEGIN)

        yield from written("stor", world, begin)


def sending(world: World, seen: Seen) -> Iterator[Step]:
    what = conduct.watching(world.permit, seen)
    if what is not None:
        yield from apply(world, what)
        return
    if world.file.kind == "aos":
        over = mark(world, FileEvent.END, FileEvent.PROVED)
        yield from written("the AOS is in", over, _aos_over)
        return
    if not world.permit.may_send or (world.answers and not holds(world)):
        yield from written("the app is cut", mark(world, FileEvent.CUT), lambda one: tell(one, What.FILE_OVER))
        return

    def last(one: World) -> World:
        return mark(tell(one, What.LAST_BLOCK), FileEvent.RELEASE)._replace(recorded=LAST)

    yield from written("last_block", world, last)


def _aos_over(world: World) -> World:
    return tell(world, What.FILE_OVER)._replace(aos_new=True, file=_known(Sending(kind="app")))


def settling(world: World, seen: Seen) -> Iterator[Step]:
    what = conduct.darkness(world.permit, seen)
    if what is not None:
        yield from apply(world, what)
    if not world.answers:
        return
    if world.app_in and world.controller == DONE and world.permit.state is not PermitState.SETTLED:
        yield from written("settled", world, lambda one: tell(one, What.SETTLED))
    if world.permit.state is not PermitState.SETTLING:
        return
    if not world.app_in:
        denied = mark(world, FileEvent.DENIED)
        yield from written("the app proves not to run", denied, lambda one: tell(one, What.APP_FAILS))
    elif world.controller == FAILED:
        yield from written("a failed row stands", world, lambda one: tell(one, What.APP_FAILS))


def restore(world: World) -> Iterator[Step]:
    yield from ended(world)
    if world.recorded:
        yield from say(world)
        return
    seen = look(world)
    dark = conduct.darkness(world.permit, seen)
    if dark is not None:
        yield from apply(world, dark)
    if world.permit.unsettled:
        yield from settling(world, seen)
        return
    what = conduct.returning(world.permit, look_back(world))
    if what is not None:
        yield from apply(world, what)
    elif world.answers:
        check_said(world)


def begin_run(world: World) -> Iterator[Step]:
    """The lock is free: a second runner is refused, and changes nothing."""
    fresh = world
    what = conduct.begins(world.permit, world.ended)
    if what is not None:
        fresh = tell(fresh, what)
    if world.permit.state is PermitState.SENDING:
        fresh = mark(fresh, FileEvent.BREAK)
        app = fresh.file.kind == "app" and fresh.file.counts_as_sent
        fresh = tell(fresh, What.LAST_BLOCK if app else What.FILE_OVER)
    fresh = fresh._replace(ended=True)
    yield "restore starts", fresh._replace(run=RESTORE)
    yield "a run starts without a word", fresh._replace(run=UPGRADE)
    for text in ("promise", "old promise"):
        yield f"a run starts with {text}", tell(fresh, What.PROMISE, text, must=False)._replace(run=UPGRADE)


def moves(world: World) -> Iterator[Step]:
    yield from nature(world)
    yield from person(world)
    if not world.run:
        yield from begin_run(world)
        return
    yield "the run is killed", gone(world)
    if world.recorded == LAST:
        # Nobody knows whether the block had left.
        yield "killed as the last block leaves", gone(world._replace(app_in=True, controller=PENDING))
    yield from upgrade(world) if world.run == UPGRADE else restore(world)
