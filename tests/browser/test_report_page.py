# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report's page in a real browser: the chart is there, filter and sort work, and hostile names stay text."""

from __future__ import annotations

import base64
import re
from typing import Any

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

from ansible_collections.dcops.apc.plugins.module_utils._report.as_html import as_html
from ansible_collections.dcops.apc.plugins.module_utils._report.report import Head, build
from ansible_collections.dcops.apc.plugins.module_utils._report.rows import rows_of

NOW = "2026-03-14T02:00:00Z"
HOSTILE = (
    "<script>window.hacked=1;alert(1)</script>",
    "\"><img src=x onerror='window.hacked=1;alert(1)'>",
    "</td></tr></table><h1 id=hacked>gone</h1>",
    "javascript:alert(1)//",
    "{{ 1/0 }}",
    "a\u202etxt.exe",
    "</script><script>window.hacked=1</script>",
)


def ups(host: str, status: str, current: str = "UPS 09.1 (ID18)", text: str = "Below the fix.") -> dict[str, Any]:
    fixed_in = "UPS 09.3" if status in ("fix_missing", "fixed") else None
    return {
        "host": host,
        "ups": {
            "model": "Smart-UPS 1500",
            "sku": "SMT1500RM2U",
            "serial": text,
            "firmware": {"raw": current, "id": 18},
        },
        "ap9624": {"status": status, "current": current, "fixed_in": fixed_in, "rule": 8, "basis": "bulletin"}
        | {"identified_by": "id", "reason": text, "source": "FA233876, table, row SMT 2U rackmount"}
        | {"expander": "unknown", "advice": [{"id": "FA233875", "text": "Groups with clients stay on."}]},
        "nmc": {"model": "AP9631", "aos": {"version": "6.8.2"}, "app": {"name": "sumx", "version": "6.8.2"}},
    }


def page(units: list[dict[str, Any]], **head: Any) -> bytes:
    return as_html(build(Head(now=NOW, **head), rows_of(units, [], NOW).rows))


def fleet() -> list[dict[str, Any]]:
    units = [ups(f"ups-{number}", "fixed", "UPS 09.3 (ID18)") for number in range(1, 13)]
    units += [ups(f"gap-{number}", "fix_missing") for number in range(1, 6)]
    units += [{"host": f"silent-{number}", "error": {"kind": "timeout", "message": "no answer"}} for number in range(3)]
    ats = {"model": "AP7724", "serial": "ZA1", "controller_comm": "lost"}
    nmc = {"model": "AP7724", "aos": {"version": "3.7.4"}, "app": {"name": "g2ats", "version": "3.7.1"}}
    return [*units, {"host": "ats-1", "ats": ats, "nmc": nmc | {"simulated": 30}}]


def shown(browser: Any) -> list[str]:
    rows = browser.find_elements(By.CSS_SELECTOR, "#units tbody tr")
    return [row.find_element(By.TAG_NAME, "th").text.split("\n")[0] for row in rows if row.is_displayed()]


def wait_for(browser: Any, text: str) -> None:
    WebDriverWait(browser, 10, 0.05).until(lambda _b: browser.find_element(By.ID, "shown").text == text)


def test_chart_and_counts(show: Any) -> None:
    browser = show(page(fleet(), change_reference="CHG0031337"))
    chart = browser.find_element(By.CSS_SELECTOR, "svg.chart")
    assert chart.is_displayed() and chart.accessible_name == "Units by status, as bars"
    track = browser.find_element(By.CSS_SELECTOR, "svg .track").rect["width"]
    widths = [drawn.rect["width"] / track for drawn in browser.find_elements(By.CSS_SELECTOR, "svg .bar")]
    labels = [text.text for text in browser.find_elements(By.CSS_SELECTOR, "svg text:not(.number)")]
    drawn = {label[2:]: round(12 * width) for label, width in zip(labels, widths, strict=True)}
    assert drawn["Fix missing"] == 5 and drawn["Unreachable"] == 3 and drawn["Fixed"] == 12 and drawn["Unknown"] == 0
    text = browser.find_element(By.TAG_NAME, "body").text
    assert "CHG0031337" in text and "SIMULATED" in text and "UPS 09.1 (ID18) → fixed in UPS 09.3 or later" in text
    assert browser.find_element(By.CSS_SELECTOR, ".simulated strong").rect["height"] > 30


