# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which UPS still carries the AP9624 fault of bulletin FA233876, how sure that is, and what closes it.

Ten rules in a fixed order, the first that applies decides; each is one function. Nothing here says "fixed" or "not
affected" without proof.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from ansible_collections.dcops.apc.plugins.module_utils._domain.ups.ap9624_table import (
    ADVICE_AVOID,
    ADVICE_CONFIRMED,
    ADVICE_GROUPS,
    BULLETIN,
    CONNECTED,
    NOT_CONNECTED_SKUS,
    NOTES,
    OTHER_FAMILY,
    SMALL_VA,
    SMT_1U,
    SMT_2U,
    SMT_TOWER,
    SMX_LARGE,
    SMX_SMALL,
    SRT,
    Advice,
    Row,
    line_of,
)
from ansible_collections.dcops.apc.plugins.module_utils._domain.ups.state import (
    CONCERNED,
    NOT_CONCERNED,
    Product,
    UpsFirmware,
    parse_model,
    parse_sku,
)
from ansible_collections.dcops.apc.plugins.module_utils._domain.versions import Version


class Expander(Enum):
    """Whether an AP9624 is fitted: the operator's word, since no SNMP object tells (MIB 4.5.2, 4.6.0) [V]."""

    PRESENT = "present"
    ABSENT = "absent"
    UNKNOWN = "unknown"


class GapStatus(Enum):
    FIXED = "fixed"
    FIX_MISSING = "fix_missing"
    NO_PUBLISHED_FIX = "no_published_fix"
    NOT_AFFECTED = "not_affected"
    UNKNOWN = "unknown"


class Basis(Enum):
    BULLETIN = "bulletin"
    RELEASE_NOTES = "release notes"
    OPERATOR = "operator"


@dataclass(frozen=True)
class Facts:
    """``outlet_groups`` None: not readable. ``comm_up`` None: not known. ``stated``: the count is an operator's word
    and no reading, so there is no communication to ask about."""

    sku: str | None = None
    model: str | None = None
    firmware: UpsFirmware = field(default_factory=UpsFirmware)
    outlet_groups: int | None = None
    comm_up: bool | None = None
    stated: bool = False
    expander: Expander = Expander.UNKNOWN

    @property
    def by_sku(self) -> Product:
        return parse_sku(self.sku)

    @property
    def by_model(self) -> Product:
        return parse_model(self.model)


@dataclass(frozen=True)
class Finding:
    """``rule``: which of the ten decided. ``identified_by`` None: by nothing that could be read."""

    status: GapStatus
    rule: int
    basis: Basis
    identified_by: str | None
    reason: str
    source: str
    expander: Expander
    current: str | None = None
    fixed_in: str | None = None
    advice: tuple[Advice, ...] = ()


@dataclass(frozen=True)
class _Found:
    status: GapStatus
    reason: str
    basis: Basis = Basis.BULLETIN
    identified_by: str | None = None
    row: Row | None = None
    source: str = BULLETIN


def judge(facts: Facts) -> Finding:
    """Total: whatever the facts, one finding."""
    for number, rule in enumerate(_RULES, 1):
        found = rule(facts)
        if found is not None:
            return _finding(number, found, facts)
    raise LookupError("the last rule always applies")


# --- which row ------------------------------------------------------------------------------------------------------
def _sku_rows(product: Product) -> tuple[Row, ...] | None:
    """The rows that a SKU may belong to; None where it names none."""
    if product.family is None:
        return None
    if product.family == "SRT":
        return (SRT,)
    if product.family not in CONCERNED:
        return (OTHER_FAMILY,)
    if product.connected:
        return (CONNECTED,)
    if product.family == "SMT":
        by_form = {"tower": (SMT_TOWER,), "2u": (SMT_2U,), "1u": (SMT_1U,), None: (SMT_TOWER, SMT_2U, SMT_1U)}
        # A height that no row speaks about is none of these lines.
        return by_form.get(product.form, (Row("SMT of another form"),))
    if product.rated_va is None:
        return (SMX_SMALL, SMX_LARGE)
    return (SMX_SMALL,) if product.rated_va <= SMALL_VA else (SMX_LARGE,)


