#!/usr/bin/env python3
"""Checks who includes whom against tools/layers.toml.

    tools/check_layers.py [--root FOLDER] [--rules FILE]

Prints one line per violation, "path:line: what", and exits with 1 if there
is any. Beside the rules of layers.toml it checks that
  - includes of our own headers are written from the root ("evoke/..."); tests
    and bench may also name helpers of their own relative to themselves,
  - a .cpp includes its own header first,
  - every header and source below src/evoke is named in a CMakeLists.txt.
"""

import argparse
import fnmatch
import pathlib
import re
import sys
import tomllib

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"\n]+)[>"]', re.M)
RAW_STRING = re.compile(r'R"([^()\s\\]{0,16})\(.*?\)\1"', re.S)
BLOCK_COMMENT = re.compile(r"/\*.*?\*/", re.S)
SUFFIXES = {".h", ".cpp", ".cu", ".mm"}
# Folder -> how quoted includes in it may begin.
ROOTS = {
    "src": ("evoke/",),
    "apps": ("apps/", "evoke/"),
    "tests": ("evoke/", "tests/"),
    "bench": ("evoke/", "bench/", "tests/"),
}
OUTSIDE_WALLS = ("tests/", "bench/")


def blank(match):
    """Keeps line numbers while removing text."""
    return re.sub(r"[^\n]", " ", match.group(0))


def includes_of(text):
    """(line, is_quoted, header) of every #include in code."""
    text = RAW_STRING.sub(blank, text)
    text = BLOCK_COMMENT.sub(blank, text)
    for match in INCLUDE.finditer(text):
        line = text.count("\n", 0, match.start(1)) + 1
        yield line, match.group(1) == '"', match.group(2)


def names(word, name):
    """Whether a word of a CMakeLists.txt may stand for a file's name."""
    parts = re.split(r"\$\{\w+\}", word)
    return re.fullmatch(r"\w+".join(map(re.escape, parts)), name) is not None


