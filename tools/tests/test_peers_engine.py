"""tools/peers/engine: figures stand beside the settings they were taken with, ratios are of the right sides, and what was not judged is no success."""

import contextlib
import io
import json
import pathlib
import sys
import tempfile
import types
import unittest
import unittest.mock

from scripts import module

PEERS = module("tools/peers/engine")

POSTGRES = {"admit_only/clients:8": {"jobs_per_s": 1001}, "admit_in_bulk": {"jobs_per_s": 1002}, "backlog_drained": {"jobs_per_s": 1003},
            "postgres_cycle/clients:64/nodes:1/workers:2": {"jobs_per_s": 1004}, "postgres_cycle/clients:64/nodes:2/workers:2": {"jobs_per_s": 1005},
            "pickup": {"pickup_p50_ms": 1.5, "pickup_p99_ms": 2.5}}
SQLITE = {"full_cycle/clients:64/steps:0/workers:2": {"jobs_per_s": 2001}, "full_cycle/clients:64/steps:3/workers:2": {"steps_per_s": 2002},
          "full_cycle/clients:64/steps:3/workers:16": {"steps_per_s": 2003}, "one_by_one/steps:3": {"cycle_p50_ms": 3.5, "cycle_p99_ms": 4.5}}


def row(program, kind, **figures):
    return {"program": program, "kind": kind, "settings": "", "figures": figures}


class Rows(unittest.TestCase):
    def where(self, rows):
        """The settings of each figure; a figure that stands in two rows is none that was measured once."""
        out = {}
        for one in rows:
            for value in one["figures"].values():
                self.assertNotIn(value, out)
                out[value] = one["settings"]
        return out

    def test_a_figure_on_postgresql_stands_once_and_beside_what_ran(self):
        self.assertEqual(self.where(PEERS.postgres_rows(POSTGRES)), {
            1001: "1 node of --role api: no workers", 1002: "1 node of --role api: no workers",
            1003: "a node without workers, another with 2 (defaults)", 1.5: "a node without workers, another with 2 (defaults)",
            2.5: "a node without workers, another with 2 (defaults)", 1004: "1 node, 2 workers (defaults)", 1005: "2 nodes, 2 workers each"})

    def test_a_figure_on_sqlite_stands_once_and_beside_what_ran(self):
        two = "2 workers (default)"
        self.assertEqual(self.where(PEERS.sqlite_rows(SQLITE)), {2001: two, 2002: two, 3.5: two, 4.5: two, 2003: "16 workers"})

    def test_a_benchmark_that_gave_no_figure_is_a_failure(self):
        for name in POSTGRES:
            for broken in ({k: v for k, v in POSTGRES.items() if k != name}, {**POSTGRES, name: {}},
                           {**POSTGRES, name: dict.fromkeys(POSTGRES[name], 0)}, {**POSTGRES, name: dict.fromkeys(POSTGRES[name], float("nan"))}):
                with self.subTest(name), self.assertRaises(PEERS.Failed) as failed:
                    PEERS.postgres_rows(broken)
                self.assertIn(f"'{'pickup_p50_ms' if name == 'pickup' else 'jobs_per_s'}'", str(failed.exception))

    def test_restate_is_shown_at_its_defaults_and_at_its_best_of_all(self):
        def one(partitions, clients, steps):
            return {"partitions": partitions, "clients": clients, "figures": {"steps": steps, "steps_p50": 1}}
        tried = [one(None, 16, 100), one(None, 32, 300), one(None, 64, 200), one(4, 16, 400), one(4, 32, 350)]
        rows = PEERS.restate_rows(tried)
        self.assertEqual([(r["kind"], r["settings"], r["figures"]["steps"]) for r in rows],
                         [("default", "defaults; steps /s with 32 clients (of 16, 32, 64)", 300),
                          ("best", "4 partitions; steps /s with 16 clients (of 16, 32, 64)", 400)])
        self.assertEqual([len(r["tried"]) for r in rows], [3, 5])
        tried[3]["figures"]["steps"] = 1  # then its defaults are its best
        self.assertEqual([r["figures"]["steps"] for r in PEERS.restate_rows([*tried[:3], tried[3]])], [300, 300])


def whole(**changed):
    """Rows in which Tandem is exactly as many times better as the goal says, but for what is changed of ours."""
    queue = dict(insert=100, bulk=100, cycle=100, drain=100, pickup_p50=12, pickup_p99=12)
    steps = dict(steps_p50=12, steps_p99=12, steps=100)
    ours = {key: 10 if key in PEERS.LOWER_IS_BETTER else 120 for key in queue | steps} | changed
    return [row("Tandem, PostgreSQL", "default", **{key: ours[key] for key in queue}), row("Tandem, SQLite", "default", **{key: ours[key] for key in steps}),
            row("River", "default", **queue, **steps), row("graphile-worker", "default", **queue), row("Restate", "default", **steps),
            row("pgbench INSERT", "begin", insert=1e9), row("fdatasync loop", "begin", insert=1e9)]


