# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever a UPS says of itself: no "fixed" and no "not affected" without the proof that FA233876 asks for."""

from __future__ import annotations

import re
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.dcops.apc.plugins.module_utils._domain.ups.ap9624 import (
    Basis,
    Expander,
    Facts,
    Finding,
    GapStatus,
    judge,
)
from ansible_collections.dcops.apc.plugins.module_utils._domain.ups.state import (
    UpsFirmware,
    parse_firmware,
    parse_model,
    parse_sku,
)
from ansible_collections.dcops.apc.plugins.module_utils._runs._ups_results import finding_result

# From the bulletin and UPS.md by hand; nothing of the code under test.
FIX_OF_ID = {18: (9, 3), 20: (9, 8), 23: (6, 6)}
SRT_IDS = [1001, 1002, 1010, 1013, 1014, 1019, 1020, 1024, 1025]
FROM_FIRST = [1015, 1018, 1026, 1027, 1028, 1031, 1047, 1050, 1059, 1060, 1061, 1064]
NOT_CONCERNED = re.compile(r"(SU|SUA|SUM|SUOL|SUVS|SURT|SURTA|SURTD|SMC|SMTL|SYA|SYH|SYCF|BK|BE|BX|BR)[0-9]")
OTHER_MODEL = re.compile(r"(Symmetra|Back-UPS|Smart-UPS RT|Smart-UPS C)\b")

FAMILIES = ["SMT", "SMX", "SRT", "SMTL", "SMC", "SUA", "SU", "SURT", "SYA", "BR", "DLT", "FJX", "HTM", "SRTL", "ZZZ"]
SIZES = ["50", "750", "1000", "1500", "1501", "2200", "3000", "5K", "10K"]
RESTS = [
    "", "I", "C", "IC", "NC", "RM", "RM1U", "RM2U", "RMI1U", "RMI2U", "RM3U", "RM1UC", "RM2UC", "RMHV2UNC", "RMLV2U",
    "R2X167", "R1X12", "XLI", "RMXLI", "X413", "-RM",
]  # fmt: skip
SKUS = st.one_of(
    st.none(),
    st.tuples(st.sampled_from(FAMILIES), st.sampled_from(SIZES), st.sampled_from(RESTS)).map("".join),
    st.text(max_size=30),
)
MODELS = st.one_of(
    st.none(),
    st.builds(
        "{} {}".format,
        st.sampled_from(["Smart-UPS", "Smart-UPS X", "Smart-UPS SRT   ", "Smart-UPS RT", "Smart-UPS C", "Back-UPS"]),
        st.sampled_from(["750", "1500", "1500 RM", "2200", "3000"]),
    ),
    st.sampled_from(["Symmetra LX", "UPS_IDEN", ""]),
    st.text(max_size=30),
)
NUMBERS = st.one_of(
    st.none(),
    st.sampled_from([18, 20, 23]),
    st.sampled_from([*SRT_IDS, *FROM_FIRST, 0, 10, 17, 1003, 1039, 1040, 1041]),
    st.integers(0, 99999),
)
VERSIONS = st.one_of(
    st.tuples(st.integers(0, 12), st.integers(0, 12)),
    st.sampled_from([(5, 0), (6, 5), (6, 6), (7, 0), (7, 1), (8, 0), (9, 2), (9, 3), (9, 7), (9, 8), (9, 10)]),
)


@st.composite
def firmwares(draw: st.DrawFn) -> UpsFirmware:
    if draw(st.integers(0, 5)) == 0:
        text = draw(st.one_of(st.none(), st.sampled_from(["617.3.I", "4.1", "UPS", ""]), st.text(max_size=40)))
        return parse_firmware(text)
    major, minor = draw(VERSIONS)
    number = draw(NUMBERS)
    return parse_firmware(f"UPS {major:02}.{minor}" + ("" if number is None else f" (ID{number})") + draw(BLANKS))


BLANKS = st.sampled_from(["", " ", "  "])
FACTS = st.builds(
    Facts,
    sku=SKUS,
    model=MODELS,
    firmware=firmwares(),
    outlet_groups=st.sampled_from([None, None, 0, 1, 4]),
    comm_up=st.sampled_from([None, True, False]),
    stated=st.booleans(),
    expander=st.sampled_from([Expander.PRESENT, Expander.PRESENT, Expander.UNKNOWN, Expander.ABSENT]),
)
MANY = settings(max_examples=250, deadline=None)


def parts(facts: Facts) -> tuple[int, ...]:
    assert facts.firmware.version is not None
    return facts.firmware.version.parts


