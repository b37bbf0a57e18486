"""What a server keeps of the machine's memory while it has nothing to do: no libraries for others' uses, and little of what work took."""

import concurrent.futures
import ctypes
import pathlib
import re
import time
import unittest

from support import Cluster, Workplace, late_libraries

NOOP = {"problem": {"type": "noop"}}
JOBS = 600


def maps(server):
    return pathlib.Path(f"/proc/{server.process.pid}/maps").read_text()


def own_kib(server):
    """What it has touched and no file backs."""
    status = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("RssAnon:"))


class Memory(unittest.TestCase):
    def setUp(self):
        self.place = Workplace()
        self.addCleanup(self.place.close)

    def test_libraries_of_other_stores_and_of_clients_are_not_opened(self):
        with self.place.serve() as server:
            self.assertEqual(server.request("GET", "/v1/jobs")[0], 200)
            loaded = maps(server)
            for name in "libpq", "libcurl", "libldap", "libgnutls", "liblapack", "libgfortran":
                self.assertNotIn(name, loaded)
            self.assertIn("libsqlite3", loaded)

    def test_the_library_of_a_store_is_opened_with_the_store(self):
        with Cluster() as cluster, self.place.serve(environment={"TANDEM_STORE_ADDRESS": cluster.address}) as server:
            self.assertIn("libpq", maps(server))
            self.assertNotIn("libcurl", maps(server))

    def test_every_function_that_is_called_late_is_in_its_library(self):
        libraries = late_libraries()
        self.assertGreater(sum(len(functions) for _, functions in libraries.values()), 60)
        for file, (_, functions) in libraries.items():
            library = ctypes.CDLL(file)
            for function in functions:
                self.assertTrue(hasattr(library, function), f"{file}: {function}")

    def without(self, file):
        """An environment in which this library cannot be opened."""
        folder = self.place.folder / "libraries"
        folder.mkdir(exist_ok=True)
        (folder / file).write_text("no library")
        return {"LD_LIBRARY_PATH": str(folder)}

    def test_a_library_that_cannot_be_opened_is_an_error_that_says_what_to_install(self):
        problem = {"type": "independent_set", "num_nodes": 9, "edges": [[i, (i + 1) % 9] for i in range(9)]}
        work = self.place.file("job.json", {"problem": problem})

        def missing(file, package, *command, **environment):
            out = self.place.run(*command, check=False, environment={**self.without(file), **environment})
            self.assertNotEqual(out.returncode, 0)
            self.assertIn(f"install the package {package}", out.stderr)
            self.assertIn("1049 library_missing", out.stderr)

        missing("libpq.so.5", "libpq5", "jobs", "list", TANDEM_STORE_ADDRESS="postgresql://localhost/none")
        missing("liblapack.so.3", "liblapack3", "run", work, "--solver", "linear")
        with self.place.serve():
            missing("libcurl.so.4", "libcurl4", "jobs", "list")
        # What needs none of them goes on, whatever is configured.
        shadowed = {**self.without("libcurl.so.4"), "TANDEM_EGRESS_PROXY": "http://proxy.example:3128"}
        self.place.run("run", work, environment=shadowed)
        self.assertEqual(len(self.place.json("jobs", "list", environment=shadowed)["jobs"]), 2)

    def test_doctor_says_which_libraries_are_missing(self):
        def said(environment):
            report = self.place.json("doctor", environment=environment)
            self.assertTrue(report["ok"])
            return [check["detail"] for check in report["checks"] if check["check"] == "library"]

        here = said({})
        self.assertEqual(len(here), len(late_libraries()))
        self.assertEqual([detail.split(": ", 1)[1] for detail in here], ["ready"] * len(here))
        for file, (package, _) in late_libraries().items():
            there = said(self.without(file))
            (self.place.folder / "libraries" / file).unlink()
            absent = [detail for detail in there if detail not in here]
            self.assertEqual(len(absent), 1)
            self.assertRegex(absent[0], f": not ready, .*install the package {package} ")

    def test_memory_that_work_took_goes_back_when_there_is_none(self):
        with self.place.serve() as server:
            self.gives_back(server, kib=4000)  # most of it pages of the file

    def test_threads_give_back_what_they_freed(self):
        with Cluster() as cluster, self.place.serve(environment={"TANDEM_STORE_ADDRESS": cluster.address, "TANDEM_ENGINE_WORKERS": "10"}) as server:
            self.gives_back(server, kib=1000)

    def gives_back(self, server, kib):
        if re.search("lib[atu]b?san", maps(server)):
            self.skipTest("built with a sanitizer, whose allocator keeps what it has")
        self.assertIn("mimalloc", maps(server))
        most = 0
        with concurrent.futures.ThreadPoolExecutor(8) as clients:
            for answer in clients.map(lambda _: server.request("POST", "/v1/jobs", NOOP), range(JOBS)):
                most = max(most, own_kib(server))
        job = answer[2]["job_id"]
        end = time.monotonic() + 60
        while own_kib(server) > most - kib:
            most = max(most, own_kib(server))
            self.assertLess(time.monotonic(), end, f"still {own_kib(server)} of {most} KiB")
            time.sleep(0.2)
        self.assertEqual(server.finished(job)["state"], "succeeded")
        # It is there when work comes again.
        self.assertEqual(server.finished(server.request("POST", "/v1/jobs", NOOP)[2]["job_id"])["state"], "succeeded")
