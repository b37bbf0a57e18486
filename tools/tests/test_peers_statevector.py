"""tools/peers/statevector and tools/bench/statevector: workloads are what they say, answers that differ are seen, goals and limits are reckoned right."""

import cmath
import contextlib
import io
import json
import math
import pathlib
import random
import tempfile
import types
import unittest
import unittest.mock

from scripts import module

PEERS = module("tools/peers/statevector")
BENCH = module("tools/bench/statevector")
import run_peer  # noqa: E402
import workloads  # noqa: E402  (the path is put there by the scripts)


def matrix_of(name, angles):
    """On the qubits of a gate; bit 0 of an index is the first one."""
    a = angles[0] if angles else 0
    c, s, r = math.cos(a / 2), math.sin(a / 2), math.sqrt(0.5)
    turn = cmath.exp(0.5j * a)
    if name == "matrix":
        return [[complex(angles[8 * row + 2 * column], angles[8 * row + 2 * column + 1]) for column in range(4)] for row in range(4)]
    return {
        "h": [[r, r], [r, -r]], "ry": [[c, -s], [s, c]], "rx": [[c, -1j * s], [-1j * s, c]], "rz": [[1 / turn, 0], [0, turn]],
        "u": [[c, -cmath.exp(1j * angles[2]) * s], [cmath.exp(1j * angles[1]) * s, cmath.exp(1j * (angles[1] + angles[2])) * c]] if name == "u" else None,
        "cx": [[1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0], [0, 1, 0, 0]], "cz": [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, -1]],
        "cp": [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, cmath.exp(1j * a)]], "swap": [[1, 0, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 1]],
        "rzz": [[1 / turn, 0, 0, 0], [0, turn, 0, 0], [0, 0, turn, 0], [0, 0, 0, 1 / turn]],
    }[name]


def state_of(qubits, gates, row=()):
    """By the definition, slowly."""
    state = [complex(z == 0) for z in range(1 << qubits)]
    for name, on, *rest in gates:
        angles = [a["f"] * row[a["p"]] if isinstance(a, dict) else a for a in (rest[0] if rest else [])]
        matrix = matrix_of(name, angles)
        out = [0j] * len(state)
        for z, amplitude in enumerate(state):
            column = sum((z >> q & 1) << i for i, q in enumerate(on))
            rest_of = z & ~sum(1 << q for q in on)
            for line in range(len(matrix)):
                out[rest_of | sum((line >> i & 1) << q for i, q in enumerate(on))] += matrix[line][column] * amplitude
        state = out
    return state


def seen(state):
    """What programs of a comparison tell of a state."""
    return [[state[z].real, state[z].imag] for z in (i * 0x9E3779B97F4A7C15 % 2**64 & (len(state) - 1) for i in range(PEERS.AMPLITUDES))]


