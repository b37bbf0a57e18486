"""Reads OpenQASM 2 programs with Qiskit and compares them with the circuit documents that Tandem made of them; prints what came out.

Standard input: [[name, program, circuit document], ...]. Standard output: {name: {"distance": d} , {"refused": why} or {"passed over": why}}. A distance is the largest difference
of amplitudes after the one phase that brings the states nearest; the states begin from a turn of each qubit by an angle of its own, so that no gate
acts on nothing. What measures or resets before its end is passed over.
"""

import json
import sys

import numpy
from qiskit import QuantumCircuit, qasm2
from qiskit.quantum_info import Statevector


def turned(qubits):
    circuit = QuantumCircuit(qubits)
    for q in range(qubits):
        circuit.u(0.3 + 0.17 * q, 0.5 - 0.11 * q, 0.2, q)
    return circuit


def without_measurements(circuit):
    """The gates, and what is measured where."""
    out = QuantumCircuit(circuit.num_qubits)
    ends, measured = set(), []
    for one in circuit.data:
        on = [circuit.find_bit(q).index for q in one.qubits]
        if one.operation.name == "barrier":
            continue
        if ends & set(on) or one.operation.name == "reset":
            raise ValueError("not at its end")
        if one.operation.name == "measure":
            ends |= set(on)
            measured.append((on[0], circuit.find_bit(one.clbits[0]).index))
        else:
            out.append(one.operation, on)
    return out, sorted(measured)


def ours(document):
    circuit = QuantumCircuit(document["num_qubits"], document["num_clbits"])
    for name, on, *rest in document["instructions"]:
        if name == "measure":
            circuit.measure(on[0], rest[1])
        elif name == "reset":
            circuit.reset(on[0])
        elif name != "barrier":
            getattr(circuit, name)(*(rest[0] if rest else []), *on)
    return circuit


def compare(program, document):
    try:
        theirs = qasm2.loads(program, custom_instructions=qasm2.LEGACY_CUSTOM_INSTRUCTIONS)
    except qasm2.QASM2ParseError as error:
        return {"refused": str(error)}
    (a, a_measured), (b, b_measured) = without_measurements(theirs), without_measurements(ours(document))
    if a.num_qubits != b.num_qubits or a_measured != b_measured:
        return {"distance": 2}
    begin = Statevector(turned(a.num_qubits))
    x, y = numpy.array(begin.evolve(a)), numpy.array(begin.evolve(b))
    overlap = numpy.vdot(y, x)
    return {"distance": float(numpy.abs(x - overlap / abs(overlap) * y).max())} if abs(overlap) > 0 else {"distance": 2}


def answer(program, document):
    try:
        return compare(program, document)
    except ValueError as error:
        return {"passed over": str(error)}


print(json.dumps({name: answer(program, document) for name, program, document in json.load(sys.stdin)}))
