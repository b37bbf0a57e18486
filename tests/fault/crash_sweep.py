"""kill -9 at every crash point of the real server, one after the other, over one kind of store.

The names come from the program (`tandem doctor --crash-points`). Each is armed in a server that gets a load which must take it
there; a point that is not reached fails. The next server goes on without it. Oracles: the acknowledgements, the book of the device, to the
last micro-dollar, the exported log, `tandem store check`.
"""

import collections
import concurrent.futures
import contextlib
import dataclasses
import hashlib
import itertools
import json
import os
import random
import re
import signal
import subprocess
import time
import unittest
import urllib.error

from money import balance
from small_disk import SmallDisk
from support import BINARY, QUBO, Cluster, Process, Workplace, book_lines

CHOSEN = os.environ.get("TANDEM_CRASH_POINTS", "")  # of these names only, a regular expression
FINAL = ("succeeded", "failed", "cancelled", "expired")
AT_ONCE = 3  # points; most of the time somebody waits
DYING_S = 15  # what happens beside the requests, such as the reconciler's next look, gets that long
BELL = {"circuit": {"num_qubits": 2, "num_clbits": 2, "parameters": [],
                    "instructions": [["h", [0]], ["cx", [0, 1]], ["measure", [0], [], 0], ["measure", [1], [], 1]]}, "shots": 20}
DEVICE = {"program": {"pubs": [BELL]}, "policy": {"backends": ["lab.device"]}, "limits": {"cost_max_usd_micros": 1_000_000}}
DOUBTFUL = {**DEVICE, "review": {"confidence_min": 0.9}, "fallbacks": ["manual_review"]}


def qubo(variables, terms, seed):
    dice = random.Random(seed)
    pairs = {tuple(sorted(dice.sample(range(variables), 2))) for _ in range(terms)}
    return {"type": "qubo", "num_variables": variables, "linear": [dice.uniform(-1, 1) for _ in range(variables)],
            "quadratic": [[u, v, dice.uniform(-1, 1)] for u, v in sorted(pairs)], "sense": "min"}


# One who submits and acts, and one who approves, where plans need a word.
PEOPLE = {"sue": ["submitter", "operator"], "ann": ["approver"]}
RULES = """
rules: [{name: no-rehearsal, requires_simulation: false}]
approvals: [{name: hardware, when: {any_qpu: true}}]
"""

SHORT = {"problem": qubo(24, 200, 3), "refinement": {"mode": "off"}}  # proved at once, in a round of its own
LONG = {"problem": qubo(120, 2000, 1), "limits": {"time": "500ms"}, "refinement": {"mode": "off"}}  # nothing is proved before that
LARGE = {"problem": qubo(1000, 30_000, 2), "limits": {"time": "20ms"}, "refinement": {"mode": "off"}}


class Died(Exception):
    """The armed server is gone."""


