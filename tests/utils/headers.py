# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One head for every Python file of the plugins and tests: copyright, licence, and what the file is.

That module_utils and plugin_utils are private is said once, in docs/docsite/rst/guide_development.rst. With ``--fix``
the files are put right; without, those that are not are named. Folders may be given.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
CHECKED = ("plugins", "tests")
LICENCE = """# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""
_BEFORE = re.compile(r"(?:#!.*\n)?(?:# -\*- coding.*\n)?")
_COMMENTS = re.compile(r"(?:#[^\n]*\n)*")
_DOCSTRING = re.compile(r'"""(.*?)"""', re.DOTALL)
_SAID = re.compile(r"\s*\bPrivate to the\s+collection\.")


def in_style(text: str) -> str:
    """The file with its head as all have it; an empty file stays empty."""
    if not text.strip():
        return text
    before = _BEFORE.match(text)
    start = before.end() if before else 0
    comments = _COMMENTS.match(text, start)
    end = comments.end() if comments else start
    if "SPDX" in text[start:end]:
        # What stands behind the licence is the file's own.
        kept = text[start:end].split("GPL-3.0-or-later\n", 1)[1]
        text = text[:start] + kept + text[end:]
    rest = text[start:].lstrip("\n")
    docstring = _DOCSTRING.match(rest)
    if docstring is not None:
        said = _SAID.sub("", docstring.group(1))
        if "\n" not in said.strip():
            said = said.strip()
        rest = f'"""{said}"""{rest[docstring.end() :]}'
    return f"{text[:start]}{LICENCE}\n{rest}"


def main(arguments: list[str]) -> int:
    wrong = []
    for folder in [argument for argument in arguments if not argument.startswith("-")] or CHECKED:
        for path in sorted((REPO / folder).rglob("*.py")):
            if {"output", "node_modules"} & set(path.parts) or path.is_symlink():
                continue
            text = path.read_text(encoding="utf-8")
            right = in_style(text)
            if right != text:
                wrong.append(path.relative_to(REPO))
                if "--fix" in arguments:
                    path.write_text(right, encoding="utf-8")
    verb = (
        "put right"
        if "--fix" in arguments
        else "not in the style of the others (make it so: tests/utils/headers.py --fix)"
    )
    for path in wrong:
        print(f"{path}: {verb}")
    return 1 if wrong and "--fix" not in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
