"""What state vectors are measured by: the rows of the purpose, each with its circuit or model, its goal, and what the peers gave on the machine of the purpose.

For ./dev peers statevector, which runs them on all sides, and ./dev bench statevector, which runs them alone. Everything follows from fixed seeds.
"""

import json
import math
import os
import pathlib
import random
from dataclasses import dataclass, field

ROOT = pathlib.Path(__file__).resolve().parents[3]
DATA = pathlib.Path(os.environ.get("TANDEM_TEST_DATA", ROOT.parent / "shared/data"))
SHOTS = 1_000_000


@dataclass
class Workload:
    """`kind`: state (from a circuit object to the final state), draws (shots from that state), value, gradient (loops: what can be kept is kept).

    `gates` are [name, qubits, angles], an angle a number or {"p": parameter, "f": factor, "o": offset}. `model` is a quadratic model in spins, which
    Tandem and QOKit take for what it is; `gates` are the same layers. `matrices`: the gates as the peers get them, where that is better for them.
    """

    name: str
    kind: str
    precision: str
    threads: int
    qubits: int
    gates: list
    goal: float | None = None  # how many times as fast as the best of `against`, in the same run
    stretch: float | None = None
    against: tuple = ()  # peers that the goal is about; the others run as well where they can
    reference_s: float | None = None  # what the best of those took on the machine of the purpose
    text: str | None = None  # of a file that Tandem reads instead of `gates`
    parameters: int = 0
    observable: list = field(default_factory=list)  # [string of paulis, coefficient]; character i acts on qubit i
    rows: list = field(default_factory=list)  # sets of parameters, two at least: an evaluation is never at those of the one before
    model: dict | None = None
    layers: int = 1  # times are told for one of so many
    matrices: list | None = None
    memory_bytes: int = 0  # what it needs at most; 0: little
    peers: tuple = ("qsim", "qokit", "qulacs", "lightning", "aer")  # that are tried; the fast ones first: their times bound how long others are waited for

    def document(self):
        """The circuit, as Tandem reads it."""
        return {"num_qubits": self.qubits, "num_clbits": 0, "parameters": [f"p{i}" for i in range(self.parameters)], "instructions": self.gates}

    def write(self, folder):
        """The files of both sides. Returns (the arguments of tandem-bench, the file of run_peer.py, the circuit's file)."""
        def put(name, content):
            path = folder / name
            path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
            return path
        circuit = put("circuit.txt", self.text) if self.text else put("circuit.json", self.document())
        peer = put("peer.json", {"kind": self.kind, **self.document(), "instructions": self.matrices or self.gates, "observable": self.observable,
                                 "rows": self.rows, "model": self.model, "shots": SHOTS if self.kind == "draws" else 0})
        common = ["--precision", self.precision, "--threads", str(self.threads)]
        if self.kind == "gradient":
            common += ["--gradient"]
        if self.rows:
            common += ["--values", put("values.json", self.rows)]
        if self.model:
            return ["ising", put("model.json", {"type": "ising", "num_variables": self.qubits, **self.model}), *common], peer, circuit
        if self.observable:
            common += ["--observable", put("observable.json", {"num_qubits": self.qubits, "terms": self.observable})]
        if self.kind == "draws":
            common += ["--shots", str(SHOTS)]
        return ["circuit", circuit, *common], peer, circuit


# ---- circuits

def qsim_file(name, depth):
    """A circuit of qsim's text format, its first `depth` time steps. Tandem reads the text, the peers get what is read here."""
    words = {"h": "h", "t": "t", "cz": "cz", "x_1_2": "sx"}
    lines = (DATA / "circuits_qsim" / name).read_text(encoding="utf-8").splitlines()
    lines = lines[:1] + [line for line in lines[1:] if int(line.split()[0]) <= depth]
    gates = []
    for line in lines[1:]:
        _, word, *qubits = line.split()
        on = [int(q) for q in qubits]
        gates.append(["ry", on, [math.pi / 2]] if word == "y_1_2" else [words[word], on, []])
    return {"qubits": int(lines[0]), "gates": gates, "text": "\n".join(lines) + "\n"}


def any_gate(dice):
    return [dice.uniform(-math.pi, math.pi) for _ in range(3)]


def brickwork(qubits, depth):
    dice = random.Random(1)
    gates = []
    for layer in range(depth):
        gates += [["u", [q], any_gate(dice)] for q in range(qubits)]
        gates += [["cz", [q, q + 1], []] for q in range(layer % 2, qubits - 1, 2)]
    return {"qubits": qubits, "gates": gates}


