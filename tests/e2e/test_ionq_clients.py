"""IonQ: what our adapter sends, held to what the vendor's own client sends; and the emulator, driven by clients that we did not write.
No answer of the vendor itself is seen here. The vendor's text is the judge in test_ionq_text.py.

qiskit-ionq and cirq-ionq are installed from the package index into environments of their own below build/clients, once. Without
the index the tests that need them are skipped and say so.
"""

import json
import os
import random
import subprocess
import unittest
import unittest.mock

from ionq_support import KEY, REGISTERS, X_ON_0, Ionq, random_circuit, random_native_circuit
from support import CLIENTS_MUST_RUN, LONG, ROOT, book_lines, missing, python_with

CLIENTS = {"qiskit": "qiskit-ionq==1.1.1", "cirq": "cirq-ionq==1.7.0"}


# ---- the vendor's clients

def drive(client, url, task, certificates=None, **more):
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("TANDEM_", "IONQ_", "QISKIT_"))}
    environment.update({"IONQ_API_URL": url, "PYTHONWARNINGS": "ignore", "PYTHONDONTWRITEBYTECODE": "1"})
    if certificates:
        environment["REQUESTS_CA_BUNDLE"] = str(certificates)
    script = ROOT / "tests" / "e2e" / "ionq_clients" / f"drive_{client}.py"
    done = subprocess.run([python_with(CLIENTS[client]), script], input=json.dumps({"url": url, "key": KEY, "task": task, **more}),
                          capture_output=True, text=True, timeout=300, env=environment)
    if done.returncode != 0:
        raise AssertionError(f"{client} {task} ended with {done.returncode}: {done.stderr[-3000:]}")
    return json.loads(done.stdout)


class MissingTest(unittest.TestCase):
    def test_what_is_missing_is_skipped_and_fails_where_it_must_run(self):
        with unittest.mock.patch.dict(os.environ):
            os.environ.pop(CLIENTS_MUST_RUN, None)
            self.assertRaises(unittest.SkipTest, missing, "no text")
            os.environ[CLIENTS_MUST_RUN] = "1"
            self.assertRaisesRegex(AssertionError, "no text.*no reason to skip", missing, "no text")
            self.assertRaises(unittest.SkipTest, missing, "no index", excused=True)


