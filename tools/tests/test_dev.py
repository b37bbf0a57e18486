"""./dev: every command explains itself, mistakes end with status 2, and setup tells what is missing and who may install it."""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile

from planted import ROOT, PlantedTestCase

COMMANDS = ["setup", "build", "test", "check", "bench", "peers", "format", "fuzz", "coverage", "install", "fresh"]


def run(command, **options):
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    return done.returncode, done.stdout + done.stderr


class Dev(PlantedTestCase):
    def test_every_command_has_help(self):
        status, overview = run([ROOT / "dev", "--help"])
        self.assertEqual(status, 0)
        for command in COMMANDS:
            with self.subTest(command):
                self.assertIn(f"  {command} ", overview)
                status, output = run([ROOT / "dev", command, "--help"])
                self.assertEqual(status, 0, output)
                self.assertIn(f"Usage: ./dev {command}", output)

    def test_every_command_is_listed_and_no_other(self):
        scripts = {path.name for path in (ROOT / "tools/dev").iterdir() if os.access(path, os.X_OK) and path.is_file()}
        self.assertEqual(scripts - {"build_times"}, set(COMMANDS))

    def test_an_unknown_command_or_option_is_refused(self):
        for arguments in (["bake"], ["setup", "cake"], ["build", "cake"], ["test", "cake"], ["check", "--cake"], ["fuzz", "cake"],
                          ["bench", "cake"], ["peers", "cake"], ["fresh", "--cake"], ["install", "--cake"], ["format", "--cake"]):
            with self.subTest(arguments):
                status, output = run([ROOT / "dev", *arguments])
                self.assertEqual(status, 2, output)
                self.assertIn("cake" if len(arguments) > 1 else "bake", output)

    def test_every_command_that_a_benchmark_names_is_one(self):
        """tools/dev/bench in a tree whose build makes a program that says its name."""
        named = set()
        for path in (ROOT / "src").rglob("*.bench.cc"):
            names = re.findall(r"^//   \./dev bench (\S+)", path.read_text(encoding="utf-8"), re.MULTILINE)
            self.assertTrue(names, f"{path} names no command (ADR 0006)")
            named |= {(name, path) for name in names}
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            shutil.copytree(ROOT / "tools/dev", root / "tools/dev")
            shutil.copytree(ROOT / "tools/bench", root / "tools/bench")
            for script in (root / "tools/bench").iterdir():
                script.write_text(f"#!/bin/sh\necho script {script.name}\n", encoding="utf-8")
            builder = root / "tools/dev/build"
            builder.write_text('#!/bin/sh\nmkdir -p build/bench\nprintf "#!/bin/sh\necho ran $3 \\$*" >build/bench/$3\nchmod +x build/bench/$3\n', encoding="utf-8")
            for _, path in named:
                copy = root / path.relative_to(ROOT)
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.touch()
            for name, path in sorted(named):
                with self.subTest(name):
                    status, output = run([root / "tools/dev/bench", name, "--an", "option"])
                    part = str(path.parent.relative_to(ROOT / "src/tandem")).replace("/", "_")
                    self.assertIn((status, output.strip()), [(0, f"ran bench_{part} --an option"), (0, f"script {name}")])

    def test_quickstart_has_help(self):
        status, output = run([ROOT / "quickstart", "--help"])
        self.assertEqual(status, 0)
        self.assertIn("Usage: ./quickstart", output)


class Setup(PlantedTestCase):
    """Runs a copy of setup whose list names a package that nobody has, with commands of ours in front of the real ones."""

    def setUp(self):
        super().setUp()
        shutil.copytree(ROOT / "tools/dev", self.root / "tools/dev")
        self.write("tools/dev/packages.txt", "# planted\nbuild bash\ntest tandem-no-such-package\n")
        self.bin = self.root / "bin"
        self.bin.mkdir()
        for tool in ("bash", "dirname", "basename", "sed", "grep", "mkdir", "dpkg-query", "cat", "tail", "env"):
            (self.bin / tool).symlink_to(shutil.which(tool))
        self.stub("id", "echo 1000")
        self.stub("apt-get", "echo apt-get must not run; exit 99")

    def stub(self, name: str, body: str) -> None:
        path = self.bin / name
        path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
        path.chmod(0o755)

    def setup_command(self, *arguments):
        return run([self.root / "tools/dev/setup", *arguments], env={"PATH": str(self.bin)}, stdin=subprocess.DEVNULL)

    def test_nothing_missing_is_quick_and_well(self):
        self.assertEqual(self.setup_command("build"), (0, "== setup: all 1 packages for build are installed\n"))

    def test_a_dry_run_names_what_is_missing(self):
        status, output = self.setup_command("--dry-run", "build", "test")
        self.assertEqual(status, 1)
        self.assertIn("1 of 2 packages are missing: tandem-no-such-package", output)

    def test_without_root_and_sudo_it_says_what_root_must_run(self):
        status, output = self.setup_command("test")
        self.assertEqual(status, 1)
        self.assertIn("installing packages needs root, and there is no sudo", output)
        self.assertIn("apt-get install --no-install-recommends tandem-no-such-package", output)
        self.assertNotIn("apt-get must not run", output)

    def test_without_a_terminal_it_does_not_wait_for_a_password(self):
        self.stub("sudo", "exit 1")
        status, output = self.setup_command("test")
        self.assertEqual(status, 1)
        self.assertIn("sudo asks for a password but there is no terminal", output)

    def test_a_failed_installation_shows_the_end_of_its_log(self):
        self.stub("id", "echo 0")
        self.stub("apt-get", 'case "$*" in *update*) exit 0 ;; esac\necho "E: Unable to locate package" >&2\nexit 100')
        status, output = self.setup_command("test")
        self.assertEqual(status, 1)
        self.assertIn("E: Unable to locate package", output)
        self.assertIn("apt-get install failed", output)

    def test_an_installation_counts_its_steps(self):
        self.stub("id", "echo 0")
        steps = "".join(f'echo "Setting up package{i} (1) ..."\n' for i in range(40))
        self.stub("apt-get", f'case "$*" in *update*) exit 0 ;; esac\necho "0 upgraded, 40 newly installed, 0 to remove."\n{steps}')
        status, output = self.setup_command("test")
        self.assertEqual(status, 0, output)
        self.assertIn("[20/40]", output)
        self.assertIn("installed tandem-no-such-package", output)


class PythonRunner(PlantedTestCase):
    def test_a_file_without_tests_fails(self):
        self.write("test_empty.py", "def test_not_unittest():\n    pass\n")
        status, output = run([ROOT / "tools/testing/run_python_test", self.root / "test_empty.py"])
        self.assertEqual(status, 1)
        self.assertIn("no unittest.TestCase with a test in it", output)

    def test_failures_are_failures(self):
        body = "import unittest\nclass T(unittest.TestCase):\n    def test_it(self):\n        self.assertTrue({})\n"
        for value, expected in ((True, 0), (False, 1)):
            self.write("test_one.py", body.format(value))
            status, output = run([ROOT / "tools/testing/run_python_test", self.root / "test_one.py"])
            self.assertEqual(status, expected, output)
