#!/usr/bin/env python3
"""tools/check_layers.py finds what it is there to find, on small trees."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

CHECKER = pathlib.Path(__file__).resolve().parents[2] / "tools/check_layers.py"

RULES = """
[rooms]
"base" = []
"core" = ["base"]
"deep" = ["base"]
"deep/inner" = ["base", "deep"]
"cli" = ["*"]
[except]
"cli" = ["deep/inner"]
[[exception]]
file = "src/evoke/deep/registry.cpp"
may_include = ["deep/inner"]
reason = "a reason"
[device_text]
files = ["src/evoke/deep/for_devices/*"]
[[wall]]
name = "SQLite"
headers = ["sqlite3.h"]
allowed = ["src/evoke/core/*"]
[[wall]]
name = "confinement"
headers = ["linux/seccomp.h"]
allowed = ["src/evoke/*_linux.cpp"]
"""

GOOD = {
    "src/evoke/base/a.h": "#pragma once\n#include <vector>\n",
    "src/evoke/base/a.cpp": '#include "evoke/base/a.h"\n#include <string>\n',
    "src/evoke/base/wall_linux.cpp": "#include <linux/seccomp.h>\n",
    "src/evoke/core/b.h": '#include "evoke/base/a.h"\n#include <sqlite3.h>\n',
    "src/evoke/deep/for_devices/text.h": '#include "beside.h"\n',
    "src/evoke/deep/c.h": '#include "evoke/base/a.h"\n',
    "src/evoke/deep/inner/d.h": '#include "evoke/deep/c.h"\n',
    "src/evoke/deep/registry.cpp": '#include "evoke/deep/inner/d.h"\n',
    "src/evoke/cli/e.cpp":
        '/* #include "evoke/deep/inner/d.h" */\n'
        '// #include "evoke/deep/inner/d.h"\n'
        'auto text = R"(\n#include "evoke/deep/inner/d.h"\n)";\n'
        '#include "evoke/core/b.h"\n#include "evoke/deep/c.h"\n',
    "apps/main.cpp": '#include "evoke/deep/inner/d.h"\n',
    "tests/base/a_test.cpp":
        '#include "evoke/base/a.h"\n#include "tests/support/x.h"\n'
        "#include <sqlite3.h>\n",
    "tests/kernels/k.cpp": '/*evoke\nevoke*/\n#include "nothing.h"\n',
}


class CheckLayersTest(unittest.TestCase):
    def check(self, changes, rules=RULES, listed=True):
        """Runs the checker on the good tree with `changes`."""
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            files = {**GOOD, **changes}
            for name, text in files.items():
                path = root / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
            names = [n.removeprefix("src/") for n in files if n.startswith("src/")]
            (root / "src/CMakeLists.txt").write_text(
                "room(\n  " + "\n  ".join(names if listed else []) + ")\n")
            (root / "rules.toml").write_text(rules)
            done = subprocess.run(
                [sys.executable, CHECKER, "--root", root,
                 "--rules", root / "rules.toml"],
                capture_output=True, text=True, check=False)
            self.assertEqual(done.stderr, "")
            self.assertEqual(done.returncode, 1 if done.stdout else 0)
            return done.stdout

    def expect(self, changes, *wanted):
        output = self.check(changes)
        self.assertEqual(len(output.splitlines()), len(wanted) + 1, output)
        for text in wanted:
            self.assertIn(text, output)

    def test_good_tree(self):
        self.assertEqual(self.check({}), "")

    def test_upward_include(self):
        self.expect(
            {"src/evoke/base/bad.h": '\n#include "evoke/core/b.h"\n'},
            'src/evoke/base/bad.h:2: base may not include core '
            '("evoke/core/b.h"); it may include nothing')

    def test_sideways_include(self):
        self.expect({"src/evoke/core/bad.h": '#  include "evoke/deep/c.h"\n'},
                    "core may not include deep")

    def test_the_longest_room_counts(self):
        self.expect({"src/evoke/deep/bad.h": '#include "evoke/deep/inner/d.h"\n'},
                    "deep may not include deep/inner")
        self.expect({"src/evoke/cli/bad.h": '#include "evoke/deep/inner/d.h"\n'},
                    "cli may not include deep/inner")

    def test_walls(self):
        self.expect({"src/evoke/deep/bad.cpp": "#include <sqlite3.h>\n"},
                    "src/evoke/deep/bad.cpp:1: <sqlite3.h> is behind the wall "
                    "SQLite; allowed in: src/evoke/core/*")
        self.expect({"apps/bad.cpp": "#include <sqlite3.h>\n"}, "SQLite")
        self.expect({"src/evoke/base/bad.cpp": "#include <linux/seccomp.h>\n"},
                    "confinement")

    def test_includes_are_written_from_the_root(self):
        self.expect({"src/evoke/base/bad.cpp": '#include "a.h"\n'},
                    '"a.h": write our own headers from the root')
        self.expect({"src/evoke/base/bad.cpp": '#include "../base/a.h"\n'},
                    "from the root")
        self.expect({"src/evoke/base/bad.cpp": "#include <evoke/base/a.h>\n"},
                    "in quotes")
        self.expect({"src/evoke/base/bad.cpp": '#include "tests/x.h"\n'},
                    "from the root")

    def test_tests_may_name_their_helpers(self):
        self.assertEqual(self.check({"tests/base/h.h": "\n", "tests/h.h": "\n",
                                     "tests/base/x_test.cpp":
                                     '#include "h.h"\n#include "../h.h"\n'}), "")
        self.expect({"tests/x_test.cpp": '#include "../src/evoke/base/a.h"\n'},
                    "from the root")

    def test_own_header_first(self):
        self.expect({"src/evoke/base/a.cpp":
                     '#include <string>\n#include "evoke/base/a.h"\n'},
                    'src/evoke/base/a.cpp:1: include "evoke/base/a.h" first')
        self.expect({"src/evoke/base/a.cpp": "int x;\n"}, "first")

    def test_unknown_rooms(self):
        output = self.check({"src/evoke/odd/x.h": "\n"})
        self.assertIn("src/evoke/odd/x.h:1: in no room", output)
        self.expect({"src/evoke/cli/bad.h": '#include "evoke/odd/x.h"\n'},
                    '"evoke/odd/x.h" is in no room')

    def test_files_that_are_not_built(self):
        output = self.check({}, listed=False)
        self.assertIn("src/evoke/base/a.cpp:1: named in no CMakeLists.txt", output)

    def test_variables_stand_for_words(self):
        lists = "set(p linux)\nroom(base_${p}.cpp)\n"
        files = {"src/evoke/odd/CMakeLists.txt": lists,
                 "src/evoke/odd/base_linux.cpp": "\n",
                 "src/evoke/odd/other_linux.cpp": "\n"}
        output = self.check(files, listed=False)
        self.assertNotIn("odd/base_linux.cpp:1: named in no", output)
        self.assertIn("odd/other_linux.cpp:1: named in no", output)

    def test_rules_without_cycles(self):
        output = self.check({}, rules=RULES.replace('"base" = []',
                                                    '"base" = ["core"]'))
        self.assertIn("cycle: base -> core -> base", output)

    def test_rules_that_name_no_room(self):
        output = self.check({}, rules=RULES.replace('"core" = ["base"]',
                                                    '"core" = ["bse"]'))
        self.assertIn("core: no room 'bse'", output)


if __name__ == "__main__":
    unittest.main()