class House(Ionq):
    def test_a_program_runs_on_the_ideal_simulator_and_stays_a_distribution(self):
        with self.cloud() as cloud:
            for circuit, text in ((X_ON_0, "100"), (REGISTERS, "10010")):
                result = self.run_here(self.program("simulator", circuit), self.settings(cloud))
                (binding,) = result["pubs"][0]["bindings"]
                self.assertEqual((binding["kind"], binding["probabilities"]), ("distribution", {text: 1}))
                self.assertEqual(result["billed_usd_micros"], 0)
                here = self.run_here({**self.program("simulator", circuit), "policy": {"backends": ["simulator.statevector"]}}, {})
                self.assertEqual(here["pubs"][0]["bindings"][0]["counts"], {text: 200})
                self.assertEqual(self.place.json("replay", result["job_id"])["verdict"], "identical")

    def test_a_program_runs_on_a_machine_for_counts_and_the_bill_of_the_vendor(self):
        with self.cloud() as cloud:
            result = self.run_here(self.program("qpu.forte-1", REGISTERS), self.settings(cloud))
            (binding,) = result["pubs"][0]["bindings"]
            self.assertEqual(binding["kind"], "counts")
            self.assertEqual(sum(binding["counts"].values()), 200)
            self.assertGreater(binding["counts"]["10010"], 150)
            self.assertEqual((result["billed_usd_micros"], result["billed_emulated_usd_micros"]), (1_000_000, 1_000_000))
            (submission,) = self.place.json("jobs", "submissions", result["job_id"])["submissions"]
            self.assertEqual((submission["state"], submission["emulated"]), ("settled", True))
            bodies = [line["body"] for line in self.accepted(cloud)]
            self.assertEqual([body["metadata"]["tandem_token"] for body in bodies], [submission["token"]])

    def test_backends_are_shown_as_emulated_and_as_the_level_that_was_proved(self):
        with self.cloud() as cloud:
            page = self.place.json("backends", environment=self.settings(cloud))
            shown = {one["backend"]: one for one in page["backends"] if one["backend"].startswith("ionq.")}
            self.assertEqual(set(shown), {"ionq.simulator", "ionq.qpu.forte-1"})
            for one in shown.values():
                self.assertTrue(one["emulated"])
                self.assertEqual((one["submit_safety"], one["conformance"]), ("C", "L3"))
            self.assertFalse(shown["ionq.simulator"]["metered"])
            wrong = self.place.run("backends", check=False, environment=self.settings(cloud, TANDEM_IONQ_BACKENDS="qpu.fort-1"))
            self.assertNotEqual(wrong.returncode, 0)
            self.assertIn("did you mean 'qpu.forte-1'", wrong.stderr)

    def test_work_that_the_vendor_cannot_do_is_refused_with_the_reason(self):
        with self.cloud() as cloud:
            middle = {**X_ON_0, "gates": []}
            document = self.program("simulator", middle)
            document["program"]["pubs"][0]["circuit"]["instructions"] = [["measure", [0], [], 0], ["x", [0]], ["measure", [0], [], 1]]
            for refused, reason in ((document, "OpenQASM 3"), (self.program("simulator", X_ON_0, REGISTERS), "one circuit")):
                done = self.place.run("run", self.place.file("job.json", refused), check=False, environment=self.settings(cloud))
                self.assertNotEqual(done.returncode, 0)
                self.assertIn(reason, done.stderr)
            self.assertEqual(self.accepted(cloud), [])

    def test_a_problem_is_refined_on_an_emulated_machine_and_on_the_ideal_simulator(self):
        document = {**LONG, "limits": {"time": "1s", "cost_max_usd_micros": 100_000_000_000}, "seed": 3,
                    "refinement": {"mode": "required", "core_max": 8, "layers": 1, "shots": 100}}
        with self.cloud() as cloud:
            result = self.run_here(document, self.settings(cloud))
            arms = {arm["backend"]: arm for arm in result["refinement"]["arms"] if arm["arm"] == "qaoa"}
            self.assertLessEqual({"ionq.simulator", "ionq.qpu.forte-1"}, set(arms))
            for backend in ("ionq.simulator", "ionq.qpu.forte-1"):
                self.assertEqual((arms[backend]["status"], arms[backend]["emulated"], arms[backend]["samples"]), ("done", True, 100))
            self.assertEqual(arms["ionq.simulator"]["detail"], "100 shots drawn here from the probabilities that the backend computed")
            self.assertEqual(arms["ionq.simulator"]["billed_usd_micros"], 0)
            self.assertGreater(arms["ionq.qpu.forte-1"]["billed_usd_micros"], 0)
            self.assertEqual(result["billed_usd_micros"], sum(line["billed_usd_micros"] for line in self.accepted(cloud)))

    def test_a_lost_reply_is_looked_up_and_paid_once(self):
        for action in ("drop_reply", "garbage_html", "error_after"):
            with self.subTest(action), self.cloud(faults=[{"on": "submit", "action": action, "nth": 1}], book=f"{action}.book") as cloud:
                result = self.run_here(self.program("qpu.forte-1", X_ON_0), self.settings(cloud))
                self.assertEqual(len(self.accepted(cloud)), 1)
                self.assertEqual(result["billed_usd_micros"], 1_000_000)
                (submission,) = self.place.json("jobs", "submissions", result["job_id"])["submissions"]
                self.assertEqual((submission["state"], submission["sends"]), ("settled", 1))

    def test_a_request_that_never_arrived_is_held_and_the_step_falls_back(self):
        with self.cloud(faults=[{"on": "submit", "action": "drop_request", "nth": 1}]) as cloud:
            fallback = [{"backend": "simulator.statevector", "on": ["unavailable", "timeout"]}]
            result = self.run_here(self.program("qpu.forte-1", X_ON_0, fallbacks=fallback), self.settings(cloud))
            self.assertEqual([station["backend"] for station in result["path"]], ["ionq.qpu.forte-1", "simulator.statevector"])
            self.assertEqual(result["billed_usd_micros"], 0)
            self.assertEqual(self.accepted(cloud), [])
            (submission,) = self.place.json("jobs", "submissions", result["job_id"])["submissions"]
            self.assertEqual(submission["state"], "held")


