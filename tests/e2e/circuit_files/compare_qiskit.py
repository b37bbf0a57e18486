"""Reads OpenQASM 2 programs with Qiskit and compares them with the circuit documents that Tandem made of them; prints what came out.

Standard input: [[name, program, circuit document], ...]. Standard output: {name: {"distance": d, "of": "states" | "outcomes"}, {"refused": why} or
{"passed over": why}}. Where everything is measured at the end, a distance is the largest difference of amplitudes after the one phase that brings the
states nearest; else it is that of the probabilities of what all classical bits are in the end, worked out branch by branch. States begin from a turn of each
qubit by an angle of its own, so that no gate acts on nothing.
"""

import dataclasses
import json
import sys

import numpy
from qiskit import QuantumCircuit, qasm2
from qiskit.quantum_info import Statevector

BRANCHES_MAX = 256


@dataclasses.dataclass
class Step:
    operation: object
    qubits: list
    clbits: list
    condition: tuple | None = None  # classical bits, from the lowest on, and the number that they are


def theirs(circuit):
    out = []
    for one in circuit.data:
        qubits, clbits = [circuit.find_bit(q).index for q in one.qubits], [circuit.find_bit(c).index for c in one.clbits]
        if one.operation.name == "if_else":
            register, value = one.operation.condition
            body = one.operation.blocks[0]
            for inner in body.data:
                out.append(Step(inner.operation, [qubits[body.find_bit(q).index] for q in inner.qubits], [clbits[body.find_bit(c).index] for c in inner.clbits],
                                ([circuit.find_bit(c).index for c in register], value)))
        elif one.operation.name != "barrier":
            out.append(Step(one.operation, qubits, clbits))
    return out


def ours(document):
    circuit = QuantumCircuit(document["num_qubits"], document["num_clbits"])
    out = []
    for name, on, *rest in document["instructions"]:
        if name == "barrier":
            continue
        condition = None
        if rest and isinstance(rest[-1], dict):
            decides = rest.pop()
            first = decides["first"]
            condition = (list(range(first, first + decides["bits"])), decides["equals"])
        if name == "measure":
            circuit.measure(on[0], rest[1])
        elif name == "reset":
            circuit.reset(on[0])
        else:
            getattr(circuit, name)(*(rest[0] if rest else []), *on)
        out.append(Step(circuit.data[-1].operation, on, [rest[1]] if name == "measure" else [], condition))
    return out


def ends_with_measurements(steps):
    ends = set()
    for step in steps:
        if ends & set(step.qubits) or step.operation.name == "reset" or step.condition:
            return False
        if step.operation.name == "measure":
            ends |= set(step.qubits)
    return True


def begin(qubits):
    circuit = QuantumCircuit(qubits)
    for q in range(qubits):
        circuit.u(0.3 + 0.17 * q, 0.5 - 0.11 * q, 0.2, q)
    return Statevector(circuit)


def final_state(steps, qubits):
    state = begin(qubits)
    for step in steps:
        if step.operation.name != "measure":
            state = state.evolve(step.operation, step.qubits)
    return numpy.array(state)


def outcomes(steps, qubits, clbits):
    """Probability of each number that all classical bits may be."""
    branches = [(0, begin(qubits))]
    places = numpy.arange(1 << qubits)
    for step in steps:
        after = []
        for bits, state in branches:
            if step.condition and sum((bits >> c & 1) << i for i, c in enumerate(step.condition[0])) != step.condition[1]:
                after.append((bits, state))
            elif step.operation.name in ("measure", "reset"):
                for value in (0, 1):
                    part = numpy.where(places >> step.qubits[0] & 1 == value, numpy.array(state), 0)
                    if numpy.linalg.norm(part) < 1e-12:
                        continue
                    if step.operation.name == "measure":
                        after.append((bits & ~(1 << step.clbits[0]) | value << step.clbits[0], Statevector(part)))
                    else:
                        after.append((bits, Statevector(part[places ^ (value << step.qubits[0])])))
            else:
                after.append((bits, state.evolve(step.operation, step.qubits)))
        if len(after) > BRANCHES_MAX:
            raise ValueError(f"it has more than {BRANCHES_MAX} branches")
        branches = after
    out = numpy.zeros(1 << clbits)
    for bits, state in branches:
        out[bits] += numpy.linalg.norm(numpy.array(state)) ** 2
    return out


def compare(program, document):
    try:
        circuit = qasm2.loads(program, custom_instructions=qasm2.LEGACY_CUSTOM_INSTRUCTIONS)
    except qasm2.QASM2ParseError as error:
        return {"refused": str(error)}
    a, b = theirs(circuit), ours(document)
    qubits, clbits = circuit.num_qubits, circuit.num_clbits
    if (qubits, clbits) != (document["num_qubits"], document["num_clbits"]) or ends_with_measurements(a) != ends_with_measurements(b):
        return {"distance": 2}
    if not ends_with_measurements(a):
        return {"distance": float(numpy.abs(outcomes(a, qubits, clbits) - outcomes(b, qubits, clbits)).max()), "of": "outcomes"}
    measured = [sorted((step.qubits, step.clbits) for step in steps if step.operation.name == "measure") for steps in (a, b)]
    x, y = final_state(a, qubits), final_state(b, qubits)
    overlap = numpy.vdot(y, x)
    if measured[0] != measured[1] or abs(overlap) == 0:
        return {"distance": 2}
    return {"distance": float(numpy.abs(x - overlap / abs(overlap) * y).max()), "of": "states"}


def answer(program, document):
    try:
        return compare(program, document)
    except ValueError as error:
        return {"passed over": str(error)}


print(json.dumps({name: answer(program, document) for name, program, document in json.load(sys.stdin)}))
