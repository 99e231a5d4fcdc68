#!/usr/bin/env python3
"""cmake/check_tests_listed.cmake stops configuring for a forgotten test."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

CMAKE = sys.argv.pop(1) if len(sys.argv) > 1 else "cmake"
SCRIPT = (pathlib.Path(__file__).resolve().parents[2] /
          "cmake/check_tests_listed.cmake")


class CheckTestsListedTest(unittest.TestCase):
    def configure(self, lists, name="tests/room/a.b_test.cpp", tracked=True):
        """(exit code, output) for one test file and CMakeLists.txt files."""
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for path, text in {**lists, name: "\n"}.items():
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                (root / path).write_text(text)
            subprocess.run(["git", "init", "-q"], cwd=root, check=True)
            if tracked:
                subprocess.run(["git", "add", "."], cwd=root, check=True)
            done = subprocess.run(
                [CMAKE, f"-DPROJECT_SOURCE_DIR={root}", "-P", SCRIPT],
                capture_output=True, text=True, check=False)
            return done.returncode, done.stderr

    def test_a_listed_test_passes(self):
        for text in ("evoke_test(t SOURCES a.b_test.cpp LINKS x)",
                     "evoke_test(\n  t\n  SOURCES z.cpp\n  a.b_test.cpp)"):
            code, output = self.configure({"tests/room/CMakeLists.txt": text})
            self.assertEqual((code, output), (0, ""))
        code, output = self.configure(
            {"tests/CMakeLists.txt": "evoke_test(t SOURCES room/a.b_test.cpp)"})
        self.assertEqual((code, output), (0, ""))

    def test_a_forgotten_test_stops(self):
        for text in ("", "evoke_test(t SOURCES aab_test.cpp)",
                     "evoke_test(t SOURCES more_a.b_test.cpp)",
                     "evoke_test(t SOURCES a.b_test.cpp.in)"):
            code, output = self.configure({"tests/room/CMakeLists.txt": text})
            self.assertNotEqual(code, 0, text)
            self.assertIn("tests/room/a.b_test.cpp is in no CMakeLists.txt",
                          " ".join(output.split()))

    def test_a_file_that_git_does_not_know_only_warns(self):
        code, output = self.configure({"tests/CMakeLists.txt": ""},
                                      tracked=False)
        self.assertEqual(code, 0)
        self.assertIn("in no CMakeLists.txt yet", " ".join(output.split()))


if __name__ == "__main__":
    unittest.main()
