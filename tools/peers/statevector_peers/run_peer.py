"""Runs one circuit on one simulator and prints its times: run_peer.py NAME FILE PRECISION THREADS RUNS AMPLITUDES.

FILE is a circuit document of Tandem: gates [name, qubits, angles] of GATES below. Building the simulator's own circuit, and what it does to a circuit
once (fusion, optimisation), is not timed; qsimcirq and Aer fuse inside a run and cannot do it before. Bit i of a state is qubit i.
"""

import cmath
import importlib.metadata
import json
import math
import os
import sys
import time

GATES = ("h", "x", "y", "z", "t", "sx", "rx", "ry", "rz", "p", "u", "cx", "cz", "cp", "rzz", "rxx", "swap")
MULTIPLIER = 0x9E3779B97F4A7C15


def states_to_compare(qubits, count):
    return [(i * MULTIPLIER) % 2**64 & ((1 << qubits) - 1) for i in range(count)]


def u_matrix(theta, phi, lam):
    c, s = math.cos(theta / 2), math.sin(theta / 2)
    return [[c, -cmath.exp(1j * lam) * s], [cmath.exp(1j * phi) * s, cmath.exp(1j * (phi + lam)) * c]]


class Aer:
    def __init__(self, qubits, gates, precision, threads, amplitudes):
        from qiskit import QuantumCircuit
        from qiskit_aer import AerSimulator

        circuit = QuantumCircuit(qubits)
        for name, on, angles in gates:
            getattr(circuit, name)(*angles, *on)
        circuit.save_amplitudes(states_to_compare(qubits, max(1, amplitudes)), label="seen")
        self.circuit = circuit
        self.simulator = AerSimulator(method="statevector", precision="single" if precision == "f32" else "double", max_parallel_threads=threads,
                                      fusion_enable=True)

    def run(self):
        result = self.simulator.run(self.circuit, shots=1).result()
        if not result.success:
            raise RuntimeError(result.status)
        self.seen = result.data()["seen"]
        return self.simulator.configuration().backend_version

    def amplitudes(self, states):
        return [complex(self.seen[i]) for i in range(len(states))]


class Qsim:
    """`fused`: the most qubits of a fused gate."""

    def __init__(self, qubits, gates, precision, threads, amplitudes, fused=3):
        import cirq
        import numpy
        import qsimcirq

        if precision != "f32":
            raise SystemExit("qsim has single precision only")
        line = cirq.LineQubit.range(qubits)
        made = {
            "h": lambda: cirq.H, "x": lambda: cirq.X, "y": lambda: cirq.Y, "z": lambda: cirq.Z, "t": lambda: cirq.T, "sx": lambda: cirq.X**0.5,
            "rx": cirq.rx, "ry": cirq.ry, "rz": cirq.rz, "p": lambda a: cirq.ZPowGate(exponent=a / math.pi),
            "u": lambda *a: cirq.MatrixGate(numpy.array(u_matrix(*a))), "cx": lambda: cirq.CX, "cz": lambda: cirq.CZ,
            "cp": lambda a: cirq.CZPowGate(exponent=a / math.pi), "swap": lambda: cirq.SWAP,
            "rzz": lambda a: cirq.ZZPowGate(exponent=a / math.pi, global_shift=-0.5),
            "rxx": lambda a: cirq.XXPowGate(exponent=a / math.pi, global_shift=-0.5),
        }
        circuit = cirq.Circuit(cirq.I.on_each(*line))
        circuit.append(made[name](*angles).on(*(line[q] for q in on)) for name, on, angles in gates)
        self.circuit, self.qubits = circuit, qubits
        self.simulator = qsimcirq.QSimSimulator(qsimcirq.QSimOptions(max_fused_gate_size=fused, cpu_threads=threads))
        self.version = qsimcirq.__version__

    def run(self):
        self.final = self.simulator.simulate(self.circuit).final_state_vector
        return self.version

    def amplitudes(self, states):
        return [complex(self.final[int(f"{state:0{self.qubits}b}"[::-1], 2)]) for state in states]


