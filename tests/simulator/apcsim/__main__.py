# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""`python -m apcsim`: serve a simulated device, make firmware files for it, be its electrician."""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import sys
import zipfile
from pathlib import Path
from typing import Any

# the head of a DOS program that says it is none; a zip follows, as in the vendor's self-extracting files
MZ_STUB = b"MZ" + b"\x00" * 58 + (64).to_bytes(4, "little") + b"apcsim: made up, not a program\r\n".ljust(192, b"\x00")
# what such an archive carries beside the modules; the content is ours
EXTRAS = {
    "upgrd_util.exe": b"MZ" + b"made up by apcsim, not a program".ljust(126, b"\x00"),
    "iplist.txt": b"; made up by apcsim: addresses would stand here, one per line\r\n192.0.2.10\r\n",
    "config.txt": b"; made up by apcsim\r\n[account]\r\nuser=\r\npassword=\r\n",
}


def _json_object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as bad:
        raise argparse.ArgumentTypeError(f"not JSON: {bad}") from None
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError("a JSON object is expected")
    return value


def _fault(text: str) -> dict[str, Any]:
    fault = _json_object(text) if text.lstrip().startswith("{") else {"name": text}
    if not isinstance(fault.get("name"), str):
        raise argparse.ArgumentTypeError('a fault is {"name": ..., parameters} or just its name')
    return fault


def _knob(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError("name=value is expected")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, {"True": True, "False": False, "None": None}.get(value, value)


def _speed(text: str) -> float:
    try:
        speed = float(text)
    except ValueError:
        speed = 0
    if not 1 <= speed <= 100:
        raise argparse.ArgumentTypeError("1 to 100")
    return int(speed) if speed == int(speed) else speed


def _app(text: str) -> tuple[str, str]:
    token, colon, version = text.partition(":")
    if not (token and colon and version):
        raise argparse.ArgumentTypeError("token:version is expected, such as g2ats:392")
    return token, version


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="apcsim", description="A simulated APC device. Not a real one, and it says so."
    )
    commands = parser.add_subparsers(dest="command", required=True)

    serve = commands.add_parser("serve", help="serve one device over its real protocols")
    serve.add_argument("--device", required=True, help="a device file's name, such as ap7724")
    serve.add_argument("--ready-file", type=Path, help="JSON with ports, control URL and pid, written when all listen")
    serve.add_argument("--speed", type=_speed, default=1, help="device seconds per real second, 1 to 100")
    serve.add_argument("--host", default="127.0.0.1")
    for protocol in ("snmp", "ftp", "ssh", "web", "control"):
        serve.add_argument(f"--{protocol}-port", type=int, default=0, help="0 = any free one")
    serve.add_argument("--ssh-legacy", action="store_true", help="SSH with old algorithms only")
    serve.add_argument("--web-tls", action="store_true", help="the web by https, with a certificate of its own")
    serve.add_argument("--seed", type=int, default=0)
    serve.add_argument("--knob", type=_knob, action="append", default=[], metavar="NAME=VALUE")
    serve.add_argument("--fault", type=_fault, action="append", default=[], metavar="JSON")
    serve.add_argument("--patch", type=_json_object, action="append", default=[], metavar="JSON")
    serve.add_argument("--serial")
    serve.add_argument("--name")
    serve.add_argument("--address", help="the card's own address as SNMP and its files tell it")
    serve.add_argument("--v3-user", type=_json_object, action="append", default=[], metavar="JSON",
                       help="one more user, with the keys of a device file's v3_users")  # fmt: skip
    serve.add_argument("--start-s", type=float, default=0, help="age it by so many device seconds before the start")
    serve.add_argument("--parent-pid", type=int, help="exit when this process is gone")

    package = commands.add_parser("package", help="make firmware files that the simulated card accepts")
    package.add_argument("--dest", type=Path, required=True)
    package.add_argument("--hardware", default="hw02")
    package.add_argument("--aos", required=True, help="such as 392")
    package.add_argument("--app", type=_app, required=True, help="such as g2ats:392")
    package.add_argument("--controller", help="the controller revision that the app carries")
    package.add_argument("--size", type=int, help="bytes per module")
    for form in ("zip", "exe"):
        package.add_argument(
            f"--{form}", nargs="?", const="", metavar="FILE",
            help=f"also a .{form} of all (default: under the vendor-like name in DEST)",
        )  # fmt: skip

    upsfw = commands.add_parser("upsfw", help="make a UPS firmware file that the simulated UPS accepts")
    upsfw.add_argument("--dest", type=Path, required=True)
    upsfw.add_argument("--series", required=True, help="such as SMT")
    upsfw.add_argument("--id", type=int, required=True, help="the UPS ID, such as 18")
    upsfw.add_argument("--version", required=True, help="such as 9.3")
    upsfw.add_argument("--new-id", type=int, help="the ID that the UPS has afterwards, where it changes")
    upsfw.add_argument("--size", type=int, help="bytes; default 512 KiB, and large ones have 2 MiB")

    for name, words in (
        ("truth", "the whole physical truth"),
        ("unplug", "pull an input's plug"),
        ("plug", "put an input's plug in"),
    ):
        by_hand = commands.add_parser(name, help=f"electrician: {words}")
        by_hand.add_argument("--control", required=True, metavar="URL", help="control_url of the ready file")
        if name != "truth":
            by_hand.add_argument("input", choices=("A", "B"))
    return parser


