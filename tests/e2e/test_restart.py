"""What clients see of a server that is killed, drained and started again: the answer, after a while."""

import contextlib
import ctypes
import http.client
import json
import os
import pathlib
import pty
import signal
import subprocess
import time
import unittest

from support import BINARY, QUBO, Workplace, validate_answer

GRAPH = {"problem": {"type": "max_cut", "num_nodes": 60, "edges": [[u, v, 1 + (u * v) % 5] for u in range(60) for v in range(u)]}, "refinement": {"mode": "off"}}

PTRACE_SEIZE, PTRACE_INTERRUPT = 0x4206, 0x4207
WAIT_FOR_THREADS = 0x40000000  # __WALL


def freeze(pid, thread_name):
    """Stops one thread of a process where it is, as a computation is that looks at nothing; its process goes on. Returns its id."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long] * 4
    libc.ptrace.restype = ctypes.c_long
    (tid,) = [int(task.name) for task in pathlib.Path(f"/proc/{pid}/task").iterdir() if (task / "comm").read_text().strip() == thread_name]
    for request in PTRACE_SEIZE, PTRACE_INTERRUPT:
        if libc.ptrace(request, tid, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), f"ptrace {request:#x} of thread {tid}")
    os.waitpid(tid, WAIT_FOR_THREADS)
    return tid


class Restart(unittest.TestCase):
    def setUp(self):
        self.place = Workplace()
        self.addCleanup(self.place.close)

    @contextlib.contextmanager
    def client(self, *arguments, environment=None, stderr=subprocess.PIPE):
        process = subprocess.Popen([BINARY, *arguments], env={**self.place.environment, **(environment or {})},
                                   stdout=subprocess.PIPE, stderr=stderr, text=True)
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    def wait_for(self, server, state, count=1):
        while len(jobs := server.request("GET", f"/v1/jobs?state={state}")[2]["jobs"]) < count:
            time.sleep(0.01)
        return [job["job_id"] for job in jobs]

    def sockets(self, server, end):
        """Of the open connections to a server, which this machine has both ends of, the bytes that one end was sent and has not read."""
        port = int(server.url.rsplit(":", 1)[1])
        rows = [line.split() for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]]
        column = {"server": 1, "client": 2}[end]
        return [int(row[4].split(":")[1], 16) for row in rows if row[3] == "01" and int(row[column].split(":")[1], 16) == port]

    def printed(self, client):
        out, err = client.communicate(timeout=60)
        self.assertEqual((client.returncode, err), (0, ""), out)
        return json.loads(out)

    def test_run_and_watch_get_the_answer_of_a_job_whose_server_was_killed_before_it_began(self):
        job = self.place.file("job.json", QUBO)
        with self.place.serve("--role", "api") as server, self.client("run", job, "--json") as run:
            (waiting,) = self.wait_for(server, "queued")
            while len(self.sockets(server, "client")) != 1:
                time.sleep(0.01)
            with self.client("jobs", "watch", waiting, "--json") as watch:
                while len(self.sockets(server, "client")) != 2:
                    time.sleep(0.01)
                server.kill()
                with self.place.serve(at=server.url.removeprefix("http://")) as again:
                    for client in (run, watch):
                        result = self.printed(client)
                        self.assertEqual((result["job_id"], result["best"]["objective"]), (waiting, -1))
                    self.assertEqual(len(again.request("GET", "/v1/jobs")[2]["jobs"]), 1)

    def test_the_answer_of_a_running_job_comes_from_the_second_server_after_the_first(self):
        job = self.place.file("job.json", {**GRAPH, "limits": {"time": "1s"}})
        with self.place.serve() as server, self.client("run", job, "--json") as run:
            (running,) = self.wait_for(server, "running")
            for _ in range(2):
                server.kill()
                server = self.enterContext(self.place.serve(at=server.url.removeprefix("http://")))
            result = self.printed(run)
            self.assertEqual((result["job_id"], result["status"]), (running, "succeeded"))
            self.assertEqual(server.request("GET", f"/v1/jobs/{running}/result")[2], result)

    def test_a_server_that_does_not_come_back_is_given_up_and_its_job_is_kept(self):
        job = self.place.file("job.json", QUBO)
        with self.place.serve("--role", "api") as server, self.client("run", job, environment={"TANDEM_CLIENT_SERVER_WAIT": "300ms"}) as run:
            self.wait_for(server, "queued")
            server.kill()
            _, err = run.communicate(timeout=60)
            self.assertEqual(run.returncode, 9)
            self.assertRegex(err, r"asked again for 300 ms \(client.server_wait\).*\[200[13] [a-z_]+\]")
        # What the dead server left, its address, keeps nobody from using the directory.
        self.assertEqual(len(self.place.json("jobs")["jobs"]), 1)

    def test_on_a_terminal_it_says_that_the_server_is_away(self):
        job = self.place.file("job.json", QUBO)
        master, slave = pty.openpty()
        self.addCleanup(os.close, master)
        with self.place.serve("--role", "api") as server, self.client("run", job, stderr=slave) as run:
            os.close(slave)
            self.wait_for(server, "queued")
            server.kill()
            shown = b""
            while b"is away" not in shown:
                shown += os.read(master, 4096)
            self.assertIn(server.url.removeprefix("http://").encode(), shown)
            with self.place.serve(at=server.url.removeprefix("http://")):
                out, _ = run.communicate(timeout=60)
                self.assertEqual(run.returncode, 0)
                self.assertIn("Best: -1", out)

    def test_a_wait_is_answered_by_a_drain_and_the_job_ends_under_the_next_server(self):
        with self.place.serve(environment={"TANDEM_SERVER_DRAIN_TIMEOUT": "100ms"}) as server:
            job = server.request("POST", "/v1/jobs", {**GRAPH, "limits": {"time": "1s"}})[2]["job_id"]
            self.wait_for(server, "running")
            waiting = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=60)
            self.addCleanup(waiting.close)
            waiting.request("GET", f"/v1/jobs/{job}")
            waiting.getresponse().read()
            waiting.request("GET", f"/v1/jobs/{job}?wait=60s")
            while self.sockets(server, "server") != [0]:  # it has read the question
                time.sleep(0.01)
            self.assertEqual(server.stop(), 0)
            answer = waiting.getresponse()
            view = json.loads(answer.read())
            validate_answer("GET", f"/v1/jobs/{job}", answer.status, answer.headers, view)
            self.assertEqual((answer.status, view["job_id"]), (200, job))
        with self.place.serve() as server:
            self.assertEqual(server.finished(job)["state"], "succeeded")

    def test_a_drain_ends_in_its_time_although_a_run_does_not_stop_and_its_job_goes_on(self):
        with self.place.serve("--workers", "1", environment={"TANDEM_SERVER_DRAIN_TIMEOUT": "1s"}) as server:
            job = server.request("POST", "/v1/jobs", {**GRAPH, "limits": {"time": "1s"}})[2]["job_id"]
            self.wait_for(server, "running")
            thread = freeze(server.process.pid, "worker")
            server.process.send_signal(signal.SIGTERM)
            # A thread that is traced ends for whoever traces it first; the end of this one is that of the process.
            while os.waitpid(thread, WAIT_FOR_THREADS | os.WNOHANG)[0] == 0:
                time.sleep(0.01)
            self.assertEqual(server.process.wait(30), 0)
        with self.place.serve() as server:
            self.assertEqual(server.finished(job)["state"], "succeeded")
            types = [event["type"] for event in server.request("GET", f"/v1/jobs/{job}/events")[2]["events"]]
            self.assertEqual((types.count("job.requeued"), types.count("job.started")), (1, 2), types)

    def test_a_server_that_comes_back_at_another_address_is_found_and_who_took_the_old_one_is_not_asked(self):
        job = self.place.file("job.json", QUBO)
        other = Workplace()
        self.addCleanup(other.close)
        with self.place.serve("--role", "api") as server, self.client("run", job, "--json") as run:
            (waiting,) = self.wait_for(server, "queued")
            server.kill()
            with other.serve(at=server.url.removeprefix("http://")), self.place.serve() as again:
                self.assertNotEqual(server.url, again.url)
                self.assertEqual(self.printed(run)["job_id"], waiting)

    def test_a_queue_that_is_slow_refuses_with_the_seconds_that_it_is_behind_also_where_nothing_is_run(self):
        with self.place.serve("--role", "api", environment={"TANDEM_ENGINE_QUEUE_DELAY_MAX": "300ms"}) as server:
            self.assertEqual(server.request("POST", "/v1/jobs", QUBO)[0], 202)
            time.sleep(1.5)
            status, headers, problem = server.request("POST", "/v1/jobs", QUBO)
            self.assertEqual((status, problem["name"]), (503, "queue_delay_exceeded"), problem)
            behind = int(headers["Retry-After"])
            self.assertGreaterEqual(behind, 2)
            self.assertLessEqual(behind, 60)
            self.assertEqual(len(server.request("GET", "/v1/jobs")[2]["jobs"]), 1)


if __name__ == "__main__":
    unittest.main()
