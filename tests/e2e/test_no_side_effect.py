"""What only tells changes nothing: not the store, not a file of the data directory, not the books of the providers. By the store's own export."""

import json
import pathlib
import unittest

from support import Workplace, book_lines

BELL = {"circuit": {"num_qubits": 2, "num_clbits": 2, "parameters": [],
                    "instructions": [["h", [0]], ["cx", [0, 1]], ["measure", [0], [], 0], ["measure", [1], [], 1]]}, "shots": 100}
LIMITS = """limits:
  - tenant: default
    period: month
    cost: {hard: $25}
    jobs: {hard: 100}
  - backend: ionq.qpu.forte-1
    emulated: true
    period: day
    cost: {hard: $20}
    shots: {hard: 1000}
"""
RULES = """rules:
- {name: no-rehearsal, requires_simulation: false}
approvals:
- {name: dear, when: {cost_above_usd_micros: 3000000}, approvers: 1, expires: 1h}
"""
DOLLAR = 1_000_000


def program(backend, **more):
    return {"name": "bell", "program": {"pubs": [BELL]}, "policy": {"backends": [backend]}, "limits": {"cost_max_usd_micros": 2 * DOLLAR}, **more}


class NoSideEffect(unittest.TestCase):
    def setUp(self):
        self.place = Workplace()
        self.addCleanup(self.place.close)
        made = self.place.json("token", "new", "--tenant", "default", "--user", "sue", "--role", "submitter", "--role", "auditor")
        self.bearer = {"Authorization": f"Bearer {made['token']}"}
        self.place.environment.update({
            "TANDEM_IDENTITY_FILE": self.place.file("identity.yaml", "tokens:\n" + made["entry"]),
            "TANDEM_CLIENT_CREDENTIAL": "env:TANDEM_SECRET_TOKEN", "TANDEM_SECRET_TOKEN": made["token"],
            "TANDEM_BUDGET_FILE": self.place.file("budget.yaml", LIMITS), "TANDEM_POLICY_FILE": self.place.file("policy.yaml", RULES),
            "TANDEM_IONQ_CREDENTIAL": "env:TANDEM_SECRET_IONQ", "TANDEM_SECRET_IONQ": "any", "TANDEM_IONQ_POLL": "20ms"})

    def kept(self, *books):
        """All that could have changed: every row of the store, every other file, every line of a book."""
        rows = [json.loads(line) for line in self.place.run("store", "export", "--json").stdout.splitlines()]
        del rows[0]["exported_at"]
        files = {str(path.relative_to(self.place.data)): None if path.name.startswith("tandem.db") else path.read_bytes()
                 for path in self.place.data.rglob("*") if path.is_file() and not path.name.endswith(("-wal", "-shm"))}
        return rows, files, [pathlib.Path(book).read_bytes() for book in books]

    def told(self, server):
        """What a server says of jobs and money; a forecast goes on with time, and so does when it was read."""
        out = {what: server.request("GET", f"/v1/{what}", headers=self.bearer)[2] for what in ("jobs", "submissions", "usage", "budgets", "approvals")}
        for budget in out["budgets"]["budgets"]:
            del budget["forecast"]
        for answer in out.values():
            answer.pop("read_at", None)
        return out

    def assert_same(self, after, before):
        self.assertEqual([row for row in after[0] if row not in before[0]], [], "rows that are new or others")
        self.assertEqual(after, before)

    def test_a_plan_of_paid_work_and_an_explanation_change_nothing(self):
        with self.place.ionq() as cloud, self.place.device() as device:
            self.place.environment.update({"TANDEM_IONQ_URL": cloud.url, "TANDEM_LAB_DEVICE_URL": device.url})
            books = (cloud.book, device.book)
            paid = self.place.file("paid.json", program("ionq.qpu.forte-1"))
            self.place.json("run", self.place.file("free.json", program("simulator.statevector")))
            before_any = self.kept(*books)
            done = self.place.json("run", paid)
            self.assertEqual(done["billed_usd_micros"], DOLLAR)
            before = self.kept(*books)
            self.assertNotEqual(before[0], before_any[0], "the export shows a run")
            self.assertNotEqual(before[2][0], before_any[2][0], "the book shows a run")
            self.assertEqual(before[2][1], before_any[2][1])
            dear = {**BELL, "shots": 900}  # a hundred gates and more: $5 and more
            dear["circuit"] = {**BELL["circuit"], "instructions": [["cx", [0, 1]]] * 20 + BELL["circuit"]["instructions"]}
            waits = self.place.file("waits.json", {**program("ionq.qpu.forte-1", limits={"cost_max_usd_micros": 10 * DOLLAR}), "program": {"pubs": [dear]}})
            for name, arguments, shown in (("paid", ["plan", paid], "ionq.qpu.forte-1"),
                                           ("paid, for machines", ["plan", paid, "--json"], '"cost_usd_micros": 1000000'),
                                           ("with a fallback", ["plan", self.place.file("falls.json", program("ionq.qpu.forte-1", fallbacks=["lab.device", "simulator.statevector"]))], "lab.device"),
                                           ("on the device", ["plan", self.place.file("device.json", program("lab.device"))], "lab.device"),
                                           ("waits for approval", ["plan", waits], "dear"),
                                           ("explanation", ["explain", done["job_id"]], "ionq.qpu.forte-1"),
                                           ("explanation for machines", ["explain", done["job_id"], "--json"], '"lineage"')):
                with self.subTest(name):
                    self.assertIn(shown, self.place.run(*arguments).stdout)
                    self.assert_same(self.kept(*books), before)
            with self.subTest("beyond the limits"):
                much = self.place.file("much.json", {**program("ionq.qpu.forte-1"), "program": {"pubs": [{**BELL, "shots": 5000}]}})
                self.place.run("plan", much, check=False)
                self.assert_same(self.kept(*books), before)
            self.assertEqual(len([line for line in book_lines(cloud.book) if line["line"] == "accepted"]), 1)

    def test_a_plan_beside_a_server_changes_nothing_either(self):
        with self.place.ionq() as cloud:
            self.place.environment["TANDEM_IONQ_URL"] = cloud.url
            paid = self.place.file("paid.json", program("ionq.qpu.forte-1"))
            with self.place.serve() as server:
                job = self.place.json("run", paid)["job_id"]
                before = self.told(server)
                book = pathlib.Path(cloud.book).read_bytes()
                plan = json.loads(self.place.run("plan", paid, "--json").stdout)
                self.assertEqual(plan["steps"][-1]["backend"], "ionq.qpu.forte-1")
                self.place.run("explain", job)
                self.assertEqual(self.told(server), before)
                self.assertEqual(pathlib.Path(cloud.book).read_bytes(), book)


if __name__ == "__main__":
    unittest.main()
