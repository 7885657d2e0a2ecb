# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A deed that a person says while a run waits for it: ``words`` in the state folder (SAFETY 2).

The run lays out an ``.ask`` under each of the unit's keys; ``ats_word`` answers with a ``.word`` of its own, which only
the permit of that number takes. Nothing of it stands in the evidence until the run has judged it. Locks tell whether
the run that asks is still alive: an ``.ask`` of a dead one counts as none.
"""

from __future__ import annotations

import json
import os
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from ansible_collections.dcops.apc.plugins.module_utils._domain.identity import usable_serial
from ansible_collections.dcops.apc.plugins.module_utils._files.opened import NotRegular, read_up_to
from ansible_collections.dcops.apc.plugins.module_utils._procedure.aside import Aside, AtOnce
from ansible_collections.dcops.apc.plugins.module_utils._procedure.errors import Stop
from ansible_collections.dcops.apc.plugins.module_utils._procedure.evidence import who
from ansible_collections.dcops.apc.plugins.module_utils._procedure.records import is_keys, plain_object
from ansible_collections.dcops.apc.plugins.module_utils._procedure.state import held_by, key_of, shown_holder

SECONDARY = "secondary_disconnected"
DEEDS = (SECONDARY, "no_load")
_MAX_FILE = 65536
# Names under which a serial number is a key; an address is none that a person says.
_BY_SERIAL = ("ats", "card")


class Asking(Protocol):
    """What a run asks for: the deed, the input that is to be out (empty: the loads), and the permit's number."""

    @property
    def what(self) -> str: ...

    @property
    def source(self) -> str: ...

    @property
    def number(self) -> int: ...


@dataclass(frozen=True)
class Word:
    """As it was said. ``unit`` is the serial number that the person typed; nobody has compared it yet."""

    what: str
    unit: str
    source: str
    said_at: datetime
    permit: int
    by: str = ""


# -- the run that asks --------------------------------------------------------------------------------------------


def publish_ask(state_dir: Path, keys: Iterable[str], asked: Asking, since: datetime, run: Mapping[str, Any]) -> None:
    """``run``: run, pid, host, label and simulated of the run. Raises Stop("state")."""
    names = sorted(set(keys))
    ask = {
        "permit": asked.number,
        "what": asked.what,
        "source": asked.source,
        "since": since.isoformat(timespec="milliseconds"),
        "keys": names,
        "serial_known": any(name.startswith(tuple(f"{kind}-" for kind in _BY_SERIAL)) for name in names),
        **run,
    }
    for name in names:
        _write(state_dir / "words" / f"{name}.ask", ask)


def withdraw_ask(state_dir: Path, keys: Iterable[str], run: str) -> None:
    """Takes back what this run has asked, and no other's. Never raises: a dead run's ask counts as none anyway."""
    for name in keys:
        path = state_dir / "words" / f"{name}.ask"
        with suppress(OSError, Stop):
            if _read(path).get("run") == run:
                path.unlink()


def take_words(state_dir: Path, keys: Iterable[str], permit: int) -> list[Word]:
    """The words for this permit, oldest first; each is handed out once.

    What was said to another permit can never count any more and is removed. Raises Stop("state").
    """
    folder = state_dir / "words"
    starts = tuple(f"{key}_" for key in keys)
    try:
        names = sorted(name for name in os.listdir(folder) if name.endswith(".word") and name.startswith(starts))
    except FileNotFoundError:
        return []
    except OSError as exc:
        raise Stop("state", f"the words in {folder} cannot be read: {exc.strerror}") from exc
    found = []
    for name in names:
        word = _word(_read(folder / name))
        try:
            # First gone, then counted: it must not count twice.
            (folder / name).unlink()
        except OSError as exc:
            if word is None:
                continue
            raise Stop("state", f"the word {folder / name} cannot be taken: {exc.strerror}") from exc
        if word is not None and word.permit == permit:
            found.append(word)
    return sorted(found, key=lambda word: word.said_at)


