"""Tandem with its store in PostgreSQL, as a platform team would run it."""

import unittest

from support import QUBO, Cluster, Workplace


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

    def test_another_data_directory_cannot_use_the_same_database_at_the_same_time(self):
        other = Workplace()
        self.addCleanup(other.close)
        with self.place.serve() as server:
            done = other.run("jobs", check=False, environment={"TANDEM_STORE_ADDRESS": self.cluster.address})
            self.assertIn("in use by another process", done.stderr)
            self.assertIn("[1045 lock_held]", done.stderr)
            self.assertEqual(server.request("GET", "/readyz")[0], 200)
        self.assertEqual(other.json("jobs", environment={"TANDEM_STORE_ADDRESS": self.cluster.address})["jobs"], [])

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


if __name__ == "__main__":
    unittest.main()
