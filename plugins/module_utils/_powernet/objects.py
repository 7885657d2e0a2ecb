# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The names of the objects, each with its source. What is read, and how, is in the rows of card, ats and ups.

Names and meanings: PowerNet-MIB (enterprise 318), as noted in the project's facts; marks as there: [V] read in a
published source, [1] one unofficial source, [?] unknown. Scalars are given as instances (.0), tables by column.
Nothing here is ever written to but UPS_FIRMWARE_UPDATE.
"""

from __future__ import annotations

from ansible_collections.dcops.apc.plugins.module_utils._transport.types import Oid

# --- SNMPv2-MIB, IP-MIB ---------------------------------------------------------------------------------------------
SYS_DESCR: Oid = (1, 3, 6, 1, 2, 1, 1, 1, 0)  # RFC 1213
SYS_OBJECT_ID: Oid = (1, 3, 6, 1, 2, 1, 1, 2, 0)  # RFC 1213; 318.1.3.{11, 32, 38} for the ATS generations [V]
SYS_UP_TIME: Oid = (1, 3, 6, 1, 2, 1, 1, 3, 0)  # RFC 1213, 1/100 s
SYS_NAME: Oid = (1, 3, 6, 1, 2, 1, 1, 5, 0)  # RFC 1213
IP_AD_ENT_ADDR: Oid = (1, 3, 6, 1, 2, 1, 4, 20, 1, 1)  # RFC 1213, indexed by the address itself

ENTERPRISE: Oid = (1, 3, 6, 1, 4, 1, 318)
OBJECT_ID_5G: Oid = (*ENTERPRISE, 1, 3, 38)  # AP44xxA [V]

# --- the card -------------------------------------------------------------------------------------------------------
LAST_TRANSFER: Oid = (*ENTERPRISE, 2, 4, 1, 1, 0)  # [V]

# --- Rack ATS, generations 1 to 4: A = 318.1.1.8 [V] ------------------------------------------------------------------
ATS: Oid = (*ENTERPRISE, 1, 1, 8)

IDENT: Oid = (*ATS, 1)
HARDWARE_REVISION = (*IDENT, 1, 0)
CONTROLLER_VERSION = (*IDENT, 2, 0)  # of the switch controller, "3.0.5" on AP7724: neither AOS nor app
CONTROLLER_DATE = (*IDENT, 3, 0)
MANUFACTURED = (*IDENT, 4, 0)
MODEL = (*IDENT, 5, 0)
SERIAL = (*IDENT, 6, 0)
NOMINAL_VOLTAGE = (*IDENT, 7, 0)
NOMINAL_FREQUENCY = (*IDENT, 8, 0)
RATING = (*IDENT, 9, 0)

CONFIG: Oid = (*ATS, 4)
CONFIG_NAME = (*CONFIG, 1, 0)
CONFIG_PREFERRED = (*CONFIG, 2, 0)  # 1 A, 2 B, 3 none
CONFIG_FRONT_PANEL = (*CONFIG, 3, 0)  # 1 disabled, 2 enabled
CONFIG_SENSITIVITY = (*CONFIG, 4, 0)  # 1 high, 2 low
CONFIG_RANGE = (*CONFIG, 5, 0)  # 1 wide, 2 medium, 3 narrow
CONFIG_CURRENT_LIMIT = (*CONFIG, 6, 0)  # A
CONFIG_LINE_VRMS = (*CONFIG, 8, 0)
CONFIG_NARROW = (*CONFIG, 9, 0)
CONFIG_MEDIUM = (*CONFIG, 10, 0)
CONFIG_WIDE = (*CONFIG, 11, 0)
CONFIG_FREQUENCY_DEVIATION = (*CONFIG, 12, 0)

STATUS: Oid = (*ATS, 5, 1)
STATUS_COMM = (*STATUS, 1, 0)
STATUS_SELECTED = (*STATUS, 2, 0)
STATUS_REDUNDANCY = (*STATUS, 3, 0)
STATUS_OVER_CURRENT = (*STATUS, 4, 0)
STATUS_SWITCH = (*STATUS, 10, 0)
STATUS_FRONT_PANEL = (*STATUS, 11, 0)
STATUS_SOURCE_A = (*STATUS, 12, 0)
STATUS_SOURCE_B = (*STATUS, 13, 0)
STATUS_PHASE_SYNC = (*STATUS, 14, 0)  # 1 is in sync: the other way round than its neighbours
STATUS_OUTPUT = (*STATUS, 15, 0)  # "fail" with the output on in ats4g 7.1.4: nothing is decided by it alone
STATUS_DISPLAY = (*STATUS, 16, 0)

# Inputs: one index in the first table; three sub-ids in the phase table, where the MIB declares two [V].
INPUT_FREQUENCY: Oid = (*ATS, 5, 3, 2, 1, 4)
INPUT_NAME: Oid = (*ATS, 5, 3, 2, 1, 6)
INPUT_VOLTAGE: Oid = (*ATS, 5, 3, 3, 1, 3)

OUTPUT_COUNT: Oid = (*ATS, 5, 4, 1, 0)
# Output phases: an empty table on AP7724, whatever the number of output phases says [V].
PHASE_VOLTAGE: Oid = (*ATS, 5, 4, 3, 1, 3)
PHASE_CURRENT: Oid = (*ATS, 5, 4, 3, 1, 4)  # 0.1 A
PHASE_VA: Oid = (*ATS, 5, 4, 3, 1, 7)
PHASE_PERCENT: Oid = (*ATS, 5, 4, 3, 1, 10)
PHASE_POWER: Oid = (*ATS, 5, 4, 3, 1, 13)  # VA, as PHASE_VA [V]
PHASE_STATE: Oid = (*ATS, 5, 4, 3, 1, 19)

BANK_ROWS: Oid = (*ATS, 5, 4, 4, 0)  # > 0 on a banked unit
BANK_CURRENT: Oid = (*ATS, 5, 4, 5, 1, 4)  # 0.1 A
BANK_STATE: Oid = (*ATS, 5, 4, 5, 1, 5)  # 1 normal, 2 low, 3 near overload, 4 overload
BANK_VOLTAGE: Oid = (*ATS, 5, 4, 5, 1, 6)
BANK_VA: Oid = (*ATS, 5, 4, 5, 1, 9)
BANK_PERCENT: Oid = (*ATS, 5, 4, 5, 1, 12)
BANK_POWER: Oid = (*ATS, 5, 4, 5, 1, 15)  # VA, equal to BANK_VA in the AP7724 capture [V]

# --- AP44xxA (5G): 318.1.1.33, another tree with other objects [V]; read for the state report only ------------------
FIVE_G: Oid = (*ENTERPRISE, 1, 1, 33)
FIVE_G_SERIAL: Oid = (*FIVE_G, 2, 1, 5)
FIVE_G_MODEL: Oid = (*FIVE_G, 2, 1, 6)
FIVE_G_COMM: Oid = (*FIVE_G, 3, 1, 5)
FIVE_G_PREFERRED: Oid = (*FIVE_G, 3, 1, 7)
FIVE_G_SELECTED: Oid = (*FIVE_G, 3, 1, 8)
FIVE_G_REDUNDANCY: Oid = (*FIVE_G, 3, 1, 9)
FIVE_G_SOURCE_A: Oid = (*FIVE_G, 3, 1, 10)
FIVE_G_SOURCE_B: Oid = (*FIVE_G, 3, 1, 11)
FIVE_G_VOLTAGE_A: Oid = (*FIVE_G, 3, 1, 19)
FIVE_G_VOLTAGE_B: Oid = (*FIVE_G, 3, 1, 20)
FIVE_G_FREQUENCY_A: Oid = (*FIVE_G, 3, 1, 24)
FIVE_G_FREQUENCY_B: Oid = (*FIVE_G, 3, 1, 25)
FIVE_G_OUTPUT: Oid = (*FIVE_G, 3, 1, 34)
FIVE_G_OVER_CURRENT: Oid = (*FIVE_G, 3, 1, 35)

# --- Smart-UPS: U = 318.1.1.1 [V] -----------------------------------------------------------------------------------
UPS: Oid = (*ENTERPRISE, 1, 1, 1)
UPS_MODEL: Oid = (*UPS, 1, 1, 1, 0)
UPS_NAME: Oid = (*UPS, 1, 1, 2, 0)
UPS_FIRMWARE: Oid = (*UPS, 1, 2, 1, 0)
UPS_MANUFACTURED: Oid = (*UPS, 1, 2, 2, 0)
UPS_SERIAL: Oid = (*UPS, 1, 2, 3, 0)
UPS_SKU: Oid = (*UPS, 1, 2, 5, 0)  # absent on older units
UPS_HARDWARE: Oid = (*UPS, 1, 2, 6, 0)
UPS_RATING: Oid = (*UPS, 1, 2, 9, 0)
UPS_BATTERY_STATUS: Oid = (*UPS, 2, 1, 1, 0)
UPS_BATTERY_PERCENT: Oid = (*UPS, 2, 2, 1, 0)
UPS_RUNTIME: Oid = (*UPS, 2, 2, 3, 0)  # timeticks
UPS_REPLACE_BATTERY: Oid = (*UPS, 2, 2, 4, 0)
UPS_BATTERY_TENTHS: Oid = (*UPS, 2, 3, 1, 0)  # the same in tenths; some cards answer only these [V]
UPS_INPUT_VOLTAGE: Oid = (*UPS, 3, 2, 1, 0)
UPS_INPUT_TENTHS: Oid = (*UPS, 3, 3, 1, 0)
UPS_STATUS: Oid = (*UPS, 4, 1, 1, 0)
UPS_OUTPUT_VOLTAGE: Oid = (*UPS, 4, 2, 1, 0)
UPS_LOAD: Oid = (*UPS, 4, 2, 3, 0)
UPS_OUTPUT_TENTHS: Oid = (*UPS, 4, 3, 1, 0)
UPS_LOAD_TENTHS: Oid = (*UPS, 4, 3, 3, 0)
UPS_FIRMWARE_UPDATE: Oid = (*UPS, 6, 2, 9, 0)  # 1 none, 2 start, 3 in process, 4 successful, 5 failed; writable
UPS_SELF_TEST: Oid = (*UPS, 7, 2, 3, 0)
UPS_CALIBRATION: Oid = (*UPS, 7, 2, 6, 0)
UPS_COMM: Oid = (*UPS, 8, 1, 0)
UPS_FLAGS: Oid = (*UPS, 11, 1, 1, 0)  # 64 characters 0 or 1, flag 1 leftmost
UPS_OUTLET_COUNT: Oid = (*UPS, 12, 1, 1, 0)  # the whole tree is absent on some devices: that is not 0
UPS_OUTLET_NAME: Oid = (*UPS, 12, 1, 2, 1, 2)
UPS_OUTLET_STATE: Oid = (*UPS, 12, 1, 2, 1, 3)
UPS_OUTLET_TYPE: Oid = (*UPS, 12, 1, 2, 1, 5)
