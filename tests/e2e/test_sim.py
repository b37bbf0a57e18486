"""The program tandem-sim: the same seed gives the same history, a planted mistake is found, wrong words are refused."""

import json
import os
import pathlib
import subprocess
import unittest

PROGRAM = pathlib.Path(os.environ["TANDEM_BINARY"]).with_name("tandem-sim")


def run(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=300)


class Simulation(unittest.TestCase):
    def test_a_seed_replays_in_another_process_and_prints_what_it_expands_to(self):
        first, second = run("--seed", "7", "--json"), run("--seed", "7", "--json")
        self.assertEqual((first.returncode, first.stderr), (0, ""))
        report = json.loads(first.stdout.splitlines()[0])
        self.assertEqual(report, json.loads(second.stdout.splitlines()[0]))
        self.assertEqual((report["options"]["seed"], report["options"]["plant"], report["violation"]), (7, "none", ""))
        self.assertGreater(report["steps"], report["commits"])

    def test_seeds_can_be_counted_and_the_last_document_is_of_all_of_them(self):
        done = run("--seeds", "11..13", "--json")
        again = run("--seed", "11", "--count", "3", "--json")
        reports = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual([one["options"]["seed"] for one in reports[:-1]], [11, 12, 13])
        self.assertEqual(reports[:-1], [json.loads(line) for line in again.stdout.splitlines()[:-1]])
        total = reports[-1]
        self.assertEqual((total["seeds"], total["violations"]), (3, 0))
        self.assertEqual(total["events"], sum(one["steps"] for one in reports[:-1]))
        self.assertGreater(total["events_per_s"], 0)

    def test_a_planted_mistake_is_found_and_its_seed_finds_it_again(self):
        for plant, said in (("retry-on-ambiguous-b", r"qpu\.b billed (\w+ twice|\d+ for \w+, 0 were posted)"), ("retry-on-ambiguous-c", r"qpu\.c billed \w+ twice"),
                            ("retry-on-ambiguous-d", r"qpu\.d billed \w+ twice"), ("approve-unseen", "never saw")):
            with self.subTest(plant):
                done = run("--plant", plant, "--json")
                self.assertEqual(done.returncode, 1)
                found = json.loads(done.stdout.splitlines()[-2])
                self.assertRegex(found["violation"], said)
                again = run("--plant", plant, "--seed", str(found["options"]["seed"]), "--trace")
                self.assertEqual(again.returncode, 1)
                self.assertIn(found["violation"], again.stdout)

    def test_vendors_of_every_class_stand_beside_each_other(self):
        done = run("--count", "30", "--json")
        reports = [json.loads(line) for line in done.stdout.splitlines()]
        for one in reports[:-1]:
            ids = [vendor["id"] for vendor in one["options"]["vendors"]]
            self.assertEqual(ids, sorted(set(ids)))
            for vendor in one["options"]["vendors"]:
                self.assertEqual(vendor["id"], f"qpu.{vendor['safety'].lower()}")
        self.assertTrue(any(len(one["options"]["vendors"]) == 4 for one in reports[:-1]))
        self.assertGreater(reports[-1]["vendors"]["class B: answers after another vendor was left"], 0)
        self.assertFalse(any(name.startswith(("class B: sent again", "class C: sent again", "class D: sent again")) for name in reports[-1]["vendors"]))

    def test_what_did_not_occur_is_an_error_only_where_all_is_asked_for(self):
        for arguments, code in ((["--seed", "7"], 0), (["--seed", "7", "--require-coverage"], 1)):
            done = run(*arguments)
            self.assertEqual(done.returncode, code)
            self.assertIn("\nnot covered: ", done.stdout)
            self.assertEqual("did not occur in these seeds" in done.stderr, code == 1)

    def test_wrong_words_are_refused(self):
        for arguments, said in ((["--seed", "x"], "--seed"), (["--seeds", "5..4"], "1..2000"), (["--seeds", "1.."], "1..2000"),
                                (["--plant", "tree"], "fence-dropped"), (["--lunch"], "--lunch"), (["lunch"], "lunch"),
                                (["--seed", "1", "lunch"], "lunch"), (["--count", "0"], "from 1"), (["--count", "-1"], "from 1"),
                                (["--count", "18446744073709551616"], "from 1"), (["--count", "2x"], "from 1"), (["--count"], "--count"),
                                (["--seconds", "-1"], "seconds"), (["--seconds", "1.5"], "seconds")):
            with self.subTest(arguments):
                done = run(*arguments)
                self.assertEqual((done.returncode, done.stdout), (2, ""))
                self.assertRegex(done.stderr, r"^tandem-sim: .*usage.*")
                self.assertIn(said, done.stderr)

    def test_what_cannot_be_printed_is_an_error(self):
        for arguments in (["--seed", "1"], ["--seed", "1", "--json"], ["--seed", "1", "--trace"], ["--help"]):
            with self.subTest(arguments), open("/dev/full", "w") as full:
                done = subprocess.run([PROGRAM, *arguments], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
                self.assertEqual(done.returncode, 8)
                self.assertIn("standard output cannot be written", done.stderr)

    def test_a_count_beyond_the_last_seed_ends_with_it(self):
        done = run("--seed", "18446744073709551614", "--count", "5", "--json")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(json.loads(done.stdout.splitlines()[-1])["seeds"], 2)


if __name__ == "__main__":
    unittest.main()
