"""Runs one workload on one simulator and prints how it went: run_peer.py NAME SETTING FILE PRECISION THREADS RUNS AMPLITUDES.

FILE is what workloads.py writes, SETTING one of settings_of() as JSON. What is timed, by the kind of the workload:
  state      from the simulator's own circuit to the final state: its fusion, its translation, its memory. Not: building that circuit, which of Aer
             includes the transpiler; the state of Lightning, which its device keeps.
  draws      `sample_seconds`: the shots, from the state that is there. Where a program only runs and draws at once, the time of that less the time of a
             run without; null where that was not positive in three tries.
  value and gradient   one evaluation of many, each with other parameters than the one before: the simulator's own calls from Python that rebind, evolve
             and read. Circuits, states and tables are kept; angles of gates are worked out before, derivatives by parameter afterwards.
Bit i of a state is qubit i.
"""

import cmath
import ctypes
import importlib.metadata
import json
import math
import os
import pathlib
import sys
import time

GATES = ("h", "x", "y", "z", "t", "sx", "rx", "ry", "rz", "p", "u", "cx", "cz", "cp", "rzz", "rxx", "swap", "matrix")
MULTIPLIER = 0x9E3779B97F4A7C15
SEED = 7
LONG_S = 10  # a program that takes longer has nothing to warm up
BLOCK_QUBITS = 18
DRAW_TRIES = 3


def settings_of(name, kind, precision, qubits, is_model):
    """Those in which a simulator is tried, the fastest one counts; none where it has no such thing, or not in this precision."""
    if name == "qsim":
        return [{"fused": fused} for fused in (3, 2, 4)] if kind in ("state", "draws") and precision == "f32" else []
    if name == "qokit":
        return [{"built": built} for built in QOKIT_BUILDS] if kind == "value" and is_model else []
    if name == "qulacs":
        if precision != "f64":
            return []
        return [{"optimize": how} for how in (2, 3, 4, "light", "no")] if kind in ("state", "draws") else [{}]
    if name == "lightning":
        if kind == "gradient":
            return [{"batch_obs": False}, {"batch_obs": True}]
        return [{"reads": "probabilities"}, {"reads": "terms"}] if kind == "value" and is_model else [{}]
    if kind == "gradient":
        return []  # Aer has none
    if kind == "value":
        return [{"batched": True, "runtime_parameter_bind_enable": bind} for bind in (False, True)] + [{"batched": False}]
    blocking = [{"blocking_enable": True, "blocking_qubits": BLOCK_QUBITS}] if qubits > BLOCK_QUBITS else []
    return [{}, {"fusion_max_qubit": 3}, {"fusion_max_qubit": 4}, *blocking]


def states_to_compare(qubits, count):
    return [(i * MULTIPLIER) % 2**64 & ((1 << qubits) - 1) for i in range(count)]


def u_matrix(theta, phi, lam):
    c, s = math.cos(theta / 2), math.sin(theta / 2)
    return [[c, -cmath.exp(1j * lam) * s], [cmath.exp(1j * phi) * s, cmath.exp(1j * (phi + lam)) * c]]


def square(numbers):
    """The matrix of a gate `matrix`: real and imaginary parts, row by row; bit 0 of an index is the first qubit."""
    values = [complex(re, im) for re, im in zip(numbers[::2], numbers[1::2])]
    size = math.isqrt(len(values))
    return [values[row * size:(row + 1) * size] for row in range(size)]


def first_is_high(matrix):
    """The same with the second qubit as bit 0 of an index."""
    swapped = (0, 2, 1, 3)
    return [[matrix[row][column] for column in swapped] for row in swapped]


def bits_reversed(state, qubits):
    return int(f"{state:0{qubits}b}"[::-1], 2)


