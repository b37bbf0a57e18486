"""Limits, usage and alerts, over the command line and the API, with the emulated device."""

import csv
import io
import json
import unittest

from support import Workplace, validate_event

BELL = {"circuit": {"num_qubits": 2, "num_clbits": 2, "parameters": [],
                    "instructions": [["h", [0]], ["cx", [0, 1]], ["measure", [0], [], 0], ["measure", [1], [], 1]]}, "shots": 100}
LIMITS = """limits:
  - tenant: default
    period: month
    cost: {hard: $25}
    jobs: {hard: 100}
  - tenant: "*"
    project: "*"
    period: day
    jobs: {hard: 2}
  - backend: lab.device
    emulated: true
    period: total
    cost: {hard: $1000}
    shots: {hard: 250}
"""


def program(**more):
    return {"name": "bell", "program": {"pubs": [BELL]}, "policy": {"backends": ["lab.device"]},
            "limits": {"cost_max_usd_micros": 10_000_000}, **more}


class Budget(unittest.TestCase):
    def setUp(self):
        self.place = Workplace()
        self.addCleanup(self.place.close)
        self.place.environment["TANDEM_BUDGET_FILE"] = self.place.file("budget.yaml", LIMITS)

    def at(self, device):
        return {"TANDEM_LAB_DEVICE_URL": device.url}

    def test_a_run_is_charged_shown_and_exported(self):
        with self.place.device() as device:
            job = self.place.json("run", self.place.file("job.json", program(schedule={"project": "pilot"}, business={"owner": "ann"})),
                                  environment=self.at(device))
            bill = job["billed_usd_micros"]
            self.assertGreater(bill, 0)
        for by, name in [("backend", "lab.device"), ("tier", "qpu"), ("project", "pilot"), ("owner", "ann")]:
            usage = self.place.json("usage", "--by", by)
            self.assertEqual([(group["name"], group["emulated"], group["cost_usd_micros"], group["shots"], group["jobs"]) for group in usage["groups"]],
                             [(name, True, bill, 100, 1)])
        self.assertIn("lab.device (emulated)", self.place.run("usage", "--format", "table").stdout)
        self.assertEqual(json.loads(self.place.run("usage").stdout)["by"], "backend")  # in a pipe
        (row,) = csv.DictReader(io.StringIO(self.place.run("usage", "--format", "focus").stdout))
        self.assertEqual(float(row["BilledCost"]), 0)  # play money
        self.assertEqual(round(float(row["x_EmulatedCost"]) * 1e6), bill)
        self.assertEqual((row["SubAccountId"], row["ConsumedQuantity"], row["BillingCurrency"]), ("pilot", "100", "USD"))
        self.assertEqual(self.place.json("usage", "--to", "2020-01-02", "--from", "2020-01-01")["groups"], [])
        budgets = {(one["project"], one["backend"], one["unit"]): one for one in self.place.json("budgets")["budgets"]}
        self.assertEqual(budgets["", "lab.device", "usd_micros"]["settled"], bill)
        self.assertEqual(budgets["", "lab.device", "shots"]["settled"], 100)
        month = budgets["", "", "usd_micros"]
        self.assertEqual((month["held"], month["settled"], month["released"]), (0, 0, 10_000_000))
        self.assertEqual(budgets["pilot", "", "jobs"]["settled"], 1)
        events = [json.loads(line) for line in self.place.run("jobs", "events", job["job_id"], "--json").stdout.splitlines()]
        alerts = [event for event in events if event["type"] == "budget.alert"]
        for alert in alerts:
            validate_event(alert)
        crossed = [alert["data"]["crossed"] for alert in alerts if alert["data"]["project"] == "pilot"]
        self.assertEqual([share for share in crossed if share != "forecast"], ["50"])  # early in a day its burn leads beyond
        self.place.json("store", "check")
        self.place.run("jobs", "rm", job["job_id"])
        self.place.json("store", "check")
        self.assertEqual([group["cost_usd_micros"] for group in self.place.json("usage")["groups"]], [bill])  # the charge stays

    def test_what_does_not_fit_is_refused_with_402_and_the_figures(self):
        with self.place.serve("--role", "api") as server:  # nothing runs, so everything stays held
            for _ in range(2):
                status, _, _ = server.request("POST", "/v1/jobs", program())
                self.assertEqual(status, 202)
            status, _, problem = server.request("POST", "/v1/jobs", program())
            self.assertEqual((status, problem["number"]), (402, 4004))
            for figure in ["$10.00 are needed", "$5.00 are free", "limit $25.00", "held $20.00", "settled $0.00", "wait until"]:
                self.assertIn(figure, problem["detail"])
            status, _, answer = server.request("GET", "/v1/budgets")
            self.assertEqual(status, 200)
            money = [one for one in answer["budgets"] if one["unit"] == "usd_micros" and not one["emulated"]]
            self.assertEqual([(one["held"], one["free"]) for one in money], [(20_000_000, 5_000_000)])
            status, _, usage = server.request("GET", "/v1/usage?by=user")
            self.assertEqual((status, usage["groups"]), (200, []))
            for wrong, place in [("by=moon", "?by"), ("from=yesterday", "?from"), ("page_token=x&by=charge", "?page_token"),
                                 ("from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", "?to"), ("limits=1", "?limits")]:
                status, _, problem = server.request("GET", f"/v1/usage?{wrong}")
                self.assertEqual(status, 400, wrong)
                self.assertIn(place, json.dumps(problem))

    def test_a_quota_of_the_device_leaves_the_step_to_the_simulator(self):
        job = program(fallbacks=["simulator.statevector"])
        with self.place.device() as device:
            ways = []
            for _ in range(3):
                result = self.place.json("run", self.place.file("job.json", job), environment=self.at(device))
                ways.append([station["backend"] for station in result["path"] if station["outcome"] == "answered"] or ["lab.device"])
        self.assertEqual(ways, [["lab.device"], ["lab.device"], ["simulator.statevector"]])  # 100, 200 and 300 shots

    def test_a_quota_of_bytes_counts_what_is_sent_to_the_device(self):
        job = program(fallbacks=["simulator.statevector"])
        with self.place.device() as device:
            self.place.file("budget.yaml", "limits: [{backend: lab.device, emulated: true, period: day, bytes: {hard: 1000000}}]\n")
            result = self.place.json("run", self.place.file("job.json", job), environment=self.at(device))
            self.assertEqual([s["backend"] for s in result["path"] if s["outcome"] == "answered"] or ["lab.device"], ["lab.device"])
            (group,) = self.place.json("usage", "--by", "backend")["groups"]
            (limit,) = [one for one in self.place.json("budgets")["budgets"] if one["unit"] == "bytes"]
            self.assertGreater(group["bytes"], 100)
            self.assertEqual((limit["settled"], limit["held"]), (group["bytes"], 0))
            # As much again does not fit in one byte less.
            self.place.file("budget.yaml", "limits: [{backend: lab.device, emulated: true, period: day, "
                            f"bytes: {{hard: {2 * group['bytes'] - 1}}}}}]\n")
            result = self.place.json("run", self.place.file("job.json", job), environment=self.at(device))
            self.assertEqual([s["backend"] for s in result["path"] if s["outcome"] == "answered"], ["simulator.statevector"])

    def test_a_file_that_cannot_be_is_refused_with_its_place(self):
        path = self.place.file("budget.yaml", "limits:\n  - tenant: default\n    period: week\n")
        done = self.place.run("backends", check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn(f"{path}:3:13", done.stderr)
        self.place.file("budget.yaml", "limits: [{backend: lab.device, period: day, cost: {hard: $1}}]\n")
        refused = self.place.run("backends", check=False).stderr
        self.assertIn("emulated: true", refused)
        self.assertIn(f"{path}:1:", refused)
        self.place.file("budget.yaml", "limits: [{backend: lab.device, emulated: true, period: day, qpu_seconds: {hard: 1}}]\n")
        self.assertIn("do not say how long the device worked", self.place.run("backends", check=False).stderr)
        self.place.environment["TANDEM_BUDGET_FILE"] = str(self.place.folder / "absent.yaml")
        self.assertNotEqual(self.place.run("backends", check=False).returncode, 0)


if __name__ == "__main__":
    unittest.main()
