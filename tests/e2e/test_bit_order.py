"""One order of bits from a problem, or a circuit with registers, through every vendor to the result: the solver, the state vector, the emulated
device and the emulated IonQ.

What is asymmetric is asymmetric in every way: the optimum is no palindrome, nor is its complement; each bit of the circuit has a probability of its
own, computed here by hand; the registers have different sizes and are measured across each other."""

import itertools
import json
import math
import unittest

from support import Workplace

KEY = "key-of-the-bits"
BACKENDS = ["simulator.statevector", "lab.device", "ionq.simulator", "ionq.qpu.forte-1"]
SOLVER = "cpu.tabu"  # which proves nothing, so that a core is left


class BitOrder(unittest.TestCase):
    def setUp(self):
        self.place = Workplace()
        self.addCleanup(self.place.close)
        device = self.place.device()
        cloud = self.place.ionq("--api-key", KEY)
        urls = device.__enter__().url, cloud.__enter__().url
        self.addCleanup(device.__exit__, None, None, None)
        self.addCleanup(cloud.__exit__, None, None, None)
        self.environment = {"TANDEM_LAB_DEVICE_URL": urls[0], "TANDEM_IONQ_URL": urls[1], "TANDEM_IONQ_CREDENTIAL": "env:TANDEM_SECRET_IONQ",
                            "TANDEM_SECRET_IONQ": KEY, "TANDEM_IONQ_POLL": "20ms", "TANDEM_IONQ_BACKENDS": "simulator, qpu.forte-1"}

    def run_job(self, job):
        return self.place.json("run", self.place.file("job.json", job), environment=self.environment)

    def solved(self, linear, quadratic, mode):
        """Of the result of a QUBO; what is best is found here as well, by trying all."""
        n = len(linear)

        def energy(x):
            return sum(h * b for h, b in zip(linear, x)) + sum(w * x[i] * x[j] for i, j, w in quadratic)

        ranked = sorted(itertools.product((0, 1), repeat=n), key=energy)
        self.assertLess(energy(ranked[0]), energy(ranked[1]), "the optimum has to be the only one")
        result = self.run_job({
            "problem": {"type": "qubo", "num_variables": n, "linear": linear, "quadratic": quadratic, "sense": "min"},
            "policy": {"backends": [SOLVER, *BACKENDS]},
            "refinement": {"mode": mode, "core_max": n, "layers": 6, "shots": 1000, "rounds": 1},
            "limits": {"time": "100ms", "cost_max_usd_micros": 50_000_000},
            "seed": 5})
        self.assertEqual(result["best"]["solution"], "".join(map(str, ranked[0])))
        return result

    def test_the_optimum_of_three_variables_is_100_as_x_on_the_first_of_three_qubits(self):
        best = self.solved([-3, 2, 1], [[0, 1, 1], [0, 2, 1.5], [1, 2, 0.5]], "off")["best"]["solution"]
        self.assertEqual(best, "100")
        on = self.circuit('OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[3];\ncreg c[3];\nx q[0];\nmeasure q -> c;\n')
        for backend in BACKENDS:
            shares = self.shares(on(backend))
            self.assertEqual(max(shares, key=shares.get), best, backend)

    def test_what_a_solver_proves_of_five_variables_is_what_every_vendor_samples_most(self):
        spins = {(0, 1): 3, (0, 2): 1, (0, 3): 2, (0, 4): 1, (1, 2): -2, (1, 3): 2, (1, 4): 2, (2, 3): 2, (2, 4): 1, (3, 4): 3}
        linear = [2 * h for h in (-1, -0.5, 1, -1, 1)]
        for (i, j), weight in spins.items():  # spins are 2x - 1
            linear[i] -= 2 * weight
            linear[j] -= 2 * weight
        result = self.solved(linear, [[i, j, 4 * weight] for (i, j), weight in spins.items()], "required")
        self.assertEqual(result["best"]["solution"], "10010")
        self.assertEqual(result["refinement"]["core_size"], 5)
        arms = {arm["backend"]: arm for arm in result["refinement"]["arms"] if arm["arm"] == "qaoa"}
        self.assertEqual({name: arm["status"] for name, arm in arms.items()}, dict.fromkeys(BACKENDS, "done"))
        # Read in another order it would be the share of another assignment, which is one of 32 at random.
        ideal = arms["simulator.statevector"]["p_optimum"]
        self.assertGreater(ideal, 0.4)
        self.assertAlmostEqual(arms["ionq.simulator"]["p_optimum"], ideal, delta=0.08)
        for name in ("lab.device", "ionq.qpu.forte-1"):  # which err
            self.assertGreater(arms[name]["p_optimum"], 0.2, name)

    def circuit(self, text):
        """A job of a circuit file, that only `backend` may run."""
        document = json.loads(self.place.run("convert", self.place.file("registers.qasm", text), "--as", "job", "--to", "json").stdout)
        for pub in document["program"]["pubs"]:
            pub["shots"] = 2000
        document["limits"]["cost_max_usd_micros"] = 50_000_000

        def on(backend):
            document["policy"] = {"backends": [backend]}
            return self.run_job(document)["pubs"][0]["bindings"][0]
        return on

    def shares(self, answer):
        """Of each canonical string, whether the vendor gives counts or probabilities."""
        values = answer.get("counts", answer.get("probabilities"))
        total = sum(values.values())
        return {text: value / total for text, value in values.items()}

    def test_registers_of_different_sizes_that_are_measured_across_each_other(self):
        # Bits of the result: left[0], left[1], right[0], right[1], right[2], as the registers were declared.
        angles = {"a[0]": 0.4, "a[1]": 1.0, "b[0]": 1.6, "b[1]": 2.2, "b[2]": 2.8}
        measured = [("b[2]", "left[0]"), ("a[0]", "left[1]"), ("b[0]", "right[0]"), ("a[1]", "right[1]"), ("b[1]", "right[2]")]
        on = self.circuit('OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg a[2];\nqreg b[3];\ncreg left[2];\ncreg right[3];\n'
                          + "".join(f"ry({angle}) {qubit};\n" for qubit, angle in angles.items())
                          + "".join(f"measure {qubit} -> {bit};\n" for qubit, bit in measured))
        wanted = [math.sin(angles[qubit] / 2) ** 2 for qubit, _ in measured]
        self.assertGreater(min(abs(x - y) for x, y in itertools.combinations(wanted, 2)), 0.15)
        for backend in BACKENDS:
            shares = self.shares(on(backend))
            ones = [sum(share for text, share in shares.items() if text[bit] == "1") for bit in range(5)]
            for bit, (got, want) in enumerate(zip(ones, wanted)):
                self.assertAlmostEqual(got, want, delta=0.06, msg=f"bit {bit} of {backend}: {ones}")

    def test_a_one_on_a_qubit_of_each_register_is_10010_everywhere(self):
        on = self.circuit('OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg a[2];\nqreg b[3];\ncreg left[2];\ncreg right[3];\nx a[0];\nx b[1];\n'
                          "measure a -> left;\nmeasure b -> right;\n")
        for backend in BACKENDS:
            shares = self.shares(on(backend))
            self.assertEqual(max(shares, key=shares.get), "10010", backend)
            self.assertGreater(shares["10010"], 0.8, backend)


if __name__ == "__main__":
    unittest.main()
