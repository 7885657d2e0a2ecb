#!/usr/bin/python
# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: firmware_package_info
short_description: Reads a firmware package for a network management card
version_added: 0.1.0
description:
  - Says what a firmware package holds, for which hardware and in which versions.
  - Names the vendor's bulletin that is about such a package.
  - Asks no device and changes nothing.
  - Nothing is unpacked to disk, and only files that are named like the vendor's firmware files are read.
options:
  src:
    description:
      - Where the package is on the controller.
      - A folder, a C(.zip), the vendor's self-extracting C(.exe) or a single C(.bin) file.
      - Also an C(http://) or C(https://) URL of such a file. It needs the Python package C(requests) on the controller.
      - User, password and query of a URL are never shown in the module's results or messages.
      - In a folder the files may also be in a subfolder C(Bins). Other subfolders are not looked into.
      - Exactly one of O(src) and O(files) is required.
    type: str
  files:
    description:
      - The firmware files themselves, instead of O(src).
    type: list
    elements: path
  checksums:
    description:
      - The SHA-256 of each firmware file of the package, by file name, as hexadecimal digits.
      - If given, it must name exactly the firmware files of the package, and each must match; else the module fails.
      - An empty dictionary counts as not given.
    type: dict
  download_timeout_s:
    description:
      - The most seconds that a download may take as a whole, from V(1) to V(3600).
    type: int
    default: 120
attributes:
  check_mode:
    description: Can run in check mode and return changed status prediction without modifying target.
    support: full
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in check mode), when in diff mode.
    support: N/A
    details:
      - This module does not change anything.
  idempotent:
    description:
      - When run twice in a row outside check mode, with the same arguments, the second invocation indicates no change.
    support: full
notes:
  - The firmware's own header and checksums are not examined, since their layout is not published.
    The card examines them when it receives a file.
  - A package is at most 64 MiB, and an archive has at most 200 members.
author:
  - The dcops.apc contributors (@dcops)
"""

EXAMPLES = r"""
- name: Look into the vendor's package
  dcops.apc.firmware_package_info:
    src: /srv/firmware/apc_hw02_aos392_g2ats392.exe
  register: firmware

- name: Show what is in it
  ansible.builtin.debug:
    msg: "{{ item.name }} {{ item.version }} for {{ item.hardware }}"
  loop: "{{ firmware.package.modules }}"

- name: Read two files and compare them with known checksums
  dcops.apc.firmware_package_info:
    files:
      - /srv/firmware/apc_hw02_aos_392.bin
      - /srv/firmware/apc_hw02_g2ats_392.bin
    checksums:
      apc_hw02_aos_392.bin: 2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae
      apc_hw02_g2ats_392.bin: fcde2b2edba56bf408601fb721fe9b5c338d10ee429ea04fae5511b68fbf8fb9

- name: Read a package from a mirror and insist on one complete pair of files
  dcops.apc.firmware_package_info:
    src: https://mirror.example.com/apc/apc_hw02_aos392_g2ats392.zip
  register: firmware
  failed_when: firmware is failed or firmware.package.problems | length > 0
"""

RETURN = r"""
package:
  description: What the package holds.
  returned: success
  type: dict
  contains:
    name:
      description: The vendor's name for this pair of AOS and application; V(null) unless there is exactly one of each.
      type: str
      sample: apc_hw02_aos392_g2ats392
    hardware:
      description: The card hardware that all files are made for; V(null) if they differ or do not say.
      type: str
      sample: hw02
    modules:
      description: The firmware files, in the order in which a card takes them.
      type: list
      elements: dict
      contains:
        file:
          description: The file's name.
          type: str
          sample: apc_hw02_g2ats_392.bin
        hardware:
          description: The card hardware that the file is made for, by its name; V(null) for old names without it.
          type: str
          sample: hw02
        kind:
          description: V(bootmon) is the boot monitor, V(aos) the operating system of the card, V(app) the application.
          type: str
          sample: app
        name:
          description: The type in the file's name.
          type: str
          sample: g2ats
        version:
          description: The version in the file's name.
          type: str
          sample: 3.9.2
        size:
          description: The size in bytes.
          type: int
          sample: 782336
        sha256:
          description: The SHA-256 of the file.
          type: str
          sample: fcde2b2edba56bf408601fb721fe9b5c338d10ee429ea04fae5511b68fbf8fb9
    bulletin:
      description:
        - The vendor's bulletin about upgrades with such a package; V(null) if none is known.
        - Every package for a generation 2 Rack ATS is covered, whether the bulletin names it or not.
      type: dict
      contains:
        id:
          description: The bulletin's number.
          type: str
          sample: FA156178
        named:
          description: Whether the bulletin names this very package.
          type: bool
          sample: false
    source:
      description: Where the package was read from, without secrets.
      type: str
      sample: /srv/firmware/apc_hw02_aos392_g2ats392.exe
    ignored:
      description: What lies beside the firmware files and is not used.
      type: list
      elements: str
      sample: [upgrd_util.exe, iplist.txt]
    problems:
      description: Why this is not one complete pair of AOS and application for one hardware, as sentences.
      type: list
      elements: str
      sample: [The package has no application file.]
error:
  description: Why the module failed. The RV(error.kind) is V(package) here.
  returned: failure
  type: dict
  contains:
    kind:
      description: The stable kind of the error.
      type: str
      sample: package
    message:
      description: The same words as in RV(ignore:msg).
      type: str
      sample: There is no firmware file (apc_hw02_aos_392.bin or alike) in /srv/firmware.
"""

from ansible_collections.dcops.apc.plugins.module_utils._module import module_main


def main() -> None:
    module_main("firmware_package_info")


if __name__ == "__main__":
    main()
