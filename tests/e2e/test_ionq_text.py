"""The vendor's OpenAPI text as the judge of both ends of IonQ's wire: every request of the house, and every answer of the emulator.

Without the text (TANDEM_TEST_DATA) the tests are skipped and say so.
"""

import copy
import json
import random
import time
import unittest

from ionq_support import KEY, X_ON_0, Ionq, random_circuit, random_native_circuit
from ionq_text import BESIDE_THE_TEXT, Exchange, Recorder, Verdict, errors_by, resolved, specification
from support import book_lines

HEADERS = {"Authorization": f"apiKey {KEY}"}
JSON = {"Content-Type": "application/json"}
MACHINES = ["qpu.aria-1", "qpu.aria-2", "qpu.forte-1", "qpu.forte-enterprise-1"]
BODY = {"type": "ionq.circuit.v1", "backend": "qpu.forte-1", "shots": 50, "name": "a name", "metadata": {"of": "a test"},
        "settings": {"error_mitigation": {"debiasing": False}, "compilation": {"opt": 0.5, "precision": "1E-3"}},
        "input": {"gateset": "qis", "qubits": 2, "circuit": [{"gate": "h", "target": 0}, {"gate": "cnot", "control": 0, "target": 1}, {"gate": "rx", "targets": [1], "rotation": 0.5}]}}
IDEAL = {**BODY, "backend": "simulator", "noise": {"model": "ideal", "seed": 7}}
NATIVE = {**BODY, "input": {"gateset": "native", "circuit": [{"gate": "gpi2", "target": 0, "phase": 0.25}, {"gate": "zz", "targets": [0, 1], "angle": 0.1},
                                                             {"gate": "ms", "targets": [0, 1], "phases": [0, 0.5], "angle": 0.25}, {"gate": "nop", "target": 0}]}}


def setUpModule():
    specification()


class Wire(Ionq):
    def judged(self, cloud, method, path, body=None, headers=None):
        """What the emulator answers, held to the text; (status, document)."""
        headers = {**HEADERS, **JSON, **(headers or {})}
        sent = None if body is None else json.dumps(body).encode()
        status, answered, document = cloud.request(method, path, sent, headers)
        verdict = Verdict(Exchange(method, "/v0.4" + path, headers, sent or b"", status, answered, json.dumps(document) if isinstance(document, (dict, list)) else document))
        self.assertEqual(verdict.of_answer, [], (method, path, status, document))
        self.assertEqual(answered["Tandem-Emulated"], "true")
        self.seen.add(verdict.place)
        return status, document

    def setUp(self):
        super().setUp()
        self.seen = set()

    def submitted(self, cloud, body):
        status, document = self.judged(cloud, "POST", "/jobs", body)
        self.assertEqual(status, 201, document)
        return document["id"]

    def job_when(self, cloud, job, *states):
        end = time.monotonic() + 60
        while time.monotonic() < end:
            document = self.judged(cloud, "GET", f"/jobs/{job}")[1]
            if document["status"] in states:
                return document
            self.assertNotIn(document["status"], ("completed", "failed", "canceled"), document)
            time.sleep(0.005)
        raise AssertionError(f"{job} never was {states}")


