"""The example that the product is told by, run as a user runs it: plan, approval, a failing IonQ, the simulator, bill and lineage."""

import csv
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

from support import BINARY, ROOT, book_lines, validate, validate_event

EXAMPLE = ROOT / "examples" / "pilot"
IONQ, SIMULATOR = "ionq.qpu.forte-1", "simulator.statevector"
# Every neighbour's pair is cut with probability 3/4 at these angles (one layer of QAOA on a ring), so a shot cuts 3 on average. The number
# cut is 0, 2 or 4, with variance at most 4; the mean of 1,000 shots lies within 0.4 but once in more than 10^9 times.
RING, MEAN_CUT, MEAN_CUT_OFF_MAX = 4, 3.0, 0.4


class Pilot(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.mkdtemp(prefix="tandem-pilot-")
        cls.addClassCleanup(shutil.rmtree, cls.scratch, ignore_errors=True)
        cls.folder = pathlib.Path(cls.scratch) / "pilot"
        environment = {**{k: v for k, v in os.environ.items() if not k.startswith("TANDEM_")}, "TANDEM_BINARY": BINARY}
        cls.environment = {**environment, "TANDEM_POLICY_FILE": "/nowhere"}  # the user's own settings are not the example's
        cls.done = subprocess.run([EXAMPLE / "run", cls.folder], capture_output=True, text=True, timeout=240, env=cls.environment)
        assert cls.done.returncode == 0, cls.done.stdout + cls.done.stderr
        cls.events = [json.loads(line) for line in (cls.folder / "events.jsonl").read_text().splitlines()]
        cls.job = cls.events[0]["job_id"]

    def document(self, name, schema=None):
        document = json.loads((self.folder / f"{name}.json").read_text())
        if schema:
            validate(document, schema)
        return document

    def one(self, event_type):
        (event,) = [event for event in self.events if event["type"] == event_type]
        return event

    def test_the_job_is_approved_by_somebody_else_at_the_plan_that_was_shown(self):
        plan, approval = self.document("plan", "plan"), self.document("approval", "approval")
        self.assertEqual((approval["state"], approval["submitted_by"]), ("approved", "user:sue"))
        (word,) = approval["decisions"]
        self.assertEqual((word["actor"], word["decision"]), ("user:ann", "approve"))
        self.assertEqual(approval["plan_digest"], plan["digest"])
        self.assertEqual(approval["cost_max_emulated_usd_micros"], plan["cost_max_needed_emulated_usd_micros"])
        self.assertEqual(approval["cost_max_usd_micros"], 0, "an emulator takes no money")
        self.assertRegex(self.done.stdout, r"(?s)sue\$ tandem approvals approve.*\[4105 self_approval\].*ann\$ tandem approvals approve")
        self.assertIn("requires_simulation", self.done.stdout, "the rehearsal was wanted first")

    def test_ionq_took_the_work_and_failed_and_the_simulator_answered(self):
        lines = book_lines(self.folder / "ionq.book")
        self.assertEqual([line["line"] for line in lines if line["line"] != "opened"], ["accepted", "ended"])
        ended = next(line for line in lines if line["line"] == "ended")
        self.assertEqual(ended["status"], "completed", "it did the work; only its answer never came")
        result = self.document("result", "result")
        self.assertEqual((result["job_id"], result["status"]), (self.job, "succeeded"))
        self.assertEqual([(s["backend"], s["outcome"]) for s in result["path"]], [(IONQ, "left"), (SIMULATOR, "answered")])
        ((binding,),) = [pub["bindings"] for pub in result["pubs"]]
        self.assertEqual(sum(binding["counts"].values()), 1000)
        cut = sum(count * sum(bits[i] != bits[(i + 1) % RING] for i in range(RING)) for bits, count in binding["counts"].items()) / 1000
        self.assertAlmostEqual(cut, MEAN_CUT, delta=MEAN_CUT_OFF_MAX)
        theirs = {format(int(outcome), f"0{RING}b"): count for outcome, count in ended["histogram"].items()}
        self.assertNotEqual(binding["counts"], theirs)

    def test_the_bill_is_what_the_book_says_in_play_money(self):
        book = {line["token"]: line["billed_usd_micros"] for line in book_lines(self.folder / "ionq.book") if line["line"] == "ended"}
        (in_doubt,) = self.document("submissions_in_doubt", "submission_page")["submissions"]
        self.assertEqual((in_doubt["state"], in_doubt["billed_usd_micros"], in_doubt["sends"]), ("held", None, 1))
        self.assertEqual(in_doubt["reserved_usd_micros"], book[in_doubt["token"]])
        (found,) = self.document("submissions", "submission_page")["submissions"]
        self.assertEqual((found["state"], found["sends"], found["emulated"]), ("orphan", 1, True))
        self.assertEqual({found["token"]: found["billed_usd_micros"]}, book)
        (group,) = self.document("usage", "usage")["groups"]
        self.assertEqual((group["name"], group["emulated"], group["cost_usd_micros"]), (IONQ, True, sum(book.values())))
        (row,) = csv.DictReader((self.folder / "bill.csv").read_text().splitlines())
        self.assertEqual((row["BilledCost"], row["x_Emulated"]), ("0.000000", "true"))
        self.assertEqual(round(float(row["x_EmulatedCost"]) * 1e6), sum(book.values()))

    def test_the_lineage_names_every_path_and_the_work_that_nobody_used(self):
        lineage = self.document("lineage", "lineage")
        (work,) = lineage["work"]
        self.assertEqual((work["backend"], work["emulated"]), (SIMULATOR, False))
        self.assertEqual([(s["backend"], s["outcome"]) for s in work["path"]], [(IONQ, "left"), (SIMULATOR, "answered")])
        self.assertEqual([d["actor"] for d in lineage["approval"]["decisions"]], ["user:ann"])
        self.assertEqual(lineage["plan"]["digest"], self.document("plan")["digest"])
        (orphan,) = lineage["orphans"]
        self.assertEqual((orphan["backend"], orphan["emulated"]), (IONQ, True))
        (found,) = self.document("submissions")["submissions"]
        self.assertEqual([orphan[k] for k in ("token", "handle", "billed_usd_micros")], [found[k] for k in ("token", "handle", "billed_usd_micros")])

    def test_the_events_tell_the_story_in_order_and_can_be_sent_on(self):
        for event in self.events:
            validate_event(event)
        self.assertEqual({event["job_id"] for event in self.events}, {self.job})
        numbers = [event["sequence"] for event in self.events]
        self.assertEqual(numbers, sorted(set(numbers)))
        self.assertEqual([event["type"] for event in self.events],
                         ["job.queued", "job.started", "job.planned", "approval.requested", "job.awaiting_approval", "approval.decided", "job.approved",
                          "job.started", "round.started", "submission.reserved", "submission.intent", "submission.confirmed", "submission.held",
                          "step.finished", "job.succeeded", "submission.orphan"])
        self.assertEqual([self.one(t)["actor"] for t in ("job.queued", "approval.decided", "submission.orphan")], ["user:sue", "user:ann", "reconciler"])

    def test_what_is_emulated_says_so_and_no_token_is_printed_or_kept_in_the_open(self):
        shown = re.sub(r"\x1b\[\d*m", "", self.done.stdout)
        self.assertIn("emulated IonQ cloud (not hardware)", shown)
        self.assertIn(f"{IONQ} (emulated) runs it", shown)
        self.assertRegex(shown, rf"{re.escape(IONQ)} \(emulated\) +\$1\.44")
        for user in ("sue", "ann"):
            path = self.folder / f"{user}.token"
            self.assertEqual(path.stat().st_mode & 0o077, 0)
            token = path.read_text().strip()
            for other in self.folder.glob("*.*"):
                if other.is_file() and other != path:
                    self.assertNotIn(token, other.read_text(errors="replace"), other.name)
            self.assertNotIn(token, shown + self.done.stderr)

    def test_the_readme_shows_a_run_of_this_very_script(self):
        """Its lines are those of this run, but for what no two runs share: ids, times, hashes and ports."""
        def bare(text):
            text = re.sub(r"\x1b\[\d*m", "", text)
            for pattern in (r"(job|apr)_[0-9a-f-]+", r"[0-9a-f]{8}-[0-9a-f-]{27}", r"[0-9a-f]{64}", r"127\.0\.0\.1:\d+", r"\d{4}-\d\d-\d\d(T\S+)?",
                            r"[\d.]+ (ms|s|us)\b", r"(on|in) /\S+", r"step's time \(.*?\); cancelling"):
                text = re.sub(pattern, "*", text)
            return [line.strip() for line in text.splitlines() if line.strip()]

        readme = (EXAMPLE / "README.md").read_text()
        (shown,) = re.findall(r"```text\n(.*?)```", readme, re.S)
        self.assertEqual(bare(shown), bare(self.done.stdout))

    def test_a_folder_of_somebody_else_is_left_alone(self):
        theirs = pathlib.Path(self.scratch) / "theirs"
        theirs.mkdir()
        (theirs / "thesis.txt").write_text("mine")
        done = subprocess.run([EXAMPLE / "run", theirs], capture_output=True, text=True, timeout=60, env=self.environment)
        self.assertEqual(done.returncode, 1)
        self.assertEqual((theirs / "thesis.txt").read_text(), "mine")


if __name__ == "__main__":
    unittest.main()
