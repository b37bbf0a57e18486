"""`tandem explain --circuit FILE` and the speed of the machine that it goes by: machine.json, shown by `tandem doctor`."""

import json
import unittest

from support import Workplace

QUBITS = 18


def program(qubits):
    """Rotations of all qubits between two rings of cx: turns, phases and exchanges in several passes."""
    ring = "".join(f"cx q[{q}],q[{(q + 1) % qubits}];\n" for q in range(qubits))
    turns = "".join(f"ry({0.1 * (q + 1)}) q[{q}];\nrz({0.2 * (q + 1)}) q[{q}];\n" for q in range(qubits))
    return f'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[{qubits}];\n{turns}{ring}{turns}'


class CircuitCost(unittest.TestCase):
    def setUp(self):
        self.place = Workplace()
        self.addCleanup(self.place.close)

    def explained(self, *arguments):
        return json.loads(self.place.run("explain", "--circuit", self.place.file("c.qasm", program(QUBITS)), *arguments, "--json").stdout)

    def test_passes_are_told_with_what_they_have_to_do_and_their_time(self):
        for precision, number_bytes in (("f32", 4), ("f64", 8)):
            with self.subTest(precision=precision):
                circuit = self.explained("--precision", precision)["circuit"]
                self.assertEqual((circuit["qubits"], circuit["gates"]), (QUBITS, 5 * QUBITS))
                self.assertEqual(circuit["state_bytes"], 2 * number_bytes << QUBITS)
                stages = circuit["stages"]
                self.assertGreaterEqual(len(stages), 2)
                # A turn of one qubit each time, two fused operations an amplitude, but for those within dense gates: six of a pair at most.
                turns = sum(stage["turns"] + stage["lane_turns"] for stage in stages)
                self.assertLessEqual(turns, 2 * QUBITS)
                self.assertGreaterEqual(turns + 6 * sum(stage["dense_gates"] for stage in stages), 2 * QUBITS)
                self.assertGreaterEqual(circuit["fused"], 4 * QUBITS << QUBITS)
                for key in ("moved_bytes", "fused", "measured_s", "predicted_s"):
                    self.assertAlmostEqual(circuit[key], sum(stage[key] for stage in stages), delta=1e-9 * circuit[key])
                    self.assertGreater(circuit[key], 0)

    def test_the_limit_is_bytes_and_operations_at_the_speed_of_the_machine(self):
        seen = self.explained("--precision", "f64")
        circuit, machine = seen["circuit"], seen["machine"]
        self.assertEqual(circuit["memory_limit_s"], 0)  # the state fits into caches
        self.assertAlmostEqual(circuit["arithmetic_limit_s"], 1e-9 * circuit["fused"] / machine["f64"]["fused_per_ns"] / machine["threads"], delta=1e-12)
        self.assertAlmostEqual(circuit["share_of_limit"], circuit["arithmetic_limit_s"] / circuit["measured_s"], delta=1e-9)

    def test_a_plan_alone_has_no_times(self):
        circuit = self.explained("--plan-only")["circuit"]
        self.assertEqual((circuit["measured_s"], circuit["share_of_limit"]), (0, 0))
        self.assertGreater(circuit["planning_s"], 0)
        self.assertGreater(circuit["arithmetic_limit_s"], 0)

    def test_the_machine_is_measured_once_and_kept(self):
        measured = self.explained("--plan-only")["machine"]
        path = self.place.data / "machine.json"
        kept = json.loads(path.read_text())
        self.assertEqual(kept["speed"], measured)
        self.assertEqual(set(kept), {"model", "speed"})
        self.assertEqual(self.explained("--plan-only")["machine"], measured)
        told = [check for check in json.loads(self.place.run("doctor", "--json", check=False).stdout)["checks"] if "speed" in json.dumps(check)]
        self.assertEqual(len(told), 3)
        self.assertIn(f"{measured['memory_bytes_per_ns']:.3g} bytes a ns", json.dumps(told))

    def test_what_is_kept_of_another_machine_is_measured_anew(self):
        self.explained("--plan-only")
        path = self.place.data / "machine.json"
        kept = json.loads(path.read_text())
        for broken in (json.dumps({**kept, "model": "another"}), json.dumps({**kept, "speed": {**kept["speed"], "threads": 1 + kept["speed"]["threads"]}}), "{"):
            with self.subTest(broken=broken[:40]):
                path.write_text(broken)
                machine = self.explained("--plan-only")["machine"]
                self.assertEqual(machine["threads"], kept["speed"]["threads"])
                self.assertEqual(json.loads(path.read_text()), {"model": kept["model"], "speed": machine})

    def test_what_cannot_be_explained_is_refused(self):
        broken = self.place.file("broken.qasm", "OPENQASM 2.0;\nqreg q[2];\nhh q[0];\n")
        for arguments, says in (((broken,), "broken.qasm:3:1"), ((self.place.file("c.qasm", program(2)), "--precision", "f16"), "--precision")):
            done = self.place.run("explain", "--circuit", *arguments, check=False)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(says, done.stderr)


if __name__ == "__main__":
    unittest.main()
