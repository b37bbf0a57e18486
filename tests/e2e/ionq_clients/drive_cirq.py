"""Drives cirq-ionq, in an environment of its own, as tests/e2e/test_ionq_clients.py asks on standard input; prints what it saw."""

import json
import sys

import cirq
import cirq_ionq


def bell():
    a, b, c = cirq.LineQubit.range(3)
    return cirq.Circuit(cirq.X(a), cirq.H(b), cirq.CNOT(b, c), cirq.measure(a, b, c, key="m"))


def native():
    """GPI2 twice is GPI with a phase: qubit 0 is flipped; MS makes a pair of qubits 1 and 2."""
    a, b, c = cirq.LineQubit.range(3)
    return cirq.Circuit(cirq_ionq.GPI2Gate(phi=0).on(a), cirq_ionq.GPI2Gate(phi=0).on(a), cirq_ionq.MSGate(phi0=0, phi1=0).on(b, c),
                        cirq.measure(a, b, c, key="m"))


def walk(service, order):
    job = service.create_job(bell(), repetitions=200, name="bell")
    results = job.results()
    out = {"status": job.status(), "qubits": job.num_qubits(), "probabilities": {str(k): v for k, v in results.probabilities(key="m").items()}}
    pair = service.create_job(native(), repetitions=200, name="native").results()
    out["native"] = {str(k): v for k, v in pair.probabilities(key="m").items()}
    machine = service.create_job(bell(), repetitions=200, target="qpu").results()
    out["machine"] = {str(k): v for k, v in machine.counts(key="m").items()}
    out["listed"] = len(service.list_jobs())
    job.delete()
    try:
        service.get_job(job.job_id())
    except cirq_ionq.IonQNotFoundException as error:
        out["deleted"] = error.status_code
    return out


def cancel(service, order):
    job = service.create_job(bell(), repetitions=100, target="qpu")
    before = job.status()
    job.cancel()
    return {"before": before, "after": job.status()}


def errors(service, order):
    out = {"throttled": service.create_job(bell(), repetitions=10).status()}  # the client tries again by itself
    try:
        cirq_ionq.Service(remote_host=order["url"], api_key="another key", default_target="simulator", max_retry_seconds=5).create_job(bell())
    except cirq_ionq.IonQException as error:
        out["key"] = error.status_code
    return out


def main():
    order = json.load(sys.stdin)
    service = cirq_ionq.Service(remote_host=order["url"], api_key=order["key"], default_target="simulator", max_retry_seconds=10)
    json.dump({"walk": walk, "cancel": cancel, "errors": errors}[order["task"]](service, order), sys.stdout)


main()
