"""Removing jobs: by a person over CLI and API, by retention; kill -9 meanwhile; what is left is sound."""

import json
import signal
import sqlite3
import subprocess
import time
import unittest

from support import BINARY, QUBO, Cluster, Workplace, validate_event

NOOP = {"problem": {"type": "noop"}}
BELL = {"circuit": {"num_qubits": 2, "num_clbits": 2, "parameters": [],
                    "instructions": [["h", [0]], ["cx", [0, 1]], ["measure", [0], [], 0], ["measure", [1], [], 1]]}, "shots": 100}


class Removal(unittest.TestCase):
    def setUp(self):
        self.place = Workplace()
        self.addCleanup(self.place.close)

    def listed(self):
        return [job["job_id"] for job in self.place.json("jobs", "--limit", "1000")["jobs"]][::-1]

    def problem(self, *arguments):
        done = self.place.run(*arguments, "--json", check=False)
        self.assertNotEqual(done.returncode, 0)
        return json.loads(done.stdout)

    def sound(self):
        report = self.place.json("store", "check")
        self.assertTrue(report["ok"], report["findings"])
        return report

    def ended(self, count):
        with self.place.serve() as server:
            jobs = [server.request("POST", "/v1/jobs", NOOP)[2]["job_id"] for _ in range(count)]
            for job in jobs:
                self.assertEqual(server.finished(job)["state"], "succeeded")
        return jobs

    def test_a_job_is_removed_over_the_api_and_its_key_is_kept(self):
        with self.place.serve() as server:
            key = {"Idempotency-Key": '"once"'}
            job = server.request("POST", "/v1/jobs", NOOP, key)[2]["job_id"]
            self.assertEqual(server.finished(job)["state"], "succeeded")
            status, _, body = server.request("DELETE", f"/v1/jobs/{job}?reason=not%20needed")
            self.assertEqual((status, body), (204, b""))
            for method, part in (("DELETE", ""), ("GET", ""), ("GET", "/result"), ("GET", "/events"), ("GET", "/lineage")):
                status, _, problem = server.request(method, f"/v1/jobs/{job}{part}")
                self.assertEqual((status, problem["name"]), (404, "job_not_found"), (method, part))
            status, headers, body = server.request("POST", "/v1/jobs", NOOP, key)
            self.assertEqual((status, headers["Idempotency-Replayed"], body["job_id"]), (202, "true", job))
            status, _, problem = server.request("POST", "/v1/jobs", {**NOOP, "name": "another"}, key)
            self.assertEqual((status, problem["name"]), (422, "idempotency_conflict"))
            self.assertEqual(server.request("DELETE", f"/v1/jobs/{job}/result")[0], 405)
            self.assertEqual(server.request("PUT", f"/v1/jobs/{job}")[1]["Allow"], "GET, DELETE")
        lines = [json.loads(line) for line in self.place.run("store", "export").stdout.splitlines()]
        events = [line["value"] for line in lines if line["kind"] == "event"]
        removed = [event for event in events if event["type"] == "job.removed"]
        for event in removed:
            validate_event({**event, "sequence": 1})
        self.assertEqual([(e["job_id"], e["actor"], e["data"]["reason"]) for e in removed], [(job, "user:local", "not needed")])
        self.sound()

    def test_a_job_that_has_not_ended_stays(self):
        job = self.place.json("submit", self.place.file("job.json", NOOP))["job_id"]
        self.assertEqual(self.problem("jobs", "rm", job)["name"], "job_not_final")
        self.place.json("jobs", "cancel", job)
        self.assertEqual(self.place.json("jobs", "rm", job), {"dry_run": False, "removed": [job], "kept": []})
        self.assertEqual(self.problem("jobs", "rm", job)["name"], "job_not_found")
        self.assertEqual(self.listed(), [])

    def test_jobs_are_named_or_chosen_by_rule_here_and_through_a_server(self):
        jobs = self.ended(6)
        self.assertEqual(self.place.json("jobs", "rm", jobs[0], jobs[1], "--reason", "a reason")["removed"], jobs[:2])
        self.assertEqual(self.place.json("jobs", "rm", "--keep", "3", "--dry-run"), {"dry_run": True, "removed": jobs[2:3], "kept": []})
        self.assertEqual(self.listed(), jobs[2:])
        self.assertEqual(self.place.json("jobs", "rm", "--keep", "1", "--older-than", "1h")["removed"], [])
        with self.place.serve():
            self.assertEqual(self.place.json("jobs", "rm", "--keep", "2")["removed"], jobs[2:4])
            self.assertEqual(self.place.json("jobs", "rm", jobs[4], "--reason", "über & alles?")["removed"], jobs[4:5])
        self.assertIn("removed", self.place.run("jobs", "rm", "--older-than", "0s").stdout)
        self.assertEqual(self.listed(), [])
        for wrong in ((), (jobs[0], "--keep", "1"), (jobs[0], "--dry-run")):
            self.assertEqual(self.place.run("jobs", "rm", *wrong, check=False).returncode, 2, wrong)
        self.assertEqual(self.problem("jobs", "rm", "--older-than", "x")["status"], 400)
        self.sound()

    def test_a_server_keeps_as_many_as_it_is_told_and_erases_what_the_others_needed(self):
        jobs = self.ended(8)
        with self.place.serve(environment={"TANDEM_ENGINE_RETENTION_JOBS": "2"}) as server:
            end = time.monotonic() + 30
            while len(server.request("GET", "/v1/jobs")[2]["jobs"]) > 2 and time.monotonic() < end:
                time.sleep(0.01)
            time.sleep(0.5)  # the sweep follows
        self.assertEqual(self.listed(), jobs[6:])
        report = self.sound()
        self.assertEqual(report["blobs_unreferenced"], 0)
        self.assertEqual(report["rows"]["lineage"], 2)

    def test_killed_at_any_moment_every_job_is_whole_or_gone(self):
        jobs = self.ended(120)
        for attempt in range(200):
            server = subprocess.Popen([BINARY, "serve", "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, text=True,
                                      env={**self.place.environment, "TANDEM_ENGINE_RETENTION_JOBS": "1"})
            server.stdout.readline()
            time.sleep(0.002 * (attempt % 10) + 0.005 * (attempt // 10))  # later ones live longer, for a machine that is busy
            server.send_signal(signal.SIGKILL)
            server.wait()
            server.stdout.close()
            self.sound()
            left = self.listed()
            self.assertEqual(left, jobs[-len(left):])
            self.place.json("jobs", "lineage", left[0])
            if len(left) == 1:
                break
        self.assertEqual(left, jobs[-1:])


    def test_a_job_whose_submission_is_not_resolved_stays_until_it_is(self):
        paid = {"program": {"pubs": [BELL]}, "limits": {"cost_max_usd_micros": 10_000_000},
                "policy": {"backends": ["lab.device"]}, "fallbacks": [{"backend": "simulator.statevector"}]}
        with self.place.device(faults=[{"on": "submit", "action": "accept_late", "delay_ms": 3000, "nth": 1}]) as device:
            lab = {"TANDEM_LAB_DEVICE_URL": device.url, "TANDEM_LAB_SETTLE_WINDOW": "300ms"}
            job = self.place.json("run", self.place.file("job.json", paid), environment=lab)["job_id"]
            self.assertEqual(self.problem("jobs", "rm", job)["name"], "submission_open")
            chosen = self.place.json("jobs", "rm", "--keep", "0")
            self.assertEqual((chosen["removed"], [(k["job_id"], k["number"]) for k in chosen["kept"]]), ([], [(job, 5027)]))
            with self.place.serve(environment=lab) as server:
                end = time.monotonic() + 30
                while server.request("GET", f"/v1/jobs/{job}/submissions")[2]["submissions"][0]["state"] != "orphan":
                    self.assertLess(time.monotonic(), end, "the orphan was not found")
                self.assertEqual(server.request("DELETE", f"/v1/jobs/{job}")[0], 204)
        self.assertEqual(self.listed(), [])
        self.sound()


class RemovalOnPostgres(Removal):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster()
        cls.addClassCleanup(cls.cluster.__exit__)

    def setUp(self):
        super().setUp()
        self.cluster.sql("DROP SCHEMA IF EXISTS tandem CASCADE")
        self.place.environment["TANDEM_STORE_ADDRESS"] = self.cluster.address
        self.place.environment["TANDEM_ENGINE_LEASE_TTL"] = "1s"


class Check(unittest.TestCase):
    def test_a_blob_that_is_gone_is_named_with_who_needs_it(self):
        place = Workplace()
        self.addCleanup(place.close)
        job = place.json("run", place.file("job.json", QUBO))["job_id"]
        with sqlite3.connect(place.data / "tandem.db") as database:
            (row,), = database.execute("SELECT value FROM job").fetchall()
            blob = json.loads(row)["spec_sha256"]
            database.execute("DELETE FROM blob WHERE key = ?", (blob.encode(),))
            database.execute("UPDATE row_count SET rows = rows - 1 WHERE name = 'blob'")
        done = place.run("store", "check", "--json", check=False)
        self.assertEqual(done.returncode, 13)
        findings = json.loads(done.stdout)["findings"]
        self.assertEqual([f["place"] for f in findings], [f"blob/{blob}"])
        self.assertIn(f"job/{job}", findings[0]["what"])


if __name__ == "__main__":
    unittest.main()