class Qulacs:
    def __init__(self, qubits, gates, precision, threads, amplitudes):
        import qulacs
        from qulacs.circuit import QuantumCircuitOptimizer

        if precision != "f64":
            raise SystemExit("qulacs has double precision only")
        circuit = qulacs.QuantumCircuit(qubits)
        g = qulacs.gate
        made = {
            "h": g.H, "x": g.X, "y": g.Y, "z": g.Z, "t": g.T, "sx": g.sqrtX, "p": lambda q, a: g.U1(q, a),
            # Its rotations turn the other way round.
            "rx": lambda q, a: g.RX(q, -a), "ry": lambda q, a: g.RY(q, -a), "rz": lambda q, a: g.RZ(q, -a),
            "u": lambda q, *a: g.U3(q, *a), "cx": g.CNOT, "cz": g.CZ, "swap": g.SWAP,
            "rzz": lambda q, r, a: g.PauliRotation([q, r], [3, 3], -a), "rxx": lambda q, r, a: g.PauliRotation([q, r], [1, 1], -a),
            "cp": lambda q, r, a: g.DenseMatrix([q, r], [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, cmath.exp(1j * a)]]),
        }
        for name, on, angles in gates:
            circuit.add_gate(made[name](*on, *angles))
        QuantumCircuitOptimizer().optimize(circuit, 2)
        self.circuit, self.state, self.version = circuit, qulacs.QuantumState(qubits), qulacs.__version__

    def run(self):
        self.state.set_zero_state()
        self.circuit.update_quantum_state(self.state)
        return self.version

    def amplitudes(self, states):
        return [self.state.get_amplitude(state) for state in states]


class Lightning:
    def __init__(self, qubits, gates, precision, threads, amplitudes):
        import numpy
        import pennylane as qml

        device = qml.device("lightning.qubit", wires=qubits, c_dtype=numpy.complex64 if precision == "f32" else numpy.complex128)
        made = {
            "h": qml.Hadamard, "x": qml.X, "y": qml.Y, "z": qml.Z, "t": qml.T, "sx": qml.SX, "rx": qml.RX, "ry": qml.RY, "rz": qml.RZ,
            "p": qml.PhaseShift, "u": qml.U3, "cx": qml.CNOT, "cz": qml.CZ, "cp": qml.ControlledPhaseShift, "rzz": qml.IsingZZ, "rxx": qml.IsingXX,
            "swap": qml.SWAP,
        }
        operations = [made[name](*angles, wires=list(reversed(on)) if name == "swap" else on) for name, on, angles in gates]
        self.tape = qml.tape.QuantumScript(operations, [qml.state()])
        self.device, self.qubits, self.version = device, qubits, importlib.metadata.version("pennylane-lightning")

    def run(self):
        self.final = self.device.execute(self.tape)
        return self.version

    def amplitudes(self, states):
        return [complex(self.final[int(f"{state:0{self.qubits}b}"[::-1], 2)]) for state in states]


PEERS = {"aer": Aer, "qsim-f2": lambda *a: Qsim(*a, fused=2), "qsim-f3": Qsim, "qsim-f4": lambda *a: Qsim(*a, fused=4), "qulacs": Qulacs,
         "lightning": Lightning}


def main():
    name, file, precision, threads, runs, amplitudes = sys.argv[1:]
    os.environ["OMP_NUM_THREADS"] = threads  # before a simulator is loaded
    with open(file, encoding="utf-8") as text:
        document = json.load(text)
    gates = [(entry[0], entry[1], entry[2] if len(entry) > 2 else []) for entry in document["instructions"]]
    unknown = {gate for gate, _, _ in gates} - set(GATES)
    if unknown:
        raise SystemExit(f"no translation of {sorted(unknown)}")
    peer = PEERS[name](document["num_qubits"], gates, precision, int(threads), int(amplitudes))
    seconds = []
    for _ in range(int(runs)):
        begin = time.perf_counter()
        version = peer.run()
        seconds.append(time.perf_counter() - begin)
    seen = peer.amplitudes(states_to_compare(document["num_qubits"], int(amplitudes)))
    print(json.dumps({"seconds": seconds, "version": version, "amplitudes": [[a.real, a.imag] for a in seen]}))


main()