class Run:
    """One point: its place, its store, what was acknowledged."""

    def __init__(self, place, address, point, settings):
        self.place = place
        self.address = address  # of a database, or None
        self.point = point
        self.environment = {**place.environment, "TANDEM_LAB_DEVICE_POLL": "5ms", "TANDEM_LAB_SETTLE_WINDOW": "100ms",
                            "TANDEM_ENGINE_LEASE_TTL": "1s", "TANDEM_SERVER_DRAIN_TIMEOUT": "20ms", **settings}
        if address:
            self.environment["TANDEM_STORE_ADDRESS"] = address
        self.device = None
        self.server = None
        self.jobs = {}  # key: document
        self.allowed = {}  # key: states in which it may end
        self.acknowledged = {}  # key: job

    def armed(self, arrival=1):
        return {**self.environment, "TANDEM_CRASH_POINT": f"{self.point}:{arrival}"}

    def start(self, environment, place=None):
        """A server, or None when it died before it served."""
        process = subprocess.Popen([BINARY, "serve", "--listen", "127.0.0.1:0", "--workers", "1"], stdout=subprocess.PIPE, text=True,
                                   env={**environment, "TANDEM_DATA_DIR": str((place or self.place).data)})
        found = re.search(r"serving (http://\S+)", process.stdout.readline())
        if found:
            return Process(process, found.group(1), has_contract=True)
        process.stdout.close()
        if process.wait(DYING_S) != -signal.SIGKILL:
            raise AssertionError(f"{self.point}: the server ended with {process.returncode}")
        return None

    def request(self, method, path, body=None, headers=None, user="sue"):
        try:
            return self.server.request(method, path, body, {"Authorization": f"Bearer {user}", **(headers or {})})
        except (urllib.error.URLError, OSError, ValueError) as lost:
            raise Died from lost

    def submit(self, document, *states, key=None):
        key = key or f'"k{len(self.jobs)}"'
        self.jobs[key] = document
        self.allowed[key] = states or ("succeeded",)
        status, _, body = self.request("POST", "/v1/jobs", document, {"Idempotency-Key": key})
        if status != 202:
            raise AssertionError(f"{self.point}: {status} {body}")
        if self.acknowledged.setdefault(key, body["job_id"]) != body["job_id"]:
            raise AssertionError(f"{self.point}: {key} stands for two jobs")
        return body["job_id"]

    def until(self, job, *states):
        end = time.monotonic() + DYING_S
        while time.monotonic() < end:
            view = self.request("GET", f"/v1/jobs/{job}")[2]
            if view["state"] in states:
                return view
            time.sleep(0.005)
        raise AssertionError(f"{self.point}: {job} is {view['state']} and not {states}")

    def ask(self, job, verb, body=None):
        status, _, answer = self.request("POST", f"/v1/jobs/{job}/{verb}", body)
        if status not in (200, 202):
            raise AssertionError(f"{self.point}: {verb}: {status} {answer}")
        return answer

    def decide(self, job, decision):
        approval = self.until(job, "awaiting_approval")["approval_id"]
        word = {"decision": decision, "reason": "the sweep wants it"}
        status, _, answer = self.request("POST", f"/v1/approvals/{approval}/decisions", word, user="ann")
        if status != 200:
            raise AssertionError(f"{self.point}: {decision}: {status} {answer}")

    def until_done(self, job):
        return self.until(job, *FINAL)


# Loads. Each takes a server to its points, and may be cut off anywhere.

def work(run):
    for number in range(3):
        run.until_done(run.submit({**SHORT, "seed": number}))


def device_work(run):
    run.until_done(run.submit(DEVICE, "succeeded", "failed"))


def waited_for(run):
    limits = {**DEVICE["limits"], "calibration_age": "1ms", "backend_wait": "300ms"}  # which no calibration keeps
    run.until_done(run.submit({**DEVICE, "limits": limits}, "failed"))


def withdrawn(run):
    job = run.submit(DEVICE, "cancelled", "failed")
    end = time.monotonic() + DYING_S
    while not any(s["state"] == "confirmed" for s in run.request("GET", f"/v1/jobs/{job}/submissions")[2]["submissions"]):
        if time.monotonic() > end:
            raise AssertionError("the device got nothing")
        time.sleep(0.01)
    run.ask(job, "cancel", {"reason": "the sweep wants it"})
    run.until_done(job)


def cancelled(run):
    running = run.submit(LONG, "cancelled", "succeeded")
    waiting = run.submit(QUBO, "cancelled", "succeeded")
    run.until(running, "running")
    run.ask(waiting, "cancel", {})
    run.ask(running, "cancel", {})
    run.until_done(running)


def suspended(run):
    job = run.submit(LONG)
    run.until(job, "running")
    run.ask(job, "suspend", {})
    run.until(job, "suspended")
    run.ask(job, "resume")
    run.until_done(job)


def reviewed(run):
    run.until(first := run.submit(DOUBTFUL, "succeeded", "failed"), "awaiting_review")
    run.until(second := run.submit({**DOUBTFUL, "seed": 2}, "succeeded", "failed"), "awaiting_review")
    run.ask(first, "review", {"decision": "accept", "reason": "it will do"})
    run.ask(second, "review", {"decision": "reject", "reason": "it will not"})


def approved(run):
    run.decide(job := run.submit(DEVICE, "succeeded", "failed"), "approve")
    run.until_done(job)


def not_approved(run):
    run.until(job := run.submit(DEVICE, "cancelled", "succeeded", "failed"), "awaiting_approval")
    run.ask(job, "cancel", {})


def tried_again(run):
    job = run.submit(DEVICE, "failed")
    run.until_done(job)
    again = run.ask(job, "retry")["job_id"]
    run.until_done(again)


def too_late(run):
    run.submit(LONG)
    run.until_done(run.submit({**QUBO, "limits": {"queue_wait": "50ms"}}, "expired", "succeeded"))


def drained(run):
    run.until(run.submit(LONG), "running")
    run.server.process.send_signal(signal.SIGTERM)


def filled(run):
    for number in range(12):
        run.until_done(run.submit({**LARGE, "seed": number}))


