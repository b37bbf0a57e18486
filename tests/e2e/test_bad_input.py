"""Bad input: one message with place, value, limit and what to do, an exit code below 126, the error number, nothing half-written."""

import gzip
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import time
import unittest

from support import BINARY, QUBO, Workplace


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
            "empty": ({}, ["job.json:1:1", "problem", "program", "type"]),
            "no problem": ({"name": "x", "limits": {"time": "5s"}}, ["job.json:1:1", "problem", "program", "type"]),
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
        self.refused("run", big, says=["big.json", str(2 << 30), "input.file_bytes_max"])
        self.refused("convert", big, "--to", "json", says=["big.json", "input.file_bytes_max"])
        os.mkfifo(self.place.folder / "fifo.json")
        self.refused("run", self.place.folder / "fifo.json", timeout=20)

    def test_files_that_are_no_files_and_texts_that_are_no_texts(self):
        (self.place.folder / "loop.json").symlink_to("loop.json")
        text = json.dumps(QUBO).encode()
        cases = {
            "zeros without end": (["/dev/zero"], ["/dev/zero"]),
            "a link to itself": (["loop.json"], ["loop.json", "symbolic links"]),
            "a name that is too long": (["a" * 5000], ["too long"]),
            "no name": ([""], ["check the path"]),
            "a file as a folder": ([self.place.file("plain.json", QUBO) + "/x"], ["not a directory"]),
            "binary": ([self.place.file("binary.json", bytes(range(256)) * 99)], ["binary.json:", "UTF-8"]),
            "UTF-16": ([self.place.file("wide.json", json.dumps(QUBO).encode("utf-16"))], ["wide.json:1:1", "UTF-8"]),
            "nothing": ([self.place.file("nothing.json", "")], ["nothing.json", "empty"]),
            "null": ([self.place.file("null.json", "null")], ["null.json", "null"]),
            "the start of gzip": ([self.place.file("start.gz", b"\x1f\x8b")], ["start.gz", "gzip"]),
            "gzip and more": ([self.place.file("more.gz", gzip.compress(text) + b"junk")], ["more.gz", "gzip"]),
            "gzip of gzip": ([self.place.file("twice.gz", gzip.compress(gzip.compress(text)))], ["twice.gz"]),
        }
        for name, (arguments, says) in cases.items():
            with self.subTest(name):
                self.refused("run", *arguments, says=says, timeout=20)
        done = subprocess.run([BINARY, "run", "-"], env=self.place.environment, capture_output=True, text=True, timeout=20,
                              preexec_fn=lambda: os.close(0))
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertIn("standard input", done.stderr)

    def test_marks_and_line_ends_of_other_systems_are_read(self):
        yaml = "problem:\n  type: qubo\n  num_variables: 1\n  linear: [1]\n  quadratic: []\n  sense: min\n"
        for name, content in {"bom.json": b"\xef\xbb\xbf" + json.dumps(QUBO).encode(), "bom.yaml": b"\xef\xbb\xbf" + yaml.encode(),
                              "crlf.yaml": yaml.replace("\n", "\r\n").encode(), "crlf.txt": b"3 2\r\n1 2 1\r\n2 3 1\r\n",
                              "bom.txt": b"\xef\xbb\xbf3 2\n1 2 1\n2 3 1\n"}.items():
            with self.subTest(name):
                extra = ["--problem", "max_cut"] if name.endswith("txt") else []
                self.assertTrue(self.place.json("run", self.place.file(name, content), *extra)["best"]["proved"])

    def test_output_that_does_not_arrive_is_an_error(self):
        job = self.place.file("job.json", QUBO)
        for _ in range(40):  # more lines than a buffer holds
            self.place.run("submit", job)
        for arguments in (["run", job, "--json"], ["jobs"], ["jobs", "--json"], ["init", "max_cut"], ["config", "show"],
                          ["--version"], ["--help"], ["run", "--help"]):
            with self.subTest(arguments), open("/dev/full", "w") as full:
                done = subprocess.run([BINARY, *arguments], env=self.place.environment, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
                self.assertEqual(done.returncode, 8, done.stderr)
                self.assertIn("[1041 disk_full]", done.stderr)
        # A closed standard output: its number must not become that of a file of ours.
        done = subprocess.run([BINARY, "jobs"], env=self.place.environment, stderr=subprocess.PIPE, text=True, timeout=60,
                              preexec_fn=lambda: os.close(1))
        self.assertEqual(done.returncode, 13, done.stderr)
        self.assertIn("standard output", done.stderr)
        self.assertEqual((self.place.data / "tandem.lock").read_bytes(), b"")
        # A reader that has seen enough ends the writer quietly, by convention.
        done = subprocess.run(f"'{BINARY}' jobs --json | head -1", shell=True, env=self.place.environment, capture_output=True, text=True, timeout=60)
        self.assertEqual((done.stdout, done.stderr), ("{\n", ""))

    def test_an_interrupted_run_keeps_its_job_for_the_next_process(self):
        graph = self.place.file("g.txt", self.place.run("generate", "regular", "--nodes", "200", "--degree", "3", "--seed", "5").stdout)
        run = subprocess.Popen([BINARY, "run", graph, "--refine", "off", "--time", "600s"], env=self.place.environment,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        log = self.place.data / "tandem.db-wal"
        while not (log.exists() and log.stat().st_size > 0):
            time.sleep(0.01)
        time.sleep(0.3)
        run.send_signal(signal.SIGINT)
        out, _ = run.communicate(timeout=20)
        self.assertEqual(run.returncode, -signal.SIGINT)  # a shell says 130
        self.assertEqual(out, b"")
        (job,) = self.place.json("jobs")["jobs"]
        self.assertIn(job["state"], ("queued", "running"))
        with self.place.serve() as server:
            self.assertEqual(server.request("POST", f"/v1/jobs/{job['job_id']}/cancel")[0], 202)
            self.assertEqual(server.finished(job["job_id"])["state"], "cancelled")

    def test_the_api_refuses_the_same_texts(self):
        def qubo_text(linear):
            return f'{{"problem": {{"type": "qubo", "num_variables": 1, "linear": [{linear}], "quadratic": [], "sense": "min"}}}}'.encode()

        deep = b"[" * 100_000 + b"]" * 100_000
        text = json.dumps(QUBO).encode()
        cases = {
            "nested": (deep, {}, "json_too_deep"),
            "nested YAML": (b"problem: " + deep, {"Content-Type": "application/yaml"}, "json_too_deep"),
            "twice": (b'{"problem": {"type": "qubo", "type": "ising"}}', {}, "json_duplicate_key"),
            "NaN": (qubo_text("NaN"), {}, "json_syntax"),
            "overflow": (qubo_text("1e999"), {}, "number_out_of_range"),
            "wrong type": (qubo_text('"x"'), {}, "wrong_type"),
            "empty": (b"", {}, "json_syntax"),
            "cut": (text[:40], {}, "json_syntax"),
            "binary": (bytes(range(256)), {}, "json_syntax"),
            "UTF-16": (json.dumps(QUBO).encode("utf-16"), {}, "json_syntax"),
            "gzip": (gzip.compress(text), {}, "json_syntax"),
            "index": (json.dumps(qubo(quadratic=[[0, 7, 1]])).encode(), {}, "value_out_of_range"),
            "unknown key": (json.dumps({**QUBO, "sede": 3}).encode(), {}, "unknown_key"),
            "a key that is no text": (text, {"Idempotency-Key": b"a\xff"}, "value_out_of_range"),
        }
        with self.place.serve() as server:
            for name, (body, headers, expected) in cases.items():
                with self.subTest(name):
                    status, answered, problem = server.request("POST", "/v1/jobs", body, headers)
                    self.assertEqual((status, problem["name"]), (400, expected), problem)
                    self.assertEqual(answered["Content-Type"], "application/problem+json")
            self.assertEqual(server.request("GET", "/v1/jobs")[2]["jobs"], [])
            self.assertEqual(server.request("GET", "/readyz")[0], 200)

    def test_a_directory_has_one_server(self):
        with self.place.serve() as server:
            done = self.refused("serve", "--listen", "127.0.0.1:0", says=[server.url.removeprefix("http://"), "lock_held"])
            self.assertEqual(server.request("GET", "/readyz")[0], 200, done.stderr)

    def test_gzip_bomb_is_stopped_at_the_limit(self):
        bomb = self.place.file("bomb.txt.gz", gzip.compress(b"0" * (64 << 20)))
        self.refused("run", bomb, "--problem", "max_cut", environment={"TANDEM_INPUT_FILE_BYTES_MAX": str(1 << 20)}, says=["1048576"])

    def test_a_small_document_cannot_ask_for_more_memory_than_there_is(self):
        job = self.place.file("huge.json", json.dumps({"problem": {"type": "qubo", "num_variables": 1_000_000, "quadratic": [[0, 1, 1.0]], "sense": "min"}}))
        self.refused("run", job, environment={"TANDEM_COMPUTE_MEMORY_BYTES_MAX": str(16 << 20)}, says=["/problem", "1000000 variables", "16777216"])

    def test_flags(self):
        job = self.place.file("job.json", QUBO)
        self.refused("run", job, "--time", "5", says=["--time"])
        self.refused("run", job, "--refine", "maybe", says=["--refine"])
        self.refused("run", job, "--solver", "magic", says=["no solver", "magic", "tabu"])
        self.refused("jobs", "show", "job_1", says=["job_1"])
        self.refused("explain", "job_01890a5d-ac96-774b-bcce-b302099a8057", says=["no job"])
        done = self.place.run("run", job, "--tiem", "5s", check=False)
        self.assertEqual(done.returncode, 2)
        self.refused("init", "max_cutt", says=["max_cut"])

    def test_a_bad_flag_is_refused_with_its_name_before_anything_is_stored(self):
        job = self.place.file("job.json", QUBO)
        circuit = {"num_qubits": 1, "num_clbits": 1, "parameters": [], "instructions": [["h", [0]], ["measure", [0], [], 0]]}
        program = self.place.file("program.json", {"program": {"pubs": [{"circuit": circuit, "shots": 5}]}})
        cases = [(job, "--threads", "100000", "1024"), (job, "--time", "0s", "86400000"), (job, "--time", "", "duration"),
                 (job, "--cost-max-usd", "99999999", "1000000000000 micro-USD"), (job, "--target", "nan", "nan"), (job, "--refine", "maybe", "required"),
                 (job, "--solver", "magic", "tabu"), (job, "--backend", "cpu.tab", "cpu.tabu"), (program, "--solver", "tabu", "program"),
                 (program, "--target", "1", "program"), (program, "--start", self.place.file("none.json", {"candidates": []}), "candidates"),
                 (job, "--start", job, "--start takes a result")]
        for command in ("submit", "run", "plan"):
            for file, flag, value, says in cases:
                with self.subTest((command, flag, value)):
                    self.refused(command, file, flag, value, says=[f"tandem: {flag}: ", says])
        self.assertEqual(self.place.json("jobs")["jobs"], [])
        self.place.run("submit", job, "--idempotency-key", "k")
        self.refused("submit", job, "--seed", "2", "--idempotency-key", "k", says=["tandem: --idempotency-key: "])

    def test_words_that_are_not_utf8_never_reach_the_store(self):
        wrong = os.fsdecode(b"a\xff")
        job = self.place.file("job.json", QUBO)
        self.refused("submit", job, "--idempotency-key", wrong, says=["tandem: --idempotency-key: ", "UTF-8"])
        self.place.run("run", self.place.file(wrong, "3 1\n1 2 1\n"), "--problem", "max_cut")
        named = self.place.json("jobs")["jobs"][0]
        self.assertIn("a", named["name"])
        self.refused("jobs", "rm", named["job_id"], "--reason", wrong, says=["/reason", "UTF-8"])
        self.place.run("jobs", "rm", named["job_id"], "--reason", "ä")
        self.assertEqual(self.place.json("store", "check")["findings"], [])

    def test_settings(self):
        self.refused("config", "show", environment={"TANDEM_ENGINE_WORKERS": "many"}, says=["engine.workers", "TANDEM_ENGINE_WORKERS", "many"])
        self.refused("config", "show", environment={"TANDEM_ENGINE_WROKERS": "2"}, says=["TANDEM_ENGINE_WROKERS"])
        for command in (["jobs"], ["run", self.place.file("job.json", QUBO)], ["doctor"]):
            for url in ("garbage", "ftp://x", "http://x:0"):
                done = self.place.run(*command, check=False, environment={"TANDEM_LAB_DEVICE_URL": url})
                self.assertEqual(done.returncode, 2, done.stderr)
                for says in ("TANDEM_LAB_DEVICE_URL: the setting 'lab.device_url'", f"'{url}'", "http://HOST[:PORT]", "bad_setting"):
                    self.assertIn(says, done.stdout + done.stderr)
        for command in (["serve", "--listen", "127.0.0.1:0"], ["run", self.place.file("job.json", QUBO)]):
            for weights, says in (("acme=3, pilot", "entry 2 of 'engine.tenant_weights', at character 8, is 'pilot'"), ("acme=0", "from 1e-06 to 1e+06")):
                self.refused(*command, environment={"TANDEM_ENGINE_TENANT_WEIGHTS": weights}, says=["TANDEM_ENGINE_TENANT_WEIGHTS: ", says])
        self.place.run("run", self.place.file("job.json", QUBO), environment={"TANDEM_ENGINE_TENANT_WEIGHTS": "acme=3, acme/pilot=2"})
        self.refused("jobs", "--error", "70000", says=["--error"])
        self.refused("jobs", "--log-level", "silly", says=["log.level", "'silly'", "debug, info, warning, error, off", "command line"])
        self.refused("jobs", environment={"TANDEM_STORE_ADDRESS": "nowhere"}, says=["TANDEM_STORE_ADDRESS: the setting 'store.address'"])

    def test_doctor_names_the_first_problem_and_ends_with_its_code(self):
        def problems(code, *arguments, **environment):
            done = self.place.run("doctor", "--json", *arguments, check=False, environment=environment)
            self.assertEqual(done.returncode, code, done.stdout)
            report = json.loads(done.stdout)
            self.assertFalse(report["ok"])
            return [(check["check"], check["error"]) for check in report["checks"] if not check["ok"]]

        self.assertEqual(problems(2, TANDEM_LAB_DEVICE_URL="garbage"), [("settings", 1061)])
        self.assertEqual(problems(2, TANDEM_STORE_ADDRESS="nowhere"), [("settings", 3009)])
        self.assertEqual(problems(2, "--data", self.place.file("plain", "x")), [("data directory", 1047)])
        self.assertEqual(problems(2, TANDEM_DATA_DIR="", XDG_DATA_HOME="", HOME=""), [("data directory", 1061)])

    def test_places_that_cannot_hold_data(self):
        job = self.place.file("job.json", QUBO)
        self.refused("run", job, "--data", self.place.file("plain", "x"), says=["plain"])
        foreign = self.place.folder / "foreign"
        foreign.mkdir()
        (foreign / "tandem.db").write_bytes(b"this is not a database, not at all" * 200)
        self.refused("run", job, "--data", foreign, says=["tandem.db"])
        self.refused("run", job, "--data", "/proc/none", says=["/proc/none"])
        self.refused("run", job, environment={"TANDEM_DATA_DIR": "", "XDG_DATA_HOME": "", "HOME": ""}, says=["HOME", "--data"])
        self.assertFalse((self.place.folder / ".local").exists())

    def test_a_store_of_a_newer_version_is_left_alone(self):
        job = self.place.file("job.json", QUBO)
        self.place.run("run", job)
        store = self.place.data / "tandem.db"
        with sqlite3.connect(store) as connection:
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            connection.execute(f"PRAGMA user_version = {version + 1}")
        connection.close()
        before = store.read_bytes()
        for arguments in (["run", job], ["jobs"], ["serve", "--listen", "127.0.0.1:0"]):
            self.refused(*arguments, says=["tandem.db", str(version + 1), "store_newer"])
        self.assertEqual(store.read_bytes(), before)

    def as_nobody(self, *arguments):
        """Runs tandem without any privilege. As root through setpriv, from a copy: nobody may not enter a home."""
        command = [BINARY, *map(str, arguments)]
        if os.geteuid() == 0:
            copy = self.place.folder / "tandem"
            shutil.copy(BINARY, copy)
            copy.chmod(0o755)
            command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all", str(copy), *map(str, arguments)]
        done = subprocess.run(command, env={**self.place.environment, "HOME": "/nonexistent"}, capture_output=True, text=True, timeout=60, cwd="/")
        self.assertEqual(done.returncode, 6, (command, done.stdout, done.stderr))
        self.assertIn("[1043 file_permission_denied]", done.stderr)
        return done

    def test_without_permission(self):
        self.place.folder.chmod(0o755)
        job = self.place.folder / "job.json"
        self.place.file("job.json", QUBO)
        job.chmod(0o644)
        self.place.run("run", job)  # a directory with a store, of another user where we are root
        locked = self.place.folder / "locked"
        locked.mkdir(mode=0o500)
        self.assertIn("locked", self.as_nobody("run", job, "--data", locked / "data").stderr)
        self.assertEqual(list(locked.iterdir()), [])
        if os.geteuid() == 0:
            for arguments in (["jobs"], ["run", job], ["serve", "--listen", "127.0.0.1:0"]):
                self.assertIn(str(self.place.data), self.as_nobody(*arguments).stderr)
        # A directory that may be read and not written.
        files = [self.place.data, *self.place.data.iterdir()]
        for path in files:
            path.chmod(0o555 if path.is_dir() else 0o444)
        for arguments in (["jobs"], ["run", job]):
            self.assertIn(str(self.place.data), self.as_nobody(*arguments).stderr)
        for path in files:
            path.chmod(0o755 if path.is_dir() else 0o644)
        job.chmod(0)
        self.assertIn("job.json", self.as_nobody("run", job).stderr)
        self.assertEqual(len(self.place.json("jobs")["jobs"]), 1)

    def test_a_port_in_use_and_an_address_that_is_not_loopback(self):
        with self.place.serve() as server:
            other = Workplace()
            self.addCleanup(other.close)
            done = other.run("serve", "--listen", server.url.removeprefix("http://"), check=False)
            self.assertGreater(done.returncode, 0)
            self.assertIn("address_in_use", done.stderr)
        done = self.refused("serve", "--listen", "0.0.0.0:0", says=["loopback"])
        self.assertNotIn("token", done.stderr)
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
