"""A disk that really is full: a small file system of its own, filled and freed under `tandem run` and `tandem serve`.

small_disk.py says what it needs. The full disk inside the store (every write in turn) is src/tandem/store/sqlite/disk_faults.test.cc,
inside the engine orchestrate/engine/store_watch.test.cc.
"""

import json
import pathlib
import resource
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from small_disk import SmallDisk  # noqa: E402
from support import BINARY, QUBO, Workplace, validate_output  # noqa: E402


class FullDisk(unittest.TestCase):
    def setUp(self):
        self.place = Workplace()
        self.addCleanup(self.place.close)
        self.disk = SmallDisk()
        self.addCleanup(self.disk.close)
        self.use(self.disk.path / "data")
        graph = self.place.run("generate", "regular", "--nodes", "600", "--degree", "3", "--seed", "5").stdout
        self.graph = self.place.file("graph.txt", graph)
        self.long_job = ["submit", self.graph, "--refine", "off", "--time", "2s"]

    def use(self, folder):
        self.place.data = folder
        self.place.environment["TANDEM_DATA_DIR"] = str(folder)

    def states(self):
        return {job["job_id"]: job["state"] for job in self.place.json("jobs")["jobs"]}

    def test_run_on_a_disk_that_fills_up_anywhere_says_so_and_what_was_taken_is_done_later(self):
        codes = set()
        stalled = 0
        for step, leave in enumerate(range(0, 900, 30)):
            with self.subTest(leave=leave):
                self.use(self.disk.path / f"data{step}")
                self.disk.fill(leave)
                done = self.place.run("run", self.graph, "--refine", "off", "--time", "50ms", "--json", check=False, timeout=30)
                codes.add(done.returncode)
                problem = json.loads(done.stdout)
                if done.returncode == 0:
                    self.assertTrue(problem["best"]["feasible"])
                else:
                    self.assertEqual((done.returncode, problem["name"]), (8, "disk_full"), done.stderr)
                    self.assertIn("[1041 disk_full]", done.stderr)
                self.assertEqual(list(self.disk.path.glob("**/*.tmp*")), [])
                self.disk.free()
                # The next process on the directory does what was taken and finds nothing half-written.
                taken = self.states()
                self.assertLessEqual(len(taken), 1)
                stalled += len(taken) if done.returncode != 0 else 0
                with self.place.serve() as server:
                    for job in taken:
                        self.assertEqual(server.finished(job)["state"], "succeeded")
                subprocess.run(["rm", "-r", str(self.place.data)], check=True)
        self.assertEqual(codes, {0, 8})  # else the sweep began or ended too early
        self.assertGreater(stalled, 0)  # else no disk was full between the admission and the end

    def test_a_server_says_so_takes_no_work_and_goes_on_by_itself_when_there_is_room(self):
        with self.place.serve() as server:
            job = self.place.json(*self.long_job)["job_id"]
            follower = subprocess.Popen([BINARY, "run", self.graph, "--refine", "off", "--time", "3s", "--json"], env=self.place.environment,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            while len(self.states()) < 2:
                time.sleep(0.01)
            self.disk.fill()
            status, headers, problem = server.request("GET", f"/v1/jobs/{job}?wait=20s")
            self.assertEqual((status, problem["name"]), (507, "disk_full"), problem)
            self.assertEqual(headers["Content-Type"], "application/problem+json")
            self.assertIn(job, problem["detail"])
            status, _, problem = server.request("GET", "/readyz")
            self.assertEqual((status, problem["name"]), (507, "disk_full"))
            status, _, problem = server.request("POST", "/v1/jobs", QUBO)
            self.assertEqual((status, problem["name"]), (507, "disk_full"))
            # Who follows a job from the command line hears it too, instead of waiting for ever.
            out, err = follower.communicate(timeout=30)
            validate_output(follower.args[1:], follower.returncode, out)
            self.assertEqual(follower.returncode, 8)
            self.assertIn("goes on from its last checkpoint", err)
            # Reading goes on; a job whose start found no room is still queued.
            self.assertLessEqual(set(self.states().values()), {"running", "queued"})
            self.disk.free()
            for one in self.states():
                while True:
                    status, _, view = server.request("GET", f"/v1/jobs/{one}?wait=20s")
                    if status == 200 and view["state"] == "succeeded":
                        break
                    self.assertIn((status, view["state"] if status == 200 else view["name"]), [(507, "disk_full"), (200, "running"), (200, "queued")])
            self.assertEqual(server.request("GET", "/readyz")[0], 200)
            self.assertEqual(server.request("POST", "/v1/jobs", QUBO)[0], 202)

    def test_a_server_killed_on_a_full_disk_loses_nothing(self):
        with self.place.serve() as server:
            job = self.place.json(*self.long_job)["job_id"]
            self.disk.fill()
            self.assertEqual(server.request("GET", f"/v1/jobs/{job}?wait=20s")[0], 507)
            server.kill()
        self.disk.free()
        with self.place.serve() as server:
            self.assertEqual(server.finished(job)["state"], "succeeded")
            kinds = [e["type"] for e in server.request("GET", f"/v1/jobs/{job}/events")[2]["events"]]
            self.assertEqual(kinds.count("job.succeeded"), 1)

    def test_a_file_that_does_not_fit_is_not_there_in_part(self):
        self.disk.fill(8)
        target = self.disk.path / "out.txt"
        target.write_text("old")
        done = self.place.run("convert", self.graph, "--problem", "max_cut", "--to", "json", target, check=False)
        self.assertEqual(done.returncode, 8, done.stderr)
        self.assertEqual(target.read_text(), "old")
        self.assertEqual(sorted(p.name for p in self.disk.path.iterdir()), ["ballast", "out.txt"])


class StoppedStore(unittest.TestCase):
    """A file size limit makes the kernel refuse a write with an error that is no "disk full": the store stops for good."""

    def test_run_says_that_the_store_stopped_and_the_next_process_goes_on(self):
        place = Workplace()
        self.addCleanup(place.close)
        graph = place.file("graph.txt", place.run("generate", "regular", "--nodes", "600", "--degree", "3", "--seed", "5").stdout)
        place.json("jobs")  # the store is made
        names = set()
        for limit in range(40, 400, 40):
            done = subprocess.run([BINARY, "run", graph, "--refine", "off", "--time", "50ms", "--json"], env=place.environment, timeout=30,
                                  capture_output=True, text=True,
                                  preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit << 10, limit << 10)))
            validate_output(done.args[1:], done.returncode, done.stdout)
            self.assertLess(done.returncode, 126)
            self.assertGreaterEqual(done.returncode, 0, "killed by a signal")
            if done.returncode != 0:
                names.add(json.loads(done.stdout)["name"])
        self.assertLessEqual(names, {"io_error", "store_closed", "disk_full"})
        self.assertIn("store_closed", names)
        taken = [job["job_id"] for job in place.json("jobs")["jobs"]]
        self.assertGreater(len(taken), 0)
        with place.serve() as server:
            for job in taken:
                self.assertEqual(server.finished(job)["state"], "succeeded")


if __name__ == "__main__":
    unittest.main()
