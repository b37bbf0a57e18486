"""docs/guide/vendors.md, run from its own text: every block `sh` in order, those of the second terminal beside them."""

import os
import pathlib
import re
import socket
import subprocess
import unittest

from support import BINARY, ROOT, Workplace, book_lines, start

PAGE = ROOT / "docs" / "guide" / "vendors.md"


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return str(taken.getsockname()[1])


class Guide(unittest.TestCase):
    def test_every_command_of_the_page_does_what_the_page_says(self):
        place = Workplace()
        self.addCleanup(place.close)
        programs = place.folder / "bin"
        programs.mkdir()
        (programs / "tandem").symlink_to(pathlib.Path(BINARY).resolve())
        environment = {**place.environment, "PATH": f"{programs}:{os.environ['PATH']}"}
        text = PAGE.read_text().replace("9642", free_port())
        blocks = re.findall(r"^```sh( second-terminal)?\n(.*?)^```$", text, flags=re.M | re.S)
        self.assertGreaterEqual(len(blocks), 10)
        emulator = None
        said = []
        for beside, block in blocks:
            if beside:
                if emulator is not None:
                    emulator.stop()
                with self.subTest(block):
                    words = block.split()
                    files = [str(place.folder / word) if word.startswith(("ionq.", "faults.")) else word for word in words[1:]]
                    emulator = start(files, environment, r"at (http://\S+),")
                    self.addCleanup(emulator.stop)
                continue
            # Every line has to hold, also one of which the page says that it is refused.
            lines = "\n".join(re.sub(r"^! (.*?)(\s+# refused: (\d+))?$", r'if \1 2>refusal; then exit 99; fi; grep -q "\3" refusal', line)
                              for line in block.splitlines())
            done = subprocess.run(["bash", "-euo", "pipefail", "-c", lines], env=environment, cwd=place.folder, capture_output=True, text=True, timeout=180)
            self.assertEqual(done.returncode, 0, f"{block}\n{done.stdout}\n{done.stderr}")
            said.append(done.stdout)
        whole = "\n".join(said)
        self.assertNotIn("rehearsal-key", whole)
        for promised in ('"emulated": true', '"level": ""', '"state": "held"', '"state": "released"', '"submissions": []'):
            self.assertIn(promised, whole)
        # Both runs of section 4, of which the simulator's is not billed, and the job of section 5; nothing of what was refused or lost.
        self.assertEqual(len([line for line in book_lines(place.folder / "ionq.book") if line["line"] == "accepted"]), 3)


if __name__ == "__main__":
    unittest.main()