def test_filter_by_text_and_status(show: Any) -> None:
    browser = show(page(fleet()))
    wait_for(browser, "21 of 21 units shown")
    box = browser.find_element(By.ID, "filter-text")
    box.send_keys("GAP fa233876")
    wait_for(browser, "5 of 21 units shown")
    assert shown(browser) == [f"gap-{number}" for number in range(1, 6)]
    Select(browser.find_element(By.ID, "filter-status")).select_by_value("fixed")
    wait_for(browser, "0 of 21 units shown")
    browser.find_element(By.ID, "filter-reset").click()
    wait_for(browser, "21 of 21 units shown")
    Select(browser.find_element(By.ID, "filter-status")).select_by_visible_text("Unreachable")
    wait_for(browser, "3 of 21 units shown")
    assert shown(browser) == ["silent-0", "silent-1", "silent-2"]
    # Enter in the box sends no form and loads no page.
    browser.find_element(By.ID, "filter-text").send_keys(Keys.ENTER)
    assert browser.find_element(By.ID, "shown").text == "3 of 21 units shown"


def test_sort_by_mouse_and_keyboard(show: Any) -> None:
    browser = show(page(fleet()))
    assert shown(browser)[0] == "gap-1"  # those that need somebody first
    headings = browser.find_elements(By.CSS_SELECTOR, "#units thead th")
    buttons = [heading.find_element(By.TAG_NAME, "button") for heading in headings]
    assert [button.text for button in buttons][:2] == ["Host", "Status"] and len(buttons) == 6
    buttons[0].click()
    assert headings[0].get_attribute("aria-sort") == "ascending"
    # By number: 2 before 10.
    assert [name for name in shown(browser) if name.startswith("ups")] == [f"ups-{number}" for number in range(1, 13)]
    buttons[0].send_keys(Keys.ENTER)
    assert headings[0].get_attribute("aria-sort") == "descending" and shown(browser)[0] == "ups-12"
    buttons[1].send_keys(Keys.SPACE)
    assert headings[1].get_attribute("aria-sort") == "ascending" and headings[0].get_attribute("aria-sort") is None
    assert shown(browser)[0].startswith("gap-") and shown(browser)[-1].startswith("ups-")
    # Units without any text in that column come last, either way.
    for direction in ("ascending", "descending"):
        buttons[3].click()
        assert headings[3].get_attribute("aria-sort") == direction
        assert all(name.startswith("silent-") for name in shown(browser)[-3:])


def test_hostile_texts_stay_texts(show: Any) -> None:
    units = [ups(f"{number} {text}", "fix_missing", text, text) for number, text in enumerate(HOSTILE)]
    units.append({"host": HOSTILE[0], "error": {"kind": HOSTILE[1], "message": HOSTILE[2]}})
    browser = show(page(units, title=HOSTILE[0], change_reference=HOSTILE[1], slice=HOSTILE[2]))
    wait_for(browser, "8 of 8 units shown")
    assert browser.execute_script("return window.hacked") is None
    for selector, number in (("script", 1), ("img", 0), ("#hacked", 0), ("h1", 1), ("style", 1), ("iframe", 0)):
        assert len(browser.find_elements(By.CSS_SELECTOR, selector)) == number, selector
    links = [link.get_dom_attribute("href") for link in browser.find_elements(By.TAG_NAME, "a")]
    assert all(re.fullmatch(r"#[a-z0-9-]+", link) for link in links)
    text = browser.find_element(By.TAG_NAME, "body").text
    assert HOSTILE[0] in text and HOSTILE[2] in text and "{{ 1/0 }}" in text and "\\u202e" in text
    assert browser.title == HOSTILE[0]
    # Filtering and sorting move rows about; nothing may come alive on the way.
    browser.find_element(By.ID, "filter-text").send_keys("<script>")
    wait_for(browser, "3 of 8 units shown")
    browser.find_element(By.CSS_SELECTOR, "#units thead button").click()
    assert browser.execute_script("return window.hacked") is None