@MANY
@given(FACTS)
def test_fixed_only_with_its_proof(facts: Facts) -> None:
    found = judge(facts)
    if found.status is not GapStatus.FIXED:
        return
    number, sku = facts.firmware.id, (facts.sku or "").strip().upper()
    assert found.basis is Basis.BULLETIN and facts.expander is not Expander.ABSENT
    if number is not None:
        # Only inside the three lines of the bulletin, from the fix on, and ID23 up to 07.0.
        assert (found.rule, found.identified_by) == (8, "id")
        assert parts(facts) >= FIX_OF_ID[number]
        assert number != 23 or parts(facts) <= (7, 0)
        assert not re.match(r"SRT[0-9]|SURT|SUA|SMC|SMTL", sku)
        if re.match(r"SMX[0-9]", sku):
            assert number in (20, 23)
        if re.match(r"SMT[0-9]", sku):
            assert number in (18, 20)
        return
    assert found.rule == 10
    if found.identified_by == "sku":
        match = re.match(r"(SMT|SMX)([0-9]+)(K?)(.*)", sku)
        assert match is not None
        size = int(match[2]) * (1000 if match[3] else 1)
        fix = (9, 8) if match[1] == "SMX" and size <= 1500 else (6, 6) if match[1] == "SMX" else (9, 3)
        if "1U" in match[4] or match[4].startswith("R1"):
            fix = max(fix, (9, 8)) if match[1] == "SMT" else fix
        assert parts(facts) >= fix
        assert match[1] == "SMT" or size <= 1500 or parts(facts) <= (7, 0)
    else:
        model = re.fullmatch(r"smart-ups x ([0-9]+).*", " ".join((facts.model or "").split()).lower())
        assert found.identified_by == "model" and not sku and model is not None
        small = int(model[1]) <= 1500
        assert parts(facts) >= ((9, 8) if small else (6, 6)) and (small or parts(facts) <= (7, 0))


@MANY
@given(FACTS)
def test_not_affected_only_with_its_proof(facts: Facts) -> None:
    found = judge(facts)
    if found.status is not GapStatus.NOT_AFFECTED:
        return
    sku = (facts.sku or "").strip().upper()
    assert found.fixed_in is None
    if found.rule == 1:
        assert facts.expander is Expander.ABSENT and found.basis is Basis.OPERATOR
    elif found.rule == 2:
        # A count that was read, with the communication up, or one that a person stated.
        assert facts.outlet_groups == 0
        assert facts.comm_up is True or (facts.stated and facts.comm_up is None and found.basis is Basis.OPERATOR)
    elif found.rule == 5:
        assert NOT_CONCERNED.match(sku) if found.identified_by == "sku" else OTHER_MODEL.match(facts.model or "")
        assert facts.firmware.id not in (18, 20, 23, *SRT_IDS)
    else:
        assert found.rule == 7 and facts.firmware.id in FROM_FIRST and found.basis is Basis.RELEASE_NOTES


@MANY
@given(FACTS)
def test_an_srt_is_never_fixed(facts: Facts) -> None:
    for srt in (
        replace(facts, sku="SRT3000RMXLI"),
        replace(facts, sku="SRT5KXLI"),
        replace(facts, sku=None, model="Smart-UPS SRT    3000"),
        replace(facts, firmware=parse_firmware("UPS 99.9 (ID1025)")),
    ):
        assert judge(srt).status is not GapStatus.FIXED
        assert judge(srt).fixed_in is None
    alone = replace(facts, sku="SRT3000XLI", model=None, firmware=UpsFirmware(None), outlet_groups=None)
    assert judge(alone).status is (
        GapStatus.NOT_AFFECTED if facts.expander is Expander.ABSENT else GapStatus.NO_PUBLISHED_FIX
    )


@MANY
@given(FACTS)
def test_a_missing_tree_never_clears_by_the_second_rule(facts: Facts) -> None:
    for comm in (None, True, False):
        assert judge(replace(facts, outlet_groups=None, comm_up=comm)).rule != 2
    # Nor does a zero that was read without communication.
    for comm in (None, False):
        assert judge(replace(facts, outlet_groups=0, comm_up=comm, stated=False)).rule != 2


@MANY
@given(FACTS)
def test_an_absent_expander_is_always_the_first_rule(facts: Facts) -> None:
    found = judge(replace(facts, expander=Expander.ABSENT))
    assert (found.rule, found.status, found.basis) == (1, GapStatus.NOT_AFFECTED, Basis.OPERATOR)
    assert found.advice == ()
    present, unknown = (judge(replace(facts, expander=item)) for item in (Expander.PRESENT, Expander.UNKNOWN))
    assert present.rule != 1
    assert (present.status, present.rule, present.fixed_in) == (unknown.status, unknown.rule, unknown.fixed_in)


