"""Tandem with its store in PostgreSQL, as a platform team would run it."""

import json
import signal
import socket
import struct
import subprocess
import threading
import time
import unittest

from support import BINARY, QUBO, Cluster, Workplace, start


# A machine whose clock is wrong by AHEAD_S seconds.
SHIFTED_CLOCK = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>
int clock_gettime(clockid_t id, struct timespec* out) {
  static int (*real)(clockid_t, struct timespec*);
  if (!real) real = (int (*)(clockid_t, struct timespec*))dlsym(RTLD_NEXT, "clock_gettime");
  const int code = real(id, out);
  if (id == CLOCK_REALTIME) out->tv_sec += atol(getenv("AHEAD_S"));
  return code;
}
"""


class OnPostgres(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster()
        cls.addClassCleanup(cls.cluster.__exit__)

    def setUp(self):
        self.cluster.sql("DROP SCHEMA IF EXISTS tandem CASCADE")
        self.place = Workplace()
        self.addCleanup(self.place.close)
        self.place.environment["TANDEM_STORE_ADDRESS"] = self.cluster.address

    def test_a_job_runs_is_explained_and_replays_and_nothing_is_kept_in_the_data_directory(self):
        result = self.place.json("run", self.place.file("job.json", QUBO))
        job = result["job_id"]
        self.assertEqual([view["job_id"] for view in self.place.json("jobs")["jobs"]], [job])
        self.assertEqual(self.place.json("replay", job)["verdict"], "identical")
        self.place.json("jobs", "lineage", job)
        self.assertFalse((self.place.data / "tandem.db").exists())
        self.assertEqual(self.cluster.sql("SELECT count(*) FROM tandem.job"), "1")
        checks = {check["check"]: check for check in self.place.json("doctor")["checks"]}
        self.assertIn("postgres", checks["store"]["detail"])

    def test_ages_and_months_go_by_the_clock_of_the_store_whatever_that_of_the_machine_says(self):
        wrong = self.place.folder / "clock.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-x", "c", "-", "-o", str(wrong), "-ldl"], input=SHIFTED_CLOCK, text=True, check=True)
        job = self.place.json("run", self.place.file("job.json", QUBO))["job_id"]
        month = self.place.json("usage")["from"]
        ahead = {"LD_PRELOAD": str(wrong), "AHEAD_S": str(40 * 24 * 3600)}
        exported = [json.loads(line) for line in self.place.run("store", "export", environment=ahead).stdout.splitlines()]
        self.assertNotEqual(exported[0]["exported_at"][:7], month[:7], "the process sees the wrong clock")
        self.assertEqual(self.place.json("usage", environment=ahead)["from"], month)
        self.assertEqual(self.place.json("jobs", "rm", "--older-than", "720h", environment=ahead)["removed"], [])
        self.assertEqual(self.place.json("jobs", "rm", "--older-than", "0s", environment=ahead)["removed"], [job])

    def test_two_servers_share_the_jobs_and_either_can_be_asked(self):
        other = Workplace()
        self.addCleanup(other.close)
        other.environment["TANDEM_STORE_ADDRESS"] = self.cluster.address
        with self.place.serve() as one, other.serve() as two:
            jobs = [server.request("POST", "/v1/jobs", QUBO)[2]["job_id"] for server in (one, two) * 5]
            for job in jobs:
                self.assertEqual(two.finished(job)["state"], "succeeded")
                self.assertEqual(one.request("GET", f"/v1/jobs/{job}/result")[0], 200)
            self.assertEqual(len(one.request("GET", "/v1/jobs")[2]["jobs"]), 10)

    def test_an_api_without_workers_and_a_worker_without_an_api_make_a_server(self):
        other = Workplace()
        self.addCleanup(other.close)
        other.environment["TANDEM_STORE_ADDRESS"] = self.cluster.address
        with self.place.serve("--role", "api") as front:
            job = front.request("POST", "/v1/jobs", QUBO)[2]["job_id"]
            self.assertEqual(front.request("GET", f"/v1/jobs/{job}?wait=300ms")[2]["state"], "queued")
            with other.worker():
                self.assertEqual(front.finished(job)["state"], "succeeded")
        done = self.place.run("worker", check=False, environment={"TANDEM_STORE_ADDRESS": ""})
        self.assertIn("store.address", done.stderr)
        self.assertEqual(done.returncode, 2)

    def test_one_who_only_works_and_one_who_takes_in_and_schedules_make_a_server(self):
        other = Workplace()
        self.addCleanup(other.close)
        other.environment["TANDEM_STORE_ADDRESS"] = self.cluster.address
        other.environment["TANDEM_ENGINE_LEASE_TTL"] = "1s"

        def leader():
            return self.cluster.sql("SELECT convert_from(value, 'UTF8')::json ->> 'node' FROM tandem.meta WHERE key = 'leader'")

        worker = start(["serve", "--role", "worker"], other.environment, r"working on (.*)")
        self.addCleanup(worker.stop)
        (node,) = self.cluster.sql("SELECT key FROM tandem.meta WHERE key LIKE 'node/%'").split()
        while int(self.cluster.sql(f"SELECT version FROM tandem.meta WHERE key = '{node}'")) < 4:  # its beats, of which each could lead
            time.sleep(0.02)
        self.assertEqual(leader(), "")
        with self.place.serve("--role", "api,scheduler") as front:
            job = front.request("POST", "/v1/jobs", QUBO)[2]["job_id"]
            self.assertEqual(front.finished(job)["state"], "succeeded")
            started = [event for event in front.request("GET", f"/v1/jobs/{job}/events")[2]["events"] if event["type"] == "job.started"]
            self.assertEqual(len(started), 1)
            while not leader():
                time.sleep(0.02)
            self.assertNotEqual("node/" + leader(), node)

    def test_how_far_a_job_is_can_be_read_through_a_server_that_does_not_run_it(self):
        other = Workplace()
        self.addCleanup(other.close)
        other.environment.update(TANDEM_STORE_ADDRESS=self.cluster.address, TANDEM_ENGINE_LEASE_TTL="1s")
        graph = self.place.file("graph.txt", self.place.run("generate", "torus", "--rows", "30", "--columns", "30").stdout)
        with self.place.serve("--role", "api") as front, other.worker():
            job = self.place.json("submit", graph, "--refine", "off", "--time", "60s")["job_id"]
            while (progress := front.request("GET", f"/v1/jobs/{job}")[2]["progress"]) is None or progress["objective"] is None:
                time.sleep(0.05)
            self.assertGreater(progress["elapsed_ms"], 0)
            self.assertEqual(set(self.place.json("jobs", "show", job)["progress"]), {"step", "objective", "bound", "elapsed_ms"})
            self.assertEqual(front.request("POST", f"/v1/jobs/{job}/cancel", {})[0], 202)
            self.assertEqual(front.finished(job)["state"], "cancelled")
            self.assertIsNone(front.request("GET", f"/v1/jobs/{job}")[2]["progress"])
            self.assertEqual([view["job_id"] for view in self.place.json("jobs", "--error", "1002")["jobs"]], [job])

    def test_a_run_that_is_stopped_longer_than_its_lease_goes_on_with_its_job(self):
        graph = self.place.file("graph.txt", self.place.run("generate", "torus", "--rows", "30", "--columns", "30").stdout)
        run = subprocess.Popen([BINARY, "run", graph, "--problem", "max_cut", "--refine", "off", "--time", "2s", "--json"],
                               env={**self.place.environment, "TANDEM_ENGINE_LEASE_TTL": "1s"}, stdout=subprocess.PIPE, text=True)
        while self.cluster.sql("SELECT count(*) FROM pg_tables WHERE schemaname = 'tandem'") == "0" or \
                self.cluster.sql("SELECT count(*) FROM tandem.job_index WHERE convert_from(key, 'UTF8') LIKE 'owner/%'") == "0":
            time.sleep(0.01)
        run.send_signal(signal.SIGSTOP)
        time.sleep(2)
        run.send_signal(signal.SIGCONT)
        out, _ = run.communicate(timeout=60)
        self.assertEqual(run.returncode, 0)
        self.assertEqual(json.loads(out)["status"], "succeeded")

    def test_the_job_of_a_killed_server_is_finished_by_the_other(self):
        other = Workplace()
        self.addCleanup(other.close)
        lease = {"TANDEM_STORE_ADDRESS": self.cluster.address, "TANDEM_ENGINE_LEASE_TTL": "1s"}
        with self.place.serve(environment=lease) as one:
            graph = self.place.run("generate", "torus", "--rows", "30", "--columns", "30").stdout
            job = self.place.json("submit", self.place.file("graph.txt", graph), "--refine", "off", "--time", "2s")["job_id"]
            while one.request("GET", f"/v1/jobs/{job}")[2]["state"] != "running":
                pass
            with other.serve(environment=lease) as two:
                one.kill()
                view = two.finished(job)
                self.assertEqual(view["state"], "succeeded")
                types = [e["type"] for e in two.request("GET", f"/v1/jobs/{job}/events")[2]["events"]]
                self.assertEqual(types.count("job.started"), 2)
                self.assertEqual(types.count("job.succeeded"), 1)

    def test_a_server_without_its_database_says_so_loses_nothing_and_goes_on(self):
        with self.place.serve() as server:
            first = server.request("POST", "/v1/jobs", QUBO)[2]["job_id"]
            self.assertEqual(server.finished(first)["state"], "succeeded")
            self.cluster.crash()
            try:
                status, _, problem = server.request("POST", "/v1/jobs", QUBO)
                self.assertEqual((status, problem["name"]), (503, "store_unreachable"), problem)
                self.assertEqual(server.request("GET", "/readyz")[0], 503)
                self.assertEqual(server.request("GET", f"/v1/jobs/{first}")[0], 503)
                self.assertEqual(server.request("GET", "/healthz")[0], 200)
            finally:
                self.cluster.start()
            self.assertEqual(server.request("GET", f"/v1/jobs/{first}")[2]["state"], "succeeded")
            while server.request("GET", "/readyz")[0] != 200:  # it looks once a second
                pass
            second = server.request("POST", "/v1/jobs", QUBO)[2]["job_id"]
            self.assertEqual(server.finished(second)["state"], "succeeded")

    def test_addresses_that_would_give_something_away_are_refused(self):
        for address, says in (("postgresql://u:secret@localhost/db", "PGPASSFILE"), ("postgresql://u@db.example/db", "verify-full")):
            done = self.place.run("jobs", check=False, environment={"TANDEM_STORE_ADDRESS": address})
            self.assertIn(says, done.stderr)
            self.assertIn("[3009 bad_store_address]", done.stderr)
            self.assertNotIn("secret", done.stdout + done.stderr)

    def test_a_postgresql_that_is_too_old_is_refused(self):
        # None is to be had here. Its greeting is all that is heard of it: PostgreSQL's frontend/backend protocol 3.0, "Message Formats".
        def message(kind, body):
            return kind + struct.pack("!I", 4 + len(body)) + body

        parameters = {b"server_version": b"14.11", b"in_hot_standby": b"off", b"default_transaction_read_only": b"off"}
        greeting = (message(b"R", struct.pack("!I", 0)) + b"".join(message(b"S", name + b"\0" + value + b"\0") for name, value in parameters.items()) +
                    message(b"K", struct.pack("!II", 1, 2)) + message(b"Z", b"I"))
        heard = []
        listener = socket.create_server(("127.0.0.1", 0))
        listener.settimeout(60)
        self.addCleanup(listener.close)

        def greet():
            peer, _ = listener.accept()
            peer.settimeout(60)
            with peer:
                peer.recv(1 << 16)  # who asks, and for which database
                peer.sendall(greeting)
                while more := peer.recv(1 << 16):
                    heard.append(more)

        greeter = threading.Thread(target=greet)
        greeter.start()
        address = f"postgresql://u@127.0.0.1:{listener.getsockname()[1]}/db?sslmode=disable&gssencmode=disable"
        done = self.place.run("jobs", check=False, environment={"TANDEM_STORE_ADDRESS": address})
        greeter.join(timeout=60)
        self.assertIn("is PostgreSQL 14; use 15 or newer", done.stderr)
        self.assertIn("[3009 bad_store_address]", done.stderr)
        self.assertEqual(b"".join(heard), message(b"X", b""), "nothing but farewell was said to it")


if __name__ == "__main__":
    unittest.main()
