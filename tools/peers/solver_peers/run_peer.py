"""One peer on one instance: reads a minimised QUBO in qbsolv form and prints its best assignment, the energy that it claims and when it was found, as JSON.

Usage: run_peer.py PEER FILE SECONDS THREADS SEED      (in the environment of requirements.txt)
"""

import json
import sys
import threading
import time

import numpy as np


def read_qbsolv(path):
    linear, quadratic, n = {}, {}, 0
    with open(path, encoding="utf-8") as file:
        for line in file:
            words = line.split()
            if not words or words[0] == "c":
                continue
            if words[0] == "p":
                n = int(words[3])
            else:
                i, j, value = int(words[0]), int(words[1]), float(words[2])
                if i == j:
                    linear[i] = linear.get(i, 0) + value
                else:
                    quadratic[min(i, j), max(i, j)] = quadratic.get((min(i, j), max(i, j)), 0) + value
    return n, linear, quadratic


class Best:
    """The best energy so far; times count from its making."""

    def __init__(self):
        self.begin = time.monotonic()
        self.energy, self.at, self.values = None, None, None
        self.lock = threading.Lock()

    def elapsed(self):
        return time.monotonic() - self.begin

    def note(self, energy, values):
        """`values`: of all variables in their order, computed only where they are wanted."""
        with self.lock:
            if self.energy is None or energy < self.energy:
                self.energy, self.at = float(energy), self.elapsed()
                self.values = "".join("1" if value > 0.5 else "0" for value in values())


def values_of(n, sample):
    return lambda: [sample[i] for i in range(n)]


def bqm_of(n, linear, quadratic):
    import dimod

    bqm = dimod.BinaryQuadraticModel("BINARY")
    bqm.add_variables_from({i: linear.get(i, 0.0) for i in range(n)})
    bqm.add_quadratic_from((i, j, value) for (i, j), value in quadratic.items())
    return bqm


def in_threads(threads, work):
    """The samplers let go of the interpreter's lock while they work."""
    running = [threading.Thread(target=work, args=(k,)) for k in range(threads)]
    for one in running:
        one.start()
    for one in running:
        one.join()


def annealing(model, seconds, threads, seed, best):
    """Reads of doubling length; the beta range is the sampler's own choice."""
    from dwave.samplers import SimulatedAnnealingSampler

    bqm = bqm_of(*model)

    def work(k):
        sweeps, number = 1000, 0
        while best.elapsed() < seconds:
            number += 1
            result = SimulatedAnnealingSampler().sample(bqm, num_reads=1, num_sweeps=sweeps, seed=seed * 1000 + 100 * k + number,
                                                        interrupt_function=lambda: best.elapsed() > seconds)
            if len(result):
                best.note(result.first.energy, values_of(model[0], result.first.sample))
            if number % 4 == 0:
                sweeps *= 2

    in_threads(threads, work)


def annealing_default(model, seconds, threads, seed, best):
    from dwave.samplers import SimulatedAnnealingSampler

    bqm = bqm_of(*model)

    def work(k):
        number = 0
        while best.elapsed() < seconds:
            number += 1
            result = SimulatedAnnealingSampler().sample(bqm, num_reads=1, seed=(seed * 1000 + k) * 1000000 + number)
            best.note(result.first.energy, values_of(model[0], result.first.sample))

    in_threads(threads, work)


def tabu(model, seconds, threads, seed, best):
    from dwave.samplers import TabuSampler

    bqm = bqm_of(*model)

    def work(k):
        number = 0
        while (left := seconds - best.elapsed()) > 0.02:
            number += 1
            slice_s = min(left, max(0.1, seconds / 10))
            result = TabuSampler().sample(bqm, num_reads=1, timeout=int(1000 * slice_s), seed=seed * 1000 + 100 * k + number)
            best.note(result.first.energy, values_of(model[0], result.first.sample))

    in_threads(threads, work)


