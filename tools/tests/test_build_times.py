"""tools/dev/build_times judges the compiler's own work, not the log, where a hit of ccache looks fast."""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BURN = "import os, pathlib, sys\nassert os.environ['CCACHE_DISABLE'] == '1'\nwhile sum(os.times()[:2]) < {seconds}: pass\npathlib.Path(sys.argv[2]).write_text('')"


class BuildTimes(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = pathlib.Path(scratch.name)
        self.commands = []
        self.log = "# ninja log v5\n"

    def unit(self, name, logged_ms, size, compiler):
        """A unit in the log, with an object of a size, whose compiler is a program."""
        self.log += f"0\t{logged_ms}\t0\t{name}\thash\n"
        (self.folder / name).write_bytes(b"x" * size)
        program = self.folder / f"{name}.py"
        program.write_text(compiler)
        self.commands.append({"directory": str(self.folder), "command": f"{sys.executable} {program} -o {name}", "file": name})

    def header(self, seconds=0.1):
        """The precompiled header that the others are measured by."""
        self.unit("all.gch", 1, 5, BURN.format(seconds=seconds))

    def run_tool(self, *flags):
        (self.folder / ".ninja_log").write_text(self.log)
        (self.folder / "compile_commands.json").write_text(json.dumps(self.commands))
        return subprocess.run([sys.executable, ROOT / "tools/dev/build_times", self.folder, *flags], capture_output=True, text=True)

    def test_a_slow_unit_that_the_cache_answered_is_found_by_the_size_of_its_object(self):
        self.header()
        self.unit("slow.o", 1, 1000, BURN.format(seconds=1.2))
        self.unit("fast.o", 2, 10, BURN.format(seconds=0))
        done = self.run_tool("--again", "1", "--max", "4")
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("slow.o takes", done.stderr)

    def test_a_slow_unit_with_a_small_object_is_found_by_the_log(self):
        self.header()
        self.unit("large.o", 1, 1000, BURN.format(seconds=0))
        self.unit("small.o", 9000, 10, BURN.format(seconds=1.2))
        self.assertIn("small.o takes", self.run_tool("--again", "1", "--max", "4").stderr)

    def test_what_the_log_calls_slow_passes_when_the_compiler_is_not(self):
        self.header()
        self.unit("waited.o", 90_000, 10, BURN.format(seconds=0))
        done = self.run_tool("--again", "1", "--max", "20")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("90.0 s  waited.o", done.stdout)
        self.assertEqual((self.folder / "waited.o").stat().st_size, 10)  # the object of the build is left alone

    def test_a_limit_without_a_measurement_is_refused(self):
        self.unit("a.o", 1, 10, "")
        self.assertEqual(self.run_tool("--max", "20").returncode, 2)

    def test_a_folder_that_is_not_built_is_said(self):
        self.commands.append({"directory": str(self.folder), "command": "true -o a.o", "file": "a.cc"})
        self.assertIn("build it first", self.run_tool("--again", "1").stderr)

    def test_a_limit_without_a_header_to_measure_by_is_refused(self):
        self.unit("a.o", 1, 10, BURN.format(seconds=0))
        self.assertEqual(self.run_tool("--again", "1", "--max", "20").returncode, 2)

    def test_the_check_has_a_limit_and_clang_treats_warnings_as_errors(self):
        self.assertIn("--max 5", (ROOT / "tools/dev/check").read_text())
        presets = {preset["name"]: preset for preset in json.loads((ROOT / "CMakePresets.json").read_text())["configurePresets"]}
        for name in ("check", "clang"):
            self.assertEqual(presets[name]["cacheVariables"]["TANDEM_WERROR"], "ON")


if __name__ == "__main__":
    unittest.main()
