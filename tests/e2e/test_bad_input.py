"""Bad input: one message with place, value, limit and what to do, an exit code below 126, the error number, nothing half-written."""

import gzip
import json
import os
import unittest

from support import QUBO, Workplace


def qubo(**changes):
    return {"problem": {**QUBO["problem"], **changes}}


class BadInput(unittest.TestCase):
    def setUp(self):
        self.place = Workplace()
        self.addCleanup(self.place.close)

    def refused(self, *arguments, says=(), environment=None, timeout=120):
        done = self.place.run(*arguments, check=False, environment=environment, timeout=timeout)
        self.assertGreater(done.returncode, 0, done.stdout)
        self.assertLess(done.returncode, 126)
        self.assertRegex(done.stderr, r"\[\d{4} [a-z_]+\]", "the message carries its number")
        self.assertNotIn("terminate called", done.stderr)
        for word in says:
            self.assertIn(word, done.stderr)
        return done

    def test_documents(self):
        cases = {
            "wrong type": (qubo(linear="x"), ["linear"]),
            "unknown key": ({**QUBO, "sede": 3}, ["sede", "seed"]),
            "index out of range": (qubo(quadratic=[[0, 2, 1.0]]), ["2"]),
            "size mismatch": (qubo(linear=[1]), ["linear"]),
            "huge number of variables": (qubo(num_variables=10**15), []),
            "negative": (qubo(num_variables=-1), ["-1"]),
            "bad sense": (qubo(sense="most"), ["most"]),
            "empty": ({}, ["type"]),
            "list": ([], []),
        }
        for name, (document, says) in cases.items():
            with self.subTest(name):
                self.refused("run", self.place.file("job.json", document), says=["job.json", *says])

    def test_texts(self):
        deep = "[" * 100_000 + "]" * 100_000
        cases = {
            "nan.json": ('{"problem": {"type": "qubo", "num_variables": 1, "linear": [NaN], "quadratic": [], "sense": "min"}}', ["nan.json:1:"]),
            "overflow.json": ('{"problem": {"type": "qubo", "num_variables": 1, "linear": [1e999], "quadratic": [], "sense": "min"}}', ["overflow.json:1:"]),
            "twice.json": ('{"problem": {"type": "qubo", "type": "ising"}}', ["twice.json:1:", "type"]),
            "twice.yaml": ("problem:\n  type: qubo\n  type: ising\n", ["twice.yaml:3:", "type"]),
            "deep.json": (deep, []),
            "deep.yaml": ("problem: " + deep, []),
            "cut.json": ('{"problem": {"type": "qubo", "num_', ["cut.json:1:"]),
            "graph.txt": ("3 2\n1 2 1\n2 4 1\n", ["graph.txt:3:", "4"]),
            "short.txt": ("3 3\n1 2 1\n", ["short.txt"]),
            "words.txt": ("hello world this is no instance\n", []),
            "empty.txt": ("", []),
        }
        for name, (text, says) in cases.items():
            with self.subTest(name):
                extra = ["--problem", "max_cut"] if name in ("graph.txt", "short.txt") else []
                self.refused("run", self.place.file(name, text), *extra, says=says)

    def test_files(self):
        self.refused("run", self.place.folder / "absent.json", says=["absent.json"])
        self.refused("run", self.place.folder, says=["directory"])
        whole = gzip.compress(b"3 1\n1 2 1\n" * 2000)
        self.refused("run", self.place.file("cut.txt.gz", whole[: len(whole) // 2]), "--problem", "max_cut", says=["gzip"])
        big = self.place.folder / "big.json"
        with open(big, "wb") as file:
            file.truncate(2 << 30)
        self.refused("run", big, says=["big.json", str(2 << 30)])
        os.mkfifo(self.place.folder / "fifo.json")
        self.refused("run", self.place.folder / "fifo.json", timeout=20)

    def test_gzip_bomb_is_stopped_at_the_limit(self):
        bomb = self.place.file("bomb.txt.gz", gzip.compress(b"0" * (64 << 20)))
        self.refused("run", bomb, "--problem", "max_cut", environment={"TANDEM_INPUT_FILE_BYTES_MAX": str(1 << 20)}, says=["1048576"])

    def test_flags(self):
        job = self.place.file("job.json", QUBO)
        self.refused("run", job, "--time", "5", says=["--time"])
        self.refused("run", job, "--refine", "maybe", says=["--refine"])
        self.refused("run", job, "--solver", "magic", says=["no backend"])
        self.refused("jobs", "show", "job_1", says=["job_1"])
        self.refused("explain", "job_01890a5d-ac96-774b-bcce-b302099a8057", says=["no job"])
        done = self.place.run("run", job, "--tiem", "5s", check=False)
        self.assertEqual(done.returncode, 2)
        self.refused("init", "max_cutt", says=["max_cut"])

    def test_settings(self):
        self.refused("config", "show", environment={"TANDEM_ENGINE_WORKERS": "many"}, says=["engine.workers", "TANDEM_ENGINE_WORKERS", "many"])
        self.refused("config", "show", environment={"TANDEM_ENGINE_WROKERS": "2"}, says=["TANDEM_ENGINE_WROKERS"])

    def test_places_that_cannot_hold_data(self):
        job = self.place.file("job.json", QUBO)
        self.refused("run", job, "--data", self.place.file("plain", "x"), says=["plain"])
        foreign = self.place.folder / "foreign"
        foreign.mkdir()
        (foreign / "tandem.db").write_bytes(b"this is not a database, not at all" * 200)
        self.refused("run", job, "--data", foreign, says=["tandem.db"])
        if os.geteuid() != 0:
            locked = self.place.folder / "locked"
            locked.mkdir(mode=0o500)
            self.refused("run", job, "--data", locked / "data", says=["locked"])

    def test_a_port_in_use_and_an_address_that_is_not_loopback(self):
        with self.place.serve() as server:
            other = Workplace()
            self.addCleanup(other.close)
            done = other.run("serve", "--listen", server.url.removeprefix("http://"), check=False)
            self.assertGreater(done.returncode, 0)
            self.assertIn("address_in_use", done.stderr)
        self.refused("serve", "--listen", "0.0.0.0:0", says=["loopback"])
        self.refused("serve", "--listen", "nowhere", says=["nowhere"])

    def test_a_refused_document_leaves_no_job_behind(self):
        self.refused("run", self.place.file("job.json", qubo(quadratic=[[0, 7, 1]])))
        self.assertEqual(self.place.json("jobs")["jobs"], [])

    def test_with_json_the_error_is_a_problem_document(self):
        done = self.refused("run", self.place.file("job.json", {}), "--json")
        problem = json.loads(done.stdout)
        self.assertEqual(problem["name"], "missing_key")
        self.assertTrue(problem["action"])


if __name__ == "__main__":
    unittest.main()