class Workloads(unittest.TestCase):
    def test_fourier_is_the_discrete_fourier_transform_of_a_product_state(self):
        n = 5
        made = workloads.fourier(n)
        before = state_of(n, made["gates"][:2 * n])
        expected = [sum(before[x] * cmath.exp(2j * math.pi * x * y / 2**n) for x in range(2**n)) / math.sqrt(2**n) for y in range(2**n)]
        for a, b in zip(state_of(n, made["gates"]), expected):
            self.assertAlmostEqual(a, b)

    def test_a_gate_of_fourier_that_is_left_out_or_turned_is_seen(self):
        n = 5
        made = workloads.fourier(n)
        right = seen(state_of(n, made["gates"]))
        for at, gate in enumerate(made["gates"]):
            wrong = made["gates"][:at] + made["gates"][at + 1:]
            self.assertGreater(PEERS.distance(right, seen(state_of(n, wrong))), PEERS.TOLERANCE["f32"], gate)
            if gate[0] == "cp" and abs(gate[2][0]) < 3:
                wrong = made["gates"][:at] + [["cp", gate[1], [-gate[2][0]]]] + made["gates"][at + 1:]
                self.assertGreater(PEERS.distance(right, seen(state_of(n, wrong))), PEERS.TOLERANCE["f32"], gate)

    def test_matrices_of_quantum_volume_are_its_gates(self):
        made = workloads.quantum_volume(4)
        self.assertEqual((len(made["gates"]), len(made["matrices"])), (4 * 2 * 11, 4 * 2))
        for a, b in zip(state_of(4, made["gates"]), state_of(4, made["matrices"])):
            self.assertAlmostEqual(a, b)

    def test_layers_are_those_of_the_model(self):
        for made in (workloads.complete_graph(4, 2), workloads.max_cut(6, 2, 1)):
            n, row, layers = made["qubits"], made["rows"][0], made["parameters"] // 2
            model = made["model"]
            energies = []
            for z in range(2**n):
                spins = [2 * (z >> q & 1) - 1 for q in range(n)]
                energies.append(sum(h * s for h, s in zip(model["h"], spins)) + sum(w * spins[u] * spins[v] for u, v, w in model["j"]))
            expected = [complex(2 ** (-n / 2))] * 2**n
            for gamma, beta in zip(row[:layers], row[layers:]):
                expected = [a * cmath.exp(-1j * gamma * e) for a, e in zip(expected, energies)]
                for q in range(n):
                    expected = [math.cos(beta) * a - 1j * math.sin(beta) * expected[z ^ 1 << q] for z, a in enumerate(expected)]
            state = state_of(n, made["gates"], row)
            self.assertLess(PEERS.distance(seen(expected), seen(state)), 1e-9)
            value = sum(abs(a) ** 2 * e for a, e in zip(expected, energies))
            by_terms = sum(weight * sum(abs(a) ** 2 * (-1) ** sum(z >> q & 1 for q, letter in enumerate(paulis) if letter == "Z") for z, a in enumerate(state))
                           for paulis, weight in made["observable"])
            self.assertAlmostEqual(value, by_terms)

    def test_rows_are_those_of_the_purpose(self):
        made = list(workloads.workloads(20))
        by_name = {(w.name, w.kind): w for w in made}
        self.assertEqual(by_name["loop of 10 qubits, 70 parameters", "gradient"].parameters, 70)
        self.assertEqual(len(by_name["loop of 10 qubits, 70 parameters", "value"].gates), 100)
        self.assertEqual(len(by_name["loop of 10 qubits, 70 parameters", "value"].observable), 19)
        self.assertEqual(workloads.hardware_efficient(20, 10, 1)["parameters"], 400)
        for kind in ("state", "draws", "value", "gradient"):
            self.assertIn(kind, {w.kind for w in made})
        for workload in made:
            self.assertTrue(all(peer in workload.peers for peer in workload.against), workload.name)
            self.assertTrue(all(len(row) == workload.parameters for row in workload.rows), workload.name)
            if workload.kind in ("value", "gradient"):  # no evaluation is at the parameters of the one before, also from pass to pass
                self.assertTrue(all(a != b for a, b in zip(workload.rows, workload.rows[1:] + workload.rows[:1])), workload.name)


