"""Tables on a terminal: their columns stand below each other, and no row is wider than the terminal."""

import json
import unittest

from support import Workplace

BELL = {"circuit": {"num_qubits": 2, "num_clbits": 2, "parameters": [],
                    "instructions": [["h", [0]], ["cx", [0, 1]], ["measure", [0], [], 0], ["measure", [1], [], 1]]}, "shots": 100}
WIDE = 100
ALL_IONQ = "simulator, qpu.aria-1, qpu.aria-2, qpu.forte-1, qpu.forte-enterprise-1"
RULES = """rules:
- {name: no-rehearsal, requires_simulation: false}
approvals:
- {name: every-machine-of-every-vendor-wants-two-of-them, when: {any_qpu: true}, approvers: 2, expires: 1h}
- {name: and-whatever-costs-anything, when: {cost_above_usd_micros: 1}, approvers: 1, expires: 1h}
"""
SUBMITTER = "somebody.with.a-long-name@department.example"


def program(backend, **more):
    return {"program": {"pubs": [BELL]}, "policy": {"backends": [backend]}, "limits": {"cost_max_usd_micros": 2_000_000}, **more}


class Tables(unittest.TestCase):
    def setUp(self):
        self.place = Workplace()
        self.addCleanup(self.place.close)

    def rows(self, shown, heading):
        """The cells of a table by the places of its heading's words; all of its lines fit."""
        lines = shown.replace("\r\n", "\n").splitlines()
        for line in lines:
            self.assertLess(len(line), WIDE, shown)
        begin = next(i for i, line in enumerate(lines) if line.split() and line.strip().startswith(heading[0]) and all(word in line for word in heading))
        starts = [lines[begin].index(word) for word in heading]
        self.assertEqual(starts, sorted(starts))
        out = []
        for line in lines[begin + 1:]:
            if not line.startswith("  ") or "`" in line or "..." in line:
                break
            for start in starts:
                self.assertFalse(start > 0 and start < len(line) and line[start - 1] != " ", f"a cell reaches into the next: {line!r}")
            cells = [line[start:end].strip() for start, end in zip(starts, [*starts[1:], None])]
            out.append(dict(zip(heading, cells)))
        return out

    def test_backends_fit_and_their_details_are_told_of_each(self):
        with self.place.ionq() as cloud:
            settings = {"TANDEM_IONQ_URL": cloud.url, "TANDEM_IONQ_CREDENTIAL": "env:TANDEM_SECRET_IONQ", "TANDEM_SECRET_IONQ": "any", "TANDEM_IONQ_BACKENDS": ALL_IONQ}
            told = {one["backend"]: one for one in self.place.json("backends", environment=settings)["backends"]}
            shown = self.place.on_terminal("backends", environment=settings, columns=WIDE)
            rows = self.rows(shown, ["backend", "tier", "access", "state", "level", "best for"])
            self.assertEqual([row["backend"] for row in rows], list(told))
            for row in rows:
                one = told[row["backend"]]
                self.assertEqual(row["state"], "ready" if one["availability"]["operational"] else "absent")
                self.assertEqual(row["tier"], one["tier"] + (" (emulated)" if one["emulated"] else ""))
                self.assertEqual(row["level"], one["conformance"])
                whole, begin = one["best_for"], row["best for"].removesuffix("…")
                self.assertTrue(whole == row["best for"] or (row["best for"].endswith("…") and whole.startswith(begin) and len(begin) >= 5), row)
            roomy = self.place.on_terminal("backends", environment=settings, columns=300)
            for one in told.values():
                self.assertIn(one["best_for"], roomy, "whole where there is room")
            # What the table has no room for.
            absent = self.place.on_terminal("backends", "show", "lab.device", environment=settings)
            self.assertIn("absent: " + told["lab.device"]["availability"]["detail"], absent)
            machine = self.place.on_terminal("backends", "show", "ionq.qpu.aria-2", environment=settings)
            for word in ("IonQ Aria 2 (emulated)", "best for " + told["ionq.qpu.aria-2"]["best_for"], "qpu (emulated), cloud, in us", "ready: available",
                         "takes programs, up to 25 qubits, up to 1000000 shots; costs money", "level L3, safety class C"):
                self.assertIn(word, machine)
            (same,) = [one for one in self.place.json("backends", environment=settings)["backends"] if one["backend"] == "ionq.qpu.aria-2"]
            piped = self.place.json("backends", "show", "ionq.qpu.aria-2", environment=settings)
            for one in (same, piped):
                del one["availability"]
            self.assertEqual(piped, same)
            wrong = self.place.run("backends", "show", "ionq.qpu.forte-2", environment=settings, check=False)
            self.assertEqual(wrong.returncode, 3)
            self.assertIn("did you mean 'ionq.qpu.forte-1'", wrong.stderr)

    def test_an_own_run_shows_as_its_level_only_where_it_was_real(self):
        with self.place.ionq() as cloud:
            settings = {"TANDEM_IONQ_URL": cloud.url, "TANDEM_IONQ_CREDENTIAL": "env:TANDEM_SECRET_IONQ", "TANDEM_SECRET_IONQ": "any"}
            run = self.place.json("backends", "test", "ionq", "--run", "--backend", "qpu.forte-1", "--max-cost", "1", environment=settings)["run"]
            heading = ["backend", "tier", "access", "state", "level", "best for"]

            def levels():
                return {row["backend"]: row["level"] for row in self.rows(self.place.on_terminal("backends", environment=settings), heading)}
            self.assertEqual(levels()["ionq.qpu.forte-1"], "L3")
            self.assertIn("emulated run of", self.place.on_terminal("backends", "show", "ionq.qpu.forte-1", environment=settings))
            # As a real run would have left it, which nobody here has ever made.
            (self.place.data / "vendor_runs.jsonl").write_text(json.dumps({**run, "emulated": False, "level": "L4"}) + "\n")
            self.assertEqual(levels()["ionq.qpu.forte-1"], "L4 by own run")
            self.assertIn("L4 by the run of", self.place.on_terminal("backends", "show", "ionq.qpu.forte-1", environment=settings))
            (self.place.data / "vendor_runs.jsonl").write_text(json.dumps({**run, "emulated": False, "level": "L4", "adapter_version": "0"}) + "\n")
            self.assertEqual(levels()["ionq.qpu.forte-1"], "L3", "of another version of the adapter")

    def test_usage_fits_whatever_it_is_added_up_by(self):
        with self.place.device() as device:
            settings = {"TANDEM_LAB_DEVICE_URL": device.url}
            owner = "le département des " + "œuvres très " * 10 + "longues"
            job = program("lab.device", schedule={"project": "p" * 60}, business={"owner": owner})
            billed = self.place.json("run", self.place.file("job.json", job), environment=settings)["billed_usd_micros"]
            self.place.json("run", self.place.file("job.json", program("lab.device")), environment=settings)
            for by in ("tier", "backend", "project", "user", "owner"):
                rows = self.rows(self.place.on_terminal("usage", "--by", by, columns=WIDE), [by, "cost", "shots", "QPU seconds", "submissions", "jobs"])
                groups = self.place.json("usage", "--by", by)["groups"]
                self.assertEqual([row["shots"] for row in rows], [str(group["shots"]) for group in groups])
                self.assertEqual(sum(int(row["jobs"]) for row in rows), 2)
                if by == "owner":
                    self.assertEqual([row["owner"] for row in rows if row["owner"].endswith("…")][0][:30], owner[:30])
                    self.assertEqual({row["cost"] for row in rows}, {f"${billed / 1e6:.2f}"} if billed % 10_000 == 0 else {row["cost"] for row in rows})
            self.assertIn("nothing was billed", self.place.on_terminal("usage", "--from", "2020-01-01", "--to", "2020-01-02"))

    def test_approvals_fit_whoever_asks_for_them(self):
        tokens, entries = {}, []
        for user, role in ((SUBMITTER, "submitter"), ("ann", "approver")):
            made = self.place.json("token", "new", "--tenant", "acme", "--user", user, "--role", role)
            tokens[user] = made["token"]
            entries.append(made["entry"])
        with self.place.device() as device:
            settings = {"TANDEM_LAB_DEVICE_URL": device.url, "TANDEM_POLICY_FILE": self.place.file("policy.yaml", RULES),
                        "TANDEM_IDENTITY_FILE": self.place.file("identity.yaml", "tokens:\n" + "".join(entries)), "TANDEM_CLIENT_CREDENTIAL": "env:TANDEM_SECRET_TOKEN"}

            def of(user):
                return {**settings, "TANDEM_SECRET_TOKEN": tokens[user]}
            heading = ["approval", "by", "at most", "needs", "expires"]
            with self.place.serve(environment=of("ann")):
                self.assertIn("nothing waits", self.place.on_terminal("approvals", environment=of("ann")))
                for number in range(2):
                    self.place.run("submit", self.place.file("job.json", program("lab.device", name=f"number {number}")), environment=of(SUBMITTER))
                told = []
                for _ in range(100):
                    told = self.place.json("approvals", environment=of("ann"))["approvals"]
                    if len(told) == 2:
                        break
                rows = self.rows(self.place.on_terminal("approvals", environment=of("ann"), columns=WIDE), heading)
                self.assertEqual([row["approval"] for row in rows], [one["approval_id"] for one in told])
                for row, one in zip(rows, told):
                    self.assertRegex(row["at most"], r"^\$0\.\d+ \(emulated\)$")
                    self.assertEqual(row["expires"], one["expires_at"][5:10] + " " + one["expires_at"][11:16] + "Z")
                    self.assertTrue(row["needs"].startswith("2 app") and row["needs"].endswith("…") and row["by"].endswith("…"), row)
                    self.assertTrue(("user:" + SUBMITTER).startswith(row["by"].removesuffix("…")))
                wide = self.place.on_terminal("approvals", environment=of("ann"), columns=300)
                self.assertIn("2 approvers (every-machine-of-every-vendor-wants-two-of-them); 1 approver (and-whatever-costs-anything)", wide)
                self.assertIn("user:" + SUBMITTER, wide)
                self.place.run("approvals", "approve", told[0]["approval_id"], "--reason", "good", environment=of("ann"))
                self.assertRegex(self.place.on_terminal("approvals", environment=of("ann"), columns=300), r"1 said, ")
                of_job = self.rows(self.place.on_terminal("approvals", "--job", told[0]["job_id"], environment=of("ann"), columns=WIDE), ["approval", "state", "at most", "needs", "expires"])
                self.assertEqual([(row["approval"], row["state"]) for row in of_job], [(told[0]["approval_id"], "pending")])


if __name__ == "__main__":
    unittest.main()