class House(Wire):
    def test_whatever_the_house_sends_and_the_emulator_answers_is_in_the_text(self):
        dice = random.Random(11)
        faults = [{"on": "submit", "action": "drop_reply", "nth": 5}, {"on": "status", "action": "error", "status": 502, "nth": 3}]
        with self.cloud(faults=faults) as cloud, Recorder(cloud.url).running() as recorder:
            environment = self.settings(recorder, TANDEM_IONQ_BACKENDS=", ".join(["simulator", *MACHINES]))
            tested = self.place.json("backends", "test", "ionq", environment=environment)
            self.assertTrue(tested["ok"], tested["checks"])
            self.assertEqual(tested["key"]["key_name"], "emulated key")
            self.place.json("backends", environment=environment)
            for number, backend in enumerate(["simulator", *MACHINES]):
                self.run_here(self.program(backend, random_circuit(dice), seed=number), environment)
            for backend, pairs in (("qpu.aria-2", ["ms"]), ("qpu.forte-1", ["rzz"])):
                self.run_here(self.program(backend, random_native_circuit(dice, pairs)), environment)
            accepted = self.accepted(cloud)
            self.assertEqual(len(accepted), 7)
        with self.cloud(queue_ms=60_000, book="late.book") as cloud, Recorder(cloud.url).running() as late:
            late_job = self.program("qpu.forte-1", X_ON_0, fallbacks=[{"backend": "simulator.statevector", "on": ["queue_wait", "timeout"]}])
            self.run_here(late_job, self.settings(late, TANDEM_LAB_DEVICE_DEADLINE="500ms"))
            (ended,) = [line for line in book_lines(cloud.book) if line["line"] == "ended"]
            self.assertEqual(ended["status"], "canceled")
        places = set()
        for exchange in recorder.exchanges + late.exchanges:
            verdict = Verdict(exchange)
            self.assertEqual((verdict.of_request, verdict.of_answer), ([], []), (exchange.method, exchange.target, exchange.body, exchange.answer))
            places.add(verdict.place)
        self.assertLessEqual({("GET", "/whoami", 200), ("GET", "/backends/{backend}", 200), ("GET", "/backends/simulator", 200),
                              ("GET", "/backends/{backend}/characterizations", 200), ("GET", "/jobs", 200), ("GET", "/jobs/estimate", 200), ("POST", "/jobs", 201),
                              ("GET", "/jobs/{UUID}", 200), ("GET", "/jobs/{UUID}", 502), ("GET", "/jobs/{UUID}/cost", 200),
                              ("PUT", "/jobs/{UUID}/status/cancel", 200), ("GET", "/jobs/{UUID}/results/probabilities", 200),
                              ("GET", "/jobs/{UUID}/results/histogram", 200)}, places)

    def test_the_emulator_has_the_backends_that_the_text_has_for_jobs(self):
        words = specification()["components"]["schemas"]["JobBackends"]["description"]
        with self.cloud() as cloud:
            status, backends = self.judged(cloud, "GET", "/backends")
            self.assertEqual(status, 200)
            self.assertEqual([one["backend"] for one in backends], [word for word in words.split("`") if "." in word or word == "simulator"])