def cp_sat(model, seconds, threads, seed, best):
    from ortools.sat.python import cp_model

    n, linear, quadratic = model
    cp = cp_model.CpModel()
    x = [cp.NewBoolVar(f"x{i}") for i in range(n)]
    scale = 1
    while any(abs(v * scale - round(v * scale)) > 1e-9 for v in [*linear.values(), *quadratic.values()]) and scale < 10**6:
        scale *= 10
    terms = [(round(v * scale), x[i]) for i, v in linear.items()]
    for (i, j), value in quadratic.items():
        both = cp.NewBoolVar("")
        if value > 0:  # only the side that the minimum pushes against is needed
            cp.AddBoolOr([x[i].Not(), x[j].Not(), both])
        else:
            cp.AddImplication(both, x[i])
            cp.AddImplication(both, x[j])
        terms.append((round(value * scale), both))
    cp.Minimize(sum(c * v for c, v in terms))

    class Note(cp_model.CpSolverSolutionCallback):
        def on_solution_callback(self):
            best.note(self.ObjectiveValue() / scale, lambda: [self.Value(one) for one in x])

    solver = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds = max(0.1, seconds - best.elapsed())
    solver.parameters.num_workers = threads
    solver.parameters.random_seed = seed
    status = solver.Solve(cp, Note())
    return status == cp_model.OPTIMAL


def highs(model, seconds, threads, seed, best):
    import highspy

    n, linear, quadratic = model
    pairs = list(quadratic.items())
    solver = highspy.Highs()
    for option, value in (("output_flag", False), ("time_limit", max(0.1, seconds - best.elapsed())), ("threads", threads), ("random_seed", seed)):
        solver.setOptionValue(option, value)
    lp = highspy.HighsLp()
    lp.num_col_ = n + len(pairs)
    lp.col_cost_ = np.array([linear.get(i, 0.0) for i in range(n)] + [value for _, value in pairs])
    lp.col_lower_ = np.zeros(lp.num_col_)
    lp.col_upper_ = np.ones(lp.num_col_)
    lp.integrality_ = [highspy.HighsVarType.kInteger] * n + [highspy.HighsVarType.kContinuous] * len(pairs)
    starts, columns, values, lower = [0], [], [], []
    for k, ((i, j), value) in enumerate(pairs):
        if value > 0:  # z >= x + y - 1
            columns += [n + k, i, j]
            values += [1.0, -1.0, -1.0]
            lower.append(-1.0)
            starts.append(len(columns))
        else:  # z <= x, z <= y
            for one in (i, j):
                columns += [one, n + k]
                values += [1.0, -1.0]
                lower.append(0.0)
                starts.append(len(columns))
    lp.num_row_ = len(lower)
    lp.row_lower_ = np.array(lower)
    lp.row_upper_ = np.full(len(lower), highspy.kHighsInf)
    lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    lp.a_matrix_.start_, lp.a_matrix_.index_, lp.a_matrix_.value_ = np.array(starts), np.array(columns), np.array(values)
    solver.passModel(lp)
    solver.run()
    info = solver.getInfo()
    if info.primal_solution_status == 2:
        best.note(info.objective_function_value, lambda: list(solver.getSolution().col_value)[:n])
    return solver.getModelStatus() == highspy.HighsModelStatus.kOptimal


PEERS = {"dwave-sa": annealing, "dwave-sa-default": annealing_default, "dwave-tabu": tabu, "cp-sat": cp_sat, "highs": highs}


def main():
    peer, path, seconds, threads, seed = sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5])
    model = read_qbsolv(path)
    best = Best()
    proved = PEERS[peer](model, seconds, threads, seed, best)
    print(json.dumps({"peer": peer, "energy": best.energy, "values": best.values, "at_s": best.at, "seconds": best.elapsed(), "proved": bool(proved)}))  # below the banners of libraries


if __name__ == "__main__":
    main()
