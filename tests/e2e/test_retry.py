"""Steps that are tried again, with the emulated device: what is, and what never is."""

import json
import time
import unittest

from support import Workplace, book_lines, validate_event
from test_fallback import program

SIMULATOR = [{"backend": "simulator.statevector", "on": ["unavailable", "timeout"]}]


class Retry(unittest.TestCase):
    def setUp(self):
        self.place = Workplace()
        self.addCleanup(self.place.close)

    def settings(self, device, deadline="10s"):
        return {"TANDEM_LAB_DEVICE_URL": device.url, "TANDEM_LAB_DEVICE_DEADLINE": deadline, "TANDEM_LAB_SETTLE_WINDOW": "200ms"}

    def job(self, retry=None, **more):
        limits = {"cost_max_usd_micros": 10_000_000, "retry": retry or {"delay_min": "10ms", "delay_max": "50ms"}}
        return program(**{"fallbacks": SIMULATOR, "limits": limits, **more})

    def run_here(self, document, environment, code=0):
        done = self.place.run("run", self.place.file("job.json", document), "--json", check=False, environment=environment)
        self.assertEqual(done.returncode, code, done.stderr)
        return json.loads(done.stdout)

    def submissions(self, job):
        found = self.place.json("jobs", "submissions", job)["submissions"]
        return sorted(((one["attempt"], one["state"], one["error_class"]) for one in found))

    def retries(self, job):
        lines = self.place.run("jobs", "events", job, "--json").stdout.splitlines()
        events = [json.loads(line) for line in lines]
        for event in events:
            validate_event(event)
        return [event["data"] for event in events if event["type"] == "step.retrying"]

    def test_a_throttled_submission_is_made_anew_after_the_wait_that_the_device_asks_for(self):
        with self.place.device(faults=[{"on": "submit", "action": "throttle", "from": 1, "count": 2, "delay_ms": 1000}]) as device:
            began = time.monotonic()
            result = self.run_here(self.job(), self.settings(device))
            self.assertGreaterEqual(time.monotonic() - began, 2)
            job = result["job_id"]
            self.assertEqual(result["path"], [])
            self.assertEqual(self.submissions(job), [(0, "refused", "throttled"), (2, "refused", "throttled"), (3, "settled", "")])
            self.assertEqual([line["line"] for line in book_lines(device.book)].count("accepted"), 1)
            told = [(one["try"], one["tries_max"], one["error_class"], one["delay_ms"]) for one in self.retries(job)]
            self.assertEqual(told, [(1, 3, "throttled", 1000), (2, 3, "throttled", 1000)])
            lineage = self.place.json("jobs", "lineage", job)
            (work,) = [work for work in lineage["work"] if work["label"] == "run"]
            self.assertEqual([one["next_attempt"] for one in work["tries"]], [2, 3])
            self.assertEqual(self.place.json("replay", job)["verdict"], "identical")

    def test_a_device_that_never_takes_it_is_left_after_the_last_try(self):
        with self.place.device(faults=[{"on": "submit", "action": "throttle", "from": 1}]) as device:
            result = self.run_here(self.job(), self.settings(device))
            left, answered = result["path"]
            self.assertEqual((left["number"], left["cause"], answered["backend"]), (5028, "unavailable", "simulator.statevector"))
            self.assertIn("3 tries of lab.device failed", left["reason"])
            self.assertIn("429", left["reason"])
            self.assertEqual(len(self.submissions(result["job_id"])), 3)
            self.assertEqual(result["billed_usd_micros"], 0)

    def test_a_submission_that_may_have_been_accepted_is_never_made_again(self):
        for action, state in (("error", "held"), ("error_after", "settled"), ("drop_reply", "settled"), ("drop_request", "held")):
            with self.subTest(action), self.place.device(faults=[{"on": "submit", "action": action, "nth": 1}], book=f"{action}.book") as device:
                result = self.run_here(self.job(retry={"max_attempts": 10, "delay_min": "1ms"}), self.settings(device, "2s"))
                found = self.place.json("jobs", "submissions", result["job_id"])["submissions"]
                self.assertEqual([one["state"] for one in found], [state])
                self.assertEqual(self.retries(result["job_id"]), [])

    def test_a_wait_beyond_the_time_of_the_step_is_not_begun(self):
        with self.place.device(faults=[{"on": "submit", "action": "throttle", "from": 1, "delay_ms": 600_000}]) as device:
            result = self.run_here(self.job(), self.settings(device, "5s"))
            self.assertEqual([(one["backend"], one["number"]) for one in result["path"]], [("lab.device", 1404), ("simulator.statevector", 0)])

    def test_a_server_that_is_killed_between_two_tries_goes_on_with_the_next_number(self):
        retry = {"max_attempts": 3, "delay_min": "700ms", "delay_max": "700ms"}
        with self.place.device(faults=[{"on": "submit", "action": "throttle", "from": 1, "count": 2}]) as device:
            environment = self.settings(device)
            with self.place.serve(environment=environment) as server:
                job = server.request("POST", "/v1/jobs", self.job(retry))[2]["job_id"]
                while not any(e["type"] == "step.retrying" for e in server.request("GET", f"/v1/jobs/{job}/events")[2]["events"]):
                    time.sleep(0.02)
                server.kill()
            with self.place.serve(environment=environment) as server:
                self.assertEqual(server.finished(job)["state"], "succeeded")
                self.assertEqual([one["try"] for one in self.retries(job)], [1, 2])
                self.assertEqual(self.submissions(job), [(0, "refused", "throttled"), (2, "refused", "throttled"), (3, "settled", "")])

    def test_a_policy_that_makes_no_sense_is_refused_with_its_place(self):
        for retry, place in (({"max_attempts": 0}, "max_attempts"), ({"delay_min": "5s", "delay_max": "1s"}, "delay_max"),
                             ({"budget": {"retries": -1}}, "retries"), ({"tries": 3}, "tries")):
            done = self.place.run("submit", self.place.file("job.json", self.job(retry)), check=False)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn(place, done.stderr)


if __name__ == "__main__":
    unittest.main()
