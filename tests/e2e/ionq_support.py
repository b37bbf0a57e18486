"""What the tests of IonQ share: circuits that both sides can say, and a work place with an emulated cloud."""

import json
import math
import unittest

from support import Workplace, book_lines

KEY = "a-key-of-the-emulator"
X_ON_0 = {"qubits": 3, "clbits": 3, "gates": [["x", [0], []]], "measure": [(0, 0), (1, 1), (2, 2)], "shots": 200, "gateset": "qis"}
# Registers of two and three bits; bit 0 of the first and bit 1 of the second.
REGISTERS = {"qubits": 5, "clbits": 5, "gates": [["x", [0], []], ["x", [3], []]], "measure": [(i, i) for i in range(5)], "shots": 200, "gateset": "qis"}


ONE = ["h", "x", "y", "z", "s", "sdg", "t", "tdg", "sx", "sxdg"]
ONE_ANGLE = ["rx", "ry", "rz", "p"]
TWO = ["cx", "cy", "cz", "ch", "swap"]
TWO_ANGLE = ["cp", "crx", "cry", "crz", "rxx", "ryy", "rzz"]
THREE = ["ccx"]


def random_circuit(dice):
    qubits = dice.randint(1, 6)
    gates = []
    for _ in range(dice.randint(1, 25)):
        names = ONE + ONE_ANGLE + (TWO + TWO_ANGLE if qubits > 1 else []) + (THREE if qubits > 2 else [])
        name = dice.choice(names)
        size = 1 if name in ONE + ONE_ANGLE else 3 if name in THREE else 2
        angles = [dice.uniform(-7, 7)] if name in ONE_ANGLE + TWO_ANGLE else []
        gates.append([name, dice.sample(range(qubits), size), angles])
    measured = dice.sample(range(qubits), dice.randint(1, qubits))
    clbits = dice.randint(len(measured), len(measured) + 2)
    measure = list(zip(measured, dice.sample(range(clbits), len(measured))))
    return {"qubits": qubits, "clbits": clbits, "gates": gates, "measure": measure, "shots": dice.randint(1, 2000), "gateset": "qis"}


def random_native_circuit(dice, pairs):
    """Angles in whole turns. `pairs`: the machine's gates on two qubits."""
    qubits = dice.randint(2, 6)
    gates = []
    for _ in range(dice.randint(1, 25)):
        name = dice.choice(["gpi", "gpi2", *pairs])
        if name == "ms":
            angles = [dice.uniform(-1, 1), dice.uniform(-1, 1), dice.uniform(0, 0.25)]
        elif name == "rzz":
            angles = [dice.uniform(0, 0.25)]
        else:
            angles = [dice.uniform(-1, 1)]
        gates.append([name, dice.sample(range(qubits), 2 if name in pairs else 1), angles])
    gates.append(["gpi", [0], [0.5]])  # by which it is known as native
    return {"qubits": qubits, "clbits": qubits, "gates": gates, "measure": [(i, i) for i in range(qubits)], "shots": dice.randint(1, 2000),
            "gateset": "native"}


def pub_of(circuit):
    unit = 2 * math.pi if circuit["gateset"] == "native" else 1
    instructions = [[name, qubits, [unit * angle for angle in angles]] for name, qubits, angles in circuit["gates"]]
    instructions += [["measure", [qubit], [], clbit] for qubit, clbit in circuit["measure"]]
    return {"circuit": {"num_qubits": circuit["qubits"], "num_clbits": circuit["clbits"], "parameters": [], "instructions": instructions},
            "shots": circuit["shots"]}


class Ionq(unittest.TestCase):
    def setUp(self):
        self.place = Workplace()
        self.addCleanup(self.place.close)

    def settings(self, cloud, **more):
        return {"TANDEM_IONQ_URL": cloud.url, "TANDEM_IONQ_CREDENTIAL": "env:TANDEM_SECRET_IONQ", "TANDEM_SECRET_IONQ": KEY, "TANDEM_IONQ_POLL": "20ms",
                "TANDEM_LAB_SETTLE_WINDOW": "500ms", **more}

    def cloud(self, *arguments, **options):
        return self.place.ionq("--api-key", KEY, *arguments, **options)

    def accepted(self, cloud):
        return [line for line in book_lines(cloud.book) if line["line"] == "accepted"]

    def program(self, backend, *circuits, **more):
        return {"program": {"pubs": [pub_of(circuit) for circuit in circuits]}, "policy": {"backends": [f"ionq.{backend}"]},
                "limits": {"cost_max_usd_micros": 100_000_000_000}, **more}

    def run_here(self, document, environment, code=0):
        done = self.place.run("run", self.place.file("job.json", document), "--json", check=False, environment=environment)
        self.assertEqual(done.returncode, code, done.stderr + done.stdout)
        return json.loads(done.stdout)