def _word(record: Mapping[str, Any]) -> Word | None:
    try:
        said_at = datetime.fromisoformat(str(record["said_at"]))
        permit = record["permit"]
        if (
            said_at.tzinfo is None
            or isinstance(permit, bool)
            or not isinstance(permit, int)
            or record["what"] not in DEEDS
        ):
            return None
        source = str(record.get("source") or "")
        return Word(str(record["what"]), str(record["unit"])[:128], source[:2], said_at, permit, str(record["by"])[:64])
    except (KeyError, ValueError):
        return None


class WordBox:
    """The folder in a run's hands, as its hearing wants it. ``belongs_to`` once the run has a name.

    The run asks while a permission stands, so the folder is read and written aside; what it held is handed out at the
    next look.
    """

    def __init__(self, state_dir: Path, wall: Callable[[], datetime], aside: Aside | None = None) -> None:
        self._state_dir, self._wall, self._aside = state_dir, wall, aside or AtOnce()
        self._taken: deque[Word] = deque()
        self._looking = False
        self._keys: Callable[[], list[str]] = list
        self._facts: Callable[[], dict[str, Any]] = dict
        self._published: list[str] = []
        self._since: datetime | None = None
        # Why nobody can be heard this way; the two other ways go on.
        self.problem = ""
        self._refused: list[str] = []

    def belongs_to(self, keys: Callable[[], list[str]], facts: Callable[[], dict[str, Any]]) -> None:
        """``facts``: run, pid, host, label, simulated."""
        self._keys, self._facts = keys, facts

    def publish(self, asked: Asking) -> None:
        # Before it is laid out: an answer may come at once, and a word is written with milliseconds.
        since, keys, facts = self._wall(), self._keys(), self._facts()
        self._since, self._published = since, keys
        self._taken.clear()

        def lay_out() -> None:
            try:
                publish_ask(self._state_dir, keys, asked, since, facts)
            except Stop as exc:
                self._failed(exc.message)
            except Exception as exc:
                self._failed(f"unexpected {type(exc).__name__}")

        self._aside.do(lay_out)

    def withdraw(self) -> None:
        keys, run = self._published, str(self._facts().get("run", ""))
        self._published, self._since = [], None
        self._aside.do(lambda: withdraw_ask(self._state_dir, keys, run))

    def words(self, asked: Asking) -> list[tuple[str, str, datetime]]:
        """(serial as typed, source, when), of the deed that is asked for."""
        if self._since is None:
            return []
        if not self._looking:
            self._looking = True
            keys, number = self._published, asked.number
            self._aside.do(lambda: self._look(keys, number))
        taken = [self._taken.popleft() for _each in range(len(self._taken))]
        taken = [word for word in taken if word.permit == asked.number]
        # The other clock may lag: whoever spoke a moment ago has to hear that it does not count.
        self._refused += [_too_early(word, self._since) for word in taken if word.said_at <= self._since]
        return [
            (word.unit, word.source, word.said_at)
            for word in taken
            if word.what == asked.what and word.said_at > self._since
        ]

    def _look(self, keys: list[str], permit: int) -> None:
        try:
            self._taken.extend(take_words(self._state_dir, keys, permit))
        except Stop as exc:
            self._failed(exc.message)
        except Exception as exc:
            self._failed(f"unexpected {type(exc).__name__}")
        finally:
            self._looking = False

    def _failed(self, problem: str) -> None:
        if problem != self.problem:
            self.problem = problem
            self._refused.append(f"ats_word cannot be heard by this run: {problem}. Say it in one of the other ways")

    def refused(self) -> list[str]:
        """Why words that were taken do not count, or none can be heard, each once."""
        told, self._refused = self._refused, []
        return told


def _too_early(word: Word, since: datetime) -> str:
    said_at = word.said_at.astimezone(since.tzinfo)
    return (
        f"ats_word was said at {said_at:%Y-%m-%d %H:%M:%S} by its own clock, and this run asks since {since:%H:%M:%S}: "
        "it does not count. Look again and say it again; if it was said just now, that clock lags behind this one"
    )


# -- the person who answers ---------------------------------------------------------------------------------------


