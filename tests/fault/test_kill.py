"""kill -9 of the server under clients that submit local and device jobs. Oracles: the acknowledgements, and the device's own book.

TANDEM_KILLS sets how often (50 here, 500 in the long check).
"""

import collections
import json
import os
import pathlib
import random
import sys
import threading
import time
import unittest
import urllib.error

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from support import QUBO, Cluster, Workplace, book_lines  # noqa: E402

KILLS = int(os.environ.get("TANDEM_KILLS", "50"))
CLIENTS = 3

BELL = {
    "circuit": {"num_qubits": 2, "num_clbits": 2, "parameters": [],
                "instructions": [["h", [0]], ["cx", [0, 1]], ["measure", [0], [], 0], ["measure", [1], [], 1]]},
    "shots": 20,
}


def document(number):
    if number % 2 == 0:
        return {**QUBO, "name": f"local {number}", "seed": number}
    return {"name": f"device {number}", "program": {"pubs": [BELL]}, "seed": number,
            "policy": {"backends": ["lab.device"]},
            "limits": {"cost_max_usd_micros": 1_000_000, "retry": {"max_attempts": 10, "delay_min": "5ms", "delay_max": "100ms"}}}


class Clients:
    """Submit with idempotency keys until told to stop; what was acknowledged is kept."""

    def __init__(self):
        self.servers = []
        self.acknowledged = {}
        self.number = 0
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self.wrong = []  # answers that no client should get
        self.threads = [threading.Thread(target=self.work, daemon=True) for _ in range(CLIENTS)]
        for thread in self.threads:
            thread.start()

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join()

    def work(self):
        while not self.stopping.is_set():
            with self.lock:
                self.number += 1
                number = self.number
            while not self.stopping.is_set():
                servers = self.servers
                if not servers:
                    self.stopping.wait(0.005)
                    continue
                server = random.choice(servers)
                try:
                    status, _, body = server.request("POST", "/v1/jobs", document(number), {"Idempotency-Key": f'"k{number}"'}, timeout=5)
                except (urllib.error.URLError, OSError, ValueError):
                    self.stopping.wait(0.005)  # the server was killed: the same key again
                    continue
                except AssertionError as broken:  # the contract; a thread has nobody to tell
                    self.wrong.append((number, broken))
                    break
                if status == 202:
                    with self.lock:
                        self.acknowledged[number] = body["job_id"]
                    break
                if status not in (409, 503):
                    self.wrong.append((number, status, body))
                    break
            self.stopping.wait(0.02)  # two cores: leave room for the work itself


class KillLoop(unittest.TestCase):
    def setUp(self):
        self.dice = random.Random(int(os.environ.get("TANDEM_KILL_SEED", "1")))
        self.settings = {"TANDEM_LAB_DEVICE_POLL": "5ms", "TANDEM_LAB_SETTLE_WINDOW": "300ms"}
        self.faults = [{"on": "submit", "action": "drop_reply", "from": 5, "count": 0, "probability": 0.1},
                       {"on": "submit", "action": "throttle", "from": 1, "count": 0, "probability": 0.2}]
        self.tokens = {}  # of each device job: its submissions

    def place(self):
        place = Workplace()
        self.addCleanup(place.close)
        return place

    def started(self, place):
        """A server that outlives the statement; the test kills it."""
        return self.enterContext(place.serve(environment=self.settings))

    def test_nothing_acknowledged_is_lost_and_no_token_is_billed_twice(self):
        place = self.place()
        with place.device(faults=self.faults) as device:
            self.settings["TANDEM_LAB_DEVICE_URL"] = device.url
            clients = Clients()
            restarts = []
            for _ in range(KILLS):
                begin = time.monotonic()
                with place.serve(environment=self.settings) as server:
                    restarts.append(time.monotonic() - begin)
                    clients.servers = [server]
                    time.sleep(self.dice.uniform(0.02, 0.4))
                    clients.servers = []
                    server.kill()
            with place.serve(environment=self.settings) as server:
                clients.servers = [server]
                time.sleep(0.3)
                views = self.all_done(clients, server)
        self.judge(clients, views, device, KILLS, restarts)

    def test_two_processes_on_one_database_that_crashes_too(self):
        kills = max(6, KILLS // 5)
        self.settings["TANDEM_ENGINE_LEASE_TTL"] = "1s"
        places = [self.place(), self.place()]
        with Cluster() as cluster, places[0].device(faults=self.faults) as device:
            self.settings |= {"TANDEM_LAB_DEVICE_URL": device.url, "TANDEM_STORE_ADDRESS": cluster.address}
            servers = [self.started(place) for place in places]
            clients = Clients()
            clients.servers = list(servers)
            restarts = []
            for kill in range(kills):
                time.sleep(self.dice.uniform(0.05, 0.6))
                victim = self.dice.randrange(2)
                clients.servers = [servers[1 - victim]]
                servers[victim].kill()
                if kill % 5 == 4:
                    cluster.crash()
                    cluster.start()
                    time.sleep(self.dice.uniform(0.05, 0.6))
                else:
                    time.sleep(self.dice.choice([0, 0, 1.5]))  # now and then the other one takes over
                begin = time.monotonic()
                servers[victim] = self.started(places[victim])
                restarts.append(time.monotonic() - begin)
                clients.servers = list(servers)
            time.sleep(0.3)
            views = self.all_done(clients, servers[0])
            for server in servers:
                server.stop()
        self.judge(clients, views, device, kills, restarts)

    def all_done(self, clients, server):
        clients.stop()
        self.assertEqual(clients.wrong, [])
        views = {number: server.finished(job, seconds=180) for number, job in clients.acknowledged.items()}
        for number, view in views.items():
            self.assertIn(view["state"], ("succeeded", "failed"), view)
            _, _, page = server.request("GET", f"/v1/jobs/{view['job_id']}/events?limit=1000")
            self.tokens[view["job_id"]] = {e["data"]["token"] for e in page["events"] if e["type"] == "submission.reserved"}
            ends = [e["type"] for e in page["events"] if e["type"] in ("job.succeeded", "job.failed", "job.cancelled", "job.expired")]
            self.assertEqual(len(ends), 1, (view, ends))
            if view["state"] == "failed":
                # Only a device job whose submission stayed in doubt may fail: it has no other backend.
                self.assertEqual((number % 2, view["error"]["number"]), (1, 1407), view)
            else:
                self.assertEqual(server.request("GET", f"/v1/jobs/{view['job_id']}/result")[0], 200)
        return views

    def judge(self, clients, views, device, kills, restarts):
        billed = collections.Counter(line["token"] for line in book_lines(device.book) if line.get("line") == "accepted")
        self.assertGreater(len(billed), 0)
        self.assertEqual({token: n for token, n in billed.items() if n > 1}, {})
        tries = collections.Counter(len(tokens) for tokens in self.tokens.values())
        self.assertEqual({job: tokens for job, tokens in self.tokens.items() if len(tokens & set(billed)) > 1}, {})  # however often it was tried
        self.assertGreater(max(tries), 1)
        states = collections.Counter(view["state"] for view in views.values())
        print(f"\n{kills} kills: {len(views)} acknowledged jobs ({dict(states)}), {len(billed)} tokens billed once, "
              f"at most {max(tries)} tries of a job, "
              f"restart median {sorted(restarts)[len(restarts) // 2] * 1000:.0f} ms, max {max(restarts) * 1000:.0f} ms", flush=True)
        self.assertGreater(len(views), kills // 2)
        self.assertLess(states["failed"], len(views) / 10)


if __name__ == "__main__":
    unittest.main()
