"""tools/bench/solvers and tools/peers/solvers judge what runs say: values, proofs and bounds beside best-known ones."""

import itertools
import json
import pathlib
import tempfile
import unittest

from scripts import module

BENCH = module("tools/bench/solvers")
PEERS = module("tools/peers/solvers")


def outcome(objective, sense="min", **others):
    return {"objective": objective, "sense": sense, "feasible": True, "proved": False, "bound": None, "seed": 1, "variables": 3, "seconds": 0.5,
            "cpu_s": 0.5, "history": [(0.25, objective)], **others}


class Summary(unittest.TestCase):
    def summary(self, *runs, best=-10):
        return BENCH.summary(BENCH.Instance("family", "name", pathlib.Path("file"), best, 1), list(runs), 1)

    def test_runs_become_a_row(self):
        row = self.summary(outcome(-10, bound=-12), outcome(-9))
        self.assertEqual((row["best"], row["worst"], row["reached"], row["reached_best"], row["gap_percent"]), (-10, -9, 1, 1, 10))

    def test_what_contradicts_the_best_known_value_ends_the_run(self):
        cases = [([outcome(-11)], -10, "better than the best-known"), ([outcome(-9, proved=True, bound=-9)], -10, "proved -9, worse"),
                 ([outcome(-10, bound=-9.5)], -10, "the bound -9.5"), ([outcome(9, "max", proved=True, bound=9)], 10, "proved 9, worse"),
                 ([outcome(10, "max", bound=9)], 10, "the bound 9"), ([outcome(11, "max")], 10, "better than the best-known"),
                 ([outcome(-10), outcome(-10, feasible=False)], -10, "not feasible"), ([outcome(-3)], None, "not proved"),
                 ([outcome(-3, proved=True), outcome(-4, proved=True)], None, "proofs of different values"),
                 ([outcome(-3, proved=True), outcome(-4)], None, "better than the best-known")]
        for runs, best, says in cases:
            with self.subTest(says=says), self.assertRaises(SystemExit) as ended:
                self.summary(*runs, best=best)
            self.assertIn(says, str(ended.exception))

    def test_a_bound_of_a_proof_on_the_right_side_is_no_contradiction(self):
        self.summary(outcome(-10, proved=True, bound=-10), outcome(-10, bound=-10 - 1e-12))
        self.summary(outcome(10, "max", proved=True, bound=10), outcome(9, "max", bound=11), best=10)

    def test_each_row_is_in_the_file_before_the_next_one(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "new/rows.json"
            rows = BENCH.Rows(path, {"seeds": 2})
            for k in range(3):
                rows.add({"k": k})
                self.assertEqual(json.loads(path.read_text()), {"seeds": 2, "rows": [{"k": i} for i in range(k + 1)]})
            self.assertEqual([one.name for one in path.parent.iterdir()], ["rows.json"])


class Qubos(unittest.TestCase):
    """What the peers get in place of an independent set or a sequence has the same optimum, by all assignments."""

    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = pathlib.Path(scratch.name)
        self.path = self.folder / "qubo"

    def least(self, constant):
        terms, maximised = PEERS.read_qbsolv(self.path)
        self.assertFalse(maximised)
        n = 1 + max(max(i, j) for i, j, _ in terms)
        return min(PEERS.energy(terms, "".join(bits)) + constant for bits in itertools.product("01", repeat=n))

    def test_sequences(self):
        for n in (3, 4):
            plain = min(sum(sum(s[i] * s[i + k] for i in range(n - k)) ** 2 for k in range(1, n)) for s in itertools.product((-1, 1), repeat=n))
            self.assertEqual(self.least(PEERS.labs_qubo(n, self.path)), plain)

    def test_independent_sets(self):
        graph = self.folder / "graph"
        graph.write_text("c a cycle of five and a node that hangs on it\np edge 6 6\ne 1 2\ne 2 3\ne 3 4\ne 4 5\ne 5 1\ne 1 6\n")
        self.assertEqual(self.least(PEERS.independent_set_qubo(graph, self.path)), -3)

    def test_the_sense_is_read(self):
        self.path.write_text("c tandem problem=qubo sense=max negated=1\np qubo 0 2 1 1\n0 0 52\n0 1 -3\n")
        self.assertEqual(PEERS.read_qbsolv(self.path), ([(0, 0, 52.0), (0, 1, -3.0)], True))


if __name__ == "__main__":
    unittest.main()