class Emulator(Wire):
    def test_a_job_is_valid_in_each_of_its_states(self):
        with self.cloud(queue_ms=3_600_000, book="waiting.book") as cloud:
            # Waits that do not fit into the integers of the text, were they added up.
            jobs = [self.submitted(cloud, body) for body in [IDEAL, BODY, NATIVE, *[BODY] * 600]]
            self.assertEqual(self.job_when(cloud, jobs[0], "ready")["name"], "a name")
            self.job_when(cloud, jobs[1], "submitted")
            self.job_when(cloud, jobs[-1], "submitted")
            for path in ("/jobs", "/jobs?limit=600", "/jobs?limit=2&status=ready", "/jobs?target=simulator"):
                self.judged(cloud, "GET", path)
            self.judged(cloud, "GET", f"/jobs/{jobs[1]}/cost")
            self.assertEqual(self.judged(cloud, "GET", f"/jobs/{jobs[1]}/results/probabilities")[0], 404)
            self.judged(cloud, "PUT", f"/jobs/{jobs[1]}/status/cancel")
            self.job_when(cloud, jobs[1], "canceled")
            self.judged(cloud, "GET", f"/jobs/{jobs[1]}/cost")
            self.assertEqual(self.judged(cloud, "DELETE", f"/jobs/{jobs[1]}")[0], 200)
        with self.cloud("--qubits", "18", book="running.book") as cloud:
            for body in (IDEAL, BODY, NATIVE, {**IDEAL, "noise": {"model": "aria-2", "seed": 1}}, {**IDEAL, "noise": {"model": "ideal"}}, {key: IDEAL[key] for key in ("type", "backend", "input")}):
                job = self.submitted(cloud, body)
                results = self.job_when(cloud, job, "completed")["results"]
                self.assertEqual(set(results), {"probabilities"} if body["backend"] == "simulator" and body.get("noise", {}).get("model", "ideal") == "ideal" else {"probabilities", "histogram", "shots"})
                for place in results.values():
                    self.assertEqual(self.judged(cloud, "GET", place["url"].removeprefix("/v0.4"))[0], 200)
                self.judged(cloud, "GET", f"/jobs/{job}/cost")
            # Nothing in it cancels, so that it runs for a while.
            circuit = [gate for i in range(300) for gate in ({"gate": "ry", "target": i % 18, "rotation": 0.1 + i / 100},
                                                             {"gate": "cnot", "control": i % 18, "target": (i + 1 + i // 18) % 18})]
            long = {**BODY, "input": {"gateset": "qis", "qubits": 18, "circuit": circuit}}
            job = self.submitted(cloud, {**long, "shots": 100})
            self.job_when(cloud, job, "started")
            self.judged(cloud, "PUT", f"/jobs/{job}/status/cancel")
            self.assertIn(self.job_when(cloud, job, "canceled", "completed")["status"], ("canceled", "completed"))
            self.judged(cloud, "GET", "/jobs?limit=100")

    def test_a_job_that_failed_is_valid(self):
        with self.cloud(book="failed.book") as cloud:
            job = self.submitted(cloud, BODY)
            self.job_when(cloud, job, "completed")
        # A book in which it had failed: the simulator of this process seldom does.
        lines = [{**line, "status": "failed", "error": "planted", "probabilities": None, "histogram": None} if line["line"] == "ended" else line for line in book_lines(cloud.book)]
        cloud.book.write_text("".join(json.dumps(line) + "\n" for line in lines))
        with self.cloud(book="failed.book") as cloud:
            failed = self.job_when(cloud, job, "failed")
            self.assertEqual(failed["failure"]["message"], "planted")
            self.assertEqual(self.judged(cloud, "GET", f"/jobs/{job}/results/histogram")[0], 404)
            for path in (f"/jobs/{job}/cost", "/jobs?status=failed"):
                self.assertEqual(self.judged(cloud, "GET", path)[0], 200)

    def test_what_is_known_of_devices_and_prices_is_valid(self):
        with self.cloud() as cloud:
            for backend in ["simulator", *MACHINES]:
                self.judged(cloud, "GET", f"/backends/{backend}")
                status, page = self.judged(cloud, "GET", f"/backends/{backend}/characterizations?limit=10&page=1&start=2025-01-01&end=2027-01-01")
                self.assertEqual((status, len(page["characterizations"])), (200, 0 if backend == "simulator" else 1))
                for one in page["characterizations"]:
                    self.assertEqual(self.judged(cloud, "GET", f"/backends/{backend}/characterizations/{one['id']}")[0], 200)
                for more in ("", "&type=ionq.circuit.v1&qubits=3&shots=100&1q_gates=2147483647&2q_gates=2147483647&error_mitigation=true"):
                    self.assertEqual(self.judged(cloud, "GET", f"/jobs/estimate?backend={backend}{more}")[0], 200)
            self.assertEqual(self.judged(cloud, "GET", "/whoami")[0], 200)

    def test_errors_are_valid(self):
        faults = [{"on": "lookup", "action": action, "nth": number} for number, action in enumerate(("throttle", "throttle_silently", "error"), 1)]
        with self.cloud(faults=faults) as cloud:
            for status in (429, 429, 503):
                self.assertEqual(self.judged(cloud, "GET", "/jobs")[0], status)
            for status, method, path, *more in [
                    (401, "GET", "/whoami", None, {"Authorization": "apiKey another"}), (401, "POST", "/jobs", BODY, {"Authorization": ""}),
                    (404, "GET", "/jobs/none"), (404, "GET", "/jobs/none/cost"), (404, "GET", "/jobs/none/results/probabilities"), (404, "GET", "/backends/qpu.none"),
                    (404, "GET", "/backends/qpu.none/characterizations"), (404, "DELETE", "/jobs/none"), (404, "PUT", "/jobs/none/status/cancel"),
                    (404, "GET", "/backends/qpu.forte-1/characterizations/617a1f8b-59d4-435d-aa33-695433d7155e"), (404, "GET", "/nothing"), (405, "PUT", "/jobs", BODY),
                    (400, "GET", "/jobs?limit=0"), (400, "GET", "/jobs?unknown=1"), (400, "GET", "/jobs/estimate"), (400, "GET", "/backends/qpu.forte-1/characterizations?limit=11"),
                    (400, "POST", "/jobs", {}), (400, "POST", "/jobs", {**BODY, "shots": 0}), (400, "POST", "/jobs", []), (415, "POST", "/jobs", BODY, {"Content-Type": "text/plain"})]:
                self.assertEqual(self.judged(cloud, method, path, *more)[0], status, (method, path))

    def test_settings_that_only_the_request_may_have_are_not_in_the_answer(self):
        with self.cloud() as cloud:
            settings = {"of": "nobody", "error_mitigation": {"debiasing": False, "more": 1}, "compilation": {"opt": 0, "gate_basis": "ZZ", "more": 1}}
            job = self.submitted(cloud, {**BODY, "settings": settings})
            self.assertEqual(self.job_when(cloud, job, "completed")["settings"], {"error_mitigation": {"debiasing": False}, "compilation": {"opt": 0, "gate_basis": "ZZ"}})
            self.judged(cloud, "GET", "/jobs")


def places_of(document, at=()):
    """Where a value stands in a document: all of them."""
    yield at
    children = document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else []
    for key, value in children:
        yield from places_of(value, (*at, key))


def mutated(dice, document):
    """A copy of a document with one mistake, or with one thing that may be one."""
    out = copy.deepcopy(document)
    at = dice.choice([place for place in places_of(out) if place])
    holder = out
    for key in at[:-1]:
        holder = holder[key]
    what = dice.randrange(4)
    if what == 0:
        del holder[at[-1]]
    elif what == 1 and isinstance(holder[at[-1]], dict):
        holder[at[-1]][dice.choice(["unknown", "session_id", "gate", "seed"])] = dice.choice([None, "x", 1])
    elif what == 2 and isinstance(holder, dict):
        holder[dice.choice(["unknown", "rotation", "phase", "control", "angle", "model"])] = holder[at[-1]]
    else:
        holder[at[-1]] = dice.choice([None, "", "x", "7", -1, 0, 1, 0.5, 2**31, 10**7, True, [], {}, [1], {"a": 1}, "qpu.none", "native", "ionq.multi-circuit.v1"])
    return out


class Mistakes(Wire):
    def test_no_submission_is_accepted_that_the_text_refuses(self):
        dice = random.Random(7)
        refused = accepted = stricter = 0
        with self.cloud() as cloud:
            for body in (BODY, IDEAL, NATIVE):
                self.assertEqual(errors_by("JobCreationPayload", body), [])
                seeded = {**IDEAL, "noise": {"model": "ideal", "seed": 2**31}}  # the text's integers have 32 bits
                for wrong in [seeded, *(mutated(dice, body) for _ in range(100))]:
                    errors = errors_by_the_text(wrong)
                    status, said = self.judged(cloud, "POST", "/jobs", wrong)
                    self.assertIn(status, (201, 400), wrong)
                    self.assertFalse(errors and status == 201, (wrong, errors))
                    refused += bool(errors)
                    accepted += status == 201
                    stricter += status == 400 and not errors
        self.assertGreater(min(refused - 100, accepted - 10, stricter), 0, (refused, accepted, stricter))

    def test_the_judge_finds_what_is_planted(self):
        """Each line breaks one good exchange in one way; a judge that passes one of them judges nothing."""
        job = "617a1f8b-59d4-435d-aa33-695433d7155e"
        owner = {"key_id": job, "key_name": "mine"}
        example = resolved(specification()["paths"]["/jobs/{UUID}"]["get"]["responses"]["200"])["content"]["application/json"]["examples"]["Example 1"]["value"]

        def verdict(method, target, body=None, status=200, answer=None, **types):
            return Verdict(Exchange(method, "/v0.4" + target, {"Content-Type": types.get("sent", "application/json")}, b"" if body is None else json.dumps(body).encode(),
                                    status, {"Content-Type": types.get("answered", "application/json; charset=utf-8")}, json.dumps(answer)))
        created = {"id": job, "status": "submitted", "session_id": None}
        good = [verdict("GET", "/whoami", answer=owner), verdict("GET", f"/jobs/{job}", answer=example), verdict("POST", "/jobs", BODY, 201, created),
                verdict("GET", "/jobs/estimate?backend=simulator&shots=7&error_mitigation=false", status=404, answer={"statusCode": 404, "error": "e", "message": "m"})]
        self.assertEqual([(one.of_request, one.of_answer) for one in good], [([], [])] * len(good))
        for answer in ({"key_id": job}, {**owner, "key_id": "1"}, {**owner, "key_name": 1}, {**owner, "api_key": "x"}, {**owner, "project_id": None}, []):
            self.assertNotEqual(verdict("GET", "/whoami", answer=answer).of_answer, [], answer)
        self.assertNotEqual(verdict("GET", "/whoami", answer=owner, answered="text/html").of_answer, [])
        self.assertNotEqual(verdict("GET", "/whoami", status=204, answer=owner).of_answer, [])
        for change in ({"status": "running"}, {"shots": "100"}, {"shots": 2**31}, {"failure": {"code": "InternalError"}}, {"failure": {"code": "Other", "message": "m"}}, {"billed": 1},
                       {"results": {"counts": {"url": "x"}}}, {"metadata": {"a": 1}}, {"noise": {"seed": 1}}, {"settings": {"other": {}}}, {"stats": {"gate_counts": {"1q": "2"}}}, {"id": None}):
            self.assertNotEqual(verdict("GET", f"/jobs/{job}", answer={**example, **change}).of_answer, [], change)
        for missing in example.keys() - {"shots", "noise", "cost_model"}:
            self.assertNotEqual(verdict("GET", f"/jobs/{job}", answer={key: value for key, value in example.items() if key != missing}).of_answer, [], missing)
        for body in ({**BODY, "session_id": None}, {**BODY, "shots": 0}, {**BODY, "shots": 1_000_001}, {**BODY, "unknown": 1}, {**BODY, "type": "other"}, {**IDEAL, "noise": {"seed": 1}}, {}):
            self.assertNotEqual(verdict("POST", "/jobs", body, 201, created).of_request, [], body)
        for target in ("/jobs?limit=many", "/jobs?unknown=1", "/jobs?status=running", "/jobs/estimate?shots=1", "/jobs/estimate?backend=x&error_mitigation=no",
                       "/backends/qpu.none", "/backends/qpu.forte-1/characterizations?limit=11", "/backends/qpu.forte-1/characterizations/none", "/nothing"):
            self.assertNotEqual(verdict("GET", target).of_request, [], target)
        self.assertNotEqual(verdict("GET", "/jobs", body={}).of_request, [])
        self.assertNotEqual(verdict("GET", "/jobs", status=404, answer={"statusCode": 400, "error": "e", "message": "m"}).of_answer, [])

    def test_what_stands_beside_the_text_still_does(self):
        paths = specification()["paths"]
        for method, template in BESIDE_THE_TEXT:
            self.assertNotIn(template, paths, "the text has it now: judge by it")
        machines = specification()["components"]["parameters"]["backend"]["schema"]["enum"]
        self.assertNotIn("simulator", machines)


def errors_by_the_text(body):
    """As the text says it, open where it is open: members that it does not name may stand in a request's settings."""
    closed = errors_by("JobCreationPayload", body)
    if not closed or not isinstance(body.get("settings"), dict):
        return closed
    plain = copy.deepcopy(body)
    known = {"error_mitigation": ("debiasing",), "compilation": ("opt", "precision")}
    plain["settings"] = {key: {name: one for name, one in value.items() if name in known[key]} if isinstance(value, dict) else value
                         for key, value in plain["settings"].items() if key in known}
    return errors_by("JobCreationPayload", plain)


if __name__ == "__main__":
    unittest.main()