class Work:
    def __init__(self, file, precision, threads, amplitudes):
        with open(file, encoding="utf-8") as text:
            job = json.load(text)
        self.kind, self.qubits, self.observable, self.rows = job["kind"], job["num_qubits"], job["observable"], job["rows"]
        self.model, self.shots, self.num_parameters = job["model"], job["shots"], len(job["parameters"])
        self.gates = [(entry[0], entry[1], entry[2] if len(entry) > 2 else []) for entry in job["instructions"]]
        unknown = {gate for gate, _, _ in self.gates} - set(GATES)
        if unknown:
            raise SystemExit(f"no translation of {sorted(unknown)}")
        self.precision, self.threads, self.amplitudes = precision, threads, amplitudes
        # Angles that are parameters, in the order of gates: (index of the parameter, factor, offset).
        self.symbols = [(a["p"], a.get("f", 1), a.get("o", 0)) for _, _, angles in self.gates for a in angles if isinstance(a, dict)]
        self.bound_rows = [self.bound(row) for row in self.rows]

    def bound(self, row):
        return [factor * row[p] + offset for p, factor, offset in self.symbols]

    def derivatives(self, by_angle, sense):
        """By parameter, from those by angle; `sense`: -1 where the simulator's angles are ours turned round."""
        out = [0.0] * self.num_parameters
        for (p, factor, _), derivative in zip(self.symbols, by_angle):
            out[p] += sense * factor * float(derivative)
        return out

    def gates_at(self, row):
        values = iter(self.bound(row))
        return [(name, on, [next(values) if isinstance(a, dict) else a for a in angles]) for name, on, angles in self.gates]

    def diagonal(self):
        """Of the model: an energy for every state, a spin being +1 where its bit is 1."""
        import numpy

        pairs = {(u, v): weight for u, v, weight in self.model["j"]}
        out = numpy.zeros(1)
        for q, linear in enumerate(self.model["h"]):  # spin q joins those below
            field = numpy.full(1, float(linear))
            for r in range(q):
                weight = pairs.get((r, q), 0.0)
                field = numpy.concatenate([field - weight, field + weight])
            out = numpy.concatenate([out - field, out + field])
        return out


def timed(work):
    begin = time.perf_counter()
    out = work()
    return time.perf_counter() - begin, out


def drawn_beside(peer, evolve, evolve_and_draw):
    """Of a program that only evolves and draws at once: (seconds of the evolution, those more that it takes with draws, or None, the draws).

    Beside other work the difference may be none or less; such a pair says nothing and is done again.
    """
    for _ in range(DRAW_TRIES):
        peer.final = None
        seconds, _ = timed(evolve)
        both, draws = timed(evolve_and_draw)
        if both > seconds:
            return seconds, both - seconds, draws
    return seconds, None, draws


def about_draws(states, weights, qubits):
    """As tandem-bench tells of its draws; `weights`: the probability of each."""
    import numpy

    states = numpy.asarray(states, dtype=numpy.int64)
    ones = [int((states >> q & 1).sum()) for q in range(qubits)]
    unequal = [int(((states >> q ^ states >> (q + 1) % qubits) & 1).sum()) for q in range(qubits)]
    weights = numpy.asarray(weights, dtype=numpy.float64) * 2.0**qubits
    return {"shots": len(states), "ones": ones, "unequal": unequal, "mean": float(weights.mean()), "mean_square": float((weights**2).mean())}


