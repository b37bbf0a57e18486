"""Fallback by cause and review, over the command line and the API, with the emulated device."""

import json
import time
import unittest
import urllib.request

from support import Workplace, validate_event

BELL = {"circuit": {"num_qubits": 2, "num_clbits": 2, "parameters": [],
                    "instructions": [["h", [0]], ["cx", [0, 1]], ["measure", [0], [], 0], ["measure", [1], [], 1]]}, "shots": 100}
WEDGED = [{"on": "status", "action": "unknown_status", "from": 1}]  # counts as running, for ever


def program(**more):
    return {"program": {"pubs": [BELL]}, "policy": {"backends": ["lab.device"]}, "limits": {"cost_max_usd_micros": 10_000_000}, **more}


class Fallback(unittest.TestCase):
    def setUp(self):
        self.place = Workplace()
        self.addCleanup(self.place.close)

    def settings(self, device, deadline="1500ms"):
        return {"TANDEM_LAB_DEVICE_URL": device.url, "TANDEM_LAB_DEVICE_DEADLINE": deadline, "TANDEM_LAB_SETTLE_WINDOW": "300ms"}

    def run_here(self, document, environment, code=0):
        done = self.place.run("run", self.place.file("job.json", document), "--json", check=False, environment=environment)
        self.assertEqual(done.returncode, code, done.stderr)
        return json.loads(done.stdout)

    def way(self, result):
        return [(station["backend"], station["outcome"], station["cause"]) for station in result["path"]]

    def crowd(self, device):
        """Somebody else's job, which waits at the head of the queue."""
        body = json.dumps({"token": "somebody-else", "circuit": BELL["circuit"], "shots": 10}).encode()
        request = urllib.request.Request(f"{device.url}/v1/jobs", data=body, headers={"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            self.assertEqual(answer.status, 201)

    def test_a_device_with_a_long_queue_is_left_for_the_simulator(self):
        job = program(fallbacks=[{"backend": "cached_result", "on": ["timeout"]}, {"backend": "simulator.statevector", "on": ["queue_wait"]}])
        expected = [("lab.device", "left", "queue_wait"), ("cached_result", "passed_over", "queue_wait"), ("simulator.statevector", "answered", "queue_wait")]
        with self.place.device(queue_ms=60000) as device:
            # Nobody waits, so the queue is joined; the work is withdrawn when it does not move.
            seen = self.run_here(job, self.settings(device))
            self.assertEqual(self.way(seen), expected)
            (submission,) = self.place.json("jobs", "submissions", seen["job_id"])["submissions"]
            self.assertEqual(submission["state"], "cancelled")
            self.crowd(device)
            stated = self.run_here(job, self.settings(device))
            self.assertEqual(self.way(stated), expected)
            self.assertEqual(self.place.json("jobs", "submissions", stated["job_id"])["submissions"], [])
            explanation = self.place.run("explain", stated["job_id"]).stdout
            self.assertIn("Path of run: lab.device was left (queue_wait):", explanation)
            self.assertIn("simulator.statevector answered (queue_wait)", explanation)

    def test_a_device_with_a_stale_calibration_is_left_for_the_simulator(self):
        job = program(fallbacks=["simulator.statevector"])
        with self.place.device() as device:
            for age, way in (("1h", []), ("1ms", [("lab.device", "left"), ("simulator.statevector", "answered")])):
                result = self.run_here({**job, "limits": {**job["limits"], "calibration_age": age}}, self.settings(device))
                self.assertEqual([(station["backend"], station["outcome"]) for station in result["path"]], way)
            self.assertEqual(result["path"][0]["cause"], "unavailable")
            explanation = self.place.run("explain", result["job_id"]).stdout
            self.assertIn("the plan allows 1 ms; nothing was sent", explanation)
            self.assertEqual(self.place.json("jobs", "submissions", result["job_id"])["submissions"], [])

    def test_a_device_that_is_down_leaves_the_problem_to_the_classical_heuristic(self):
        graph = self.place.file("g.txt", self.place.run("generate", "gnp", "--nodes", "70", "--probability", "0.3", "--seed", "3").stdout)
        problem = json.loads(self.place.run("convert", graph, "--problem", "max_cut", "--to", "json").stdout)
        job = {"problem": problem, "limits": {"time": "300ms", "cost_max_usd_micros": 10_000_000},
               "refinement": {"core_max": 8, "layers": 1, "shots": 100}}
        with self.place.device(faults=[{"on": "submit", "action": "refuse", "from": 1}]) as device:
            result = self.run_here(job, self.settings(device))
        self.assertTrue(result["best"]["feasible"])
        self.assertEqual(self.way(result), [("lab.device", "left", "unavailable"), ("cpu.portfolio", "stood_in", "unavailable")])
        self.assertFalse(result["partial"])

    def test_a_device_that_is_too_slow_is_answered_by_an_earlier_result_with_its_age(self):
        with self.place.device() as device:
            first = self.run_here(program(), self.settings(device, "20s"))
            self.assertEqual(first["path"], [])
        with self.place.device(faults=WEDGED, book="slow.book") as device, self.place.serve(environment=self.settings(device)) as server:
            status, _, body = server.request("POST", "/v1/jobs", program(seed=7))
            self.assertEqual(status, 202, body)
            job = body["job_id"]
            self.assertEqual(server.finished(job)["state"], "succeeded")
            result = server.request("GET", f"/v1/jobs/{job}/result")[2]
            self.assertEqual(self.way(result), [("lab.device", "left", "timeout"), ("cached_result", "answered", "timeout")])
            self.assertEqual(result["pubs"], first["pubs"])
            (cached,) = result["cached"]
            self.assertEqual((cached["job_id"], cached["backend"]), (first["job_id"], "lab.device"))
            self.assertGreater(cached["age_ms"], 1500)  # the step waited that long
            lineage = server.request("GET", f"/v1/jobs/{job}/lineage")[2]
            self.assertEqual(lineage["work"][0]["cached"], cached)
            events = server.request("GET", f"/v1/jobs/{job}/events?limit=1000")[2]["events"]
            finished = next(event for event in events if event["type"] == "step.finished")
            validate_event(finished)
            self.assertEqual((finished["data"]["cached_from"], finished["data"]["cached_age_ms"]), (first["job_id"], cached["age_ms"]))
            explanation = self.place.run("explain", job).stdout
            self.assertIn(f"The answer of run is not new: lab.device gave it to {first['job_id']}", explanation)
            self.assertEqual(self.place.json("replay", job)["verdict"], "identical")
            # Nothing is taken from another data class.
            status, _, body = server.request("POST", "/v1/jobs", program(business={"data_class": "restricted"}))
            self.assertEqual(server.finished(body["job_id"])["error"]["number"], 2002)

    def test_a_solver_that_does_not_get_its_memory_is_answered_by_an_earlier_result_with_its_age(self):
        graph = self.place.file("g.txt", self.place.run("generate", "gnp", "--nodes", "120", "--probability", "0.5", "--seed", "3").stdout)
        problem = json.loads(self.place.run("convert", graph, "--problem", "max_cut", "--to", "json").stdout)

        def job(**more):
            return {"problem": problem, "refinement": {"mode": "off"}, "limits": {"time": "300ms"}, "policy": {"backends": ["cpu.tabu"]},
                    "fallbacks": ["cached_result"], **more}

        little = {"TANDEM_COMPUTE_MEMORY_BYTES_MAX": "65536"}  # enough to read the problem, not to search
        first = self.run_here(job(), {})
        self.assertEqual((first["path"], first["cached"]), ([], []))
        time.sleep(1.5)
        with self.place.serve(environment=little) as server:
            _, _, body = server.request("POST", "/v1/jobs", job(seed=7, limits={"time": "900ms"}))
            self.assertEqual(server.finished(body["job_id"])["state"], "succeeded")
            result = server.request("GET", f"/v1/jobs/{body['job_id']}/result")[2]
            self.assertEqual(self.way(result), [("cpu.tabu", "left", "unavailable"), ("cached_result", "answered", "unavailable")])
            self.assertEqual((result["best"]["solution"], result["best"]["objective"]), (first["best"]["solution"], first["best"]["objective"]))
            (cached,) = result["cached"]
            self.assertEqual((cached["step"], cached["job_id"], cached["backend"]), ("solve", first["job_id"], "cpu.tabu"))
            self.assertGreater(cached["age_ms"], 1500)
            self.assertEqual(server.request("GET", f"/v1/jobs/{body['job_id']}/lineage")[2]["work"][0]["cached"], cached)
            self.assertIn(f"The answer of solve is not new: cpu.tabu gave it to {first['job_id']}", self.place.run("explain", body["job_id"]).stdout)
            self.assertEqual(self.place.json("replay", body["job_id"])["verdict"], "identical")
            # Nothing is taken that is too old, of another data class, of a backend that may not take this job's work, or of another problem.
            other = {**problem, "edges": problem["edges"][1:]}
            for unfit in (job(fallbacks=[{"backend": "cached_result", "age_max_ms": 1000}]), job(business={"data_class": "restricted"}),
                          job(policy={"backends": ["cpu.annealing"]}), job(problem=other)):
                _, _, body = server.request("POST", "/v1/jobs", unfit)
                self.assertEqual(server.finished(body["job_id"])["error"]["number"], 1004)

    def test_a_device_that_is_switched_off_leaves_a_program_to_whoever_the_job_names(self):
        with self.place.device() as device:
            environment = self.settings(device)
        result = self.run_here(program(fallbacks=[{"backend": "simulator.statevector", "on": ["unavailable"]}]), environment)
        self.assertEqual(self.way(result), [("lab.device", "left", "unavailable"), ("simulator.statevector", "answered", "unavailable")])

    def test_low_confidence_that_nobody_is_named_for_is_an_error_with_a_result_that_can_be_read(self):
        with self.place.device() as device:
            failed = self.run_here(program(review={"confidence_min": 0.9}, fallbacks=["cached_result"]), self.settings(device, "20s"), code=5)
        self.assertEqual(failed["number"], 5021)
        (job,) = self.place.json("jobs")["jobs"]
        self.assertEqual(job["state"], "failed")
        self.assertEqual(self.place.json("jobs", "result", job["job_id"])["status"], "failed")

    def test_half_an_answer_is_completed_elsewhere_or_says_what_it_is(self):
        half = [{"on": "result", "action": "partial_result", "from": 1}]
        with self.place.device(faults=half) as device:
            whole = self.run_here(program(fallbacks=["simulator.statevector"]), self.settings(device, "20s"))
            part = self.run_here(program(fallbacks=[{"backend": "simulator.statevector", "on": ["timeout"]}]), self.settings(device, "20s"))
            reviewed = self.run_here(program(fallbacks=["manual_review"]), self.settings(device, "20s"), code=20)
        self.assertEqual(self.way(whole), [("lab.device", "left", "partial"), ("simulator.statevector", "answered", "partial")])
        self.assertFalse(whole["partial"])
        self.assertEqual(sum(self.shots(whole)), 100)
        self.assertEqual([p["used"] for p in whole["partial_work"]], [False])
        self.assertEqual(self.way(part), [("lab.device", "left", "partial"), ("simulator.statevector", "passed_over", "partial"), ("lab.device", "answered", "partial")])
        self.assertTrue(part["partial"])
        (figures,) = part["partial_work"]
        self.assertEqual((figures["asked"], figures["got"], figures["used"]), (100, sum(self.shots(part)), True))
        self.assertAlmostEqual(part["confidence"]["share_returned"], figures["got"] / 100)
        self.assertIn(f"lab.device gave {figures['got']} of 100 samples of run; the result rests on them.", self.place.run("explain", part["job_id"]).stdout)
        self.assertEqual(reviewed["status"], "awaiting_review")
        self.assertEqual(self.place.json("replay", part["job_id"])["verdict"], "identical")

    def shots(self, result):
        return [count for pub in result["pubs"] for binding in pub["bindings"] for count in binding["counts"].values()]

    def test_low_confidence_is_reviewed_over_the_command_line_and_the_api(self):
        doubtful = program(review={"confidence_min": 0.9})
        with self.place.device() as device:
            environment = self.settings(device, "20s")
            here = self.run_here(doubtful, environment, code=20)
            self.assertEqual((here["status"], here["confidence"]["unknown"]), ("awaiting_review", ["agreement"]))
            self.assertEqual([j["job_id"] for j in self.place.json("jobs", "--state", "awaiting_review")["jobs"]], [here["job_id"]])
            self.assertEqual(self.place.json("jobs", "accept", here["job_id"], "--reason", "seen before")["state"], "succeeded")
            accepted = self.place.json("jobs", "result", here["job_id"])
            self.assertEqual((accepted["status"], accepted["review"]["decision"], accepted["review"]["reason"], accepted["review"]["actor"]),
                             ("succeeded", "accepted", "seen before", "user:local"))
            self.assertEqual(self.place.json("jobs", "lineage", here["job_id"])["review"], accepted["review"])
            self.assertEqual(self.place.json("replay", here["job_id"])["verdict"], "identical")
            self.assertIn("Review: accepted by user:local", self.place.run("explain", here["job_id"]).stdout)
            with self.place.serve(environment=environment) as server:
                jobs = [self.awaited(server, {**doubtful, "seed": seed}) for seed in (2, 3, 4)]
            with self.place.serve(environment=environment) as server:  # they wait through a restart
                rejected, by_command, cancelled = jobs
                status, _, view = server.request("POST", f"/v1/jobs/{rejected}/review", {"decision": "reject", "reason": "too noisy"})
                self.assertEqual((status, view["state"], view["error"]["number"]), (200, "failed", 5022))
                self.assertEqual(server.request("GET", f"/v1/jobs/{rejected}/result")[2]["review"]["decision"], "rejected")
                events = server.request("GET", f"/v1/jobs/{rejected}/events?limit=1000")[2]["events"]
                for event in events:
                    validate_event(event)
                self.assertEqual([e["type"] for e in events][-3:], ["job.awaiting_review", "job.rejected", "job.failed"])
                self.assertEqual(self.place.json("jobs", "reject", by_command, "--reason", "no")["state"], "failed")
                self.assertEqual(server.request("POST", f"/v1/jobs/{cancelled}/cancel", {})[0], 202)
                self.assertEqual(server.finished(cancelled)["state"], "cancelled")
                for body, code in (({"decision": "accept"}, 409), ({"decision": "perhaps"}, 400), ({}, 400), ({"decision": "accept", "x": 1}, 400)):
                    self.assertEqual(server.request("POST", f"/v1/jobs/{rejected}/review", body)[0], code)
                self.assertEqual(server.request("GET", f"/v1/jobs/{rejected}/review")[0], 405)

    def awaited(self, server, document):
        status, _, body = server.request("POST", "/v1/jobs", document)
        self.assertEqual(status, 202, body)
        end = time.monotonic() + 30
        while True:
            view = server.request("GET", f"/v1/jobs/{body['job_id']}?wait=5s")[2]
            if view["state"] == "awaiting_review":
                return body["job_id"]
            self.assertLess(time.monotonic(), end, view)


if __name__ == "__main__":
    unittest.main()