def _id_rows(number: int | None) -> tuple[Row, ...] | None:
    line = line_of(number)
    if line is None:
        return None
    return (SRT,) if line.no_fix else line.rows or None


def _without_fix(number: int | None) -> bool:
    line = line_of(number)
    return line is not None and line.no_fix


def _is_srt(facts: Facts) -> str | None:
    if facts.by_sku.family == "SRT":
        return "sku"
    if _without_fix(facts.firmware.id):
        return "id"
    if facts.by_sku.family is None and not facts.by_sku.oem and facts.by_model.family == "SRT":
        return "model"
    return None


def _identified(facts: Facts) -> str | None:
    if facts.firmware.id is not None:
        return "id"
    if facts.by_sku.family is not None:
        return "sku"
    return "model" if facts.by_model.family is not None else None


# --- the ten rules, in their order ----------------------------------------------------------------------------------
def _absent(facts: Facts) -> _Found | None:
    if facts.expander is not Expander.ABSENT:
        return None
    reason = "No AP9624 is fitted, so nothing overrides the shutdown commands."
    return _Found(GapStatus.NOT_AFFECTED, reason, Basis.OPERATOR, _identified(facts), source="inventory")


def _no_groups(facts: Facts) -> _Found | None:
    """Absent is not zero, and without communication a zero is no reading."""
    if facts.outlet_groups != 0:
        return None
    if facts.stated and facts.comm_up is None:
        reason = "The UPS is stated to have no outlet groups; only units with outlet groups are affected."
        return _Found(GapStatus.NOT_AFFECTED, reason, Basis.OPERATOR, _identified(facts))
    if facts.comm_up is True:
        reason = "The UPS has no outlet groups; only units with outlet groups are affected."
        return _Found(GapStatus.NOT_AFFECTED, reason, Basis.BULLETIN, _identified(facts))
    return None


def _contradiction(facts: Facts) -> _Found | None:
    reason = next((found for check in _CONTRADICTIONS if (found := check(facts))), "")
    return _Found(GapStatus.UNKNOWN, f"Contradiction: {reason}") if reason else None


def _sku_against_id(facts: Facts) -> str:
    by_sku, by_id = _sku_rows(facts.by_sku), _id_rows(facts.firmware.id)
    if by_sku is None or by_id is None or set(by_sku) & set(by_id):
        return ""
    names = f"{_sku(facts)} ({by_sku[0].name}) and the firmware's ID{facts.firmware.id} ({by_id[0].name})"
    return f"{names} name different products, so neither is trusted."


def _family_against_id(facts: Facts) -> str:
    line = line_of(facts.firmware.id)
    if line is None or not line.families or facts.by_sku.oem:
        return ""
    for family, text in ((facts.by_sku.family, facts.sku), (facts.by_model.family, facts.model)):
        if family is not None and family not in line.families:
            return f"'{(text or '').strip()}' is of the family {family}, and ID{line.id} is not."
    return ""


def _plain_against_connected(facts: Facts) -> str:
    line, product = line_of(facts.firmware.id), facts.by_sku
    if line is None or not line.connected or product.oem or product.connected or product.family not in CONCERNED:
        return ""
    if (facts.sku or "").strip().upper() in NOT_CONNECTED_SKUS:
        return ""
    return f"{_sku(facts)} is no SmartConnect (C) unit, and ID{line.id} is firmware of those only."


def _model_against_the_rest(facts: Facts) -> str:
    by_model, by_sku, by_id = _sku_rows(facts.by_model), _sku_rows(facts.by_sku), _id_rows(facts.firmware.id)
    if by_model is None or facts.by_sku.oem:
        return ""
    model = f"the model {' '.join((facts.model or '').split())} ({by_model[0].name})"
    if by_sku is not None:
        # A model's text never tells form or SmartConnect, so these are no contradiction to it.
        if CONNECTED in by_sku or set(by_model) & set(by_sku):
            return ""
        return f"{model} and {_sku(facts)} ({by_sku[0].name}) name different products."
    if by_id is None or set(by_model) & set(by_id):
        return ""
    return f"{model} and the firmware's ID{facts.firmware.id} ({by_id[0].name}) name different products."


