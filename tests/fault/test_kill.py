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
            "policy": {"backends": ["lab.device"]}, "limits": {"cost_max_usd_micros": 1_000_000}}


class Clients:
    """Submit with idempotency keys until told to stop; what was acknowledged is kept."""

    def __init__(self):
        self.server = None
        self.acknowledged = {}
        self.number = 0
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self.wrong = []  # answers that no client should get
        self.threads = [threading.Thread(target=self.work, daemon=True) for _ in range(CLIENTS)]

    def work(self):
        while not self.stopping.is_set():
            with self.lock:
                self.number += 1
                number = self.number
            while not self.stopping.is_set():
                server = self.server
                if server is None:
                    self.stopping.wait(0.005)
                    continue
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
    def test_nothing_acknowledged_is_lost_and_no_token_is_billed_twice(self):
        self.loop(KILLS, {})

    def test_the_same_on_postgresql_whose_server_crashes_too(self):
        with Cluster() as cluster:
            self.loop(max(5, KILLS // 5), {"TANDEM_STORE_ADDRESS": cluster.address}, cluster)

    def loop(self, kills, settings, cluster=None):
        """Kills the server again and again, and where there is one every fifth time the database below it."""
        seed = int(os.environ.get("TANDEM_KILL_SEED", "1"))
        dice = random.Random(seed)
        place = Workplace()
        self.addCleanup(place.close)
        faults = [{"on": "submit", "action": "drop_reply", "from": 5, "count": 0, "probability": 0.1}]
        settings = {**settings, "TANDEM_LAB_DEVICE_POLL": "5ms", "TANDEM_LAB_SETTLE_WINDOW": "300ms"}
        restarts = []
        with place.device(faults=faults) as device:
            settings["TANDEM_LAB_DEVICE_URL"] = device.url
            clients = Clients()
            for thread in clients.threads:
                thread.start()
            for kill in range(kills):
                begin = time.monotonic()
                with place.serve(environment=settings) as server:
                    restarts.append(time.monotonic() - begin)
                    clients.server = server
                    time.sleep(dice.uniform(0.02, 0.4))
                    if cluster and kill % 5 == 4:
                        cluster.crash()
                        cluster.start()
                        time.sleep(dice.uniform(0.02, 0.4))
                    clients.server = None
                    server.kill()
            with place.serve(environment=settings) as server:
                clients.server = server
                time.sleep(0.3)
                clients.stopping.set()
                for thread in clients.threads:
                    thread.join()
                self.assertEqual(clients.wrong, [])
                views = {}
                for number, job in clients.acknowledged.items():
                    views[number] = server.finished(job, seconds=180)
                for number, view in views.items():
                    self.assertIn(view["state"], ("succeeded", "failed"), view)
                    _, _, page = server.request("GET", f"/v1/jobs/{view['job_id']}/events?limit=1000")
                    ends = [e["type"] for e in page["events"] if e["type"] in ("job.succeeded", "job.failed", "job.cancelled", "job.expired")]
                    self.assertEqual(len(ends), 1, (view, ends))
                    if view["state"] == "failed":
                        # Only a device job whose submission stayed in doubt may fail: it has no other backend.
                        self.assertEqual((number % 2, view["error"]["number"]), (1, 1407), view)
                    else:
                        status, _, _ = server.request("GET", f"/v1/jobs/{view['job_id']}/result")
                        self.assertEqual(status, 200)
        billed = collections.Counter(line["token"] for line in book_lines(device.book) if line.get("line") == "accepted")
        self.assertGreater(len(billed), 0)
        self.assertEqual({token: n for token, n in billed.items() if n > 1}, {})
        states = collections.Counter(view["state"] for view in views.values())
        print(f"\n{kills} kills{' on PostgreSQL' if cluster else ''}: {len(views)} acknowledged jobs ({dict(states)}), {len(billed)} tokens billed once, "
              f"restart median {sorted(restarts)[len(restarts) // 2] * 1000:.0f} ms, max {max(restarts) * 1000:.0f} ms, seed {seed}", flush=True)
        self.assertGreater(len(views), kills // 2)
        self.assertLess(states["failed"], len(views) / 10)


if __name__ == "__main__":
    unittest.main()
