"""The command line as a person and a script use it."""

import hashlib
import json
import os
import subprocess
import unittest

from support import BINARY, DATA, QUBO, ROOT, Workplace, validate


class CommandLine(unittest.TestCase):
    def setUp(self):
        self.place = Workplace()
        self.addCleanup(self.place.close)

    def test_a_job_document_is_solved_proved_and_follows_the_contract(self):
        result = self.place.json("run", self.place.file("job.json", QUBO))
        validate(result, "result")
        self.assertEqual(result["best"]["objective"], -1)
        self.assertEqual(result["best"]["solution"], "01")
        self.assertTrue(result["best"]["proved"])
        self.assertEqual(result["refinement"]["status"], "skipped: proved")
        self.assertTrue(result["baseline"]["same_run"])

    def test_the_life_of_a_job_can_be_read_afterwards(self):
        result = self.place.json("run", self.place.file("job.json", QUBO))
        job = result["job_id"]
        self.assertEqual([j["job_id"] for j in self.place.json("jobs")["jobs"]], [job])
        validate(self.place.json("jobs", "show", job), "job_view")
        validate(self.place.json("jobs", "plan", job), "plan")
        lineage = self.place.json("jobs", "lineage", job)
        validate(lineage, "lineage")
        self.assertEqual(lineage["plan"]["digest"], result["plan"]["digest"])
        validate(self.place.json("jobs", "spec", job), "job")
        events = [json.loads(line) for line in self.place.run("jobs", "events", job, "--json").stdout.splitlines()]
        for event in events:
            validate(event, "event")
        self.assertEqual(events[0]["type"], "job.queued")
        self.assertEqual(events[-1]["type"], "job.succeeded")
        explanation = self.place.run("explain", job).stdout
        for tier in ("cpu.portfolio", "simulator.statevector", "gpu.cuda", "lab.device"):
            self.assertIn(tier, explanation)

    def test_a_replay_is_identical_with_one_and_two_threads(self):
        graph = self.place.run("generate", "gnp", "--nodes", "70", "--probability", "0.3", "--seed", "3").stdout
        result = self.place.json("run", self.place.file("g.txt", graph), "--time", "700ms")
        self.assertEqual(result["refinement"]["status"], "done")
        for threads in (1, 2):
            report = self.place.json("replay", result["job_id"], "--threads", threads)
            self.assertEqual(report["verdict"], "identical", report)

    def test_refinement_grades_every_arm_against_the_exact_shadow(self):
        graph = self.place.run("generate", "regular", "--nodes", "80", "--degree", "3", "--seed", "5").stdout
        result = self.place.json("run", self.place.file("g.txt", graph), "--time", "500ms")
        validate(result, "result")
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
            validate(result, "result")
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

    def test_a_queued_job_waits_for_a_server_and_then_runs(self):
        queued = self.place.json("submit", self.place.file("job.json", QUBO))
        self.assertEqual(self.place.json("jobs", "show", queued["job_id"])["state"], "queued")
        with self.place.serve() as server:
            self.assertEqual(server.finished(queued["job_id"])["state"], "succeeded")
            # A second process on the same directory talks to the server.
            self.assertEqual(self.place.json("jobs", "result", queued["job_id"])["best"]["objective"], -1)
            result = self.place.json("run", self.place.file("other.json", {**QUBO, "seed": 9}))
            self.assertEqual(result["best"]["objective"], -1)

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
            done = self.place.run("jobs", check=False)
            self.assertIn("lock_held", done.stderr)
            self.assertIn(f"process {run.pid}", done.stderr)
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

    def test_help_version_and_completion(self):
        self.assertRegex(self.place.run("--version").stdout, r"^tandem \d+\.\d+\.\d+")
        words = self.place.run("completion", "words").stdout.split()
        for command in ("run", "submit", "jobs", "explain", "replay", "backends", "convert", "generate", "init", "config", "doctor", "serve", "emulate"):
            self.assertIn(command, words)
            self.assertIn("Usage", self.place.run(command, "--help").stdout)
        self.assertIn("complete -F", self.place.run("completion", "bash").stdout)

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
            validate(result, "result")
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