def find_ask(state_dir: Path, unit: str) -> dict[str, Any]:
    """What the run that waits for a word about this unit asks. ``unit``: the serial number, as it was typed.

    Raises Stop("refused") where no living run asks, Stop("state") where that cannot be told.
    """
    wanted = {key_of(kind, unit).lower() for kind in _BY_SERIAL}
    others: list[str] = []
    for name, ask in _asks(state_dir / "words"):
        owner = held_by(state_dir / "locks", [str(key) for key in ask.get("keys") or ()])
        if owner is None or owner.get("run") != ask.get("run"):
            continue
        if name.lower() in wanted:
            return {**ask, "key": name, "holder": shown_holder(owner)}
        others.append(f"{str(ask.get('label') or '?')[:64]} (permit {ask.get('permit')})")
    waiting = f" Runs that wait: {', '.join(sorted(set(others))[:10])}." if others else ""
    raise Stop(
        "refused",
        f"No run asks for a word about the unit with the serial number {unit} in {state_dir}: nothing was said. Say it "
        "while a run asks, with the serial number from the unit's name plate, and with the run's own state_dir; a unit "
        f"that shows no serial number is confirmed at the run's terminal, or by confirmations.{waiting}",
    )


def say_word(state_dir: Path, unit: str, what: str, source: str, now: datetime, write: bool = True) -> dict[str, Any]:
    """Lays a person's word beside the run that asks for it. Returns the word and what was asked.

    ``now`` is aware. Raises Stop("refused") where it is not what is asked, or nobody asks.
    """
    if usable_serial(unit) is None or "@" in unit:
        raise Stop("refused", "unit must be the serial number of the unit's name plate alone, without @ and a time.")
    ask = find_ask(state_dir, unit)
    if ask.get("what") != what:
        raise Stop("refused", f"{ask['holder']} asks for {ask.get('what')}, not for {what}: nothing was said.")
    if what == SECONDARY and ask.get("source") != source:
        raise Stop(
            "refused",
            f"{ask['holder']} asks for the plug of source {ask.get('source')}, and you spoke of source {source or '?'}:"
            " nothing was said. Look again which plug is out.",
        )
    said = {
        "what": what,
        "unit": unit,
        "source": source if what == SECONDARY else "",
        "said_at": now.isoformat(timespec="milliseconds"),
        "permit": ask.get("permit"),
        "by": " ".join(f"{key} {value}" for key, value in who().items()),
    }
    if write:
        _write(state_dir / "words" / f"{ask['key']}_{uuid.uuid4().hex}.word", said)
    return {"word": said, "ask": ask}


def _asks(folder: Path) -> list[tuple[str, dict[str, Any]]]:
    try:
        names = sorted(name for name in os.listdir(folder) if name.endswith(".ask"))
    except FileNotFoundError:
        return []
    except OSError as exc:
        raise Stop("state", f"the words in {folder} cannot be read: {exc.strerror}") from exc
    found = []
    for name in names:
        ask = _read(folder / name)
        if _is_ask(ask):
            found.append((name.removesuffix(".ask"), ask))
    return found


def _is_ask(ask: Mapping[str, Any]) -> bool:
    """Of the kinds that publish_ask writes: its keys become names of files, its words are shown."""
    texts = all(isinstance(ask.get(name), str) for name in ("run", "what", "source"))
    number = isinstance(ask.get("permit"), int) and not isinstance(ask.get("permit"), bool)
    return texts and number and bool(ask["run"]) and is_keys(ask.get("keys"))


# -- files --------------------------------------------------------------------------------------------------------


def _write(path: Path, content: Mapping[str, Any]) -> None:
    """0600, whole or not at all."""
    temporary = path.with_name(f".{path.name[:100]}.{uuid.uuid4().hex}")
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "w") as stream:
            json.dump(content, stream)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except OSError as exc:
        with suppress(OSError):
            temporary.unlink()
        raise Stop("state", f"{path} cannot be written: {exc.strerror}") from exc


def _read(path: Path) -> dict[str, Any]:
    """Empty where it is gone, no file, or no JSON object: what anybody may lay there stops no run."""
    try:
        data = read_up_to(path, _MAX_FILE, follow=False)
    except (FileNotFoundError, NotRegular):
        return {}
    except OSError as exc:
        raise Stop("state", f"{path} cannot be read: {exc.strerror}") from exc
    return plain_object(data) if len(data) <= _MAX_FILE else {}
