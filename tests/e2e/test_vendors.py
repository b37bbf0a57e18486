"""`tandem backends add` and `test`: settings without the secret, what costs nothing, and one paid run, with the emulated IonQ."""

import json
import unittest

from support import Workplace, book_lines, validate

KEY = "key-that-nobody-may-see"
SETTINGS = "# mine\nserver: {listen: '127.0.0.1:0'}   # a remark\n"


class Vendors(unittest.TestCase):
    def setUp(self):
        self.place = Workplace()
        self.addCleanup(self.place.close)
        self.key = self.place.file("ionq.key", KEY + "\n")
        (self.place.folder / "ionq.key").chmod(0o400)
        self.config = self.place.folder / "tandem.yaml"
        self.said = []

    def tandem(self, *arguments, code=0, **options):
        done = self.place.run(*arguments, "--config", self.config, "--json", check=False, **options)
        self.said.append(done.stdout + done.stderr)
        self.assertNotIn(KEY, self.said[-1])
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return json.loads(done.stdout)

    def add(self, cloud, *more, **options):
        return self.tandem("backends", "add", "ionq", "--url", cloud.url, "--credential", f"file:{self.key}", *more, **options)

    def accepted(self, cloud):
        return [line for line in book_lines(cloud.book) if line["line"] == "accepted"]

    def checks(self, report):
        return {one["check"]: (one["ok"], one["error"]) for one in report["checks"]}

    def test_settings_are_written_beside_what_is_there_and_tested_for_nothing(self):
        self.config.write_text(SETTINGS)
        with self.place.ionq("--api-key", KEY) as cloud:
            report = self.add(cloud)
            self.assertTrue(report["ok"])
            self.assertTrue(report["emulated"])
            self.assertEqual({check: ok for check, (ok, _) in self.checks(report).items()},
                             dict.fromkeys(["credential", "egress", "permission to read", "whose key", "ionq.simulator", "ionq.qpu.forte-1", "TLS"], True))
            devices = {one["backend"]: one for one in report["devices"]}
            self.assertEqual(devices["ionq.simulator"]["quote_usd_micros"], 0)
            self.assertEqual(devices["ionq.qpu.forte-1"]["quote_usd_micros"], 1_000_000)
            self.assertGreater(devices["ionq.qpu.forte-1"]["latency_ms"], 0)
            self.assertEqual(report["key"], {"key_id": "00000000-0000-7000-8000-000000000001", "key_name": "emulated key", "project_id": None})
            self.assertGreater(len(report["not_learnt"]), 2)
            self.assertIsNone(report["run"])
            text = self.config.read_text()
            self.assertTrue(text.startswith(SETTINGS))
            self.assertIn(f"file:{self.key}", text)
            self.assertNotIn(KEY, text)
            self.assertEqual(self.tandem("backends", "test", "ionq")["ok"], True)
            self.add(cloud)  # the same again is nothing new
            self.assertEqual(self.config.read_text(), text)
            self.assertEqual(self.accepted(cloud), [])
            self.assertFalse(self.place.data.exists(), "a question needs no store")

    def test_a_vendor_that_does_not_say_whose_key_it_is_fails_nothing(self):
        # Asked are the first device, then whose key it is, five times.
        with self.place.ionq("--api-key", KEY, faults=[{"on": "device", "action": "error", "from": 2, "count": 5}]) as cloud:
            report = self.add(cloud)
            self.assertTrue(report["ok"])
            self.assertIsNone(report["key"])
            said = {one["check"]: one["detail"] for one in report["checks"]}
            self.assertRegex(said["whose key"], "^not learnt: .*503")
            self.assertIn("ionq.qpu.forte-1", said)
        with self.place.ionq("--api-key", KEY, book="again.book") as cloud:
            shown = self.place.run("backends", "test", "ionq", "--config", self.config, environment={"TANDEM_IONQ_URL": cloud.url}).stdout
            self.assertIn('"key_name": "emulated key"', shown)

    def test_a_price_of_the_contract_counts_while_the_vendor_does_not_answer_what_work_costs(self):
        prices = self.place.file("prices.yaml", "prices:\n  - {backend: ionq.qpu.forte-1, source: contract 7, as_of: \"2026-01-01\", per_job: $0.25}\n")
        circuit = {"num_qubits": 1, "num_clbits": 1, "parameters": [], "instructions": [["h", [0]], ["measure", [0], [], 0]]}
        job = self.place.file("job.json", {"name": "one", "program": {"pubs": [{"circuit": circuit, "shots": 100}]},
                                           "policy": {"backends": ["ionq.qpu.forte-1"]}, "limits": {"cost_max_usd_micros": 10_000_000}})

        def price(cloud, **more):
            environment = {"TANDEM_IONQ_URL": cloud.url, "TANDEM_IONQ_CREDENTIAL": f"file:{self.key}", **more}
            plan = self.place.json("plan", job, environment=environment)
            (one,) = [one for one in plan["candidates"] if one["backend"] == "ionq.qpu.forte-1"]
            estimate = one["estimate"]
            return estimate.get("cost_usd_micros"), estimate.get("cost_basis"), estimate.get("cost_source") or ""
        with self.place.ionq("--api-key", KEY) as cloud:
            cost, basis, source = price(cloud, TANDEM_PRICES_FILE=prices)
            self.assertEqual((cost, basis), (1_000_000, "computed"))
            self.assertIn("by the price list of 2026-01-01 (contract 7) it would be $0.25", source)
        silent = [{"on": "estimate", "action": "error", "from": 1, "count": 1000}]
        with self.place.ionq("--api-key", KEY, faults=silent, book="silent.book") as cloud:
            cost, basis, source = price(cloud, TANDEM_PRICES_FILE=prices)
            self.assertEqual((cost, basis), (250_000, "assumed"))
            self.assertIn("the provider did not answer", source)
            self.assertIsNone(price(cloud)[0])
        self.place.file("prices.yaml", "prices:\n  - {backend: ionq.simulator, source: c, as_of: \"2026-01-01\", per_job: 1}\n")
        refused = self.place.run("backends", check=False, environment={"TANDEM_PRICES_FILE": prices})
        self.assertEqual(refused.returncode, 2)
        self.assertIn(f"{prices}:2:15", refused.stderr)

    def test_what_the_file_says_of_the_vendor_is_replaced_only_when_that_is_asked_for(self):
        other = SETTINGS + "ionq:\n  url: http://127.0.0.1:1/v0.4   # another one\n\n  poll: 2s\n# behind it\nlab: {settle_window: 3s}\n"
        self.config.write_text(other)
        with self.place.ionq("--api-key", KEY) as cloud:
            refused = self.add(cloud, code=4)
            self.assertEqual(refused["number"], 1062)
            self.assertIn("tandem.yaml:4", self.said[-1])
            self.assertEqual(self.config.read_text(), other)
            self.add(cloud, "--replace")
            text = self.config.read_text()
            self.assertNotIn("127.0.0.1:1/", text)
            shown = {one["name"]: one["value"] for one in self.tandem("config", "show")["settings"]}
            self.assertEqual(shown["ionq.poll"], "2000ms", "nobody asked for it to go")
            for kept in (SETTINGS, "# behind it\nlab: {settle_window: 3s}\n"):
                self.assertIn(kept, text)
        self.config.write_text('{"ionq": {"poll": "2s"}}')
        with self.place.ionq("--api-key", KEY) as cloud:
            self.assertEqual(self.add(cloud, "--replace", code=2)["number"], 1061)
            self.assertEqual(self.config.read_text(), '{"ionq": {"poll": "2s"}}')

    def test_what_is_no_reference_is_refused_and_not_repeated(self):
        for wrong in (KEY, "file:relative/path", "env:HOME", "systemd:../x", "file:"):
            with self.subTest(wrong):
                self.assertEqual(self.tandem("backends", "add", "ionq", "--credential", wrong, code=2)["number"], 1052)
                self.assertFalse(self.config.exists())
        self.assertEqual(self.tandem("backends", "add", "ionk", "--credential", f"file:{self.key}", code=2)["number"], 1023)
        wrong = self.tandem("backends", "add", "ionq", "--credential", f"file:{self.key}", "--backends", "qpu.fort-1", code=2)
        self.assertIn("did you mean 'qpu.forte-1'", wrong["detail"])
        nowhere = self.place.run("backends", "add", "ionq", "--credential", f"file:{self.key}", check=False)
        self.assertEqual(nowhere.returncode, 2)
        self.assertIn("--config", nowhere.stderr)
        printed = self.place.run("backends", "add", "ionq", "--print", "--credential", "env:TANDEM_SECRET_IONQ")
        self.assertIn("others may see", printed.stderr)
        self.assertIn("credential: env:TANDEM_SECRET_IONQ", printed.stdout.replace('"', ""))

    def test_a_url_that_is_none_is_named_and_one_with_a_password_is_not_repeated(self):
        self.config.write_text(SETTINGS)
        for url in (f"https://me:{KEY}@api.ionq.co/v0.4", f"me:{KEY}@api.ionq.co", "api.ionq.co", "ftp://api.ionq.co", "https://api.ionq.co:0/v0.4"):
            for more in ((), ("--print",)):
                with self.subTest(url=url, more=more):
                    refused = self.tandem("backends", "add", "ionq", "--url", url, "--credential", f"file:{self.key}", *more, code=2)
                    self.assertEqual((refused["number"], refused["errors"][0]["pointer"]), (1061, "--url"))
                    self.assertIn("https://HOST[:PORT]", refused["detail"])
                    self.assertNotIn("cannot edit", refused["detail"])
                    self.assertEqual(self.config.read_text(), SETTINGS)

    def test_a_key_does_not_go_to_another_machine_in_clear_text(self):
        self.config.write_text(json.dumps({"ionq": {"url": "http://192.0.2.1:9/v0.4", "credential": f"file:{self.key}", "backends": "simulator"}}))
        report = self.tandem("backends", "test", "ionq", code=6)
        tls = {one["check"]: one for one in report["checks"]}["TLS"]
        self.assertEqual((tls["ok"], tls["error"]), (False, 2005))
        self.assertIn("another machine", tls["detail"])

    def test_what_is_wrong_is_named_and_decides_the_exit_code(self):
        with self.place.ionq("--api-key", "another") as cloud:
            report = self.add(cloud, code=5)
            self.assertEqual(self.checks(report)["permission to read"], (False, 1409))
            (self.place.folder / "ionq.key").chmod(0o644)
            self.assertEqual(self.checks(self.tandem("backends", "test", "ionq", code=5))["credential"], (False, 1051))
            (self.place.folder / "ionq.key").unlink()
            self.assertEqual(self.checks(self.tandem("backends", "test", "ionq", code=5))["credential"], (False, 1050))
            refused = self.tandem("backends", "test", "ionq", "--run", "--max-cost", "2", code=5)
            self.assertIsNone(refused["run"])
            self.assertEqual(self.accepted(cloud), [])
        (self.place.folder / "ionq.key").write_text(KEY)
        (self.place.folder / "ionq.key").chmod(0o400)
        gone = self.tandem("backends", "test", "ionq", code=9)
        self.assertEqual(self.checks(gone)["permission to read"], (False, 1403))
        self.config.write_text("")
        self.assertEqual(self.tandem("backends", "test", "ionq", code=2)["number"], 1061)

    def test_a_run_is_paid_once_within_its_limit_and_its_record_is_no_level_of_an_emulator(self):
        with self.place.ionq("--api-key", KEY) as cloud:
            self.add(cloud)
            dear = self.tandem("backends", "test", "ionq", "--run", "--backend", "qpu.forte-1", "--max-cost", "0.99", code=8)
            self.assertEqual(dear["number"], 4005)
            for figure in ("$1.00", "$0.99"):
                self.assertIn(figure, dear["detail"])
            self.assertEqual(self.tandem("backends", "test", "ionq", "--run", "--backend", "qpu.aria-1", "--max-cost", "9", code=3)["number"], 1401)
            self.assertEqual(self.accepted(cloud), [])
            run = self.tandem("backends", "test", "ionq", "--run", "--backend", "qpu.forte-1", "--max-cost", "1")["run"]
            self.assertEqual((run["backend"], run["emulated"], run["level"], run["billed_usd_micros"]), ("ionq.qpu.forte-1", True, "", 1_000_000))
            self.assertGreater(run["correlated"], 0.8)
            self.assertLessEqual({"quote", "submit", "poll", "result as counts", "bill"}, set(run["covered"]))
            (line,) = self.accepted(cloud)
            self.assertEqual((line["id"], line["token"]), (run["handle"], run["token"]))
            (submission,) = self.place.json("jobs", "submissions", run["job_id"])["submissions"]
            self.assertEqual((submission["state"], submission["raw_sha256"]), ("settled", run["raw_sha256"]))
            free = self.tandem("backends", "test", "ionq", "--run", "--backend", "ionq.simulator", "--max-cost", "0")["run"]
            self.assertEqual((free["billed_usd_micros"], free["correlated"]), (0, 1))
            page = self.tandem("backends")
            shown = {one["backend"]: one.get("own_run") for one in page["backends"]}
            self.assertEqual((shown["ionq.qpu.forte-1"], shown["ionq.simulator"]), (run, free))
            self.assertIsNone(shown["simulator.statevector"])
        kept = [json.loads(one) for one in (self.place.data / "vendor_runs.jsonl").read_text().splitlines()]
        self.assertEqual(kept, [run, free])
        for one in kept:
            validate(one, "vendor_run")

    def test_a_server_that_holds_the_data_runs_it(self):
        with self.place.ionq("--api-key", KEY) as cloud:
            self.add(cloud)
            with self.place.serve("--config", self.config):
                run = self.tandem("backends", "test", "ionq", "--run", "--backend", "qpu.forte-1", "--max-cost", "1")["run"]
                self.assertEqual(run["billed_usd_micros"], 1_000_000)
            self.assertEqual(len(self.accepted(cloud)), 1)

    def test_a_run_waits_for_another_users_approval_and_goes_on_after_it(self):
        tokens, entries = {}, []
        for user, role in (("sue", "submitter"), ("ann", "approver")):
            made = self.place.json("token", "new", "--tenant", "acme", "--user", user, "--role", role)
            tokens[user] = made["token"]
            entries.append(made["entry"])
        settings = {"TANDEM_IDENTITY_FILE": str(self.place.file("identity.yaml", "tokens:\n" + "".join(entries))),
                    "TANDEM_POLICY_FILE": str(self.place.file("policy.yaml", "approvals:\n- {name: hardware, when: {any_qpu: true}, expires: 1h}\n"))}

        def says(user, *arguments, **options):
            secret = {"TANDEM_CLIENT_CREDENTIAL": "env:TANDEM_SECRET_TOKEN", "TANDEM_SECRET_TOKEN": tokens[user]}
            return self.tandem(*arguments, environment={**settings, **secret}, **options)

        def run(*more, **options):
            return says("sue", "backends", "test", "ionq", "--run", "--backend", "qpu.forte-1", "--max-cost", "1", *more, **options)

        def waiting():
            (one,) = says("ann", "approvals")["approvals"]
            return one["approval_id"], one["job_id"]

        with self.place.ionq("--api-key", KEY) as cloud:
            self.add(cloud)
            with self.place.serve("--config", self.config, environment=settings):
                self.assertIsNone(run(code=23)["run"])
                refused, first = waiting()
                self.assertIn(f"--job {first}", self.said[-2])
                self.assertIsNone(run(code=23)["run"])  # the same job
                self.assertEqual(waiting(), (refused, first))
                says("ann", "approvals", "reject", refused, "--reason", "not now")
                for more in ((), ("--job", first)):
                    self.assertIn("--again", run(*more, code=11)["detail"])
                self.assertIsNone(run("--again", code=23)["run"])
                approval, second = waiting()
                self.assertNotEqual(second, first)
                self.assertEqual(self.accepted(cloud), [])
                says("ann", "approvals", "approve", approval, "--reason", "worth a dollar")
                other = says("sue", "backends", "test", "ionq", "--run", "--backend", "simulator", "--max-cost", "1", "--job", second, code=2)
                self.assertEqual((other["number"], other["errors"][0]["pointer"]), (1023, "--job"))
                record = run("--job", second)["run"]
                self.assertEqual((record["job_id"], record["billed_usd_micros"]), (second, 1_000_000))
                self.assertEqual(run("--job", second)["run"]["token"], record["token"])
                self.assertEqual(len(self.accepted(cloud)), 1)
        self.assertEqual(len((self.place.data / "vendor_runs.jsonl").read_text().splitlines()), 1)


if __name__ == "__main__":
    unittest.main()