_CONTRADICTIONS = (_sku_against_id, _family_against_id, _plain_against_connected, _model_against_the_rest)


def _sku(facts: Facts) -> str:
    return f"the SKU {(facts.sku or '').strip()}"


def _srt(facts: Facts) -> _Found | None:
    by = _is_srt(facts)
    if by is None:
        return None
    reason = "SRT units are affected, and no firmware that mends it has been published."
    return _Found(GapStatus.NO_PUBLISHED_FIX, reason, Basis.BULLETIN, by, SRT)


def _family(facts: Facts) -> _Found | None:
    product, model = facts.by_sku, facts.by_model
    if product.family in NOT_CONCERNED:
        reason = f"The bulletin speaks of SMT, SMX and SRT only; this is an {product.family}."
        return _Found(GapStatus.NOT_AFFECTED, reason, Basis.BULLETIN, "sku", OTHER_FAMILY)
    has_sku = bool((facts.sku or "").strip())
    if not has_sku and model.family in NOT_CONCERNED and _id_rows(facts.firmware.id) is None:
        reason = f"The bulletin speaks of SMT, SMX and SRT only; by its model this is a {model.family}."
        return _Found(GapStatus.NOT_AFFECTED, reason, Basis.BULLETIN, "model", OTHER_FAMILY)
    if has_sku and product.family is None and facts.firmware.id is None:
        reason = f"The SKU {(facts.sku or '').strip()} is of no family known here, and the firmware shows no ID."
        return _Found(GapStatus.UNKNOWN, reason)
    return None


def _no_version(facts: Facts) -> _Found | None:
    if facts.firmware.version is not None:
        return None
    raw = (facts.firmware.raw or "").strip()
    what = f"The firmware text '{raw}' has no version that could be compared" if raw else "No firmware version was read"
    return _Found(GapStatus.UNKNOWN, f"{what}.", identified_by=_identified(facts))


def _from_first(facts: Facts) -> _Found | None:
    line = line_of(facts.firmware.id)
    if line is None or not line.from_first:
        return None
    reason = (
        f"The release notes of ID{facts.firmware.id} list the AP9624 as supported from the first release on. "
        "That is an inference from them; the bulletin does not name this firmware line."
    )
    return _Found(GapStatus.NOT_AFFECTED, reason, Basis.RELEASE_NOTES, "id", source=NOTES)


def _by_id(facts: Facts) -> _Found | None:
    line = line_of(facts.firmware.id)
    if line is None or line.alone is None:
        return None
    by_sku = [row for row in _sku_rows(facts.by_sku) or () if row in line.rows]
    return _by_row(facts, by_sku[0] if len(by_sku) == 1 else line.alone, "id")


def _other_id(facts: Facts) -> _Found | None:
    if facts.firmware.id is None:
        return None
    reason = (
        "Versions compare only inside one UPS ID, and nothing published says in which version of "
        f"ID{facts.firmware.id} the AP9624 is fixed. Ask the maker."
    )
    return _Found(GapStatus.UNKNOWN, reason, Basis.RELEASE_NOTES, "id", source=NOTES)


def _without_id(facts: Facts) -> _Found | None:
    """The last rule: always a finding."""
    product = facts.by_sku
    rows = _sku_rows(product)
    if rows is not None:
        if len(rows) == 1 and rows[0].fixed_in is not None:
            return _by_row(facts, rows[0], "sku")
        reason = "The firmware shows no ID, and the SKU alone does not tell which line of firmware this is."
        return _Found(GapStatus.UNKNOWN, reason, identified_by="sku")
    model = facts.by_model
    rows = _sku_rows(model) if model.family == "SMX" else None
    if rows is not None and len(rows) == 1:
        return _by_row(facts, rows[0], "model")
    reason = "Neither an ID nor a SKU was read, and the model's text alone fits several products."
    return _Found(GapStatus.UNKNOWN, reason, identified_by="model" if model.family is not None else None)


def _v(text: str) -> Version:
    version = Version.parse(text)
    if version is None:
        raise ValueError(text)
    return version


