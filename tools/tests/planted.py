"""A small repository in a temporary folder, for tests that plant a violation and expect a check to see it."""

import pathlib
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]


class PlantedTestCase(unittest.TestCase):
    """Holds a temporary root; `write` adds files, `run_tool` runs a check on it."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="tandem_planted_")
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)

    def write(self, path: str, text: str) -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")

    def run_tool(self, tool: str, *arguments: str):
        """(exit status, output) of tools/<tool> --root <the temporary root>."""
        done = subprocess.run([str(ROOT / "tools" / tool), "--root", str(self.root), *arguments], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    def assert_clean(self, tool: str, *arguments: str) -> None:
        status, output = self.run_tool(tool, *arguments)
        self.assertEqual(status, 0, output)

    def assert_found(self, tool: str, expected: str, *arguments: str) -> None:
        status, output = self.run_tool(tool, *arguments)
        self.assertEqual(status, 1, output)
        self.assertIn(expected, output)