class Checker:
    def __init__(self, root, rules):
        self.root = root
        self.rooms = rules["rooms"]
        self.excepted = rules.get("except", {})
        self.walls = rules.get("wall", [])
        self.exceptions = {
            entry["file"]: entry["may_include"]
            for entry in rules.get("exception", [])
        }
        self.device_text = rules.get("device_text", {}).get("files", [])
        self.errors = []

    def fail(self, path, line, what):
        self.errors.append(f"{path}:{line}: {what}")

    def room_of(self, below_evoke):
        """The longest room that is a folder around the file, or None."""
        around = [
            room for room in self.rooms if below_evoke.startswith(room + "/")
        ]
        return max(around, key=len, default=None)

    def allowed(self, room):
        listed = self.rooms[room]
        if "*" in listed:
            listed = set(self.rooms) - set(self.excepted.get(room, []))
        return set(listed) | {room}

    def check_rules(self):
        """Names in the rules exist, and the rooms form no cycle."""
        for room, listed in self.rooms.items():
            for other in listed:
                if other != "*" and other not in self.rooms:
                    self.fail("layers", 0, f"{room}: no room '{other}'")
        done, open_rooms = set(), []

        def visit(room):
            if room in open_rooms:
                cycle = " -> ".join(open_rooms[open_rooms.index(room):] + [room])
                self.fail("layers", 0, f"cycle: {cycle}")
                return
            if room in done or room not in self.rooms:
                return
            open_rooms.append(room)
            for other in sorted(self.allowed(room) - {room}):
                visit(other)
            open_rooms.pop()
            done.add(room)

        for room in self.rooms:
            visit(room)

    def files(self):
        for folder in ROOTS:
            for path in sorted((self.root / folder).rglob("*")):
                relative = path.relative_to(self.root).as_posix()
                if path.suffix not in SUFFIXES or not path.is_file():
                    continue
                if relative.startswith("tests/fuzz/corpus/"):
                    continue
                if any(fnmatch.fnmatch(relative, pattern)
                       for pattern in self.device_text):
                    continue
                text = path.read_text(encoding="utf-8", errors="replace")
                if text.startswith("/*evoke"):  # a kernel file
                    continue
                yield relative, text

    def is_beside(self, top, path, header):
        """Helpers of tests and benchmarks may be named from where they are
        used; what ships may not."""
        beside = (self.root / path).parent / header
        return top in ("tests", "bench") and beside.is_file() and (
            (self.root / top).resolve() in beside.resolve().parents)

    def check_wall(self, path, line, header):
        if path.startswith(OUTSIDE_WALLS):
            return
        for wall in self.walls:
            inside = any(header.startswith(start) for start in wall["headers"])
            if inside and not any(
                fnmatch.fnmatch(path, pattern) for pattern in wall["allowed"]
            ):
                where = ", ".join(wall["allowed"]) or "nowhere but tests, bench"
                self.fail(
                    path, line,
                    f"<{header}> is behind the wall {wall['name']}; "
                    f"allowed in: {where}")

    def check_room(self, path, line, header):
        room = self.room_of(path.removeprefix("src/evoke/"))
        target = self.room_of(header.removeprefix("evoke/"))
        if target is None:
            self.fail(path, line, f'"{header}" is in no room of layers.toml')
        elif room is not None and target not in self.allowed(room):
            if target in self.exceptions.get(path, []):
                return
            may = ", ".join(sorted(self.allowed(room) - {room})) or "nothing"
            self.fail(
                path, line,
                f'{room} may not include {target} ("{header}"); '
                f"it may include {may}")

    def check_own_header_first(self, path, found):
        own = path.removeprefix("src/").removesuffix(".cpp") + ".h"
        if not path.endswith(".cpp") or not (self.root / "src" / own).exists():
            return
        if not found or found[0][2] != own:
            line = found[0][0] if found else 1
            self.fail(path, line, f'include "{own}" first')

    def check_listed(self, path):
        """Named in the CMakeLists.txt of its folder or of one above it."""
        file = self.root / path
        for folder in file.parents:
            lists = folder / "CMakeLists.txt"
            if lists.exists():
                name = file.relative_to(folder).as_posix()
                words = re.split(r"[\s()]+", lists.read_text())
                if any(names(word, name) for word in words):
                    return
            if folder == self.root:
                break
        self.fail(path, 1, "named in no CMakeLists.txt")

    def run(self):
        self.check_rules()
        for path, text in self.files():
            top = path.split("/")[0]
            found = list(includes_of(text))
            for line, quoted, header in found:
                if quoted and self.is_beside(top, path, header):
                    continue
                if quoted and not header.startswith(ROOTS[top]):
                    self.fail(
                        path, line,
                        f'"{header}": write our own headers from the root '
                        f"({' or '.join(ROOTS[top])}), others in <>")
                elif header.startswith("evoke/"):
                    if not quoted:
                        self.fail(path, line, f'write "{header}" in quotes')
                    if top == "src":
                        self.check_room(path, line, header)
                else:
                    self.check_wall(path, line, header)
            if path.startswith("src/evoke/"):
                if self.room_of(path.removeprefix("src/evoke/")) is None:
                    self.fail(path, 1, "in no room of layers.toml; name it")
                self.check_own_header_first(path, found)
                self.check_listed(path)
        return self.errors


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    here = pathlib.Path(__file__).resolve().parent
    parser.add_argument("--root", type=pathlib.Path, default=here.parent)
    parser.add_argument("--rules", type=pathlib.Path, default=here / "layers.toml")
    arguments = parser.parse_args()
    with open(arguments.rules, "rb") as file:
        rules = tomllib.load(file)
    errors = Checker(arguments.root.resolve(), rules).run()
    for error in errors:
        print(error)
    if errors:
        print(f"{len(errors)} violations of {arguments.rules.name}")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