class Agreement(unittest.TestCase):
    def test_a_phase_of_the_whole_state_is_no_difference(self):
        dice = random.Random(1)
        state = [complex(dice.gauss(0, 1), dice.gauss(0, 1)) for _ in range(16)]
        turned = [a * cmath.exp(0.7j) for a in state]
        as_parts = [[a.real, a.imag] for a in state]
        self.assertLess(PEERS.distance(as_parts, [[a.real, a.imag] for a in turned]), 1e-12)
        turned[3] *= cmath.exp(0.01j)
        self.assertGreater(PEERS.distance(as_parts, [[a.real, a.imag] for a in turned]), 1e-4)
        self.assertEqual(PEERS.distance(as_parts, [[0.0, 0.0]] * 16), math.inf)

    def test_draws_of_another_distribution_are_seen(self):
        n, shots = 8, 4000
        dice = random.Random(2)
        weights = [dice.expovariate(1) for _ in range(2**n)]
        share = [w / sum(weights) for w in weights]

        def draws(of):
            states = dice.choices(range(2**n), of, k=shots)
            seen = [2**n * share[z] for z in states]
            return {"shots": shots, "ones": [sum(z >> q & 1 for z in states) for q in range(n)],
                    "unequal": [sum((z >> q ^ z >> (q + 1) % n) & 1 for z in states) for q in range(n)],
                    "mean": sum(seen) / shots, "mean_square": sum(x * x for x in seen) / shots}
        right = draws(share)
        self.assertLess(PEERS.sigmas(right, draws(share)), PEERS.SIGMAS)
        self.assertGreater(PEERS.sigmas(right, draws([1] * 2**n)), PEERS.SIGMAS)  # draws that know nothing of the state
        self.assertGreater(PEERS.sigmas(right, draws([w * (1.6 if z >> 3 & 1 else 1) for z, w in enumerate(share)])), PEERS.SIGMAS)
        self.assertEqual(PEERS.sigmas(right, {**right, "shots": shots - 1}), math.inf)

    def test_values_and_derivatives_are_compared_one_by_one(self):
        workload = workloads.Workload("w", "gradient", "f64", 1, 2, [], observable=[["ZI", 2.0], ["IX", -1.0]])
        mine = {"values": [0.5], "derivatives": [0.1, 0.2]}
        self.assertLess(PEERS.apart(mine, {"values": [0.5 + 1e-9], "derivatives": [0.1, 0.2]}, workload), 1)
        self.assertGreater(PEERS.apart(mine, {"values": [0.5], "derivatives": [0.1, 0.2 + 1e-8]}, workload), 1)
        self.assertLess(PEERS.apart(mine, {"values": [], "derivatives": [0.1, 0.2]}, workload), 1)  # a peer that tells the gradient alone
        for missing in ({"values": [], "derivatives": []}, {"values": [0.5], "derivatives": [0.1]}, {"values": [0.5, 0.5], "derivatives": []}):
            self.assertEqual(PEERS.apart(mine, missing, workload), math.inf)


class Figures(unittest.TestCase):
    def test_what_is_no_time_is_refused(self):
        draws = workloads.Workload("w", "draws", "f64", 1, 2, [])
        self.assertEqual(PEERS.figure({"sample_seconds": [None, 0.5], "seconds": [1, 1]}, draws), 0.5)
        for seconds in (None, 0.0, -0.1, math.nan, math.inf):
            run = {"sample_seconds": [0.5, seconds], "seconds": [1, 1]}
            with self.assertRaises(ValueError):
                PEERS.figure(run, draws)
            with contextlib.redirect_stderr(io.StringIO()) as said:
                self.assertIsNone(PEERS.figure_of_peer(run, draws, "aer", {}))
            self.assertIn("left out", said.getvalue())

    def test_draws_that_seem_to_take_no_time_are_tried_again(self):
        for times, expected in (([1.0, 1.5], (1.0, 0.5)), ([1.0, 0.9, 1.0, 1.25], (1.0, 0.25)), ([1.0, 1.0] * 3, (1.0, None))):
            left = list(times)
            with unittest.mock.patch.object(run_peer, "timed", lambda work, left=left: (left.pop(0), work())):
                seen = run_peer.drawn_beside(types.SimpleNamespace(), lambda: None, lambda: "draws")
            self.assertEqual((seen, left), ((*expected, "draws"), []))

    def test_angles_and_derivatives_follow_parameters(self):
        with tempfile.TemporaryDirectory() as folder:
            made = workloads.max_cut(6, 1, 2)
            _, file, _ = workloads.Workload("w", "gradient", "f64", 1, **made).write(pathlib.Path(folder))
            work = run_peer.Work(file, "f64", 1, 0)
        (gamma, beta), n = made["rows"][1], len(made["model"]["j"])
        self.assertEqual(work.bound_rows[1], [2 * 0.5 * gamma] * n + [2 * beta] * 6)
        self.assertEqual(work.derivatives([1.0] * (n + 6), -1), [-1.0 * n, -12.0])


