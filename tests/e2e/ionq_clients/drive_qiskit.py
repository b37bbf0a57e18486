"""Drives qiskit-ionq, in an environment of its own, as tests/e2e/test_ionq_clients.py asks on standard input; prints what it saw.

The environment variable IONQ_API_URL has to be set beside "url": the client asks for the number of qubits there.
"""

import json
import sys

from qiskit import QuantumCircuit
from qiskit_ionq import ErrorMitigation, GPI2Gate, GPIGate, IonQProvider, MSGate, ZZGate
from qiskit_ionq.exceptions import IonQAPIError


NATIVE = {"gpi": GPIGate, "gpi2": GPI2Gate, "ms": MSGate, "rzz": ZZGate}


def circuit_of(task):
    """Angles of native gates are whole turns here, as this client wants them."""
    circuit = QuantumCircuit(task["qubits"], task["clbits"], name=task["name"])
    for name, qubits, angles in task["gates"]:
        if task["gateset"] == "native":
            circuit.append(NATIVE[name](*angles), qubits)
        else:
            getattr(circuit, name)(*angles, *qubits)
    for qubit, clbit in task["measure"]:
        circuit.measure(qubit, clbit)
    return circuit


def bell():
    circuit = QuantumCircuit(3, 3, name="bell")
    circuit.x(0)
    circuit.h(1)
    circuit.cx(1, 2)
    circuit.measure([0, 1, 2], [0, 1, 2])
    return circuit


def walk(provider, order):
    simulator, machine = provider.get_backend("ionq_simulator"), provider.get_backend("ionq_qpu.forte-1")
    calibration = machine.calibration()
    ideal = simulator.run(bell(), shots=200, sampler_seed=3)
    noisy = machine.run(bell(), shots=200)
    out = {"qubits": [simulator.num_qubits, machine.num_qubits], "any_qpu": provider.get_backend("ionq_qpu").num_qubits,
           "calibration": {"id": calibration.id, "qubits": calibration.qubits},
           "ideal": {"counts": ideal.result(wait=0.05).get_counts(), "probabilities": ideal.get_probabilities(), "status": ideal.status().name},
           "noisy": {"counts": noisy.result(wait=0.05).get_counts(), "status": noisy.status().name}}
    again = provider.get_backend("ionq_qpu.forte-1").retrieve_job(noisy.job_id())
    out["again"] = again.result(wait=0.05).get_counts()
    estimate = simulator.client.estimate_job(backend="ionq_qpu.forte-1", oneq_gates=10, twoq_gates=20, qubits=3, shots=1000)
    out["estimate"] = estimate.cost
    return out


def cancel(provider, order):
    job = provider.get_backend("ionq_qpu.forte-1").run(bell(), shots=100)
    before = job.status().name
    job.cancel()
    return {"before": before, "after": job.status().name}


def circuits(provider, order):
    out = []
    for task in order["circuits"]:
        backend = provider.get_backend(f"ionq_{task['backend']}", gateset=task["gateset"])
        seed = {"sampler_seed": task["seed"]} if task["seed"] is not None else {}
        backend.set_options(**seed)
        plain = {} if task["backend"] == "simulator" else {"error_mitigation": ErrorMitigation.NO_DEBIASING}
        out.append(backend.run(circuit_of(task), shots=task["shots"], **plain).job_id())
    return out


def errors(provider, order):
    out = {}
    backend = provider.get_backend("ionq_simulator")
    out["throttled"] = backend.run(bell(), shots=10).result(wait=0.05).get_counts()  # the client tries again by itself
    try:
        IonQProvider("another key", url=order["url"]).get_backend("ionq_simulator").run(bell(), shots=10)
    except IonQAPIError as error:
        out["key"] = [error.status_code, error.message]
    try:
        backend.retrieve_job("00000000-0000-0000-0000-000000000000").status()
    except IonQAPIError as error:
        out["job"] = [error.status_code, error.message]
    wide = QuantumCircuit(30, 1)
    wide.x(29)
    wide.measure(29, 0)
    try:
        backend.run(wide, shots=10)
    except IonQAPIError as error:
        out["wide"] = [error.status_code, error.message]
    return out


def main():
    order = json.load(sys.stdin)
    provider = IonQProvider(order["key"], url=order["url"])
    seen = {"walk": walk, "cancel": cancel, "circuits": circuits, "errors": errors}[order["task"]](provider, order)
    json.dump(seen, sys.stdout)


main()