class Aer:
    def __init__(self, work, setting):
        from qiskit import QuantumCircuit, transpile
        from qiskit.circuit import ParameterVector
        from qiskit.quantum_info import SparsePauliOp
        from qiskit_aer import AerSimulator

        setting = dict(setting)
        self.batched = setting.pop("batched", True)
        self.work, self.version = work, importlib.metadata.version("qiskit-aer")
        self.simulator = AerSimulator(method="statevector", precision="single" if work.precision == "f32" else "double", max_parallel_threads=work.threads,
                                      fusion_enable=True, seed_simulator=SEED, **setting)
        names = ParameterVector("a", len(work.symbols))
        circuit, symbols = QuantumCircuit(work.qubits), iter(names)
        for name, on, angles in work.gates:
            if name == "matrix":
                circuit.unitary(square(angles), on)
            else:
                getattr(circuit, name)(*(next(symbols) if isinstance(a, dict) else a for a in angles), *on)
        circuit = transpile(circuit, self.simulator, optimization_level=1)
        self.names = list(names)
        rows = work.bound_rows
        self.binds = ([{name: [row[i] for row in rows] for i, name in enumerate(names)}] if self.batched else
                      [[{name: [value] for name, value in zip(names, row)}] for row in rows])
        if work.kind == "value":
            terms = [(paulis[::-1], weight) for paulis, weight in work.observable]
            circuit.save_expectation_value(SparsePauliOp.from_list(terms), range(work.qubits), label="seen")
        elif work.kind == "draws":
            self.measured = circuit.copy()
            self.measured.measure_all()
            circuit.save_statevector(label="state")
        else:
            # Amplitudes saved in blocks are those of other places (0.18.2: off by their own size after 30 layers), a whole state saved is right:
            # so they are timed, and read off a run of its own that is not.
            self.whole = circuit.copy() if "blocking_enable" in setting else None
            if self.whole is not None:
                self.whole.save_statevector(label="state")
            circuit.save_amplitudes(states_to_compare(work.qubits, max(1, work.amplitudes)), label="seen")
        self.circuit = circuit

    def done(self, circuit, **others):
        result = self.simulator.run(circuit, **others).result()
        if not result.success:
            raise RuntimeError(result.status)
        return result

    def state(self):
        self.seen = self.done(self.circuit, shots=1).data()

    def amplitudes(self, states):
        if self.work.kind == "state" and self.whole is not None:
            state = self.done(self.whole, shots=1).data()["state"]
            return [complex(state[place]) for place in states]
        return [complex(self.seen["seen"][i]) for i in range(len(states))]

    def draws(self):
        evolved = self.measured.copy()
        seconds, sample_seconds, self.counts = drawn_beside(self, lambda: self.done(evolved, shots=1),
                                                            lambda: self.done(self.measured, shots=self.work.shots).get_counts())
        return seconds, sample_seconds

    def drawn(self):
        import numpy

        state = numpy.asarray(self.done(self.circuit, shots=1).data()["state"])
        self.seen = {"seen": state[states_to_compare(self.work.qubits, max(1, self.work.amplitudes))]}
        states = numpy.repeat([int(key, 2) for key in self.counts], list(self.counts.values()))
        return states, numpy.abs(state[states])**2

    def evaluations(self):
        if self.batched:
            result = self.done(self.circuit, parameter_binds=self.binds, shots=1)
            return [float(result.data(i)["seen"]) for i in range(len(self.work.rows))], []
        return [float(self.done(self.circuit, parameter_binds=binds, shots=1).data()["seen"]) for binds in self.binds], []


class Qsim:
    """`fused`: the most qubits of a fused gate."""

    def __init__(self, work, setting):
        import cirq
        import numpy
        import qsimcirq

        line = cirq.LineQubit.range(work.qubits)
        made = {
            "h": lambda: cirq.H, "x": lambda: cirq.X, "y": lambda: cirq.Y, "z": lambda: cirq.Z, "t": lambda: cirq.T, "sx": lambda: cirq.X**0.5,
            "rx": cirq.rx, "ry": cirq.ry, "rz": cirq.rz, "p": lambda a: cirq.ZPowGate(exponent=a / math.pi),
            "u": lambda *a: cirq.MatrixGate(numpy.array(u_matrix(*a))), "cx": lambda: cirq.CX, "cz": lambda: cirq.CZ,
            "cp": lambda a: cirq.CZPowGate(exponent=a / math.pi), "swap": lambda: cirq.SWAP,
            "rzz": lambda a: cirq.ZZPowGate(exponent=a / math.pi, global_shift=-0.5),
            "rxx": lambda a: cirq.XXPowGate(exponent=a / math.pi, global_shift=-0.5),
            "matrix": lambda *a: cirq.MatrixGate(numpy.array(first_is_high(square(a)))),
        }
        circuit = cirq.Circuit(cirq.I.on_each(*line))
        circuit.append(made[name](*angles).on(*(line[q] for q in on)) for name, on, angles in work.gates)
        self.work, self.circuit, self.line, self.version = work, circuit, line, qsimcirq.__version__
        self.measured = circuit + cirq.measure(*line, key="m")
        self.simulator = qsimcirq.QSimSimulator(qsimcirq.QSimOptions(max_fused_gate_size=setting["fused"], cpu_threads=work.threads), seed=SEED)

    def state(self):
        _, self.final, _ = self.simulator.simulate_into_1d_array(self.circuit)

    def amplitudes(self, states):
        return [complex(self.final[bits_reversed(state, self.work.qubits)]) for state in states]

    def draws(self):
        seconds, sample_seconds, self.result = drawn_beside(self, self.state, lambda: self.simulator.run(self.measured, repetitions=self.work.shots))
        return seconds, sample_seconds

    def drawn(self):
        import numpy

        bits = self.result.measurements["m"].astype(numpy.int64)
        there = sum(bits[:, q] << (self.work.qubits - 1 - q) for q in range(self.work.qubits))
        return sum(bits[:, q] << q for q in range(self.work.qubits)), numpy.abs(self.final[there])**2