class Rows(unittest.TestCase):
    def test_a_row_takes_the_place_of_the_same_work(self):
        machine = {"cpu": "a processor", "cpu_family": "6", "cpu_model": "143", "load": 1}
        row = {"case": "a", "kind": "state", "precision": "f32", "threads": 1, "ratio": 2, "machine": machine}
        elsewhere = {**row, "machine": {**machine, "cpu_model": "85"}}
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "results" / "statevector.json"
            for one in (row, {**row, "threads": 2}, elsewhere, {**row, "ratio": 3, "machine": {**machine, "load": 2}}):
                PEERS.put_row(path, one)
            self.assertEqual(json.loads(path.read_text())["rows"], [{**row, "ratio": 3, "machine": {**machine, "load": 2}}, {**row, "threads": 2}, elsewhere])

    def test_a_goal_is_of_the_last_run_with_peers_or_of_the_purpose(self):
        workload = workloads.Workload("w", "state", "f32", 2, 4, [], goal=4, against=("qsim",), reference_s=2.0)
        row = {"case": "w", "kind": "state", "precision": "f32", "threads": 2, "against": "qsim", "median_s": {"tandem": 0.1, "qsim": 1.0}}
        here = {"cpu": "a processor", "cpu_family": "6", "cpu_model": "143"}
        row["machine"] = {**here, "load": 0.1}
        self.assertEqual(BENCH.goal_s(workload, [row], here), (0.25, "r"))
        elsewhere = {**row, "machine": {**here, "cpu_model": "85"}}
        for others in ([], [{**row, "threads": 1}], [{**row, "against": None}], [elsewhere], [{key: value for key, value in row.items() if key != "machine"}]):
            self.assertEqual(BENCH.goal_s(workload, others, here), (0.5, "p"))
        self.assertEqual(BENCH.goal_s(workload, [elsewhere, row], here), (0.25, "r"))
        unknown = {"cpu": "", "cpu_family": "", "cpu_model": ""}
        self.assertEqual(BENCH.goal_s(workload, [{**row, "machine": unknown}], unknown), (0.5, "p"))

    def test_limits_are_reckoned_from_the_machine(self):
        machine = {"threads": 2, "memory_bytes_per_ns": 10, "f32": {"fused_per_ns": 50}, "f64": {"fused_per_ns": 25}}
        circuit = {"fused": 10**10, "moved_bytes": 5 * 10**9, "state_bytes": 10**10}

        def limit(kind, circuit=circuit, **others):
            return BENCH.limit_s(workloads.Workload("w", kind, "f64", 2, 24, [], **others), circuit, machine)
        self.assertEqual(limit("state"), 0.5)
        self.assertEqual(limit("gradient"), 1.5)
        self.assertEqual(limit("draws"), 1.0)
        self.assertEqual(limit("state", circuit={**circuit, "state_bytes": 1 << 26}), 0.2)  # caches hold it
        self.assertIsNone(limit("draws", circuit={**circuit, "state_bytes": 1 << 20}))
        # Four layers on 2^24 amplitudes: 52 operations each at 50 a ns of both threads; five passes of 2 x 256 MiB at 10 bytes a ns.
        fields = {"h": [1.0] * 24, "j": []}
        self.assertAlmostEqual(limit("value", model=fields, layers=4, parameters=8), max(4 * 52 * 2**24 / 50e9, 5 * 2**29 / 10e9))
        # Without fields half of the amplitudes.
        self.assertAlmostEqual(limit("value", model={"h": [0] * 24, "j": []}, layers=4, parameters=8), max(4 * 52 * 2**23 / 50e9, 5 * 2**28 / 10e9))


if __name__ == "__main__":
    unittest.main()
