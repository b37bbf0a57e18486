"""The command line as a person and a script use it."""

import contextlib
import fcntl
import hashlib
import json
import os
import pathlib
import pty
import signal
import struct
import subprocess
import termios
import time
import unittest

import yaml

from support import BINARY, DATA, LONG, QUBO, ROOT, Workplace, validate


class CommandLine(unittest.TestCase):
    def setUp(self):
        self.place = Workplace()
        self.addCleanup(self.place.close)

    def test_a_job_document_is_solved_proved_and_follows_the_contract(self):
        result = self.place.json("run", self.place.file("job.json", QUBO))
        self.assertEqual(result["best"]["objective"], -1)
        self.assertEqual(result["best"]["solution"], "01")
        self.assertTrue(result["best"]["proved"])
        self.assertEqual(result["refinement"]["status"], "skipped: proved")
        self.assertTrue(result["baseline"]["same_run"])

    def test_the_life_of_a_job_can_be_read_afterwards(self):
        result = self.place.json("run", self.place.file("job.json", QUBO))
        job = result["job_id"]
        self.assertEqual([j["job_id"] for j in self.place.json("jobs")["jobs"]], [job])
        self.place.json("jobs", "show", job)
        self.place.json("jobs", "plan", job)
        lineage = self.place.json("jobs", "lineage", job)
        self.assertEqual(lineage["plan"]["digest"], result["plan"]["digest"])
        self.place.json("jobs", "spec", job)
        events = [json.loads(line) for line in self.place.run("jobs", "events", job, "--json").stdout.splitlines()]
        self.assertEqual(events[0]["type"], "job.queued")
        self.assertEqual(events[-1]["type"], "job.succeeded")
        explanation = self.place.run("explain", job).stdout
        for tier in ("cpu.portfolio", "simulator.statevector", "gpu.cuda", "lab.device"):
            self.assertIn(tier, explanation)

    def test_diff_says_what_differs_between_two_jobs_here_and_through_a_server(self):
        file = self.place.file("job.json", QUBO)
        first, again, other = (self.place.json("run", file, *more)["job_id"] for more in ([], [], ["--seed", "7", "--time", "3s"]))
        for served in (False, True):
            with self.place.serve() if served else contextlib.nullcontext():
                same = self.place.json("diff", first, again)
                self.assertEqual((same["verdict"], same["jobs"], same["differences"]), ("same", [first, again], []))
                done = self.place.run("diff", first, other, "--json", check=False)
                report = json.loads(done.stdout)
                self.assertEqual((done.returncode, report["verdict"]), (21, "different"))
                places = [place for difference in report["differences"] if difference["part"] == "document" for place in difference["places"]]
                self.assertEqual(places, ['/limits/time: "5000ms" / "3000ms"', "/seed: 1 / 7"])
                told = self.place.run("diff", first, other, check=False)
                self.assertEqual(told.returncode, 21)
                self.assertIn("/seed: 1 / 7", told.stdout)
        missing = self.place.run("diff", first, "job_01890a5d-ac96-774b-bcce-b302099a8057", check=False)
        self.assertIn("no job", missing.stderr)

    def test_a_replay_is_identical_with_one_and_two_threads(self):
        graph = self.place.run("generate", "gnp", "--nodes", "70", "--probability", "0.3", "--seed", "3").stdout
        result = self.place.json("run", self.place.file("g.txt", graph), "--time", "700ms")
        self.assertEqual(result["refinement"]["status"], "done")
        for threads in (1, 2):
            report = self.place.json("replay", result["job_id"], "--threads", threads)
            self.assertEqual(report["verdict"], "identical", report)

    def test_refinement_grades_every_arm_against_the_exact_shadow(self):
        graph = self.place.run("generate", "regular", "--nodes", "150", "--degree", "7", "--seed", "5").stdout
        result = self.place.json("run", self.place.file("g.txt", graph), "--time", "500ms")
        arms = {arm["arm"]: arm for arm in result["refinement"]["arms"]}
        self.assertEqual(set(arms), {"exact_shadow", "annealing_control", "random_control", "qaoa"})
        for name, arm in arms.items():
            self.assertEqual(arm["status"], "done", (name, arm))
            self.assertGreaterEqual(arm["regret"], 0)
            if name == "exact_shadow":
                continue  # it computes, it does not sample
            self.assertLessEqual(arm["p_optimum_low"], arm["p_optimum"])
            self.assertLessEqual(arm["p_optimum"], arm["p_optimum_high"])
        self.assertEqual(arms["exact_shadow"]["regret"], 0)
        for name in ("annealing_control", "random_control", "qaoa"):
            self.assertEqual(arms[name]["samples"], 1000)
        self.assertAlmostEqual(arms["random_control"]["rank"], 0.5, places=9)

    def test_every_problem_type_has_a_document_that_runs_as_it_stands(self):
        for problem in self.place.json("init", "--list")["problems"]:
            text = self.place.run("init", problem["problem"]).stdout
            result = self.place.json("run", self.place.file("job.yaml", text), "--time", "300ms")
            self.assertTrue(result["best"]["feasible"], problem)
            self.assertTrue(result["explanation"])

    def test_success_criteria_decide_the_exit_code(self):
        job = {**QUBO, "business": {"success": [{"criterion": "objective", "value": -5}]}}
        done = self.place.run("run", self.place.file("job.json", job), "--json", check=False)
        self.assertEqual(done.returncode, 20)
        self.assertFalse(json.loads(done.stdout)["acceptance"]["met"])

    def test_a_file_converts_and_comes_back_the_same(self):
        graph = self.place.run("generate", "torus", "--rows", "4", "--columns", "5", "--seed", "2").stdout
        rudy = self.place.file("g.txt", graph)
        document = self.place.run("convert", rudy, "--to", "json").stdout
        back = self.place.run("convert", self.place.file("g.json", document), "--to", "rudy").stdout
        body = lambda text: [line for line in text.splitlines() if not line.startswith("#")]
        self.assertEqual(body(back), body(graph))

    def test_a_job_document_is_written_whole_and_reads_back_as_the_same_job(self):
        templates = {f"init {name}": self.place.run("init", name).stdout
                     for name in (row["problem"] for row in self.place.json("init", "--list")["problems"])}
        examples = {path.name: path.read_text() for path in (ROOT / "examples").glob("*.yaml")}
        hostile = {**QUBO, "name": "no", "business": {"owner": "1e3", "consumer": "~", "reason": "a: b", "objective": "two\nlines \u20ac \u2028"},
                   "inputs": [{"name": "007", "version": "2026-01-01", "sha256": "0" * 64}], "seed": 2 ** 64 - 1}
        bell = {"circuit": {"num_qubits": 1, "num_clbits": 1, "instructions": [["h", [0]], ["measure", [0], [], 0]]}, "shots": 10}
        documents = {**templates, **examples, "hostile": json.dumps(hostile), "program": json.dumps({"program": {"pubs": [bell]}}),
                     "graph": self.place.run("generate", "torus", "--rows", "4", "--columns", "4").stdout}
        self.assertGreater(len(documents), 6)
        for name, text in documents.items():
            with self.subTest(name):
                file = self.place.file("in.txt", text)
                written = {to: self.place.run("convert", file, "--as", "job", "--to", to).stdout for to in ("json", "yaml")}
                document = json.loads(written["json"])
                validate(document, "job")
                # Each read by us and written again is the whole document again, so its hash is the same, too.
                for to, form in written.items():
                    again = self.place.run("convert", self.place.file(f"job.{to}", form), "--as", "job", "--to", "json").stdout
                    self.assertEqual(again, written["json"])
                self.assertEqual(yaml.safe_load(written["yaml"]), document)  # as a reader of YAML 1.1 reads it
        admitted = self.place.json("submit", self.place.file("job.yaml", self.place.run("convert", file, "--as", "job", "--to", "yaml").stdout))
        self.assertEqual(self.place.json("jobs", "spec", admitted["job_id"]), document)

    def test_a_problem_is_written_as_yaml_too_and_a_job_only_as_a_document(self):
        file = self.place.file("job.json", QUBO)
        text = self.place.run("convert", file, "--to", "yaml").stdout
        self.assertIn("type: qubo\n", text)
        back = self.place.run("convert", self.place.file("p.yaml", text), "--to", "json").stdout
        self.assertEqual(json.loads(back), json.loads(self.place.run("convert", file, "--to", "json").stdout))
        for flags, says in ((("--as", "job", "--to", "rudy"), "json or yaml"), (("--as", "x", "--to", "json"), "problem or job")):
            done = self.place.run("convert", file, *flags, check=False)
            self.assertIn(says, done.stderr)
            self.assertIn("usage", done.stderr)

    def test_a_generated_file_says_how_to_make_it_again(self):
        graph = self.place.run("generate", "regular", "--nodes", "10", "--seed", "7").stdout
        line = next(line for line in graph.splitlines() if "tandem generate" in line)
        again = self.place.run(*line.split("tandem ", 1)[1].split()).stdout
        self.assertEqual(again, graph)

    def test_settings_say_where_they_come_from(self):
        shown = {s["name"]: s for s in self.place.json("config", "show", environment={"TANDEM_ENGINE_WORKERS": "3"})["settings"]}
        self.assertEqual(shown["engine.workers"]["value"], "3")
        self.assertEqual(shown["engine.workers"]["origin"], "environment")
        self.assertEqual(shown["compute.threads"]["origin"], "default")

    def test_the_data_directory_says_that_it_came_from_its_variable(self):
        done = subprocess.run([BINARY, "config", "show", "--json"], capture_output=True, text=True, check=True,
                              env={**os.environ, "TANDEM_DATA_DIR": "/somewhere"})
        shown = {s["name"]: s for s in json.loads(done.stdout)["settings"]}["data.dir"]
        self.assertEqual((shown["value"], shown["origin"], shown["source"]), ("/somewhere", "environment", "TANDEM_DATA_DIR"))

    def test_a_flag_stands_above_the_document_even_where_it_is_zero(self):
        job = self.place.file("job.json", {**QUBO, "threads": 2, "limits": {"time": "1s", "total_time": "2s"}})
        queued = self.place.json("submit", job, "--threads", "0", "--time", "3s", "--refine", "off")
        spec = self.place.json("jobs", "spec", queued["job_id"])
        self.assertEqual((spec["threads"], spec["limits"]["time"], spec["limits"]["total_time"], spec["refinement"]["mode"]), (0, "3000ms", "3000ms", "off"))

    def test_a_queued_job_waits_for_a_server_and_then_runs(self):
        queued = self.place.json("submit", self.place.file("job.json", QUBO))
        self.assertEqual(self.place.json("jobs", "show", queued["job_id"])["state"], "queued")
        page = self.place.json("jobs", "list", "--state", "queued")
        self.assertEqual([view["job_id"] for view in page["jobs"]], [queued["job_id"]])
        self.assertEqual(self.place.json("jobs")["jobs"], page["jobs"])
        self.assertEqual(self.place.json("jobs", "list", "--error", "5014")["jobs"], [])
        with self.place.serve() as server:
            self.assertEqual(server.finished(queued["job_id"])["state"], "succeeded")
            # A second process on the same directory talks to the server.
            self.assertEqual(self.place.json("jobs", "result", queued["job_id"])["best"]["objective"], -1)
            result = self.place.json("run", self.place.file("other.json", {**QUBO, "seed": 9}))
            self.assertEqual(result["best"]["objective"], -1)

    def test_a_job_is_put_aside_taken_up_cancelled_and_submitted_anew(self):
        """The verbs as a person types them: here, where nothing runs, and then through a server."""
        def say(verb, *words):
            return self.place.json("jobs", verb, *words)

        def told(job, kind):
            lines = self.place.run("jobs", "events", job, "--json").stdout.splitlines()
            return [event["data"] for event in map(json.loads, lines) if event["type"] == kind]

        def lives():
            job = self.place.json("submit", self.place.file("job.json", {**LONG, "name": "aside"}))["job_id"]
            say("suspend", job, "--reason", "the night shift")
            while (state := say("show", job)["state"]) == "running":
                time.sleep(0.01)
            self.assertEqual(state, "suspended")
            self.assertEqual(say("resume", job)["job_id"], job)
            self.assertNotEqual(say("show", job)["state"], "suspended")
            for verb, number in (("resume", 5003), ("retry", 5025)):
                refused = self.place.run("jobs", verb, job, "--json", check=False)
                self.assertEqual((refused.returncode, json.loads(refused.stdout)["number"]), (5, number))
            say("cancel", job)
            while (view := say("show", job))["state"] == "running":
                time.sleep(0.01)
            self.assertEqual(view["state"], "cancelled")
            again = say("retry", job, "--idempotency-key", f"again {job}")
            self.assertNotEqual(again["job_id"], job)
            self.assertEqual(again["name"], "aside")
            self.assertEqual(say("retry", job, "--idempotency-key", f"again {job}")["job_id"], again["job_id"])
            other = say("retry", job)
            self.assertNotIn(other["job_id"], (job, again["job_id"]))
            for copy in (again, other):
                self.assertEqual([data["retry_of"] for data in told(copy["job_id"], "job.queued")], [job])
                say("cancel", copy["job_id"])
            self.assertEqual([data["retry_of"] for data in told(job, "job.queued")], [None])
            self.assertEqual(len(told(job, "job.suspended")), 1)
            self.assertEqual([data["reason"] for data in told(job, "job.suspend_requested")], ["the night shift"])
        lives()
        with self.place.serve():
            lives()

    def test_a_directory_whose_server_was_killed_is_not_looked_for_at_its_port(self):
        with self.place.serve() as dead:
            dead.kill()
        left = self.place.data / "server.json"
        self.assertTrue(left.exists())
        stale = left.read_text()
        graph = self.place.file("g.txt", self.place.run("generate", "regular", "--nodes", "200", "--degree", "3", "--seed", "5").stdout)
        run = subprocess.Popen([BINARY, "run", graph, "--refine", "off", "--time", "600s"], env=self.place.environment,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            log = self.place.data / "tandem.db-wal"
            while not log.exists() or b"job.started" not in log.read_bytes():
                self.assertIsNone(run.poll())
            self.assertFalse(left.exists())
            left.write_text(stale)  # as if it had been left a moment later
            # Looking is possible beside it, changing something is not.
            (job,) = self.place.json("jobs")["jobs"]
            self.assertEqual(job["state"], "running")
            self.assertIn(job["job_id"], self.place.run("explain", job["job_id"]).stdout)
            for arguments in (["submit", graph, "--problem", "max_cut"], ["jobs", "cancel", job["job_id"]]):
                done = self.place.run(*arguments, check=False)
                self.assertIn("[1045 lock_held]", done.stderr)
                self.assertIn("tandem run", done.stderr)
        finally:
            run.kill()
            run.wait()
        # What the killed run leaves behind is cancelled at once, and nobody else's run takes it up.
        (left_running,) = self.place.json("jobs")["jobs"]
        self.assertEqual(left_running["state"], "running")
        self.assertEqual(self.place.json("jobs", "cancel", left_running["job_id"])["state"], "cancelled")

    def test_a_run_runs_its_own_job_and_says_how_many_wait(self):
        queued = [self.place.json("submit", self.place.file("job.json", {**QUBO, "seed": seed}))["job_id"] for seed in (2, 3)]
        done = self.place.run("run", self.place.file("job.json", QUBO))
        self.assertIn("2 other jobs wait", done.stderr)
        self.assertEqual([self.place.json("jobs", "show", job)["state"] for job in queued], ["queued", "queued"])
        self.assertEqual(self.place.json("jobs", "watch", queued[0])["best"]["objective"], -1)
        self.assertEqual(self.place.json("jobs", "show", queued[1])["state"], "queued")

    def test_text_that_a_command_prints_comes_as_a_document_too(self):
        plain = self.place.run("generate", "torus", "--rows", "4", "--columns", "4").stdout
        for arguments in (("generate", "torus", "--rows", "4", "--columns", "4"), ("init", "qubo"), ("completion", "bash")):
            self.assertEqual(self.place.json(*arguments)["text"], self.place.run(*arguments).stdout)
        out = self.place.file("torus.txt", "")
        said = self.place.json("generate", "torus", "--rows", "4", "--columns", "4", "--out", out)
        with open(out, "rb") as file:
            written = file.read()
        self.assertEqual(written.decode(), plain)
        self.assertEqual(said, {"file": out, "bytes": len(written), "sha256": hashlib.sha256(written).hexdigest()})

    def test_a_name_that_is_not_utf8_is_written_and_shown(self):
        name = b"caf\xe9.txt"
        done = subprocess.run([BINARY, "generate", "torus", "--rows", "3", "--columns", "3", "--json", "--out", name],
                              env=self.place.environment, cwd=self.place.folder, capture_output=True, check=True)
        self.assertEqual(json.loads(done.stdout)["file"], "caf\ufffd.txt")
        self.assertTrue(os.path.exists(os.path.join(os.fsencode(self.place.folder), name)))

    def test_help_version_and_completion(self):
        self.assertRegex(self.place.run("--version").stdout, r"^tandem \d+\.\d+\.\d+")
        words = self.place.run("completion", "words").stdout.split()
        for command in ("run", "submit", "jobs", "explain", "diff", "replay", "backends", "convert", "generate", "init", "config", "doctor", "serve", "emulate"):
            self.assertIn(command, words)
            self.assertIn("Usage", self.place.run(command, "--help").stdout)
        self.assertIn("complete -F", self.place.run("completion", "bash").stdout)

    def test_with_json_a_server_and_a_device_say_where_they_are_in_one_line_each(self):
        for arguments, says in ((["serve", "--listen", "127.0.0.1:0"], {"data_dir": str(self.place.data)}),
                                (["emulate", "device", "--listen", "127.0.0.1:0", "--book", "book"], {"book": "book", "emulated": True})):
            with self.subTest(arguments):
                process = subprocess.Popen([BINARY, *arguments, "--json"], stdout=subprocess.PIPE, text=True, env=self.place.environment, cwd=self.place.folder)
                listening = json.loads(process.stdout.readline())
                self.assertEqual({**listening, **says, "state": "listening", "pid": process.pid}, listening)
                self.assertRegex(listening["address"], r"^127\.0\.0\.1:[1-9][0-9]*$")
                process.terminate()
                rest, _ = process.communicate(timeout=30)
                self.assertEqual([json.loads(line) for line in rest.splitlines()], [{"state": "draining", "pid": process.pid}])

    def test_the_version_is_a_document_with_json(self):
        version = self.place.run("--version").stdout.split()[1]
        for arguments in (["--version", "--json"], ["--json", "--version"]):
            self.assertEqual(json.loads(self.place.run(*arguments).stdout), {"version": version})

    def test_a_result_and_its_explanation_are_plain_words(self):
        job = {**QUBO, "business": {"success": [{"criterion": "feasible"}, {"criterion": "latency_ms", "value": 60000}]}}
        out = self.place.run("run", self.place.file("job.json", job)).stdout
        self.assertIn("met     the best candidate is feasible\n", out)
        self.assertRegex(out, r"met     time [0-9.]+ m?s, allowed 1 min 00 s\n")
        explanation = self.place.run("explain", self.place.json("jobs")["jobs"][0]["job_id"]).stdout
        self.assertIn("Criterion met: the best candidate is feasible.", explanation)
        self.assertNotRegex(explanation, r"e\+0\d|P\(optimum\)")

    def lasting(self):
        """A file of a graph that nothing proves in seconds."""
        return self.place.file("g.txt", self.place.run("generate", "regular", "--nodes", "400", "--degree", "3", "--seed", "5").stdout)

    def on_terminal(self, *arguments, columns=80, term="xterm"):
        """What a command writes to stdout, and to a terminal as its stderr."""
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        process = subprocess.Popen([BINARY, *arguments], env={**self.place.environment, "TERM": term}, stdout=subprocess.PIPE, stderr=slave, text=True)
        os.close(slave)
        shown = b""
        with contextlib.suppress(OSError):  # how a terminal ends that nobody writes to any more
            while part := os.read(master, 4096):
                shown += part
        os.close(master)
        out, _ = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0, shown)
        return out, shown.decode()

    def test_a_run_on_a_terminal_says_how_far_it_is_in_one_line_and_takes_it_away(self):
        run = ["run", self.lasting(), "--time", "1s", "--refine", "off"]
        out, shown = self.on_terminal(*run)
        self.assertIn("Best: ", out)
        first, *lines = shown.split("\r\x1b[K")
        self.assertEqual((first, lines[-1]), ("", ""))
        self.assertTrue(all("\n" not in line for line in lines), shown)
        self.assertRegex(shown, r"\x1b\[K0\.\d s of 1\.0 s  best \d+  gap [0-9.]+ %  (solve|baseline)")
        seconds = {line.split()[0] for line in lines if line}
        self.assertGreater(len(seconds), 2, shown)  # it goes on where nothing better is found
        for line in self.on_terminal(*run, columns=24)[1].split("\r\x1b[K"):
            self.assertLess(len(line), 24)

    def test_nothing_is_said_of_progress_to_machines_and_dumb_terminals(self):
        run = ["run", self.place.file("job.json", QUBO)]
        for more, term in ((["--json"], "xterm"), ([], "dumb")):
            self.assertEqual(self.on_terminal(*run, *more, term=term)[1], "")
        self.assertEqual(self.place.run(*run).stderr, "")

    def test_explain_says_which_engines_raced_and_which_found_the_best(self):
        job = self.place.json("run", self.lasting(), "--time", "300ms", "--refine", "off")["job_id"]
        explanation = self.place.run("explain", job).stdout
        race = self.place.json("jobs", "lineage", job)["work"][0]["race"]
        self.assertIn(f"Race of solve at cpu.portfolio, by the structure of the model: {race['choice']}.", explanation)
        for engine in {one["engine"] for one in race["engines"]}:
            self.assertRegex(explanation, rf"\n  {engine} +[0-9.]+ % of the work, best \d+")
        self.assertIn(", the best of all\n", explanation)

    def test_a_replay_whose_process_dies_is_no_verdict(self):
        graph = self.place.run("generate", "regular", "--nodes", "400", "--degree", "3", "--seed", "5").stdout
        job = self.place.json("run", self.place.file("g.txt", graph), "--time", "2s", "--refine", "off")["job_id"]
        for sent, code, says in ((signal.SIGKILL, 8, "run out of memory"), (signal.SIGABRT, 70, "signal 6")):
            replay = subprocess.Popen([BINARY, "replay", job], env=self.place.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            children = pathlib.Path(f"/proc/{replay.pid}/task/{replay.pid}/children")
            while not (child := children.read_text().split()):
                time.sleep(0.01)
            os.kill(int(child[0]), sent)
            out, err = replay.communicate(timeout=60)
            self.assertEqual((replay.returncode, out), (code, ""), err)
            self.assertIn(says, err)

    def test_the_process_of_a_replay_tells_another_version_from_other_errors(self):
        graph = self.place.run("generate", "regular", "--nodes", "80", "--degree", "3", "--seed", "5").stdout
        with self.place.serve() as server:
            job = self.place.json("run", self.place.file("g.txt", graph), "--time", "200ms", "--refine", "off")["job_id"]
            package = server.request("GET", f"/v1/jobs/{job}/replay_package")[2]
        ask = lambda text: self.place.run("replay-worker", "--json", stdin=text, check=False)
        self.assertEqual(ask(json.dumps(package)).returncode, 0)
        self.assertTrue(package["work"])
        for work in package["work"]:
            work["backend_version"] = "another"
        done = ask(json.dumps(package))
        self.assertEqual((done.returncode, json.loads(done.stdout)["name"]), (5, "replay_not_comparable"))
        self.assertEqual(json.loads(ask("{").stdout)["name"], "json_syntax")

    def test_completion_knows_the_words_of_each_level(self):
        words = lambda *before: self.place.run("completion", "words", *before).stdout.split()
        self.assertLessEqual({"show", "result", "--state", "--limit", "--json"}, set(words("jobs")))
        self.assertLessEqual({"<files>", "--time", "--json"}, set(words("run")))
        self.assertLessEqual({"--book", "--queue-ms", "--json"}, set(words("emulate", "device")))
        self.assertIn("show", words("--data", "run", "jobs"), "the value of an option is no command")
        self.assertEqual(words("emulate", "device", "--book"), ["<files>"])
        self.assertNotIn("run", words("jobs"))
        self.assertNotIn("<files>", words("init"))

    def test_bash_completes_commands_options_files_and_problem_types(self):
        self.place.file("graph.txt", "")
        cases = {("jobs", "sh"): "show", ("run", "--ti"): "--time", ("run", "gra"): "graph.txt", ("emulate", "device", "--boo"): "--book",
                 ("ru",): "run", ("init", "max"): "max_cut", ("init", "gra"): "", ("run", "--config", "gra"): "graph.txt",
                 ("run", "--config", "=", "gra"): "graph.txt", ("run", "graph.txt", "gra"): ""}
        script = 'source <(tandem completion bash); COMP_WORDS=(tandem "$@"); COMP_CWORD=$#; _tandem; echo "${COMPREPLY[*]}"'
        path = f"{os.path.dirname(BINARY)}:{os.environ['PATH']}"
        for words, expected in cases.items():
            with self.subTest(words):
                done = subprocess.run(["bash", "-c", script, "bash", *words], cwd=self.place.folder, capture_output=True, text=True, timeout=60,
                                      env={**self.place.environment, "PATH": path})
                self.assertEqual((done.stdout, done.stderr), (expected + "\n", ""))

    def test_a_wrong_word_is_named_with_the_nearest_known_one(self):
        cases = {("runn", "x"): "no command 'runn', did you mean 'run'?", ("generate", "foo"): "no command 'foo' of 'generate'; there are palubeckis",
                 ("completion", "zsh"): "no command 'zsh' of 'completion'; there are bash", ("jobs", "shwo", "x"): "'shwo' of 'jobs', did you mean 'show'?",
                 ("run", "x", "--tiem", "5s"): "no option '--tiem' of 'run', did you mean '--time'?"}
        for words, says in cases.items():
            with self.subTest(words):
                done = self.place.run(*words, check=False)
                self.assertEqual(done.returncode, 2)
                self.assertIn(says, done.stderr)

    def test_doctor_finds_a_healthy_place(self):
        report = self.place.json("doctor")
        self.assertTrue(report["ok"], report)


class PublishedInstances(unittest.TestCase):
    def setUp(self):
        if not (DATA / "maxcut_gset").is_dir():
            self.skipTest(f"no published instances at {DATA}; set TANDEM_TEST_DATA")
        self.place = Workplace()
        self.addCleanup(self.place.close)

    def test_g1_reaches_its_best_known_cut(self):
        result = self.place.json("run", DATA / "maxcut_gset" / "G1.txt", "--problem", "max_cut", "--time", "20s", "--target", "11624", "--seed", "1", "--refine", "off")
        self.assertEqual(result["best"]["objective"], 11624)

    def test_a_run_goes_on_from_an_earlier_result_and_is_never_worse(self):
        graph = [DATA / "maxcut_gset" / "G1.txt", "--problem", "max_cut", "--refine", "off"]
        first = self.place.json("run", *graph, "--time", "2s")
        (self.place.folder / "first.json").write_text(json.dumps(first))
        again = self.place.json("run", *graph, "--start", self.place.folder / "first.json", "--solver", "random", "--time", "20ms")
        self.assertGreaterEqual(again["best"]["objective"], first["best"]["objective"])
        other = self.place.file("other.json", {"problem": {"type": "max_cut", "num_nodes": 2, "edges": [[0, 1, 1]]}})
        done = self.place.run("run", other, "--start", self.place.folder / "first.json", check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn("tandem: --start: a start has 800 characters, the problem has 2 variables", done.stderr)

    def test_a_file_that_could_be_two_things_is_refused_with_the_flags(self):
        done = self.place.run("run", DATA / "qubo_beasley" / "bqp50-2.sparse", check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("--problem", done.stderr)
        self.assertIn("--sense", done.stderr)


class Portfolio(unittest.TestCase):
    def test_the_quickstart_portfolio_refines_sixteen_or_more_variables_on_device_and_simulator(self):
        place = Workplace()
        self.addCleanup(place.close)
        with place.device() as device:
            environment = {"TANDEM_LAB_DEVICE_URL": device.url}
            result = place.json("run", ROOT / "examples" / "portfolio.yaml", "--time", "1s", environment=environment)
            self.assertTrue(result["best"]["feasible"])
            self.assertGreaterEqual(result["refinement"]["core_size"], 16)
            quantum = {arm["backend"]: arm for arm in result["refinement"]["arms"] if arm["arm"] == "qaoa"}
            self.assertEqual({b: a["status"] for b, a in quantum.items()}, {"simulator.statevector": "done", "lab.device": "done"})
            # Far above uniform sampling of the core, with its interval; the device may do as badly as its noise wants.
            uniform = 2.0 ** -result["refinement"]["core_size"]
            self.assertGreater(quantum["simulator.statevector"]["p_optimum_low"], 100 * uniform)
            self.assertTrue(quantum["lab.device"]["emulated"])
            self.assertGreater(quantum["lab.device"]["billed_usd_micros"], 0)
            self.assertEqual(result["billed_emulated_usd_micros"], result["billed_usd_micros"])
            self.assertEqual(place.json("replay", result["job_id"], environment=environment)["verdict"], "identical")
            # Decoding needs the recorded bytes, not the address of the device.
            self.assertEqual(place.json("replay", result["job_id"])["verdict"], "identical")
            submissions = place.json("jobs", "submissions", result["job_id"], environment=environment)["submissions"]
            self.assertEqual([s["state"] for s in submissions], ["settled"])

    def test_an_arm_that_failed_says_that_it_is_emulated_and_what_it_cost(self):
        place = Workplace()
        self.addCleanup(place.close)
        unreadable = [{"on": "result", "action": "garbage_truncated", "from": 1, "count": 0}]
        with place.device(faults=unreadable) as device:
            environment = {"TANDEM_LAB_DEVICE_URL": device.url}
            shown = place.run("run", ROOT / "examples" / "portfolio.yaml", "--time", "1s", environment=environment).stdout.splitlines()
        row = next(line for line in shown if "lab.device" in line and "failed" in line)
        self.assertRegex(row, r"qaoa +lab\.device \(emulated\) .*failed .*\$\d[\d.]* \(emulated\)$")
        self.assertTrue(any(line.startswith("  qaoa on lab.device (emulated): ") for line in shown), shown)


if __name__ == "__main__":
    unittest.main()