def fourier(qubits):
    """From a product of different states: on |0...0> no phase and no exchange would change anything."""
    dice = random.Random(3)
    gates = []
    for q in range(qubits):
        gates += [["ry", [q], [dice.uniform(0.4, 2.7)]], ["rz", [q], [dice.uniform(-math.pi, math.pi)]]]
    for q in reversed(range(qubits)):
        gates.append(["h", [q], []])
        gates += [["cp", [r, q], [math.pi / 2 ** (q - r)]] for r in reversed(range(q))]
    gates += [["swap", [q, qubits - 1 - q], []] for q in range(qubits // 2)]
    return {"qubits": qubits, "gates": gates}


def u_matrix(theta, phi, lam):
    c, s = math.cos(theta / 2), math.sin(theta / 2)
    return [[complex(c), -complex(math.cos(lam), math.sin(lam)) * s], [complex(math.cos(phi), math.sin(phi)) * s,
                                                                       complex(math.cos(phi + lam), math.sin(phi + lam)) * c]]


def block_matrix(gates, low, high):
    """Of gates u and cx on two qubits; bit 0 of an index is `low`."""
    columns = []
    for column in range(4):
        state = [complex(i == column) for i in range(4)]
        for name, on, angles in gates:
            if name == "cx":
                control, target = (1 if on[0] == low else 2), (1 if on[1] == low else 2)
                state = [state[i ^ target] if i & control else state[i] for i in range(4)]
            else:
                m, bit = u_matrix(*angles), 1 if on[0] == low else 2
                state = [m[int(bool(i & bit))][0] * state[i & ~bit] + m[int(bool(i & bit))][1] * state[i | bit] for i in range(4)]
        columns.append(state)
    return [[columns[c][r] for c in range(4)] for r in range(4)]


def quantum_volume(qubits):
    """As many layers as qubits, each of blocks in SU(4) on random pairs. A block is three cx between u with any angles, which is dense and has no
    structure; the peers get its matrix."""
    dice = random.Random(4)
    gates, matrices = [], []
    for _ in range(qubits):
        order = dice.sample(range(qubits), qubits)
        for low, high in zip(order[::2], order[1::2]):
            block = []
            for _ in range(3):
                block += [["u", [low], any_gate(dice)], ["u", [high], any_gate(dice)], ["cx", [low, high], []]]
            block += [["u", [low], any_gate(dice)], ["u", [high], any_gate(dice)]]
            gates += block
            matrices.append(["matrix", [low, high], [part for row in block_matrix(block, low, high) for value in row for part in (value.real, value.imag)]])
    return {"qubits": qubits, "gates": gates, "matrices": matrices}


# ---- loops

def angles(count, rows):
    dice = random.Random(5)
    return [[dice.uniform(-math.pi, math.pi) for _ in range(count)] for _ in range(rows)]


def on(qubits, paulis):
    return "".join(paulis.get(q, "I") for q in range(qubits))


def chain(qubits):
    """An Ising chain in a transverse field: 19 terms on ten qubits."""
    return [[on(qubits, {q: "X"}), 0.5] for q in range(qubits)] + [[on(qubits, {q: "Z", q + 1: "Z"}), -1.0] for q in range(qubits - 1)]


def hardware_efficient(qubits, layers, rows):
    """Layers of ry, rz on all qubits, a parameter each, and cz on neighbours."""
    gates, count = [], 0
    for _ in range(layers):
        for name in ("ry", "rz"):
            for q in range(qubits):
                gates.append([name, [q], [{"p": count}]])
                count += 1
        gates += [["cz", [q, q + 1], []] for q in range(qubits - 1)]
    return {"qubits": qubits, "gates": gates, "parameters": count, "observable": chain(qubits), "rows": angles(count, rows)}


def small_loop(rows):
    """100 gates on ten qubits, 70 of them with a parameter: three times ry, rz and a ring of cx, then ry."""
    qubits, gates, count = 10, [], 0
    for names in (("ry", "rz"), ("ry", "rz"), ("ry", "rz"), ("ry",)):
        for name in names:
            for q in range(qubits):
                gates.append([name, [q], [{"p": count}]])
                count += 1
        if len(names) == 2:
            gates += [["cx", [q, (q + 1) % qubits], []] for q in range(qubits)]
    return {"qubits": qubits, "gates": gates, "parameters": count, "observable": chain(qubits), "rows": angles(count, rows)}


def layered(qubits, fields, couplers, layers, rows):
    """Layers of exp(-i gamma C), exp(-i beta sum X) on the uniform state, and <C>. A spin is +1 where its qubit is 1, so it is -Z."""
    gates = [["h", [q], []] for q in range(qubits)]
    for layer in range(layers):
        gates += [["rzz", [u, v], [{"p": layer, "f": 2 * weight}]] for u, v, weight in couplers]
        gates += [["rz", [q], [{"p": layer, "f": -2 * weight}]] for q, weight in enumerate(fields) if weight]
        gates += [["rx", [q], [{"p": layers + layer, "f": 2}]] for q in range(qubits)]
    observable = [[on(qubits, {u: "Z", v: "Z"}), weight] for u, v, weight in couplers] + [[on(qubits, {q: "Z"}), -weight] for q, weight in enumerate(fields) if weight]
    dice = random.Random(6)
    sets = [[0.3 * (layer + 0.5) / layers + dice.uniform(0, 0.02) for layer in range(layers)] +
            [-0.7 * (1 - (layer + 0.5) / layers) + dice.uniform(0, 0.02) for layer in range(layers)] for _ in range(rows)]
    return {"qubits": qubits, "gates": gates, "parameters": 2 * layers, "observable": observable, "rows": sets,
            "model": {"h": fields, "j": couplers}}


def complete_graph(qubits, layers, rows=2):
    """Couplers between all pairs, and fields, so that flipping all spins is no symmetry."""
    dice = random.Random(2)
    fields = [dice.uniform(-0.5, 0.5) for _ in range(qubits)]
    return layered(qubits, fields, [[u, v, dice.uniform(-0.5, 0.5)] for u in range(qubits) for v in range(u + 1, qubits)], layers, rows)


def max_cut(qubits, layers, rows):
    """A ring with chords: every node has three neighbours. <C> is half the number of edges less the cut."""
    edges = {tuple(sorted((q, (q + 1) % qubits))) for q in range(qubits)} | {(q, q + qubits // 2) for q in range(qubits // 2)}
    return layered(qubits, [0] * qubits, [[u, v, 0.5] for u, v in sorted(edges)], layers, rows)


def workloads(less=0):
    """All rows; with `less` qubits fewer, for a try, and without the circuits of files."""
    def n(qubits):
        return max(2, qubits - less)

    def even(qubits):
        return max(6, (qubits - less) & ~1)
    doubles = ("qulacs", "lightning", "aer")
    if less == 0 and (DATA / "circuits_qsim/circuit_q24").exists():
        deep, shallow = qsim_file("circuit_q24", 100), qsim_file("circuit_q24", 30)
        yield Workload("circuit_q24 depth 100", "state", "f32", 2, **deep, goal=5, stretch=8, against=("qsim",), reference_s=2.55)
        yield Workload("circuit_q24 depth 30", "state", "f32", 1, **shallow, goal=4, stretch=6, against=("qsim",), reference_s=1.29)
    elif less == 0:
        print(f"circuit_q24: {DATA / 'circuits_qsim'} is absent, passed over")
    for threads, reference in ((1, 1.34), (2, 0.84)):
        yield Workload(f"brickwork {n(24)} depth 30", "state", "f32", threads, **brickwork(n(24), 30), goal=2.2, stretch=2.7, against=("qsim",), reference_s=reference)
    yield Workload(f"brickwork {n(24)} depth 30", "state", "f64", 2, **brickwork(n(24), 30), goal=8, stretch=12, against=doubles, reference_s=9.6)
    yield Workload(f"brickwork {n(20)} depth 30", "state", "f32", 2, **brickwork(n(20), 30), goal=1.9, against=("qsim",), reference_s=0.042)
    for precision, goal, stretch in (("f64", 20, 30), ("f32", 45, 80)):
        yield Workload(f"Ising QAOA {n(24)}, a layer", "value", precision, 2, **complete_graph(n(24), 8), layers=8, goal=goal, stretch=stretch, against=("qokit",),
                       reference_s=0.715, peers=("qokit",))  # 300 gates a layer take the others minutes
    yield Workload(f"Ising QAOA {n(30)}, a layer", "value", "f32", 2, **complete_graph(n(30), 8), layers=8, peers=(), memory_bytes=9 * 10**9 >> less)
    for kind, goal, reference in (("value", 12, 0.156), ("gradient", 30, 1.10)):
        yield Workload(f"QAOA MaxCut {even(20)}, 4 layers", kind, "f64", 2, **max_cut(even(20), 4, 2), goal=goal, against=("qokit", *doubles), reference_s=reference)
    yield Workload(f"Fourier {n(28)}", "state", "f32", 2, **fourier(n(28)), goal=10, against=("qsim",), memory_bytes=5 << 30 >> less)
    yield Workload(f"ansatz {n(20)}, {20 * n(20)} parameters", "gradient", "f64", 2, **hardware_efficient(n(20), 10, 2), goal=10, stretch=20, against=("lightning",),
                   reference_s=1.78)
    for kind, goal, stretch, reference in (("value", 12, 40, 244e-6), ("gradient", 15, None, 947e-6)):
        yield Workload("loop of 10 qubits, 70 parameters", kind, "f64", 1, **small_loop(500), goal=goal, stretch=stretch, against=("qulacs",), reference_s=reference)
    yield Workload(f"1 M shots of {n(24)}", "draws", "f64", 2, **brickwork(n(24), 10), goal=20, against=("qulacs",), reference_s=0.67)
    yield Workload(f"1 M shots of {n(26)}", "draws", "f32", 2, **brickwork(n(26), 10), goal=70, against=("qsim",), reference_s=4.5)
    yield Workload(f"Quantum Volume {even(24)}", "state", "f32", 2, **quantum_volume(even(24)), goal=1.5, against=("qsim",))