def _by_row(facts: Facts, row: Row, by: str) -> _Found:
    version = facts.firmware.version
    if version is None or row.fixed_in is None:
        return _Found(GapStatus.UNKNOWN, "No version to compare.", identified_by=by, row=row)
    shown = facts.firmware.shown
    if row.above is not None and (version < _v(row.above) or (version == _v(row.above) and not row.above_included)):
        bound = "from" if row.above_included else "above"
        reason = (
            f"The bulletin speaks of {row.name} {bound} UPS {row.above} on; {shown} is older, and not judged by it."
        )
        return _Found(GapStatus.UNKNOWN, reason, Basis.BULLETIN, by, row)
    if row.up_to is not None and version > _v(row.up_to):
        reason = (
            f"The bulletin speaks of {row.name} up to UPS {row.up_to}; {shown} is above that, and not judged by it."
        )
        return _Found(GapStatus.UNKNOWN, reason, Basis.BULLETIN, by, row)
    if version >= _v(row.fixed_in):
        reason = f"{shown} has the fix, which came with UPS {row.fixed_in} for {row.name}."
        return _Found(GapStatus.FIXED, reason, Basis.BULLETIN, by, row)
    reason = f"{shown} lacks the fix, which came with UPS {row.fixed_in} for {row.name}: update the UPS firmware."
    return _Found(GapStatus.FIX_MISSING, reason, Basis.BULLETIN, by, row)


_RULES: tuple[Callable[[Facts], _Found | None], ...] = (
    _absent,
    _no_groups,
    _contradiction,
    _srt,
    _family,
    _no_version,
    _from_first,
    _by_id,
    _other_id,
    _without_id,
)


# --- what is said beside it -----------------------------------------------------------------------------------------
_ALL_CLEAR = (GapStatus.FIXED, GapStatus.NOT_AFFECTED)
_BY_VERSION = (GapStatus.FIXED, GapStatus.FIX_MISSING)
_AT_RISK = (GapStatus.FIX_MISSING, GapStatus.NO_PUBLISHED_FIX, GapStatus.UNKNOWN)


def _finding(number: int, found: _Found, facts: Facts) -> Finding:
    reason, status = found.reason, found.status
    cleared = status is GapStatus.NOT_AFFECTED
    if number > 2 and not cleared and (facts.outlet_groups is None or facts.outlet_groups == 0):
        reason += " Its outlet groups could not be read, so it is judged as having them."
    if facts.expander is Expander.UNKNOWN:
        unsaid = "nobody has said whether one is, and no reading tells"
        reason += f" This holds {'also ' if cleared else ''}if an AP9624 is fitted: {unsaid}."
    if number > 1 and facts.comm_up is False:
        reason += " The card has lost its communication with the UPS, so these values may be old."
        if status in _ALL_CLEAR:
            # Another UPS may stand behind the card by now: old values worry, they do not clear.
            status, reason = GapStatus.UNKNOWN, f"{reason} Not an all-clear."
    row = found.row
    return Finding(
        status=status,
        rule=number,
        basis=found.basis,
        identified_by=found.identified_by,
        reason=reason,
        source=row.source if row is not None else found.source,
        expander=facts.expander,
        current=facts.firmware.shown,
        fixed_in=f"UPS {row.fixed_in}" if row is not None and row.fixed_in and status in _BY_VERSION else None,
        advice=_advice(status, facts),
    )


def _advice(status: GapStatus, facts: Facts) -> tuple[Advice, ...]:
    if facts.expander is Expander.ABSENT:
        return ()
    found = [ADVICE_AVOID] if status in _AT_RISK else []
    family = facts.by_sku.family or facts.by_model.family
    concerned = family in CONCERNED or (family is None and _known_line(facts))
    if facts.outlet_groups != 0 and (concerned or status in _AT_RISK):
        found.append(ADVICE_GROUPS)
    if concerned or status in _AT_RISK:
        found.append(ADVICE_CONFIRMED)
    return tuple(found)


def _known_line(facts: Facts) -> bool:
    return _id_rows(facts.firmware.id) is not None