class Clients(Ionq):
    """The vendor's own client and another one, both unchanged."""

    CERTIFICATES = None

    def clouds(self, *arguments, **options):
        return self.cloud(*arguments, **options)

    def test_qiskit_walks_from_discovery_to_a_result(self):
        with self.clouds() as cloud:
            seen = drive("qiskit", cloud.url, "walk", self.CERTIFICATES)
        self.assertEqual((seen["qubits"], seen["any_qpu"], seen["calibration"]["qubits"]), ([20, 20], 20, 20))
        # Qiskit writes bit 0 last: qubit 0 is 1, and qubits 1 and 2 are a pair.
        probabilities = {key: round(value, 9) for key, value in seen["ideal"]["probabilities"].items()}
        self.assertEqual(probabilities, {"001": 0.5, "111": 0.5})
        self.assertEqual(sum(seen["ideal"]["counts"].values()), 200)
        self.assertEqual((seen["ideal"]["status"], seen["noisy"]["status"]), ("DONE", "DONE"))
        counts = seen["noisy"]["counts"]
        self.assertGreater(counts.get("001", 0) + counts.get("111", 0), 160)
        self.assertEqual(sum(seen["again"].values()), 200)
        self.assertAlmostEqual(seen["estimate"], 1000 * (10 * 30 + 20 * 300) / 1e6)

    def test_qiskit_cancels_what_waits(self):
        with self.clouds(queue_ms=60000) as cloud:
            seen = drive("qiskit", cloud.url, "cancel", self.CERTIFICATES)
            self.assertEqual(seen, {"before": "QUEUED", "after": "CANCELLED"})
            (ended,) = [line for line in book_lines(cloud.book) if line["line"] == "ended"]
            self.assertEqual((ended["status"], ended["billed_usd_micros"]), ("canceled", 0))

    def test_qiskit_meets_errors_and_says_them(self):
        throttled = [{"on": "submit", "action": "throttle_silently", "from": 1, "count": 2}, {"on": "status", "action": "error", "status": 502, "nth": 1}]
        with self.clouds(faults=throttled) as cloud:
            seen = drive("qiskit", cloud.url, "errors", self.CERTIFICATES)
            self.assertEqual(sum(seen["throttled"].values()), 10)
            self.assertEqual([seen[which][0] for which in ("key", "job", "wide")], [401, 404, 400])
            self.assertEqual(len(self.accepted(cloud)), 1)

    def test_cirq_walks_from_submission_to_a_result(self):
        with self.clouds() as cloud:
            seen = drive("cirq", cloud.url.removesuffix("/v0.4"), "walk", self.CERTIFICATES)
        # Cirq writes qubit 0 first, as the highest bit: 100 and 111.
        self.assertEqual({key: round(value, 9) for key, value in seen["probabilities"].items()}, {"4": 0.5, "7": 0.5})
        self.assertEqual({key: round(value, 9) for key, value in seen["native"].items()}, {"4": 0.5, "7": 0.5})
        self.assertEqual((seen["status"], seen["qubits"], seen["listed"], seen["deleted"]), ("completed", 3, 3, 404))
        self.assertGreater(seen["machine"].get("4", 0) + seen["machine"].get("7", 0), 160)

    def test_cirq_cancels_what_waits_and_meets_errors(self):
        with self.clouds(queue_ms=60000) as cloud:
            seen = drive("cirq", cloud.url.removesuffix("/v0.4"), "cancel", self.CERTIFICATES)
            self.assertEqual(seen, {"before": "ready", "after": "canceled"})
        with self.clouds(faults=[{"on": "submit", "action": "throttle", "nth": 1}, {"on": "submit", "action": "error", "nth": 2}], book="errors.book") as cloud:
            seen = drive("cirq", cloud.url.removesuffix("/v0.4"), "errors", self.CERTIFICATES)
            self.assertEqual(seen["key"], 401)
            self.assertEqual(len(self.accepted(cloud)), 1)


def openssl(*arguments):
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != 0:
        raise AssertionError(f"openssl {arguments} ended with {done.returncode}: {done.stderr}")


def make_certificates(folder):
    """An authority of our own, and a certificate of 127.0.0.1 by it."""
    authority, authority_key, certificate, key = (folder / name for name in ("ca.pem", "ca.key", "server.pem", "server.key"))
    request, extensions = folder / "server.csr", folder / "server.ext"
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=authority of a test", "-keyout", authority_key, "-out", authority,
            "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign")
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1", "-keyout", key, "-out", request)
    extensions.write_text("basicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\nsubjectAltName=IP:127.0.0.1,DNS:localhost\n")
    openssl("x509", "-req", "-in", request, "-CA", authority, "-CAkey", authority_key, "-CAcreateserial", "-days", "2", "-extfile", extensions, "-out", certificate)
    return authority, certificate, key


