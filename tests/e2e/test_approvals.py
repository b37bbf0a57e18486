"""Two users, an approver and a ticket system: what they may do, and a plan that waits for their word. Through command line and API."""

import json
import pathlib
import re
import unittest

from support import QUBO, Workplace, book_lines

BELL = {"circuit": {"num_qubits": 2, "num_clbits": 2, "parameters": [],
                    "instructions": [["h", [0]], ["cx", [0, 1]], ["measure", [0], [], 0], ["measure", [1], [], 1]]}, "shots": 20}
PAID = {"program": {"pubs": [BELL]}, "policy": {"backends": ["lab.device"]}, "limits": {"cost_max_usd_micros": 1_000_000}}
REHEARSED = {"program": {"pubs": [BELL]}, "policy": {"backends": ["simulator.statevector"]}}
RULES = """
rules:
- {name: no-rehearsal, requires_simulation: false}
approvals:
- {name: hardware, when: {any_qpu: true}, approvers: 2, expires: 1h}
"""
USERS = [("acme", "sue", ["submitter"]), ("acme", "ann", ["approver"]), ("acme", "bob", ["approver"]),
         ("acme", "tickets", ["ticket"]), ("beta", "eve", ["submitter", "approver", "operator", "auditor"])]


class Approvals(unittest.TestCase):
    def setUp(self):
        self.place = Workplace()
        self.addCleanup(self.place.close)
        self.tokens = {}
        entries = []
        for tenant, user, roles in USERS:
            made = self.place.json("token", "new", "--tenant", tenant, "--user", user, *[x for role in roles for x in ("--role", role)])
            self.tokens[user] = made["token"]
            entries.append(made["entry"])
        self.identities = self.place.file("identity.yaml", "tokens:\n" + "".join(entries))
        for token in self.tokens.values():
            self.assertNotIn(token, pathlib.Path(self.identities).read_text())

    def settings(self, device=None, rules=RULES):
        out = {"TANDEM_IDENTITY_FILE": str(self.identities), "TANDEM_POLICY_FILE": str(self.place.file("policy.yaml", rules))}
        if device is not None:
            out["TANDEM_LAB_DEVICE_URL"] = device.url
        return out

    def cli(self, user, *arguments, environment, **options):
        secret = {"TANDEM_CLIENT_CREDENTIAL": "env:TANDEM_SECRET_TOKEN", "TANDEM_SECRET_TOKEN": self.tokens[user]}
        return self.place.run(*arguments, environment={**environment, **secret}, **options)

    def ask(self, server, user, method, path, body=None, **headers):
        return server.request(method, path, body, {"Authorization": f"Bearer {self.tokens[user]}", **headers})

    def until(self, server, user, job, *states):
        for _ in range(200):
            view = self.ask(server, user, "GET", f"/v1/jobs/{job}?wait=5s")[2]
            if view["state"] in states:
                return view
        self.fail(f"{view} is not {states}")

    def test_a_plan_waits_for_two_others_through_a_restart_and_then_runs_once(self):
        with self.place.device() as device:
            environment = self.settings(device)
            job = self.place.file("job.json", PAID)
            with self.place.serve(environment=environment) as server:
                run = self.cli("sue", "run", job, environment=environment, check=False)
                self.assertEqual(run.returncode, 23, run.stderr)
                approval = re.search(r"apr_\S+", run.stdout).group(0).rstrip("`")
                listed = json.loads(self.cli("ann", "approvals", "--json", environment=environment).stdout)["approvals"]
                self.assertEqual([one["approval_id"] for one in listed], [approval])
                self.assertEqual(listed[0]["submitted_by"], "user:sue")
                piped = self.cli("ann", "approvals", "show", approval, environment=environment).stdout
                self.assertEqual(json.loads(piped), listed[0], "JSON in a pipe")
                own = self.cli("sue", "approvals", "approve", approval, "--reason", "mine", environment=environment, check=False)
                self.assertEqual(own.returncode, 6)
                self.assertIn("4105", own.stderr)
                self.cli("ann", "approvals", "approve", approval, "--reason", "worth it", environment=environment)
                twice = self.cli("ann", "approvals", "approve", approval, "--reason", "again", environment=environment, check=False)
                self.assertIn("4106", twice.stderr)
                self.assertFalse(any(line.get("line") == "accepted" for line in book_lines(device.book)))
            with self.place.serve(environment=environment) as server:
                status, _, decided = self.ask(server, "tickets", "POST", f"/v1/approvals/{approval}/decisions",
                                              {"decision": "approve", "reason": "change board", "external_ref": "CHG-17"})
                self.assertEqual((status, decided), (200, {"approval_id": approval, "state": "approved"}))
                job_id = listed[0]["job_id"]
                self.assertEqual(self.until(server, "sue", job_id, "succeeded", "failed")["state"], "succeeded")
                self.assertEqual(sum(line.get("line") == "accepted" for line in book_lines(device.book)), 1)
                lineage = self.ask(server, "sue", "GET", f"/v1/jobs/{job_id}/lineage")[2]
                self.assertEqual([d["actor"] for d in lineage["approval"]["decisions"]], ["user:ann", "user:tickets"])
                self.assertEqual(lineage["approval"]["plan_digest"], lineage["plan"]["digest"])
                events = self.ask(server, "sue", "GET", f"/v1/jobs/{job_id}/events?limit=1000")[2]["events"]
                self.assertEqual([e["actor"] for e in events if e["type"] == "approval.decided"], ["user:ann", "user:tickets"])
                self.assertEqual([e["data"]["external_ref"] for e in events if e["type"] == "approval.decided"], ["", "CHG-17"])
                self.assertEqual(next(e["actor"] for e in events if e["type"] == "job.queued"), "user:sue")
                for token in self.tokens.values():
                    self.assertNotIn(token, json.dumps(events))

    def test_another_tenant_sees_nothing_and_a_ticket_system_only_decides(self):
        with self.place.device() as device:
            environment = self.settings(device)
            with self.place.serve(environment=environment) as server:
                self.assertEqual(server.request("GET", "/v1/jobs")[0], 401)
                self.assertEqual(server.request("GET", "/healthz")[0], 200)
                status, _, admitted = self.ask(server, "sue", "POST", "/v1/jobs", PAID)
                self.assertEqual(status, 202)
                job = admitted["job_id"]
                approval = self.until(server, "sue", job, "awaiting_approval")["approval_id"]
                self.assertEqual(self.ask(server, "eve", "GET", f"/v1/jobs/{job}")[2]["number"], 5001)
                self.assertEqual(self.ask(server, "eve", "GET", "/v1/jobs")[2]["jobs"], [])
                self.assertEqual(self.ask(server, "eve", "GET", "/v1/approvals")[2]["approvals"], [])
                word = {"decision": "approve", "reason": "why not", "external_ref": "X"}
                self.assertEqual(self.ask(server, "eve", "POST", f"/v1/approvals/{approval}/decisions", word)[2]["number"], 4103)
                self.assertEqual(self.ask(server, "tickets", "GET", f"/v1/approvals/{approval}")[2]["number"], 4102)
                self.assertEqual(self.ask(server, "tickets", "GET", f"/v1/jobs/{job}")[2]["number"], 4102)
                no_ticket = {"decision": "approve", "reason": "why not"}
                self.assertEqual(self.ask(server, "tickets", "POST", f"/v1/approvals/{approval}/decisions", no_ticket)[2]["number"], 1020)
                self.assertEqual(self.ask(server, "ann", "POST", f"/v1/jobs/{job}/cancel", {})[2]["number"], 4102)
                status, _, decided = self.ask(server, "ann", "POST", f"/v1/approvals/{approval}/decisions",
                                              {"decision": "reject", "reason": "too dear"})
                self.assertEqual((status, decided["state"]), (200, "rejected"))
                view = self.until(server, "sue", job, "cancelled")
                self.assertEqual(view["error"]["number"], 4107)
                self.assertIn("too dear", view["error"]["message"])
                stranger = self.cli("eve", "jobs", "show", job, environment=environment, check=False)
                self.assertEqual(stranger.returncode, 3)
                nobody = self.place.run("jobs", environment=environment, check=False)
                self.assertEqual(nobody.returncode, 7)
                self.assertIn("client.credential", nobody.stderr)

    def test_hardware_waits_for_the_simulator_and_the_plan_names_the_rule(self):
        rules = "rules:\n- {name: home, vendors: [lab], preferred_vendor: lab}\n"
        with self.place.device() as device:
            environment = self.settings(device, rules)
            with self.place.serve(environment=environment) as server:
                refused = self.ask(server, "sue", "POST", "/v1/plans", PAID)[2]
                self.assertEqual(refused["number"], 5006)
                self.assertIn("requires_simulation", refused["detail"])
                job = self.ask(server, "sue", "POST", "/v1/jobs", REHEARSED)[2]["job_id"]
                self.assertEqual(self.until(server, "sue", job, "succeeded", "failed")["state"], "succeeded")
                self.assertEqual(self.ask(server, "sue", "POST", "/v1/plans", PAID)[2]["primary"], "lab.device")
            pinned = self.settings(device, "rules:\n- {name: elsewhere, vendors: [ionq]}\n")
            with self.place.serve(environment=pinned) as server:
                refused = self.ask(server, "sue", "POST", "/v1/plans", PAID)[2]
                self.assertIn("policy rule 'elsewhere' allows the vendors ionq, this one is lab", refused["detail"])

    def test_the_server_needs_no_credential_and_a_command_without_a_server_does(self):
        environment = self.settings()
        alone = self.place.run("run", self.place.file("job.json", QUBO), environment=environment, check=False)
        self.assertEqual(alone.returncode, 7)
        done = self.cli("sue", "run", self.place.file("job.json", QUBO), "--json", environment=environment)
        self.assertTrue(json.loads(done.stdout)["best"])
        other = json.loads(self.cli("eve", "jobs", "--json", environment=environment).stdout)
        self.assertEqual(other["jobs"], [])

    def test_bad_files_are_said_with_their_line_and_nothing_starts(self):
        cases = [("TANDEM_IDENTITY_FILE", "tokens:\n- {sha256: x, tenant: a, user: b, roles: [submitter]}\n", "bad.yaml:2"),
                 ("TANDEM_POLICY_FILE", "rules:\n- name: a\n  vendor: [x]\n", "bad.yaml:3")]
        for setting, text, place in cases:
            with self.subTest(setting):
                bad = self.place.file("bad.yaml", text)
                done = self.place.run("serve", "--listen", "127.0.0.1:0", environment={setting: str(bad)}, check=False)
                self.assertNotEqual(done.returncode, 0)
                self.assertIn(place, done.stderr)
        nobody_to_ask = self.place.run("serve", environment={"TANDEM_POLICY_FILE": str(self.place.file("policy.yaml", RULES))}, check=False)
        self.assertIn("identity.file", nobody_to_ask.stderr)


if __name__ == "__main__":
    unittest.main()
