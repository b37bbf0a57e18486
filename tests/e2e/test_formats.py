"""Files that other programs write and read: their own code is the judge."""

import itertools
import json
import unittest

from support import Workplace

try:
    import dimod
    from dimod.serialization import coo
except ImportError:
    dimod = None


@unittest.skipIf(dimod is None, "dimod is not installed; ./dev test installs it into build/venv")
class Coordinates(unittest.TestCase):
    def setUp(self):
        self.place = Workplace()
        self.addCleanup(self.place.close)

    def test_what_dimod_writes_is_read_with_the_same_energies_and_what_we_write_it_reads(self):
        models = [dimod.BinaryQuadraticModel({0: -1, 1: 0, 2: 2.5}, {(0, 1): 1, (1, 2): -4.5}, "BINARY"),
                  dimod.BinaryQuadraticModel({0: 1, 1: 2, 2: 0, 3: 0.125}, {(0, 1): -1, (0, 3): 0.5}, "SPIN")]
        models += [dimod.generators.ran_r(8, 6, seed=seed) for seed in range(2)]
        for number, model in enumerate(models):
            with self.subTest(number=number):
                text = coo.dumps(model, vartype_header=True)
                document = json.loads(self.place.run("convert", self.place.file("model.txt", text + "\n"), "--to", "json").stdout)
                spins = model.vartype is dimod.SPIN
                self.assertEqual(document["type"], "ising" if spins else "qubo")
                linear, quadratic = document["h" if spins else "linear"], document["j" if spins else "quadratic"]
                again = coo.loads(self.place.run("convert", self.place.file("model.json", json.dumps(document)), "--to", "coo").stdout)
                self.assertIs(again.vartype, model.vartype)
                for values in itertools.product((-1, 1) if spins else (0, 1), repeat=len(linear)):
                    energy = sum(h * x for h, x in zip(linear, values)) + sum(j * values[u] * values[v] for u, v, j in quadratic)
                    self.assertAlmostEqual(model.energy({v: values[v] for v in model.variables}), energy, places=9)
                    self.assertAlmostEqual(again.energy(dict(enumerate(values))), energy, places=9)

    def test_numbers_of_any_size_come_through_dimod_unchanged(self):
        problem = {"type": "qubo", "num_variables": 4, "linear": [1e-9, 0, 3e21, 0], "quadratic": [[0, 3, 1 / 3]], "sense": "min"}
        model = coo.loads(self.place.run("convert", self.place.file("p.json", json.dumps(problem)), "--to", "coo").stdout)
        self.assertEqual(dict(model.linear), {0: 1e-9, 1: 0, 2: 3e21, 3: 0})
        self.assertEqual(dict(model.quadratic), {(3, 0): 1 / 3})


if __name__ == "__main__":
    unittest.main()