class ClientsOverTls(Clients):
    """The same walks over https, with an authority that nobody else knows."""

    def setUp(self):
        super().setUp()
        self.CERTIFICATES, self.certificate, self.key = make_certificates(self.place.folder)

    def clouds(self, *arguments, **options):
        return self.cloud("--tls", self.certificate, self.key, *arguments, **options)

    def test_our_house_walks_over_tls_and_refuses_an_authority_that_it_was_not_given(self):
        with self.clouds() as cloud:
            self.assertTrue(cloud.url.startswith("https://"))
            trusting = self.settings(cloud, TANDEM_EGRESS_CA_FILE=str(self.CERTIFICATES))
            planned = self.place.run("plan", self.place.file("job.json", self.program("qpu.forte-1", X_ON_0)), environment=trusting).stdout
            self.assertRegex(planned, r"its price: estimate of IonQ for qpu.forte-1, GET /jobs/estimate, as of \d{4}-\d\d-\d\d; rates of")
            result = self.run_here(self.program("qpu.forte-1", X_ON_0), trusting)
            self.assertEqual(result["billed_usd_micros"], 1_000_000)
            done = self.place.run("run", self.place.file("job.json", self.program("qpu.forte-1", X_ON_0)), check=False, environment=self.settings(cloud))
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("certificate", done.stderr)
            self.assertEqual(len(self.accepted(cloud)), 1)

    def test_a_client_without_the_authority_does_not_connect(self):
        with self.clouds() as cloud, self.assertRaises(AssertionError) as refused:
            drive("cirq", cloud.url.removesuffix("/v0.4"), "cancel")
        self.assertIn("SSLError", str(refused.exception))

    def test_a_key_that_is_none_is_refused(self):
        broken = self.place.file("broken.key", "no key")
        done = self.place.run("emulate", "ionq", "--listen", "127.0.0.1:0", "--book", self.place.folder / "b.book", "--tls", self.certificate, broken, check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("cannot be used", done.stderr)


def rounded(value):
    """Radians are turned into turns and back: numbers are equal up to their last digits."""
    if isinstance(value, dict):
        return {key: rounded(one) for key, one in value.items()}
    if isinstance(value, list):
        return [rounded(one) for one in value]
    return round(value, 12) if isinstance(value, float) else value


class SameBody(Ionq):
    def bodies_of_both(self, tasks):
        """[(ours, theirs, gates)], metadata looked at and taken out. What a user gives freely is given to both: the name, the simulator's seed."""
        with self.cloud() as cloud:
            environment = self.settings(cloud, TANDEM_IONQ_BACKENDS="simulator, qpu.aria-1, qpu.forte-1")
            ours = []
            for number, task in enumerate(tasks):
                self.run_here(self.program(task["backend"], task, seed=number), environment)
                body = self.accepted(cloud)[-1]["body"]
                task.update(name=body["name"], seed=body.get("noise", {}).get("seed"))
                ours.append(body)
            drive("qiskit", cloud.url, "circuits", circuits=tasks)
            theirs = [line["body"] for line in self.accepted(cloud)][len(tasks):]
        self.assertEqual(len(theirs), len(tasks))
        for our, their in zip(ours, theirs):
            self.assertIn("qiskit-ionq/1.1.1", their.pop("metadata")["user_agent"])
            self.assertEqual(list(our.pop("metadata")), ["tandem_token"])
        return zip(ours, theirs, [task["gates"] for task in tasks])

    def test_our_body_is_that_of_the_vendors_client_on_fifty_circuits(self):
        dice = random.Random(20261127)
        tasks = [{**random_circuit(dice), "backend": ("simulator", "qpu.forte-1")[number % 2]} for number in range(50)]
        for our, their, gates in self.bodies_of_both(tasks):
            self.assertEqual(our, their, gates)

    def test_our_body_is_that_of_the_vendors_client_on_circuits_of_native_gates(self):
        dice = random.Random(20261128)
        machines = [("qpu.aria-1", ["ms"]), ("qpu.forte-1", ["rzz"]), ("simulator", ["ms", "rzz"])]
        tasks = [{**random_native_circuit(dice, pairs), "backend": backend} for backend, pairs in machines for _ in range(5)]
        for our, their, gates in self.bodies_of_both(tasks):
            self.assertEqual(our["input"]["gateset"], "native")
            self.assertEqual(rounded(our), rounded(their), gates)


if __name__ == "__main__":
    unittest.main()
