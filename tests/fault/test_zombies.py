"""SIGSTOP of workers for longer than their lease, and SIGCONT: what they still say of their jobs is refused.

TANDEM_ZOMBIE_ROUNDS sets how often (3), and it goes on until a late write was seen to be refused: a worker mostly finds out first that its
lease is over. The 10,000 late completions are orchestrate/engine/zombies.test.cc.
"""

import collections
import json
import os
import pathlib
import signal
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from support import Cluster, Workplace  # noqa: E402

ROUNDS = int(os.environ.get("TANDEM_ZOMBIE_ROUNDS", "3"))
JOBS = 6
FINAL = ("job.succeeded", "job.failed", "job.cancelled", "job.expired")


def long_job(number):
    return {"problem": {"type": "max_cut", "num_nodes": 50, "edges": [[u, v, 1 + (u * v + number) % 5] for u in range(50) for v in range(u)]},
            "limits": {"time": "400ms"}, "refinement": {"mode": "off"}, "seed": number}


class Zombies(unittest.TestCase):
    def place(self, cluster):
        place = Workplace()
        self.addCleanup(place.close)
        place.environment |= {"TANDEM_STORE_ADDRESS": cluster.address, "TANDEM_ENGINE_LEASE_TTL": "1s", "TANDEM_ENGINE_WORKERS": "2"}
        return place

    def events(self, place):
        lines = place.run("store", "export").stdout.splitlines()
        return [line for line in map(json.loads, lines) if line["kind"] == "event"]

    def test_a_worker_that_was_stopped_for_longer_than_its_lease_completes_nothing(self):
        stopped_while_running = 0
        with Cluster() as cluster:
            places = [self.place(cluster) for _ in range(3)]
            logs = [self.enterContext(open(place.folder / "worker.log", "w")) for place in places[1:]]
            with (places[0].serve("--role", "api,scheduler") as api, places[1].worker(stderr=logs[0]) as first,
                  places[2].worker(stderr=logs[1]) as second):
                jobs = []
                number = -1
                # Mostly a worker finds out first that its lease is over. Stops go on until a late write came to the store, or for so long.
                while (number := number + 1) < ROUNDS or (number < 10 * ROUNDS and not self.refused(logs)):
                    zombie, heir = (first, second) if number % 2 == 0 else (second, first)
                    heir.process.send_signal(signal.SIGSTOP)  # so that the jobs are the other one's
                    time.sleep(1.5)
                    mine = [api.request("POST", "/v1/jobs", long_job(10 * number + i))[2]["job_id"] for i in range(JOBS)]
                    jobs += mine
                    while not (running := [job for job in mine if api.request("GET", f"/v1/jobs/{job}")[2]["state"] == "running"]):
                        time.sleep(0.01)
                    zombie.process.send_signal(signal.SIGSTOP)
                    heir.process.send_signal(signal.SIGCONT)
                    for job in mine:
                        self.assertEqual(api.finished(job)["state"], "succeeded")
                    results = {job: api.request("GET", f"/v1/jobs/{job}/result")[2] for job in mine}
                    taken_over = [job for job in running if self.types(api, job).count("job.requeued") == 1]
                    stopped_while_running += len(taken_over)
                    length = len(self.events(places[0]))
                    zombie.process.send_signal(signal.SIGCONT)  # it goes on where it was, and completes them
                    time.sleep(1.2)
                    self.assertEqual(len(self.events(places[0])), length, "a zombie wrote an event")
                    for job in mine:
                        self.assertEqual(api.request("GET", f"/v1/jobs/{job}/result")[2], results[job])
                # Whoever was stopped takes part again.
                again = [api.request("POST", "/v1/jobs", long_job(1000 + i))[2]["job_id"] for i in range(4)]
                for job in again:
                    self.assertEqual(api.finished(job)["state"], "succeeded")
            ends = collections.Counter(e["value"]["job_id"] for e in self.events(places[0]) if e["value"]["type"] in FINAL)
            self.assertEqual(ends, collections.Counter(jobs + again))
            self.assertEqual(places[0].run("store", "check", "--json", check=False).returncode, 0)
            refused = self.refused(logs)
        self.assertGreater(stopped_while_running, 0)
        print(f"\n{number} stops: 0 of {stopped_while_running} late completions taken, {refused} refused by their fence", flush=True)

    def refused(self, logs):
        """How many late writes came to the store, as their workers tell."""
        lines = [json.loads(line) for log in logs for line in pathlib.Path(log.name).read_text().splitlines()]
        return sum(line["event"] in ("job.let_go", "job.end_not_stored") and "stale_fence" in line["error"] for line in lines)

    def types(self, api, job):
        return [event["type"] for event in api.request("GET", f"/v1/jobs/{job}/events?limit=1000")[2]["events"]]


if __name__ == "__main__":
    unittest.main()