def released(run):
    run.until_done(job := run.submit(DEVICE, "succeeded", "failed"))
    (held,) = (s for s in run.request("GET", f"/v1/submissions?job_id={job}")[2]["submissions"] if s["state"] == "held")
    status, _, answer = run.request("POST", f"/v1/submissions/{held['token']}/release", {"reason": "it never arrived"})
    if status != 200:
        raise AssertionError(f"{run.point}: release: {status} {answer}")


def removed(run):
    job = run.submit(SHORT)
    run.until_done(job)
    run.jobs.clear()  # its key is free with it
    run.acknowledged.clear()
    run.request("DELETE", f"/v1/jobs/{job}")


def idle(run):
    """What a server does by itself."""


@dataclasses.dataclass(frozen=True)
class Load:
    drive: object
    faults: tuple = None  # of a device; None: there is none
    queue_ms: int = 1
    arrival: int = 1  # at which the point kills
    with_another: bool = False  # a first server runs a job and is killed beside the armed one
    people: bool = False  # plans for the device need a word
    store_fails: bool = False  # the database crashes under a running job, or its disk is full
    command: str = ""  # of `tandem store`, in place of a server
    only: str = ""  # kind of store


def fault(action, on="submit", **more):
    return {"on": on, "action": action, **more}


LOADS = [
    (r"submit\..*_(reserved|intent|confirmed|terminal|settled|wire_submit|wire_poll|wire_fetch)", Load(device_work, faults=())),
    (r"submit\..*_refused", Load(device_work, faults=(fault("refuse"),))),
    (r"submit\..*_(ambiguous|wire_lookup)", Load(device_work, faults=(fault("drop_reply"),))),
    (r"submit\..*_held", Load(device_work, faults=(fault("drop_request"),))),
    (r"submit\..*_released", Load(released, faults=(fault("drop_request"),))),
    (r"submit\..*_orphan", Load(device_work, faults=(fault("accept_late", delay_ms=400),))),
    (r"submit\..*_failed", Load(device_work, faults=(fault("garbage_truncated", "result", **{"from": 1, "count": 21}),
                                                     fault("result_missing", "result", **{"from": 22})))),
    (r"submit\..*_(cancelled|wire_cancel)", Load(withdrawn, faults=(), queue_ms=60_000)),
    (r"job\..*_(cancel_requested|cancelled)", Load(cancelled)),
    (r"job\..*_(suspend_requested|suspended|resumed)", Load(suspended)),
    (r"job\..*_(awaiting_review|accepted|rejected)", Load(reviewed, faults=())),
    (r"approval\..*_closed", Load(not_approved, faults=(), people=True)),
    (r"job\..*_(awaiting_approval|approved)|approval\..*", Load(approved, faults=(), people=True)),
    (r"(job|step)\..*_failed", Load(tried_again, faults=(fault("refuse", **{"from": 1}),))),
    (r"job\..*_expired", Load(too_late)),
    (r"job\..*_requeued|engine\..*_drain", Load(drained)),
    (r"job\..*_removed", Load(removed)),
    (r"step\..*_retrying", Load(device_work, faults=(fault("throttle", **{"from": 1, "count": 1}),))),
    (r"step\..*_waiting", Load(waited_for, faults=())),
    (r"job\..*|round\..*|step\..*", Load(work)),
    (r"engine\..*_recovery", Load(idle)),
    (r"engine\..*parked", Load(idle, store_fails=True)),
    (r"node\..*_bury", Load(idle, with_another=True, only="postgres")),
    (r"node\..*_leave", Load(drained, only="postgres")),
    (r"node\..*", Load(idle, only="postgres")),
    (r"sqlite\..*_checkpoint", Load(filled, only="sqlite")),
    (r"sqlite\..*", Load(work, arrival=3, only="sqlite")),
    (r"postgres\..*", Load(work, arrival=6, only="postgres")),
    (r"backup\..*", Load(work, command="backup")),
    (r"restore\..*", Load(work, command="restore")),
]


# A solver that is stopped has an answer by then, so only a double of one comes here (orchestrate/engine/engine_walk.test.cc).
DOUBLES_ONLY = {"step.before_stopped", "step.after_stopped"}


def crash_points():
    done = subprocess.run([BINARY, "doctor", "--crash-points", "--json"], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)["crash_points"]


def load_of(point):
    return next((load for pattern, load in LOADS if re.fullmatch(pattern, point)), Load(idle))


