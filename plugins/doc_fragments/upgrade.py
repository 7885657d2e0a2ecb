# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  src:
    description:
      - The firmware package on the controller, as with M(dcops.apc.firmware_package_info).
      - A folder, a C(.zip), the vendor's self-extracting C(.exe), or an C(http://) or C(https://) URL of such a file.
      - A relative path is looked for as M(ansible.builtin.copy) does.
      - Exactly one of O(src) and O(files) is required.
    type: str
  files:
    description: The AOS and the app file of the package, instead of O(src).
    type: list
    elements: path
  checksums:
    description: The SHA-256 of each file of the package, by file name. If given, each must match.
    type: dict
  method:
    description:
      - How it is made sure that the load cannot be dropped.
      - V(single_source) is with the load on. The secondary input is unplugged or locked out, and stays so until the run
        says "you may reconnect".
      - V(no_load) is with both inputs live and no load attached.
      - V(app_only) is for a card that runs the new AOS and no working app. Nothing can be measured then, so it rests on
        a person's word.
      - V(recovery) is for a unit whose controller does not answer, after a power cycle on one input and without load.
      - From the permission on, method and primary are fixed by the unit's permit while anything is out. Only
        V(app_only) and V(recovery) may follow.
    type: str
    choices: [single_source, no_load, app_only, recovery]
    default: single_source
  primary_source:
    description:
      - The input that stays connected. Required with O(method=single_source); there is no default, the operator says
        it.
      - The unit must have selected it, and must prefer it or none.
    type: str
    choices: [A, B]
  confirmations:
    description:
      - What a person says, beside what is measured and never instead of it where measuring is possible.
      - A list of dictionaries with C(what) and C(unit), or text with one C(what UNIT) per line, as a survey of AWX
        gives it. In text, empty lines and lines that begin with C(#) are passed over.
      - A I(promise) lets a run ask, never send. Every method needs the one of what it rests on.
        C(will_disconnect_secondary) is "I unplug or lock out the secondary when the run says so, and keep it so until
        the run says reconnect". C(will_remove_loads) is the same of every load, "and attach none".
      - Both promises are also "30 s without a line of the run, or a line whose printed time is 30 s old, is a STOP,
        until the run says that the permit is closed".
      - A promise is for C(SERIAL@YYYY-MM-DD), which counts on its day, and until 06:00 yesterday's does too, unless a
        run has released something since that date began; or for C(SERIAL@YYYY-MM-DDThh:mm+hh:mm), at most 12 hours old
        and later than every release.
      - A I(deed) alone lets a run send. C(secondary_disconnected) and C(no_load) are "I see that it is so now, and it
        stays so until the run says otherwise".
      - A deed is said in whichever comes first of three ways. At the run's own question, where it has a terminal, the
        letter of the source or C(no load), and ENTER. By M(dcops.apc.ats_word), or the playbook of that name, while the
        run waits. Or beforehand in this option, with a time at most 30 minutes old, that is later than every release,
        every recovery attempt and the last reading that was live.
      - A I(statement) is always with a time, at most 60 minutes old. C(power_cycled) is "both inputs were out and it
        rested at least 5 minutes", C(one_input) is "exactly one input is connected", C(unit_removed) is that the unit
        was taken out of its rack, which closes its permit.
      - A time is C(SERIAL@YYYY-MM-DDThh:mm+hh:mm), or with C(Z) instead of the offset, and at most 2 minutes in the
        future.
      - C(SERIAL) is the ATS's own. For a unit whose serial cannot be read it is C(SERIAL@ADDRESS@time) with the serial
        of the name plate, and the record says that it could not be verified.
      - A release, which is the word of M(dcops.apc.ats_wait) with C(until=redundant), spends every word that was given
        before it.
      - Entries for other units are ignored, so one list can serve many hosts.
      - Never fill in a serial or a date from a measurement or a template. That would be no person's word.
    type: raw
  confirmation_timezone:
    description: The time zone of dates in O(confirmations), such as V(Europe/Berlin); by default the controller's.
    type: str
  allow_downgrade:
    description: Whether the package may be older than what runs. The vendor advises against downgrades.
    type: bool
    default: false
  stability_s:
    description:
      - For how many seconds the readings must be unchanged before anything is sent, from V(30) to V(120).
      - A second transfer between the inputs within 30 seconds may damage a unit, so it cannot be lowered.
      - The last block of an app is held back for up to this long and 30 seconds, so it cannot be raised further.
    type: float
    default: 30.0
  poll_interval_s:
    description: How many seconds lie between two readings, from V(0.1) to V(3).
    type: float
    default: 2.0
  down_timeout_s:
    description: How many seconds the card may take to go down after it got a file, from V(10) to V(7200).
    type: float
    default: 300.0
  up_timeout_s:
    description: How many seconds the card may take to come back, from V(10) to V(7200).
    type: float
    default: 600.0
  controller_timeout_s:
    description:
      - How many seconds the ATS controller may take to settle after its app has started, from V(10) to V(7200).
    type: float
    default: 900.0
  state_dir:
    description:
      - The folder on the controller for locks, evidence and backups.
      - It excludes runs that share the folder, and no others.
      - It may be a volume that a group may write. The folders in it belong to the account of the run alone; where
        others may write them, or own them, the run is refused.
      - If not set, the environment variable E(APC_STATE_DIR) of the controller is used, and else C(dcops-apc) in the
        user's state folder (E(XDG_STATE_HOME), or C(~/.local/state)).
    type: path
  ephemeral_state:
    description:
      - Whether O(state_dir) may be inside a container without being a mount, and so be lost with the container.
      - Without it nothing is sent then.
    type: bool
    default: false
  change_reference:
    description: Free text, such as the number of the change. It is kept in the evidence.
    type: str
  redundancy_peers:
    description:
      - Other ATSs that must read fully redundant before this one gives up its redundancy.
      - Each is a name or address, or C(ADDRESS:PORT) where the port differs. They are asked with the same SNMP options.
      - Each must have its controller established and be fully redundant in two samples 30 seconds apart.
      - They are asked again every 15 seconds while a permission stands. One that reads badly, or misses three answers
        in a row, withdraws it.
      - A peer that another run with the same O(state_dir) holds refuses.
    type: list
    elements: str
notes:
  - All seconds of O(stability_s), O(poll_interval_s), O(down_timeout_s), O(up_timeout_s) and O(controller_timeout_s)
    are the device's. They differ from real seconds only for a simulated device that declares itself accelerated.
  - Covered are generation 2 of the AP77xx only. Generation 1, AP44xx, AP44xxA and unknown models are refused.
  - What cannot be seen, and so is not protected against, is a source that returns during the flash in spite of promise
    and deed; an outage of the secondary that begins exactly while the permission stands, beside a person who says that
    the plug is out and it is not; the only feed failing during the download into the controller; the primary failing
    and the hand pulling before the next sample; a transfer to a card that is deaf while it stores; a device that gives
    wrong or old values consistently for more than 15 seconds; and a load under 1 A that is shown as 0.
  - The methods V(app_only) and V(recovery) stand on a person's word.
  - Not known from any published source are how a dead input reads, what the unit reads while its controller is flashed,
    how long after the start the download into the controller begins, and whether an old app runs on a new AOS. The
    rules are chosen so that being wrong about them costs time.
"""