def _serve(options: argparse.Namespace) -> int:
    from . import serve

    settings = serve.Settings(
        device=options.device, ready_file=options.ready_file, speed=options.speed, host=options.host,
        snmp_port=options.snmp_port, ftp_port=options.ftp_port, control_port=options.control_port,
        ssh_port=options.ssh_port, ssh_legacy=options.ssh_legacy,
        web_port=options.web_port, web_tls=options.web_tls,
        seed=options.seed, knobs=dict(options.knob), faults=tuple(options.fault), patches=tuple(options.patch),
        serial=options.serial, name=options.name, address=options.address, v3_users=tuple(options.v3_user),
        start_s=options.start_s, parent_pid=options.parent_pid,
    )  # fmt: skip
    try:
        asyncio.run(serve.serve(settings))
    except (serve.BadSettings, OSError) as bad:
        print(f"apcsim: {bad}", file=sys.stderr)
        return 2
    return 0


def archive(files: list[Path], stub: bytes = b"") -> bytes:
    """A zip; after a stub, its offsets still count from the file's start, as unzip programs like it."""
    out = io.BytesIO()
    out.write(stub)
    with zipfile.ZipFile(out, "a", zipfile.ZIP_DEFLATED) as packed:
        for path in files:
            packed.writestr(path.name, path.read_bytes())
        for name, content in EXTRAS.items():
            packed.writestr(name, content)
    return out.getvalue()


def _package(options: argparse.Namespace) -> int:
    from . import firmware

    options.dest.mkdir(parents=True, exist_ok=True)
    token, version = options.app
    given = {key: getattr(options, key) for key in ("controller", "size") if getattr(options, key) is not None}
    files = firmware.make_package(options.dest, options.hardware, options.aos, f"{token}:{version}", **given)
    made = list(files)
    stem = f"apc_{options.hardware}_aos{options.aos}_{token}{version}"
    for form, stub in (("zip", b""), ("exe", MZ_STUB)):
        wanted = getattr(options, form)
        if wanted is not None:
            target = Path(wanted) if wanted else options.dest / f"{stem}.{form}"
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(archive(files, stub))
            made.append(target)
    for path in made:
        print(path)
    return 0


def _upsfw(options: argparse.Namespace) -> int:
    from . import ups_files

    given = {"size": options.size} if options.size is not None else {}
    try:
        path = ups_files.make_ups_file(
            options.dest, options.series.upper(), options.id, options.version, options.new_id, **given
        )
    except ValueError as bad:
        print(f"apcsim: {bad}", file=sys.stderr)
        return 2
    print(path)
    return 0


def _by_hand(options: argparse.Namespace) -> int:
    from . import control

    try:
        if options.command == "truth":
            print(json.dumps(control.call(options.control), indent=2))
        else:
            plugged = options.command == "plug"
            control.call(options.control, "PATCH", {"inputs": {options.input: {"plugged": plugged}}})
            print(f"input {options.input} is now {'plugged in' if plugged else 'unplugged'}")
    except RuntimeError as failed:
        print(f"apcsim: {failed}", file=sys.stderr)
        return 1
    return 0


def main(argv: list[str] | None = None) -> int:
    options = arguments().parse_args(argv)
    return {"serve": _serve, "package": _package, "upsfw": _upsfw}.get(options.command, _by_hand)(options)


if __name__ == "__main__":
    sys.exit(main())