# What is unknown because of a fact, and not for want of one: a contradiction, a prefix that nobody knows, an ID whose
# line nobody judges, a SKU of a line of its own. There the bulletin's rules themselves say more when that fact is gone.
def told_against(found: Finding, facts: Facts) -> bool:
    connected = re.match(r"SM[TX].*(?<!N)C\Z", (facts.sku or "").strip().upper()) is not None
    sizeless = re.match(r"SM[TX]50(?![0-9])", (facts.sku or "").strip().upper()) is not None
    return found.rule in (3, 5, 9) or connected or sizeless


@MANY
@given(FACTS)
def test_less_is_known_then_never_fixed(facts: Facts) -> None:
    found = judge(facts)
    for without in (UpsFirmware(), replace(facts.firmware, version=None, text=None)):
        assert judge(replace(facts, firmware=without)).status is not GapStatus.FIXED
    if found.status is not GapStatus.UNKNOWN:
        return
    fewer = [
        replace(facts, outlet_groups=None),
        replace(facts, expander=Expander.UNKNOWN),
    ]
    if facts.comm_up is not False:
        # That the communication is lost is told against an all-clear.
        fewer.append(replace(facts, comm_up=None))
    if not told_against(found, facts):
        fewer += [
            replace(facts, sku=None),
            replace(facts, model=None),
            replace(facts, firmware=replace(facts.firmware, id=None)),
        ]
    for less in fewer:
        assert judge(less).status is not GapStatus.FIXED


@MANY
@given(FACTS)
def test_old_values_clear_nothing(facts: Facts) -> None:
    found = judge(replace(facts, comm_up=False))
    assert found.rule == 1 or found.status not in (GapStatus.FIXED, GapStatus.NOT_AFFECTED)


@MANY
@given(FACTS, VERSIONS)
def test_a_newer_version_of_one_line_is_never_worse(facts: Facts, other: tuple[int, int]) -> None:
    """Of two versions of the same unit the one with the fix is the later one."""
    number = facts.firmware.id
    end = "" if number is None else f" (ID{number})"
    pair = sorted([other, facts.firmware.version.parts[:2] if facts.firmware.version else (0, 0)])
    older, newer = (judge(replace(facts, firmware=parse_firmware(f"UPS {one[0]:02}.{one[1]}{end}"))) for one in pair)
    if older.status is GapStatus.FIXED:
        assert newer.status in (GapStatus.FIXED, GapStatus.UNKNOWN)
    if newer.status is GapStatus.FIX_MISSING:
        assert older.status in (GapStatus.FIX_MISSING, GapStatus.UNKNOWN)


TEXTS = st.one_of(
    st.none(), st.text(max_size=200), st.text(st.characters(), min_size=1, max_size=5).map(lambda t: t * 2000)
)


@MANY
@given(
    st.builds(
        Facts,
        sku=TEXTS,
        model=TEXTS,
        firmware=TEXTS.map(parse_firmware),
        outlet_groups=st.one_of(st.none(), st.integers()),
        comm_up=st.sampled_from([None, True, False]),
        stated=st.booleans(),
        expander=st.sampled_from(Expander),
    )
)
def test_the_judgement_is_total(facts: Facts) -> None:
    found = judge(facts)
    assert 1 <= found.rule <= 10 and found.identified_by in ("id", "sku", "model", None)
    assert found.status not in (GapStatus.FIXED, GapStatus.FIX_MISSING) or found.fixed_in is not None
    assert found.reason.endswith(".") and found.source
    result = finding_result(found)
    # Cut to 4096 characters, each of which may then be shown escaped.
    assert len(result["reason"]) <= 10 * 4096 and set(result["reason"]) & set("\x1b\0\r") == set()
    assert result["status"] == found.status.value
    parse_sku(facts.sku), parse_model(facts.model)


@MANY
@given(st.text(max_size=60), st.sampled_from(["UPS 09.3 (ID18)", "UPS 09.8 (ID20)", "UPS 06.6 (ID23)"]))
def test_text_around_a_good_firmware_does_not_make_one(noise: str, good: str) -> None:
    for text in (good + noise, noise + good):
        if text.strip() != good:
            found = parse_firmware(text)
            assert found.version is None or found.version.parts == parse_firmware(good).version.parts  # type: ignore[union-attr]
            assert found.id in (None, parse_firmware(good).id)
