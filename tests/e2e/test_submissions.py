"""Work at a provider that nothing else resolves: what people see of it, what they say, and what follows. Command line and API."""

import hashlib
import json
import unittest

from support import Workplace, book_lines

BELL = {"circuit": {"num_qubits": 2, "num_clbits": 2, "parameters": [],
                    "instructions": [["h", [0]], ["cx", [0, 1]], ["measure", [0], [], 0], ["measure", [1], [], 1]]}, "shots": 20}
DEVICE = {"program": {"pubs": [BELL]}, "policy": {"backends": ["lab.device"]}, "limits": {"cost_max_usd_micros": 1_000_000},
          "fallbacks": [{"backend": "simulator.statevector", "on": ["unavailable", "timeout"]}]}
NEVER_ARRIVED = [{"on": "submit", "action": "drop_request"}]
# The reply is lost, and whoever looks for the work learns nothing either.
SILENT = [{"on": "submit", "action": "drop_reply"}, {"on": "lookup", "action": "error", "from": 1}]
USERS = {"sue": ("acme", ["submitter"]), "oda": ("acme", ["operator"]), "aud": ("acme", ["auditor"]), "eve": ("beta", ["admin"])}


class Submissions(unittest.TestCase):
    def setUp(self):
        self.place = Workplace()
        self.addCleanup(self.place.close)

    def settings(self, device, **more):
        return {"TANDEM_LAB_DEVICE_URL": device.url, "TANDEM_LAB_SETTLE_WINDOW": "200ms", "TANDEM_LAB_DEVICE_DEADLINE": "1500ms", **more}

    def held(self, environment):
        """A job that went on without its device, and the submission that it left."""
        result = self.place.json("run", self.place.file("job.json", DEVICE), environment=environment)
        self.assertEqual(result["path"][0]["backend"], "lab.device")
        (one,) = self.place.json("submissions", environment=environment)["submissions"]
        self.assertEqual((one["state"], one["job_id"]), ("held", result["job_id"]))
        return one

    def refused(self, number, *arguments, environment, code=5):
        done = self.place.run(*arguments, "--json", check=False, environment=environment)
        self.assertEqual(done.returncode, code, done.stderr)
        self.assertEqual(json.loads(done.stdout)["number"], number)
        return done.stderr

    def test_work_that_never_arrived_is_released_once_and_its_money_comes_back(self):
        with self.place.device(faults=NEVER_ARRIVED) as device:
            environment = self.settings(device)
            one = self.held(environment)
            token = one["token"]
            table = self.place.on_terminal("submissions", environment=environment)
            for word in (token, "held", "lab.device (emulated)", one["job_id"]):
                self.assertIn(word, table)
            self.assertIn(f"tandem submissions release {token}", self.place.on_terminal("submissions", "show", token, environment=environment))
            released = self.place.json("submissions", "release", token, "--reason", "their console has nothing", environment=environment)
            self.assertEqual((released["state"], released["billed_usd_micros"], released["said_by"]), ("released", 0, "user:local"))
            self.assertEqual(self.place.json("submissions", environment=environment)["submissions"], [])
            self.assertIn("every submission is resolved", self.place.on_terminal("submissions", "list", environment=environment))
            (again,) = self.place.json("submissions", "--state", "released", "--job", one["job_id"], environment=environment)["submissions"]
            self.assertEqual(again, self.place.json("submissions", "show", token, environment=environment))
            self.assertIn("their console has nothing", self.refused(5029, "submissions", "release", token, "--reason", "again", environment=environment))
            self.refused(5029, "submissions", "adopt", token, "--handle", "dev_1", "--reason", "again", environment=environment)
            events = [json.loads(line) for line in self.place.run("jobs", "events", one["job_id"], "--json").stdout.splitlines()]
            self.assertEqual([(e["type"], e["actor"]) for e in events][-1], ("submission.released", "user:local"))
            self.assertTrue(any(line.startswith("Released by user:local") for line in self.place.json("explain", one["job_id"])["explanation"]))
            self.assertEqual(self.place.json("jobs", "lineage", one["job_id"])["orphans"], [])
            self.assertEqual(self.place.json("usage")["groups"], [])
            self.assertEqual(self.place.json("store", "check")["findings"], [])

    def test_what_the_invoice_says_is_posted_and_named_in_the_lineage(self):
        with self.place.device(faults=NEVER_ARRIVED) as device:
            environment = self.settings(device)
            one = self.held(environment)
            self.refused(1018, "submissions", "release", one["token"], "--reason", "invoice 7", "--billed-usd", "a lot", environment=environment, code=2)
            self.place.json("submissions", "release", one["token"], "--reason", "invoice 7", "--billed-usd", "0.25", environment=environment)
            (orphan,) = self.place.json("jobs", "lineage", one["job_id"])["orphans"]
            self.assertEqual((orphan["token"], orphan["billed_usd_micros"]), (one["token"], 250_000))
            self.assertIn("invoice 7", orphan["reason"])
            (group,) = self.place.json("usage")["groups"]
            self.assertEqual((group["name"], group["cost_usd_micros"], group["emulated"]), ("lab.device", 250_000, True))
            self.assertEqual(self.place.json("store", "check")["findings"], [])

    def test_work_that_a_person_found_is_adopted_billed_and_attached(self):
        with self.place.device(faults=SILENT) as device:
            one = self.held(self.settings(device))
        (accepted,) = [line for line in book_lines(device.book) if line["line"] == "accepted"]
        with self.place.device(faults=[{"on": "lookup", "action": "error", "from": 1}]) as device:  # the same book, and as silent
            environment = self.settings(device)
            self.refused(1408, "submissions", "adopt", one["token"], "--handle", "dev_77", "--reason", "a guess", environment=environment, code=3)
            self.refused(1023, "submissions", "adopt", one["token"], "--handle", "../jobs", "--reason", "a guess", environment=environment, code=2)
            self.refused(5030, "submissions", "adopt", "nothing", "--handle", "dev_1", "--reason", "a guess", environment=environment, code=3)
            adopted = self.place.json("submissions", "adopt", one["token"], "--handle", accepted["id"], "--reason", "console", environment=environment)
            for _ in range(100):
                if adopted["state"] == "orphan":
                    break
                adopted = self.place.json("submissions", "adopt", one["token"], "--handle", accepted["id"], "--reason", "console", environment=environment)
            self.assertEqual((adopted["state"], adopted["handle"], adopted["said_by"]), ("orphan", accepted["id"], "user:local"))
            self.assertGreater(adopted["billed_usd_micros"], 0)
            (orphan,) = self.place.json("jobs", "lineage", one["job_id"])["orphans"]
            self.assertEqual((orphan["handle"], orphan["raw_sha256"]), (accepted["id"], adopted["raw_sha256"]))
            self.assertIn("by the word of user:local", orphan["reason"])
            self.refused(5029, "submissions", "release", one["token"], "--reason", "again", environment=environment)
            self.assertEqual(self.place.json("store", "check")["findings"], [])
        self.assertEqual(len([line for line in book_lines(device.book) if line["line"] == "accepted"]), 1)

    def test_over_the_api_an_operator_decides_and_another_tenant_sees_nothing(self):
        entries = [{"sha256": hashlib.sha256(user.encode()).hexdigest(), "tenant": tenant, "user": user, "roles": roles}
                   for user, (tenant, roles) in USERS.items()]
        identities = self.place.file("identity.yaml", {"tokens": entries})

        def ask(user, method, path, body=None):
            return server.request(method, path, body, {"Authorization": f"Bearer {user}"})

        with self.place.device(faults=NEVER_ARRIVED) as device:
            environment = self.settings(device, TANDEM_IDENTITY_FILE=str(identities))
            with self.place.serve(environment=environment) as server:
                job = ask("sue", "POST", "/v1/jobs", DEVICE)[2]["job_id"]
                self.assertEqual(ask("sue", "GET", f"/v1/jobs/{job}?wait=30s")[2]["state"], "succeeded")
                (one,) = ask("aud", "GET", f"/v1/submissions?state=held&job_id={job}&backend=lab.device")[2]["submissions"]
                path = f"/v1/submissions/{one['token']}"
                self.assertEqual(ask("aud", "GET", path)[2]["token"], one["token"])
                self.assertEqual([ask("eve", "GET", p)[0] for p in (path, "/v1/submissions?job_id=" + job)], [404, 404])
                self.assertEqual(ask("eve", "GET", "/v1/submissions")[2]["submissions"], [])
                for user, status in (("sue", 403), ("aud", 403), ("eve", 404)):
                    self.assertEqual(ask(user, "POST", path + "/release", {"reason": "because"})[0], status)
                secret = {"TANDEM_CLIENT_CREDENTIAL": "env:TANDEM_SECRET_TOKEN", "TANDEM_SECRET_TOKEN": "oda", **environment}
                released = self.place.json("submissions", "release", one["token"], "--reason", "ticket 7", environment=secret)
                self.assertEqual((released["state"], released["said_by"]), ("released", "user:oda"))
                status, _, problem = ask("oda", "POST", path + "/release", {"reason": "again"})
                self.assertEqual((status, problem["number"]), (409, 5029))


if __name__ == "__main__":
    unittest.main()