class Qulacs:
    """Its rotations turn the other way round."""

    SENSE = -1

    def __init__(self, work, setting):
        import qulacs

        self.work, self.how, self.version = work, setting.get("optimize", "no"), qulacs.__version__
        loops = work.kind in ("value", "gradient")
        circuit = qulacs.ParametricQuantumCircuit(work.qubits) if loops else qulacs.QuantumCircuit(work.qubits)
        g = qulacs.gate
        made = {
            "h": g.H, "x": g.X, "y": g.Y, "z": g.Z, "t": g.T, "sx": g.sqrtX, "p": lambda q, a: g.U1(q, a),
            "rx": lambda q, a: g.RX(q, -a), "ry": lambda q, a: g.RY(q, -a), "rz": lambda q, a: g.RZ(q, -a),
            "u": lambda q, *a: g.U3(q, *a), "cx": g.CNOT, "cz": g.CZ, "swap": g.SWAP,
            "rzz": lambda q, r, a: g.PauliRotation([q, r], [3, 3], -a), "rxx": lambda q, r, a: g.PauliRotation([q, r], [1, 1], -a),
            "cp": lambda q, r, a: g.DenseMatrix([q, r], [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, cmath.exp(1j * a)]]),
            "matrix": lambda q, r, *a: g.DenseMatrix([q, r], square(a)),
        }
        with_parameter = {
            "rx": lambda q: circuit.add_parametric_RX_gate(q, 0.0), "ry": lambda q: circuit.add_parametric_RY_gate(q, 0.0),
            "rz": lambda q: circuit.add_parametric_RZ_gate(q, 0.0),
            "rzz": lambda q, r: circuit.add_parametric_multi_Pauli_rotation_gate([q, r], [3, 3], 0.0),
        }
        for name, on, angles in work.gates:
            if angles and isinstance(angles[0], dict):
                with_parameter[name](*on)
            else:
                circuit.add_gate(made[name](*on, *angles))
        self.circuit, self.qulacs = circuit, qulacs
        if loops:
            self.turned_rows = [[-angle for angle in row] for row in work.bound_rows]
            self.kept = qulacs.QuantumState(work.qubits)
            self.observable = qulacs.Observable(work.qubits)
            for paulis, weight in work.observable:
                self.observable.add_operator(weight, " ".join(f"{letter} {q}" for q, letter in enumerate(paulis) if letter != "I"))

    def state(self):
        from qulacs.circuit import QuantumCircuitOptimizer

        circuit = self.circuit
        if self.how != "no":
            circuit = circuit.copy()
            if self.how == "light":
                QuantumCircuitOptimizer().optimize_light(circuit)
            else:
                QuantumCircuitOptimizer().optimize(circuit, self.how)
        self.final = self.qulacs.QuantumState(self.work.qubits)
        circuit.update_quantum_state(self.final)

    def amplitudes(self, states):
        return [self.final.get_amplitude(state) for state in states]

    def draws(self):
        seconds, _ = timed(self.state)
        sample_seconds, self.states = timed(lambda: self.final.sampling(self.work.shots, SEED))
        return seconds, sample_seconds

    def drawn(self):
        import numpy

        states = numpy.asarray(self.states)
        return states, numpy.abs(self.final.get_vector()[states])**2

    def evaluations(self):
        values, derivatives = [], []
        for row in self.turned_rows:
            for i, angle in enumerate(row):
                self.circuit.set_parameter(i, angle)
            if self.work.kind == "gradient":  # without the value, which takes another run
                derivatives = self.circuit.backprop(self.observable)
                continue
            self.kept.set_zero_state()
            self.circuit.update_quantum_state(self.kept)
            values.append(self.observable.get_expectation_value(self.kept))
        return values, derivatives


