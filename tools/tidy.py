#!/usr/bin/env python3
"""clang-tidy on every source file of src/ and apps/, two at a time.

    tools/tidy.py BUILD_FOLDER

A file that passed before is not read again as long as it, all that it
includes, the checks and the command are the same: what passed is remembered in
$XDG_CACHE_HOME/evoke/tidy (~/.cache/evoke/tidy). Includes are taken from
ninja's record, so the folder must be built. Closes with "N passed, N failed".
"""
import concurrent.futures
import functools
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
TIDY = "clang-tidy-19"
# The commands are g++'s; these are what clang has not heard of.
EXTRA = ["--extra-arg=-Wno-unknown-warning-option",
         "--extra-arg=-Wno-deprecated-declarations"]


@functools.lru_cache(maxsize=None)
def digest(path):
    try:
        return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()
    except OSError:
        return "absent"


def includes(build):
    """Object file -> every file that it was compiled from."""
    text = subprocess.run(["ninja", "-C", build, "-t", "deps"], check=True,
                          capture_output=True, text=True).stdout
    found, files = {}, []
    for line in text.splitlines():
        if line.startswith("    "):
            files.append(os.path.normpath(os.path.join(build, line.strip())))
        elif ": #deps" in line:
            files = found.setdefault(line.split(":", 1)[0], [])
    return found


def key_of(entry, files, version):
    """Of all that the answer depends on, with this checkout's place left out."""
    parts = [version, digest(ROOT / ".clang-tidy"), *EXTRA,
             entry["command"].replace(str(ROOT), "")]
    for file in sorted({entry["file"], *files}):
        parts += [file.replace(str(ROOT), ""), digest(file)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    build = os.path.abspath(sys.argv[1])
    memory = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or
                          pathlib.Path.home() / ".cache") / "evoke" / "tidy"
    memory.mkdir(parents=True, exist_ok=True)
    version = subprocess.run([TIDY, "--version"], check=True,
                             capture_output=True, text=True).stdout
    recorded = includes(build)
    commands = json.loads(pathlib.Path(build, "compile_commands.json")
                          .read_text())
    ours = tuple(f"{ROOT}/{room}/" for room in ("src", "apps"))
    wanted = {}
    for entry in commands:
        if not entry["file"].startswith(ours):
            continue
        output = re.search(r" -o (\S+)", entry["command"])
        files = recorded.get(output[1] if output else "", [])
        if files:
            wanted.setdefault(entry["file"], key_of(entry, files, version))
        else:
            wanted.setdefault(entry["file"], "")  # not built: always read

    def check(item):
        file, key = item
        if key and (memory / key).exists():
            return True
        done = subprocess.run([TIDY, "-p", build, "--quiet", *EXTRA, file],
                              stdout=subprocess.PIPE, text=True,
                              stderr=subprocess.DEVNULL)
        if done.returncode == 0:
            if key:
                (memory / key).touch()
            return True
        print(done.stdout, flush=True)
        return False

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        passed = sum(pool.map(check, wanted.items()))
    print(f"tidy: {passed} passed, {len(wanted) - passed} failed")
    return 0 if passed == len(wanted) and wanted else 1


if __name__ == "__main__":
    sys.exit(main())
