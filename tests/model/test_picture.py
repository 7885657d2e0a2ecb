# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The picture of the permit in the safety guide is the one that its table draws."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import draw_permit

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats import permit
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.permit import PermitState, What

SVG = "{http://www.w3.org/2000/svg}"


def texts() -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(draw_permit.svg()).iter(f"{SVG}text")]


def test_it_names_every_state_and_every_event_that_leads_anywhere():
    assert {state.value for state in PermitState} <= set(texts())
    said = set(re.findall(r"[a-z_]+", " ".join(texts())))
    leading = {what.value for what in What for state in PermitState if set(permit.targets(state, what)) - {state}}
    assert leading <= said


def test_no_two_states_stand_on_each_other_and_all_within_the_picture():
    places = list(draw_permit.PLACES.values())
    assert len(set(places)) == len(PermitState)
    assert all(0 < x < 960 and 0 < y < 470 for x, y in places)


def test_the_guide_shows_the_picture_of_today():
    text = draw_permit.GUIDE.read_text(encoding="utf-8")
    assert draw_permit.drawn(text) == text, "run make docs"


def test_another_table_draws_another_picture(monkeypatch):
    before = draw_permit.svg()
    monkeypatch.setitem(permit.CELLS, (PermitState.ASKED, What.STOR), "sending")
    assert draw_permit.svg() != before