class Sweep(unittest.TestCase):
    """One kind of store; a subclass says which and how to make one."""

    KIND = ""

    def sweep(self):
        began = time.monotonic()
        points = [point for point in crash_points()
                  if load_of(point).only in ("", self.KIND) and point not in DOUBLES_ONLY and re.search(CHOSEN, point)]
        alone = [point for point in points if load_of(point).store_fails]
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as threads:
            outcomes = list(threads.map(self.outcome, [point for point in points if point not in alone]))
        outcomes += map(self.outcome, alone)
        for point, error in outcomes:
            with self.subTest(point):
                if error:
                    raise error
        reached = sum(error is None for _, error in outcomes)
        print(f"\n{self.KIND}: {reached} crash points reached in {time.monotonic() - began:.0f} s", flush=True)

    def outcome(self, point):
        try:
            with self.scene(point) as run:
                load = load_of(point)
                (self.command if load.command else self.server)(run, load)
        except Exception as error:  # told by the thread that the test runs on
            return point, error
        return point, None

    @contextlib.contextmanager
    def scene(self, point):
        load = load_of(point)
        place = Workplace()
        with contextlib.ExitStack() as stack:
            stack.callback(place.close)
            address = stack.enter_context(self.store(place, load))
            settings = {}
            if load.faults is not None:
                device = stack.enter_context(place.device(faults=list(load.faults), queue_ms=load.queue_ms))
                settings["TANDEM_LAB_DEVICE_URL"] = device.url
            if load.people:
                tokens = [{"sha256": hashlib.sha256(user.encode()).hexdigest(), "tenant": "default", "user": user, "roles": roles}
                          for user, roles in PEOPLE.items()]
                settings["TANDEM_IDENTITY_FILE"] = str(place.file("identity.yaml", {"tokens": tokens}))
                settings["TANDEM_POLICY_FILE"] = str(place.file("policy.yaml", RULES))
            run = Run(place, address, point, settings)
            run.device = device if load.faults is not None else None
            stack.callback(lambda: run.server and run.server.process.poll() is None and run.server.kill())
            yield run

    def server(self, run, load):
        if load.with_another:
            other_place = Workplace()
            self.addCleanup(other_place.close)
            other = run.server = run.start(run.environment, other_place)
            run.until(run.submit(LONG), "running")
            run.server = run.start(run.armed(load.arrival))
            other.kill()
        else:
            run.server = run.start(run.armed(load.arrival))
        if run.server is not None:
            with contextlib.suppress(Died):
                if load.store_fails:
                    self.fail_store(run)
                load.drive(run)
            self.dies(run)
        if load.store_fails:
            self.mend_store()
        run.server = run.start(run.environment)
        self.finish(run)
        if run.device is not None:
            self.settle(run)
        self.assertEqual(run.server.stop(), 0)
        self.judge(run)

    def fail_store(self, run):
        run.until(run.submit(LONG), "running")
        self.break_store()
        with contextlib.suppress(subprocess.TimeoutExpired):
            run.server.process.wait(1.5)  # where it parks the job
            return
        self.mend_store()

    def dies(self, run):
        try:
            code = run.server.process.wait(DYING_S)
        except subprocess.TimeoutExpired:
            self.fail(f"nothing came to {run.point}")
        run.server.process.stdout.close()
        self.assertEqual(code, -signal.SIGKILL, f"the server ended by itself and not at {run.point}")

    def finish(self, run):
        """The clients' requests again, and everything to its end."""
        for key, document in list(run.jobs.items()):
            run.submit(document, *run.allowed[key], key=key)
        for key, job in run.acknowledged.items():
            end = time.monotonic() + 30
            while (view := run.request("GET", f"/v1/jobs/{job}?wait=1s")[2])["state"] not in FINAL:
                self.assertLess(time.monotonic(), end, f"{run.point}: {view}")
                if view["state"] == "suspended":
                    run.ask(job, "resume")
                elif view["state"] == "awaiting_approval":
                    run.decide(job, "approve")
                elif view["state"] == "awaiting_review":
                    run.ask(job, "review", {"decision": "accept", "reason": "after the crash"})
            self.assertIn(view["state"], run.allowed[key], view)

    def settle(self, run):
        """No drift: what the device billed is what the ledger says and what was posted, once what is in doubt is decided."""
        end = time.monotonic() + 30
        jobs = [job["job_id"] for job in run.request("GET", "/v1/jobs?limit=100")[2]["jobs"]]
        while not (found := balance(run.device.book, jobs, lambda path: run.request("GET", path)[2])).even:
            self.assertLess(time.monotonic(), end, f"{run.point}: {found}")
            time.sleep(0.02)

    def judge(self, run):
        checked = run.place.run("store", "check", "--json", check=False, environment=run.environment)
        self.assertEqual(checked.returncode, 0, checked.stdout)
        exported = [json.loads(line) for line in run.place.run("store", "export", "--json", environment=run.environment).stdout.splitlines()]
        events = [line for line in exported if line["kind"] == "event"]
        self.assertEqual([event["sequence"] for event in events], list(range(1, len(events) + 1)))
        ends = collections.Counter(e["value"]["job_id"] for e in events if e["value"]["type"] in [f"job.{state}" for state in FINAL])
        jobs = sum(line["kind"] == "row" and line["table"] == "job" for line in exported)
        self.assertEqual(set(ends.values()) - {1}, set(), "a job ended twice")
        self.assertLessEqual(set(run.acknowledged.values()), set(ends))
        removed = {e["value"]["job_id"] for e in events if e["value"]["type"] == "job.removed"}
        self.assertEqual(len(set(ends) - removed), jobs, "a job of the store has not ended")
        if run.device is not None:
            billed = collections.Counter(line["token"] for line in book_lines(run.device.book) if line.get("line") == "accepted")
            self.assertEqual({token: n for token, n in billed.items() if n > 1}, {})
            tokens = collections.defaultdict(set)  # of each job: however often it was tried, one submission is billed
            for event in events:
                if event["value"]["type"] == "submission.reserved":
                    tokens[event["value"]["job_id"]].add(event["value"]["data"]["token"])
            self.assertEqual({job: made for job, made in tokens.items() if len(made & set(billed)) > 1}, {})

    def command(self, run, load):
        """A store command dies; what it read is whole, and what it wrote is whole or not taken for it."""
        run.server = run.start(run.environment)
        load.drive(run)
        self.finish(run)
        self.assertEqual(run.server.stop(), 0)
        self.judge(run)
        file = run.place.folder / "saved.backup"
        if load.command == "backup":
            done = run.place.run("store", "backup", file, check=False, environment=run.armed())
            self.assertEqual(done.returncode, -signal.SIGKILL, f"nothing came to {run.point}")
            self.assertEqual(file.exists(), run.point == "backup.after_end")
            if not file.exists():
                run.place.run("store", "backup", file, environment=run.environment)
            run.place.run("store", "check", file, environment=run.environment)
            return self.judge(run)
        run.place.run("store", "backup", file, environment=run.environment)
        with self.store(run.place, load) as address:
            elsewhere = {"TANDEM_DATA_DIR": str(run.place.folder / "elsewhere"), **({"TANDEM_STORE_ADDRESS": address} if address else {})}
            done = run.place.run("store", "restore", file, check=False, environment={**run.armed(), **elsewhere})
            self.assertEqual(done.returncode, -signal.SIGKILL, f"nothing came to {run.point}")
            opened = run.place.run("jobs", "--json", check=False, environment={**run.environment, **elsewhere})
            if run.point != "restore.after_end":
                self.assertEqual(json.loads(opened.stdout)["name"], "restore_unfinished")
                return
            self.assertEqual({job["job_id"] for job in json.loads(opened.stdout)["jobs"]}, set(run.acknowledged.values()))


class Databases(Sweep):
    """A database of its own for each point."""

    KIND = "postgres"

    def setUp(self):
        self.cluster = self.enterContext(Cluster())
        self.made = itertools.count()

    def break_store(self):
        self.cluster.crash()

    def mend_store(self):
        self.cluster.start()

    @contextlib.contextmanager
    def store(self, _place, _load):
        name = f"sweep{next(self.made)}"
        self.cluster.sql(f"CREATE DATABASE {name}")
        try:
            yield self.cluster.address.replace("/postgres?", f"/{name}?")
        finally:
            self.cluster.sql(f"DROP DATABASE {name} WITH (FORCE)")


class Files(Sweep):
    KIND = "sqlite"

    def break_store(self):
        self.disk.fill()

    def mend_store(self):
        self.disk.free()

    @contextlib.contextmanager
    def store(self, place, load):
        """In the place's folder; where it is to fail, which is one after the other, on a disk of its own."""
        if not load.store_fails:
            yield None
            return
        self.disk = SmallDisk()
        try:
            place.data = self.disk.path / "data"
            place.environment["TANDEM_DATA_DIR"] = str(place.data)
            yield None
        finally:
            self.disk.close()
