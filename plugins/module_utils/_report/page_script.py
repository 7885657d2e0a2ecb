# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The script of the page. It holds no data: it filters and sorts what stands in the table.

Without it everything is shown, and nothing that would not work.
"""

from __future__ import annotations

SCRIPT = """
(function () {
  "use strict";
  var table = document.getElementById("units");
  var tools = document.getElementById("tools");
  if (!table || !tools) { return; }
  var body = table.tBodies[0];
  var rows = Array.prototype.slice.call(body.rows);
  var text = document.getElementById("filter-text");
  var status = document.getElementById("filter-status");
  var shown = document.getElementById("shown");
  var words = rows.map(function (row) { return row.textContent.toLowerCase(); });
  var compare = new Intl.Collator("en", {numeric: true, sensitivity: "base"}).compare;
  var timer = 0;

  function filter() {
    var wanted = text.value.toLowerCase().split(/\\s+/).filter(Boolean);
    var count = 0;
    rows.forEach(function (row, number) {
      var fits = (!status.value || row.dataset.status === status.value) &&
        wanted.every(function (word) { return words[number].indexOf(word) !== -1; });
      row.hidden = !fits;
      count += fits ? 1 : 0;
    });
    shown.textContent = count + " of " + rows.length + " units shown";
  }

  function later() {
    clearTimeout(timer);
    timer = setTimeout(filter, 120);
  }

  function key(row, column) {
    var cell = row.cells[column];
    return cell.dataset.sort === undefined ? cell.textContent.trim() : cell.dataset.sort;
  }

  function sort(heading, column) {
    var down = heading.getAttribute("aria-sort") === "ascending";
    var keyed = Array.prototype.slice.call(body.rows).map(function (row) { return [key(row, column), row]; });
    keyed.sort(function (one, other) {
      /* What is empty comes last either way. */
      if (!one[0] || !other[0]) { return (one[0] ? 0 : 1) - (other[0] ? 0 : 1); }
      return down ? compare(other[0], one[0]) : compare(one[0], other[0]);
    });
    var sorted = document.createDocumentFragment();
    keyed.forEach(function (pair) { sorted.appendChild(pair[1]); });
    body.appendChild(sorted);
    Array.prototype.forEach.call(table.tHead.rows[0].cells, function (other) { other.removeAttribute("aria-sort"); });
    heading.setAttribute("aria-sort", down ? "descending" : "ascending");
  }

  Array.prototype.forEach.call(table.tHead.rows[0].cells, function (heading, column) {
    var button = document.createElement("button");
    button.type = "button";
    button.className = "sort";
    button.textContent = heading.textContent;
    heading.dataset.print = heading.textContent;
    heading.textContent = "";
    heading.appendChild(button);
    button.addEventListener("click", function () { sort(heading, column); });
  });
  text.addEventListener("input", later);
  status.addEventListener("change", filter);
  document.getElementById("filter-reset").addEventListener("click", function () {
    text.value = "";
    status.value = "";
    filter();
    text.focus();
  });
  tools.hidden = false;
  filter();
}());
"""
