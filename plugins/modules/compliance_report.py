#!/usr/bin/python
# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: compliance_report
short_description: Writes one report about all units of a run
version_added: 0.1.0
description:
  - Makes one report of what M(dcops.apc.ups_ap9624_info) and M(dcops.apc.ats_info) found, as JSON, CSV, JUnit XML and
    one self-contained HTML page.
  - Every host of the run is a row, also one that did not answer or has no result at all.
  - Rack ATSs are shown with their exposure to the bulletins FA156178 and FA156135.
  - Reports of several runs or job slices can be merged into one.
  - Asks no device and changes none.
extends_documentation_fragment:
  - dcops.apc.attributes
options:
  units:
    description:
      - What was found, one dictionary for each unit.
      - RV(ignore:host) is the name in the inventory. The keys C(ups), C(ap9624), C(ats), C(nmc) and C(error) are as the
        modules return them, C(interface_expander) is the operator's word (V(present), V(absent) or V(unknown)), and
        C(fails), a boolean, says whether the policy of the run fails this host. Without it O(fail_on) decides.
      - Keys other than these are ignored, and none but C(host) is needed.
    type: list
    elements: dict
    default: []
  hosts:
    description:
      - The names of all hosts of the run. One that is not in O(units) becomes a row with the status V(no_result), so
        that no host is ever lost.
    type: list
    elements: str
    default: []
  reports:
    description:
      - JSON reports to merge, each a path, an C(http://) or C(https://) URL, or a dictionary with C(location) and
        C(sha256).
      - Of a host that comes more than once the newest row counts, and the report says so.
      - A report that cannot be read, does not have its C(sha256), does not fit the schema or contradicts itself
        (counts, statuses, a host twice, a time that is more than an hour ahead) makes the module fail.
      - Only the C(sha256), taken from elsewhere than beside the report, shows that nobody changed it on purpose.
      - A report is at most 128 MiB.
    type: list
    elements: raw
    default: []
  title:
    description: The report's title. By default C(AP9624 compliance), or the titles of the O(reports).
    type: str
  change_reference:
    description: Free text, such as the number of the change. It is shown in the report.
    type: str
  slice:
    description:
      - Which part of a job this is, such as the number of an AWX job, or C(2 of 5).
      - It becomes part of the file names, and RV(report.slice_key) is made from it.
    type: str
  formats:
    description: The forms to write. Only a report in V(json) can be merged later.
    type: list
    elements: str
    choices: [json, csv, junit, html]
    default: [json, csv, junit, html]
  fail_on:
    description:
      - The policy for JUnit and RV(failing), which is the statuses that fail a host where its entry in O(units) does
        not say so by C(fails). It also decides on the rows of merged O(reports), which do not hold the policy of their
        run.
      - A host without a result, or that was not asked because an option is refused, always fails. A Rack ATS never
        fails by V(unknown). The module itself fails on none of them.
      - In JUnit a host that fails is C(failure), or C(error) where it was not judged; one that does not is C(skipped)
        with the finding where its status is V(fix_missing), V(no_published_fix), V(unknown), V(unreachable), V(error)
        or V(not_a_ups), and passes otherwise. A gap is never shown as passed.
    type: list
    elements: str
    choices:
      - fix_missing
      - no_published_fix
      - unknown
      - unreachable
      - error
      - no_result
      - never_3x
      - use_guarded_upgrade
      - not_a_ups
      - fixed
      - not_affected
      - not_covered
    default: [fix_missing]
  dest:
    description:
      - The folder on the controller to write to; it is made if it is not there. By default C(reports) in O(state_dir).
      - A symbolic link to a folder is followed.
      - Mutually exclusive with O(url).
    type: path
  basename:
    description:
      - The files' name without its ending. By default C(ap9624-compliance_), the time in UTC, eight random characters,
        and O(slice); then no file is ever replaced.
      - Files with a name that is given here are replaced. A symbolic link, or anything else that is no file, and one of
        the O(reports) are not, and then none is.
    type: str
  state_dir:
    description:
      - The collection's folder on the controller, used where neither O(dest) nor O(url) is given.
      - If not set, the environment variable E(APC_STATE_DIR) of the controller is used, and else C(dcops-apc) in the
        user's state folder (E(XDG_STATE_HOME), or C(~/.local/state)). This last one is refused where it is inside a
        container without a mount, since it would vanish with the container.
    type: path
  url:
    description:
      - The C(http://) or C(https://) URL of a folder. Each file is sent by PUT to its name below that URL. It needs the
        Python package C(requests) on the controller.
      - Redirects are refused. A URL with a user, a password or a query is refused too, use O(url_username) and
        O(url_password).
    type: str
  url_username:
    description:
      - The user for O(url) and for the URLs in O(reports). It is sent to all of them.
      - If not set, the environment variable E(APC_REPORT_USERNAME) of the controller is used.
    type: str
  url_password:
    description:
      - The password of O(url_username).
      - If not set, the environment variable E(APC_REPORT_PASSWORD) of the controller is used.
    type: str
  validate_certs:
    description: Whether the TLS certificate of O(url) and of the URLs in O(reports) must be trusted.
    type: bool
    default: true
  http_timeout_s:
    description: The most seconds that sending or fetching one file may take, from V(1) to V(600).
    type: float
    default: 30.0
attributes:
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in check mode), when in diff mode.
    support: none
  idempotent:
    description:
      - When run twice in a row outside check mode, with the same arguments, the second invocation indicates no change.
    support: none
    details:
      - Every run writes a report of its own.
notes:
  - In check mode nothing is written or sent, and the counts are returned all the same. A folder that cannot be written
    is noticed.
  - Texts of devices are hostile until proven otherwise. They are bounded, escaped in HTML and XML, and an apostrophe is
    put before a CSV cell that a spreadsheet could take for a formula.
  - A file in a folder is there as a whole or not at all. Of several files, the JSON report is written last. A run that
    was killed may leave hidden files C(.dcops-apc-report-*.tmp), which a later run removes once they are an hour old.
  - The form of the JSON report is published as C(docs/schema/compliance_report_v1.schema.json) in the collection.
seealso:
  - module: dcops.apc.ups_ap9624_info
  - module: dcops.apc.ats_info
author:
  - The dcops.apc contributors (@dcops)
"""

EXAMPLES = r"""
- name: Write one report about all hosts of the play
  dcops.apc.compliance_report:
    # Each host keeps what was found in a fact, as the role dcops.apc.ups_ap9624 does.
    units: >-
      {{ ansible_play_hosts_all | map('extract', hostvars) | selectattr('ups_ap9624_finding', 'defined')
      | map(attribute='ups_ap9624_finding') | list }}
    hosts: "{{ ansible_play_hosts_all }}"
    change_reference: CHG0031337
    dest: /srv/reports
  run_once: true

- name: Judge one UPS
  dcops.apc.ups_ap9624_info:
  register: judged

- name: Send the report to a server, since the container is gone after the job
  dcops.apc.compliance_report:
    units: "{{ [judged | combine({'host': inventory_hostname})] }}"
    slice: "{{ awx_job_id }}"
    url: https://reports.example.net/ap9624/
    url_username: reports
    url_password: "{{ vault_reports_password }}"

- name: Merge the reports of two slices
  dcops.apc.compliance_report:
    reports:
      - /srv/reports/ap9624-compliance_20260314T020000Z-5f0c91ab_1-of-2.json
      - location: https://reports.example.net/ap9624/ap9624-compliance_20260314T020000Z-5f0c91ab_2-of-2.json
        sha256: 2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae
    dest: /srv/reports
    basename: ap9624-compliance_march
"""

RETURN = r"""
report:
  description: What was written, and the counts.
  returned: success
  type: dict
  contains:
    location:
      description:
        - Path or URL of the JSON report, or of the first file where there is no JSON. V(null) in check mode.
      type: str
      sample: /srv/reports/ap9624-compliance_20260314T020000Z-5f0c91ab.json
    sha256:
      description: The SHA-256 of that file.
      type: str
      sample: 2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae
    folder:
      description: The folder, or the URL of it.
      type: str
      sample: /srv/reports
    files:
      description: All files.
      type: list
      elements: dict
      contains:
        format:
          description: The form.
          type: str
          choices: [json, csv, junit, html]
          sample: html
        name:
          description: The file's name.
          type: str
          sample: ap9624-compliance_20260314T020000Z-5f0c91ab.html
        location:
          description: Its path or URL; V(null) in check mode.
          type: str
          sample: /srv/reports/ap9624-compliance_20260314T020000Z-5f0c91ab.html
        sha256:
          description: Its SHA-256.
          type: str
          sample: fcde2b2edba56bf408601fb721fe9b5c338d10ee429ea04fae5511b68fbf8fb9
        size:
          description: Its size in bytes.
          type: int
          sample: 67302
    slice_key:
      description: Letters, digits and underscores, made from O(slice); without that, different for every run.
      type: str
      sample: "4711"
    duplicates:
      description: Hosts that came more than once in O(units); the last one counts.
      type: list
      elements: str
      sample: []
    renamed:
      description: Names that read like another host's once they are printable, and therefore got a mark at their end.
      type: list
      elements: str
      sample: []
    title:
      description: The title.
      type: str
      sample: AP9624 compliance
    generated_at:
      description: When the report was written, in UTC.
      type: str
      sample: "2026-03-14T02:00:00Z"
    change_reference:
      description: What was given, or what the merged reports have.
      type: str
      sample: CHG0031337
    slice:
      description: What was given.
      type: str
      sample: "4711"
    simulated:
      description: Whether any row is of a simulated device.
      type: bool
      sample: false
    counts:
      description: The number of rows by status. Every status is there.
      type: dict
      sample: {"fix_missing": 12, "no_published_fix": 3, "unknown": 4, "unreachable": 10, "error": 0, "no_result": 0,
        "never_3x": 0, "use_guarded_upgrade": 8, "not_a_ups": 0, "fixed": 120, "not_affected": 43, "not_covered": 0}
    total:
      description: The number of rows.
      type: int
      sample: 200
    schema_version:
      description: The version of the JSON report's form.
      type: str
      sample: "1.0"
    replaced:
      description: Hosts that came more than once in merged reports, with the times and statuses of both rows.
      type: list
      elements: dict
      sample: []
failing:
  description: The hosts that fail by the policy, which JUnit shows as failed or in error, each with its status.
  returned: success
  type: list
  elements: dict
  contains:
    host:
      description: The name in the inventory.
      type: str
      sample: ups-04
    status:
      description: Its status.
      type: str
      sample: fix_missing
summary:
  description: The report in a few lines for a person, bounded whatever the number of units.
  returned: success
  type: list
  elements: str
  sample: ["AP9624 compliance: 200 units", "Fix missing 12; Unreachable 10; Fixed 178"]
error:
  description: Why the module failed.
  returned: failure
  type: dict
  contains:
    kind:
      description:
        - The stable kind of the error. V(state) is a file or folder, V(unsupported) an option or a report that cannot
          be merged, the others are about a URL.
      type: str
      choices: [state, unsupported, transfer, timeout, auth, internal]
      sample: state
    message:
      description: The same words as in RV(ignore:msg).
      type: str
      sample: "The report cannot be written to /srv/reports: /srv cannot be written."
"""

from ansible_collections.dcops.apc.plugins.module_utils._module import module_main


def main() -> None:
    module_main("compliance_report")


if __name__ == "__main__":
    main()
