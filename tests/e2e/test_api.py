"""The HTTP API against its own contract, with an independent validator."""

import json
import time
import unittest
import urllib.request

import yaml
from openapi_spec_validator import validate as validate_openapi

from support import EVENTS, LONG, QUBO, ROOT, Workplace, validate_event

BELL = {"circuit": {"num_qubits": 2, "num_clbits": 2, "parameters": [],
                    "instructions": [["h", [0]], ["cx", [0, 1]], ["measure", [0], [], 0], ["measure", [1], [], 1]]}, "shots": 100}


class Api(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.place = Workplace()
        cls.context = cls.place.serve()
        cls.server = cls.context.__enter__()
        cls.openapi = cls.server.request("GET", "/openapi.json")[2]

    @classmethod
    def tearDownClass(cls):
        cls.context.__exit__(None, None, None)
        cls.place.close()

    def answer(self, method, path, body=None, headers=None, status=200):
        """Sends, and expects the status; request() holds the answer to the contract."""
        got, answered, document = self.server.request(method, path, body, headers)
        self.assertEqual(got, status, document)
        return answered, document

    def submit(self, document=None, headers=None):
        answered, body = self.answer("POST", "/v1/jobs", document or QUBO, headers, 202)
        self.assertEqual(answered["Location"], f"/v1/jobs/{body['job_id']}")
        return body["job_id"]

    def test_the_contract_that_is_served_is_the_one_that_is_kept(self):
        validate_openapi(self.openapi)
        self.assertEqual(self.openapi, yaml.safe_load((ROOT / "contract" / "openapi.yaml").read_text()))

    def test_a_job_walks_through_every_resource(self):
        job = self.submit()
        self.assertEqual(self.server.finished(job)["state"], "succeeded")
        for part in ("", "/result", "/events", "/lineage", "/plan", "/spec", "/submissions", "/replay_package"):
            with self.subTest(part):
                self.answer("GET", f"/v1/jobs/{job}{part}")
        self.assertEqual(self.answer("GET", f"/v1/jobs/{job}/result")[1]["best"]["objective"], -1)
        self.assertIn(job, [j["job_id"] for j in self.answer("GET", "/v1/jobs?limit=1000")[1]["jobs"]])
        self.assertIn(job, [j["job_id"] for j in self.answer("GET", "/v1/jobs?state=succeeded")[1]["jobs"]])

    def test_pages_have_no_gap_and_no_repetition(self):
        made = {self.submit({**QUBO, "seed": 100 + i}) for i in range(7)}
        seen, token = [], ""
        while True:
            page = self.answer("GET", f"/v1/jobs?limit=3{'&page_token=' + token if token else ''}")[1]
            seen += [j["job_id"] for j in page["jobs"]]
            token = page["next_page_token"]
            if not token:
                break
        self.assertEqual(len(seen), len(set(seen)))
        self.assertLessEqual(made, set(seen))

    def test_an_idempotency_key_gives_the_same_job_and_refuses_another_document(self):
        first = self.submit(headers={"Idempotency-Key": '"abc"'})
        answered, body = self.answer("POST", "/v1/jobs", QUBO, {"Idempotency-Key": "abc"}, 202)
        self.assertEqual(body["job_id"], first)
        self.assertEqual(answered["Idempotency-Replayed"], "true")
        self.answer("POST", "/v1/jobs", {**QUBO, "seed": 5}, {"Idempotency-Key": '"abc"'}, 422)

    def test_yaml_is_taken_too(self):
        body = b"problem: {type: max_cut, num_nodes: 2, edges: [[0, 1, 3]]}\n"
        status, _, document = self.server.request("POST", "/v1/jobs", body, {"Content-Type": "application/yaml"})
        self.assertEqual(status, 202, document)
        self.assertEqual(self.server.finished(document["job_id"])["objective"], 3)

    def test_events_stream_to_the_end_and_resume_after_an_id(self):
        job = self.submit({**QUBO, "seed": 55})
        events = self.stream(job)
        self.assertEqual(events[0][1], "job.queued")
        self.assertEqual(events[-1][1], "job.succeeded")
        middle = events[len(events) // 2]
        self.assertEqual(self.stream(job, middle[0]), events[events.index(middle) + 1:])
        logged = self.answer("GET", f"/v1/jobs/{job}/events?limit=1000")[1]["events"]
        self.assertEqual([json.loads(data) for _, _, data in events], logged)
        self.assertEqual([(int(number), kind) for number, kind, _ in events], [(e["sequence"], e["type"]) for e in logged])
        for event in logged:
            validate_event(event)

    def stream(self, job, last=None):
        headers = {"Accept": "text/event-stream", **({"Last-Event-ID": last} if last else {})}
        request = urllib.request.Request(f"{self.server.url}/v1/jobs/{job}/events", headers=headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read().decode()
        blocks = [dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":")) for block in text.split("\n\n") if block.strip()]
        return [(b["id"], b["event"], b["data"]) for b in blocks if "id" in b]

    def test_a_running_job_can_be_cancelled(self):
        job = self.submit(LONG)
        self.answer("POST", f"/v1/jobs/{job}/cancel", {"reason": "test"}, status=202)
        self.assertEqual(self.server.finished(job, 10)["state"], "cancelled")
        self.assertIsNone(self.answer("GET", f"/v1/jobs/{job}")[1]["progress"])
        self.assertIn(job, [j["job_id"] for j in self.answer("GET", "/v1/jobs?error=1002&limit=1000")[1]["jobs"]])
        self.assertEqual(self.answer("GET", "/v1/jobs?error=5014")[1]["jobs"], [])
        self.answer("POST", f"/v1/jobs/{job}/cancel", {}, status=409)
        self.answer("GET", f"/v1/jobs/{job}/result", status=409)

    def test_a_job_is_put_aside_resumed_and_tried_again(self):
        job = self.submit(LONG)
        self.answer("POST", f"/v1/jobs/{job}/retry", status=409)
        while (view := self.answer("GET", f"/v1/jobs/{job}")[1])["progress"] is None:
            time.sleep(0.01)
        self.assertEqual(view["state"], "running")
        self.answer("POST", f"/v1/jobs/{job}/suspend", {"reason": "test"}, status=202)
        for _ in range(100):
            if self.answer("GET", f"/v1/jobs/{job}")[1]["state"] == "suspended":
                break
            time.sleep(0.1)
        self.assertEqual(self.answer("GET", f"/v1/jobs/{job}")[1]["state"], "suspended")
        self.answer("POST", f"/v1/jobs/{job}/suspend", {}, status=409)
        self.answer("POST", f"/v1/jobs/{job}/resume", {"reason": "no such member"}, status=400)
        self.answer("POST", f"/v1/jobs/{job}/resume", status=202)
        self.answer("POST", f"/v1/jobs/{job}/cancel", {}, status=202)
        self.assertEqual(self.server.finished(job, 10)["state"], "cancelled")
        again = self.answer("POST", f"/v1/jobs/{job}/retry", status=202)[1]["job_id"]
        self.assertEqual(self.answer("GET", f"/v1/jobs/{again}/spec")[1]["retry_of"], job)
        self.answer("POST", f"/v1/jobs/{again}/cancel", {}, status=202)
        self.assertEqual(self.server.finished(again, 10)["state"], "cancelled")

    def test_a_noop_goes_the_whole_way(self):
        job = self.submit({"problem": {"type": "noop", "steps": 2}, "schedule": {"project": "rehearsal", "priority": 3}})
        done = self.server.finished(job, 10)
        self.assertEqual((done["state"], done["project"], done["priority"]), ("succeeded", "rehearsal", 3))
        for part in ("result", "plan", "lineage", "spec", "events", "replay_package"):
            self.answer("GET", f"/v1/jobs/{job}/{part}")

    def test_errors_are_problem_documents(self):
        cases = [("GET", "/v1/jobs/job_01890a5d-ac96-774b-bcce-b302099a8057", None, {}, 404),
                 ("GET", "/v1/jobs/nonsense", None, {}, 400),
                 ("POST", "/v1/jobs", {}, {}, 400),
                 ("POST", "/v1/jobs", b"{", {}, 400),
                 ("POST", "/v1/jobs", b"x", {"Content-Type": "text/plain"}, 415),
                 ("GET", "/v1/jobs?state=asleep", None, {}, 400),
                 ("GET", "/v1/jobs?error=0", None, {}, 400),
                 ("GET", "/v1/jobs?error=poison", None, {}, 400),
                 ("GET", "/v1/jobs?limt=3", None, {}, 400),
                 ("GET", "/v1/jobs?limit=-3", None, {}, 400)]
        for method, path, body, headers, status in cases:
            with self.subTest(path=path, body=body):
                self.answer(method, path, body, headers, status)
        for method, path, status in (("GET", "/v2/jobs", 404), ("DELETE", "/v1/jobs", 405), ("POST", "/healthz", 405)):
            got, _, _ = self.server.request(method, path)
            self.assertEqual(got, status)

    def test_foreign_hosts_and_web_pages_are_refused(self):
        for headers, status in (({"Host": "evil.example"}, 403), ({"Origin": "http://evil.example"}, 403)):
            got, _, _ = self.server.request("GET", "/v1/jobs", headers=headers)
            self.assertEqual(got, status)

    def test_health_readiness_backends_and_metrics(self):
        self.answer("GET", "/healthz")
        self.answer("GET", "/readyz")
        self.answer("GET", "/v1/backends")
        self.submit({**QUBO, "seed": 77})
        self.assertIn(b"tandem_jobs_admitted_total", self.server.request("GET", "/metrics")[2])

    def test_a_plan_has_no_side_effect(self):
        before = len(self.answer("GET", "/v1/jobs?limit=1000")[1]["jobs"])
        self.answer("POST", "/v1/plans", QUBO)
        self.assertEqual(len(self.answer("GET", "/v1/jobs?limit=1000")[1]["jobs"]), before)


class Events(unittest.TestCase):
    """Whatever happens to jobs, local and on a device: each event stands in contract/events.json, with exactly its members."""

    def setUp(self):
        self.place = Workplace()
        self.addCleanup(self.place.close)

    def job(self, **more):
        return {"program": {"pubs": [BELL]}, "policy": {"backends": ["lab.device"]}, "fallbacks": ["simulator.statevector"],
                "limits": {"cost_max_usd_micros": 10_000_000}, **more}

    def submit(self, server, document):
        status, _, body = server.request("POST", "/v1/jobs", document)
        self.assertEqual(status, 202, body)
        return body["job_id"]

    def events(self, server, job):
        events = server.request("GET", f"/v1/jobs/{job}/events?limit=1000")[2]["events"]
        for event in events:
            validate_event(event)
        self.assertEqual(sorted({e["sequence"] for e in events}), [e["sequence"] for e in events])
        return [e["type"] for e in events]

    def test_every_event_of_jobs_of_every_kind_is_in_the_catalogue(self):
        faults = [{"on": "submit", "action": "refuse", "nth": 2}, {"on": "submit", "action": "accept_late", "delay_ms": 2500, "nth": 3}]
        with self.place.device(faults=faults) as device:
            environment = {"TANDEM_LAB_DEVICE_URL": device.url, "TANDEM_LAB_SETTLE_WINDOW": "300ms"}
            with self.place.serve(environment=environment) as server:
                seen = set()
                for name, document, state, wanted in (
                        ("local", {**LONG, "limits": {"time": "100ms"}}, "succeeded", {"job.queued", "job.started", "job.planned", "round.started", "step.finished", "job.succeeded"}),
                        ("device", self.job(name="device"), "succeeded", {"submission.reserved", "submission.intent", "submission.confirmed",
                                                                         "submission.terminal", "submission.settled"}),
                        ("refused", self.job(name="refused"), "succeeded", {"submission.refused"}),
                        ("lost", self.job(name="lost"), "succeeded", {"submission.ambiguous", "submission.held"}),
                        ("no plan", self.job(name="no plan", limits={}, fallbacks=[]), "failed", {"job.failed"}),
                        ("too slow", {**LONG, "limits": {"time": "1s", "total_time": "1s"}}, "expired", {"job.expired"})):
                    with self.subTest(name):
                        job = self.submit(server, document)
                        self.assertEqual(server.finished(job)["state"], state)
                        types = self.events(server, job)
                        self.assertLessEqual(wanted, set(types))
                        seen |= set(types)
                        if name == "lost":
                            self.orphan(server, job)
                job = self.submit(server, LONG)
                while "job.started" not in self.events(server, job):
                    pass
                self.assertEqual(server.request("POST", f"/v1/jobs/{job}/cancel", {"reason": "enough"})[0], 202)
                server.finished(job)
                self.assertLessEqual({"job.cancel_requested", "job.cancelled"}, set(self.events(server, job)))
                self.assertLessEqual(seen, set(EVENTS))

    def orphan(self, server, job):
        """What the device accepted after the job had gone on is found, and lineage and explanation name it."""
        end = time.monotonic() + 30
        while "submission.orphan" not in self.events(server, job):
            self.assertLess(time.monotonic(), end, "the orphan was not found")
        lineage = server.request("GET", f"/v1/jobs/{job}/lineage")[2]
        submission = next(s for s in server.request("GET", f"/v1/jobs/{job}/submissions")[2]["submissions"] if s["state"] == "orphan")
        self.assertEqual([o["token"] for o in lineage["orphans"]], [submission["token"]])
        self.assertGreater(lineage["orphans"][0]["billed_usd_micros"], 0)
        explanation = self.place.json("explain", job)["explanation"]
        self.assertTrue(any(line.startswith("Orphan: ") and "lab.device" in line for line in explanation), explanation)


class TooLarge(unittest.TestCase):
    def setUp(self):
        self.place = Workplace()
        self.addCleanup(self.place.close)

    def test_the_command_line_is_told_the_limit_of_the_server_and_the_setting_that_raises_it(self):
        edges = [[i, j, 1.0] for i in range(40) for j in range(i + 1, 40)]
        job = self.place.file("job.json", {"problem": {"type": "max_cut", "num_nodes": 40, "edges": edges}, "limits": {"time": "50ms"}})
        with self.place.serve(environment={"TANDEM_SERVER_BODY_BYTES_MAX": "2048"}) as server:
            for command in ("submit", "run"):
                done = self.place.run(command, job, check=False)
                self.assertEqual(done.returncode, 8, done.stderr)
                for words in ("2048 bytes", "server.body_bytes_max", "[1003 input_too_large]"):
                    self.assertIn(words, done.stderr)
            self.assertEqual(server.request("GET", "/v1/jobs")[2]["jobs"], [])
        with self.place.serve(environment={"TANDEM_SERVER_BODY_BYTES_MAX": "65536"}) as server:
            self.assertEqual(self.place.json("run", job)["status"], "succeeded")

    def test_the_settings_are_the_limits_also_above_the_usual_ones(self):
        padded = json.dumps(QUBO).encode() + b" " * (65 << 20)  # a document is read up to 64 MiB where nothing else is said
        with self.place.serve(environment={"TANDEM_SERVER_BODY_BYTES_MAX": str(100 << 20)}) as server:
            for kind in ("json", "yaml"):
                status, _, body = server.request("POST", "/v1/jobs", padded, {"Content-Type": f"application/{kind}"}, timeout=120)
                self.assertEqual(status, 202, body)
        path = self.place.file("padded.json", padded)
        self.assertEqual(self.place.json("run", path, environment={"TANDEM_INPUT_FILE_BYTES_MAX": str(100 << 20)})["best"]["objective"], -1)
        done = self.place.run("run", path, check=False, environment={"TANDEM_INPUT_FILE_BYTES_MAX": str(64 << 20)})
        self.assertEqual(done.returncode, 8)
        self.assertIn(str(64 << 20), done.stderr)


class Draining(unittest.TestCase):
    def test_sigterm_drains_and_the_job_goes_on_in_the_next_server(self):
        place = Workplace()
        self.addCleanup(place.close)
        graph = {"problem": {"type": "max_cut", "num_nodes": 120, "edges": [[i, j, 1.0] for i in range(120) for j in range(i + 1, 120) if (i * j) % 5 == 1]},
                 "limits": {"time": "3s"}, "refinement": {"mode": "off"}}
        with place.serve(environment={"TANDEM_SERVER_DRAIN_TIMEOUT": "100ms"}) as server:
            status, _, body = server.request("POST", "/v1/jobs", graph)
            self.assertEqual(status, 202)
            self.assertEqual(server.stop(), 0)
        with place.serve() as server:
            self.assertEqual(server.finished(body["job_id"], 30)["state"], "succeeded")


if __name__ == "__main__":
    unittest.main()