class Lightning:
    def __init__(self, work, setting):
        import numpy
        import pennylane as qml

        self.work, self.version = work, importlib.metadata.version("pennylane-lightning")
        self.device = qml.device("lightning.qubit", wires=work.qubits, c_dtype=numpy.complex64 if work.precision == "f32" else numpy.complex128, seed=SEED,
                                 batch_obs=setting.get("batch_obs", False))
        made = {
            "h": qml.Hadamard, "x": qml.X, "y": qml.Y, "z": qml.Z, "t": qml.T, "sx": qml.SX, "rx": qml.RX, "ry": qml.RY, "rz": qml.RZ,
            "p": qml.PhaseShift, "u": qml.U3, "cx": qml.CNOT, "cz": qml.CZ, "cp": qml.ControlledPhaseShift, "rzz": qml.IsingZZ, "rxx": qml.IsingXX,
            "swap": qml.SWAP,
        }
        operations, self.trainable, seen = [], [], 0
        for name, on, angles in work.gates if not work.rows else work.gates_at(work.rows[0]):
            if name == "matrix":
                operations.append(qml.QubitUnitary(numpy.array(first_is_high(square(angles))), wires=on))
            else:
                operations.append(made[name](*angles, wires=on))
        for name, _, angles in work.gates:
            self.trainable += [seen + i for i, a in enumerate(angles) if isinstance(a, dict)]
            seen += 1 if name == "matrix" else len(angles)
        self.by_probabilities = setting.get("reads") == "probabilities"
        if work.kind in ("value", "gradient"):
            letters = {"X": qml.X, "Y": qml.Y, "Z": qml.Z}
            terms = [qml.prod(*(letters[letter](q) for q, letter in enumerate(paulis) if letter != "I")) for paulis, _ in work.observable]
            measured = qml.probs(wires=list(reversed(range(work.qubits)))) if self.by_probabilities else qml.expval(qml.Hamiltonian([w for _, w in work.observable], terms))
            self.diagonal = work.diagonal() if self.by_probabilities else None
        else:
            measured = qml.state()
        self.qml, self.operations = qml, operations
        self.tape = qml.tape.QuantumScript(operations, [measured], trainable_params=self.trainable)
        if work.kind == "gradient":
            from pennylane.devices import ExecutionConfig

            _, self.config = self.device.preprocess(ExecutionConfig(gradient_method="adjoint", use_device_gradient=True, use_device_jacobian_product=False))

    def state(self):
        self.final = self.device.execute(self.tape)

    def amplitudes(self, states):
        return [complex(self.final[bits_reversed(state, self.work.qubits)]) for state in states]

    def draws(self):
        short = self.qml.tape.QuantumScript(self.operations, [self.qml.expval(self.qml.Z(0))])
        tape = self.qml.tape.QuantumScript(self.operations, [self.qml.sample(wires=range(self.work.qubits))], shots=self.work.shots)
        seconds, sample_seconds, self.bits = drawn_beside(self, lambda: self.device.execute(short), lambda: self.device.execute(tape))
        return seconds, sample_seconds

    def drawn(self):
        import numpy

        self.state()
        bits = numpy.asarray(self.bits).astype(numpy.int64)
        there = sum(bits[:, q] << (self.work.qubits - 1 - q) for q in range(self.work.qubits))
        return sum(bits[:, q] << q for q in range(self.work.qubits)), numpy.abs(self.final[there])**2

    def evaluations(self):
        values, derivatives = [], []
        for row in self.work.bound_rows:
            tape = self.tape.bind_new_parameters(row, self.trainable)
            if self.work.kind == "gradient":
                (value,), (derivatives,) = self.device.execute_and_compute_derivatives([tape], self.config)
                value = value[0] if isinstance(value, (tuple, list)) else value
            else:
                value = self.device.execute(tape)
                value = self.diagonal @ value if self.by_probabilities else value
            values.append(float(value))
        return values, derivatives


