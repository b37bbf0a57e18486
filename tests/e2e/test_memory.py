"""What a server keeps of the machine's memory while it has nothing to do: no libraries for others' uses, and little of what work took."""

import concurrent.futures
import pathlib
import time
import unittest

from support import Cluster, Workplace

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
            for name in "libpq", "libcurl", "libldap", "libgnutls":
                self.assertNotIn(name, loaded)
            self.assertIn("libsqlite3", loaded)

    def test_the_library_of_a_store_is_opened_with_the_store(self):
        with Cluster() as cluster, self.place.serve(environment={"TANDEM_STORE_ADDRESS": cluster.address}) as server:
            self.assertIn("libpq", maps(server))
            self.assertNotIn("libcurl", maps(server))

    def test_a_library_that_cannot_be_opened_is_an_error_that_says_what_to_install(self):
        folder = self.place.folder / "libraries"
        folder.mkdir()
        problem = {"type": "independent_set", "num_nodes": 9, "edges": [[i, (i + 1) % 9] for i in range(9)]}
        work = self.place.file("job.json", {"problem": problem})
        for file, package, command, environment in (
            ("libpq.so.5", "libpq5", ["jobs", "list"], {"TANDEM_STORE_ADDRESS": "postgresql://localhost/none"}),
            ("liblapack.so.3", "liblapack3", ["run", work, "--solver", "linear"], {}),
        ):
            (folder / file).write_text("no library")
            shadowed = {"LD_LIBRARY_PATH": str(folder)}
            out = self.place.run(*command, check=False, environment={**environment, **shadowed})
            self.assertNotEqual(out.returncode, 0)
            self.assertIn("1049 library_missing", out.stderr)
            self.assertIn(f"install the package {package}", out.stderr)
        # What needs none of them goes on.
        self.place.run("run", work, environment=shadowed)
        self.assertEqual(len(self.place.json("jobs", "list", environment=shadowed)["jobs"]), 2)

    def test_memory_that_work_took_goes_back_when_there_is_none(self):
        with self.place.serve() as server:
            if "mimalloc" not in maps(server):
                self.skipTest("built with a sanitizer, whose allocator keeps what it has")
            with concurrent.futures.ThreadPoolExecutor(8) as clients:
                jobs = list(clients.map(lambda _: server.request("POST", "/v1/jobs", NOOP)[2]["job_id"], range(JOBS)))
            for job in jobs:
                self.assertEqual(server.finished(job)["state"], "succeeded")
            busy = own_kib(server)
            end = time.monotonic() + 60
            while own_kib(server) > busy - 3000:
                self.assertLess(time.monotonic(), end, f"still {own_kib(server)} of {busy} KiB")
                time.sleep(0.2)
            # It is there when work comes again.
            self.assertEqual(server.finished(server.request("POST", "/v1/jobs", NOOP)[2]["job_id"])["state"], "succeeded")