class Ratios(unittest.TestCase):
    def ratios(self, rows, missing=None):
        return {(one["what"], one["kind"]): one for one in PEERS.compare(rows, missing or {})}

    def test_the_goal_itself_is_met_and_less_is_not(self):
        ratios = PEERS.compare(whole(), {})
        self.assertEqual({(one["what"], one["kind"]) for one in ratios if one["met"]}, {(key, "best") for key in PEERS.JUDGED})
        self.assertEqual({one["met"] for one in ratios}, {True, None})
        self.assertEqual(len(ratios), 2 * (len(PEERS.COLUMNS) - 1))
        self.assertIsNone(PEERS.verdict(ratios))
        for key in (key for key, _ in PEERS.COLUMNS if key != "load"):
            worse = 10.1 if key in PEERS.LOWER_IS_BETTER else 119
            with self.subTest(key):
                ratios = PEERS.compare(whole(**{key: worse}), {})
                self.assertEqual({(one["what"], one["kind"]) for one in ratios if one["met"] is False}, {(key, "best")} if key in PEERS.JUDGED else set())
                self.assertEqual(PEERS.verdict(ratios), "1 of 4 ratios are below 1.2" if key in PEERS.JUDGED else None)

    def test_the_best_of_each_side_counts_and_defaults_beside_defaults(self):
        rows = [*whole(), row("Tandem, PostgreSQL", "2 nodes", cycle=300), row("River", "best", cycle=200, pickup_p50=5)]
        ratios = self.ratios(rows)
        self.assertEqual([ratios["cycle", "best"][key] for key in ("tandem", "peer", "peer_name", "ratio", "met")], [300, 200, "River, best", 1.5, True])
        self.assertEqual([ratios["cycle", "default"][key] for key in ("tandem", "peer", "ratio")], [120, 100, 1.2])
        self.assertEqual([ratios["pickup_p50", "best"][key] for key in ("peer", "ratio", "goal", "met")], [5, 0.5, None, None])
        self.assertIsNone(ratios["cycle", "default"]["goal"])

    def test_steps_are_those_on_sqlite_and_queues_those_on_postgresql(self):
        rows = [*whole(), row("Tandem, PostgreSQL", "default", steps=1e6), row("Tandem, SQLite", "default", cycle=1e6)]
        ratios = self.ratios(rows)
        self.assertEqual((ratios["steps", "best"]["tandem"], ratios["cycle", "best"]["tandem"]), (120, 120))

    def test_what_a_missing_peer_might_have_made_worse_is_not_judged(self):
        for program, columns in PEERS.MEASURED.items():
            with self.subTest(program):
                rows = [one for one in whole() if one["program"] != program]
                ratios = PEERS.compare(rows, {program: "npm is not here"})
                self.assertEqual({one["what"] for one in ratios if one["goal"] and one["met"] is None}, set(columns) & set(PEERS.JUDGED))
                self.assertEqual({one["what"] for one in ratios if one["met"]}, set(PEERS.JUDGED) - set(columns))
                self.assertIn(f"are not judged, for want of {program} (npm is not here)", PEERS.verdict(ratios))

    def test_a_ratio_that_is_too_small_is_a_miss_whoever_is_missing(self):
        ratios = self.ratios([one for one in whole(cycle=50) if one["program"] != "River"], {"River": "why"})
        self.assertEqual((ratios["cycle", "best"]["met"], ratios["steps", "best"]["met"]), (False, None))

    def test_without_tandem_or_without_any_peer_nothing_is_judged(self):
        for absent in (["Tandem"], list(PEERS.MEASURED)):
            with self.subTest(absent):
                rows = [one for one in whole() if not one["program"].startswith(tuple(absent))]
                ratios = PEERS.compare(rows, dict.fromkeys(absent, "not asked for"))
                self.assertEqual({one["met"] for one in ratios}, {None})
                self.assertIn("4 are not judged", PEERS.verdict(ratios))

    def test_a_figure_that_nobody_excuses_is_a_failure(self):
        rows = whole()
        del rows[0]["figures"]["drain"]
        with self.assertRaises(PEERS.Failed):
            PEERS.compare(rows, {})


class Run(unittest.TestCase):
    """main() with measurements that are made up."""

    def run_main(self, rows, without=()):
        class Made:
            def __init__(self, *_):
                self.rows, self.missing = [], {}

            def baselines(self, _):
                self.rows += [one for one in rows if one["program"].startswith(("pgbench", "fdatasync"))]

            def measure(self, program, name):
                if name in without:
                    raise PEERS.Missing("no such package\nand more")
                self.rows += [one for one in rows if one["program"].startswith(program)]

        for word, program in (("tandem_postgres", "Tandem, PostgreSQL"), ("tandem_sqlite", "Tandem, SQLite"), ("river", "River"),
                              ("graphile", "graphile"), ("restate", "Restate")):
            setattr(Made, word, lambda self, program=program, word=word: self.measure(program, word))
        out, err = io.StringIO(), io.StringIO()
        with tempfile.TemporaryDirectory() as folder, unittest.mock.patch.multiple(
                PEERS, Comparison=Made, subprocess=types.SimpleNamespace(run=lambda *_, **__: None, CalledProcessError=OSError)), unittest.mock.patch.object(
                sys, "argv", ["engine", "--json", f"{folder}/rows.json"]), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = PEERS.main()
            return status, out.getvalue(), err.getvalue(), json.loads(pathlib.Path(f"{folder}/rows.json").read_text())

    def test_all_goals_met_ends_with_0(self):
        status, out, err, document = self.run_main(whole())
        self.assertEqual((status, err), (0, ""))
        self.assertEqual(out.count("  met "), 4)
        self.assertEqual({one["met"] for one in document["ratios"] if one["goal"]}, {True})

    def test_a_miss_ends_with_1_and_says_so(self):
        status, out, err, _ = self.run_main(whole(cycle=1))
        self.assertEqual(status, 1)
        self.assertEqual(out.count("NOT MET "), 1)
        self.assertIn("1 of 4 ratios are below 1.2", err)

    def test_a_peer_that_cannot_be_had_ends_with_1_and_says_so(self):
        status, out, err, document = self.run_main(whole(), without=("restate",))
        self.assertEqual(status, 1)
        self.assertIn("MISSING Restate: no such package", out)
        self.assertIn("3 are not judged, for want of Restate (no such package)", err)
        self.assertEqual(document["missing"], {"Restate": "no such package"})


if __name__ == "__main__":
    unittest.main()