# The C sources that its package carries without headers and without a library; the package's own library has no threads.
QOKIT_BUILDS = {"O3": ["-O3", "-march=native", "-fopenmp"], "fast-math": ["-O3", "-march=native", "-fopenmp", "-ffast-math"]}


class Qokit:
    """Double precision, whatever ours is."""

    def __init__(self, work, setting):
        import numpy

        self.numpy, self.work, self.version = numpy, work, importlib.metadata.version("qokit")
        self.energies = work.diagonal()
        self.library = ctypes.CDLL(pathlib.Path(sys.prefix) / "lib" / f"libqokit-{setting['built']}.so")
        array = numpy.ctypeslib.ndpointer(numpy.float64, flags="C_CONTIGUOUS")
        self.library.apply_qaoa_furx.argtypes = [array] * 5 + [ctypes.c_uint, ctypes.c_size_t, ctypes.c_size_t]
        self.library.apply_qaoa_furx.restype = None
        self.parts = [numpy.empty(1 << work.qubits) for _ in range(2)]

    def evaluations(self):
        numpy, layers = self.numpy, self.work.num_parameters // 2
        re, im = self.parts
        values = []
        for row in self.work.rows:
            re.fill(2.0 ** (-self.work.qubits / 2))
            im.fill(0)
            # Its gamma is twice ours.
            self.library.apply_qaoa_furx(re, im, 2 * numpy.array(row[:layers]), numpy.array(row[layers:]), self.energies, self.work.qubits, 1 << self.work.qubits,
                                         layers)
            values.append(float(numpy.einsum("i,i,i->", self.energies, re, re) + numpy.einsum("i,i,i->", self.energies, im, im)))
        return values, []


PEERS = {"aer": Aer, "qsim": Qsim, "qulacs": Qulacs, "lightning": Lightning, "qokit": Qokit}


def main():
    name, setting, file, precision, threads, runs, amplitudes = sys.argv[1:]
    os.environ["OMP_NUM_THREADS"] = threads  # before a simulator is loaded
    work = Work(file, precision, int(threads), int(amplitudes))
    preparing, peer = timed(lambda: PEERS[name](work, json.loads(setting)))
    out = {"version": peer.version, "prepare_s": preparing, "seconds": [], "sample_seconds": []}
    for _ in range(int(runs)):
        peer.final = None  # giving back the state of the run before is not timed, as ours is not
        if work.kind == "state":
            seconds, _ = timed(peer.state)
        elif work.kind == "draws":
            seconds, sample_seconds = peer.draws()
            out["sample_seconds"].append(sample_seconds)
        else:
            seconds, (out["values"], by_angle) = timed(peer.evaluations)
            seconds /= len(work.rows)
            out["derivatives"] = work.derivatives(by_angle, getattr(peer, "SENSE", 1)) if len(by_angle) else []
        out["seconds"].append(seconds)
        if seconds > LONG_S:
            break
    if work.kind == "draws":
        out["draws"] = about_draws(*peer.drawn(), work.qubits)
    if work.kind in ("state", "draws"):
        out["amplitudes"] = [[a.real, a.imag] for a in peer.amplitudes(states_to_compare(work.qubits, work.amplitudes))]
    print(json.dumps(out))


if __name__ == "__main__":
    main()