def test_without_javascript_everything_is_shown(show: Any, browser: Any) -> None:
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        show(page(fleet()))
        rows = browser.find_elements(By.CSS_SELECTOR, "#units tbody tr")
        assert len(rows) == 21 and all(row.is_displayed() for row in rows)
        assert not browser.find_element(By.ID, "tools").is_displayed()
        assert browser.find_elements(By.CSS_SELECTOR, "thead button") == []
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


@pytest.mark.parametrize("width", [320, 400, 800, 1400])
def test_no_width_needs_sideways_scrolling(show: Any, browser: Any, width: int) -> None:
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    )
    try:
        show(page([*fleet(), ups("n" * 300, "unknown", "v" * 300, "r" * 900)]))
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.mark.parametrize(("width", "there"), [(380, False), (1400, True)])
def test_headings_without_a_table_below_them_are_not_seen(show: Any, browser: Any, width: int, there: bool) -> None:
    """Narrow, each value of an ATS has its label, and there is nothing to sort by; for a screen reader they stay."""
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    )
    try:
        head = show(page(fleet())).find_element(By.CSS_SELECTOR, "#ats thead")
        assert (head.size["height"] > 20) == there
        assert "FA156135" in head.get_attribute("textContent")
        assert head.value_of_css_property("display") != "none"
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_paper_holds_all_rows(show: Any, browser: Any) -> None:
    show(page([*fleet(), ups("n" * 250, "unknown", "v" * 250, "r" * 900)]))
    Select(browser.find_element(By.ID, "filter-status")).select_by_visible_text("Unreachable")
    wait_for(browser, "3 of 22 units shown")
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        assert len(shown(browser)) == 22
        assert not browser.find_element(By.ID, "tools").is_displayed()
        cut = "return [...document.querySelectorAll('td,th')].filter(c => c.scrollWidth > c.clientWidth + 1).length"
        assert browser.execute_script(cut) == 0
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    printed = browser.execute_cdp_cmd("Page.printToPDF", {"printBackground": False})
    pdf = base64.b64decode(printed["data"])
    assert pdf.startswith(b"%PDF") and len(pdf) > 20_000
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) >= 2


def test_a_screen_reader_finds_its_way(show: Any) -> None:
    browser = show(page(fleet()))
    assert browser.find_element(By.TAG_NAME, "html").get_dom_attribute("lang") == "en"
    assert browser.find_element(By.ID, "units").aria_role == "table"
    assert browser.find_element(By.ID, "units").accessible_name.startswith("All hosts of the run")
    assert browser.find_element(By.ID, "filter-text").accessible_name == "Show units whose row holds"
    assert browser.find_element(By.ID, "filter-status").accessible_name == "Status"
    assert browser.find_element(By.ID, "shown").get_dom_attribute("aria-live") == "polite"
    first = browser.find_element(By.CSS_SELECTOR, "#units tbody tr")
    assert first.aria_role == "row" and first.find_element(By.TAG_NAME, "th").aria_role == "rowheader"
    # The symbols before the words are not read out.
    assert browser.find_element(By.CSS_SELECTOR, ".pill span").get_dom_attribute("aria-hidden") == "true"
    box = browser.find_element(By.ID, "filter-text")
    box.send_keys("")
    assert browser.execute_script("return getComputedStyle(arguments[0]).outlineStyle", box) == "solid"


def test_dark(show: Any, browser: Any) -> None:
    dark = [{"name": "prefers-color-scheme", "value": "dark"}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": dark})
    try:
        show(page(fleet()))
        ground = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
        assert ground == "rgb(13, 17, 23)"
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})


def test_two_thousand_units_stay_usable(show: Any) -> None:
    units = [ups(f"ups-{number:04}", "fix_missing" if number % 9 == 0 else "fixed") for number in range(2000)]
    browser = show(page(units))
    wait_for(browser, "2000 of 2000 units shown")
    browser.find_element(By.ID, "filter-text").send_keys("ups-17")
    wait_for(browser, "100 of 2000 units shown")
    browser.find_element(By.CSS_SELECTOR, "#units thead button").click()
    assert browser.find_element(By.CSS_SELECTOR, "#units thead th").get_attribute("aria-sort") == "ascending"
