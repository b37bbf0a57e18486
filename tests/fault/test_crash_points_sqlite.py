"""Every crash point over the store in a file."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import crash_sweep  # noqa: E402


class CrashPoints(crash_sweep.Files):
    def test_a_server_killed_at_any_point_loses_nothing_and_bills_nothing_twice(self):
        self.sweep()

    def test_there_are_enough_of_them_and_their_names_are_checked(self):
        points = crash_sweep.crash_points()
        self.assertGreaterEqual(len(set(points)), 40)
        self.assertEqual(len(points), len(set(points)))
        self.assertLessEqual(crash_sweep.DOUBLES_ONLY, set(points))
        self.assertEqual({crash_sweep.load_of(point).only for point in points}, {"", "sqlite", "postgres"})

    def test_every_command_that_could_die_at_one_refuses_a_wrong_name_and_production(self):
        point = crash_sweep.crash_points()[0]
        place = crash_sweep.Workplace()
        self.addCleanup(place.close)
        place.run("run", place.file("job.json", crash_sweep.QUBO))
        backup = place.folder / "saved.backup"
        place.run("store", "backup", backup, environment={"TANDEM_PROD": "1"})  # which alone is in nobody's way
        elsewhere = {"TANDEM_DATA_DIR": str(place.folder / "elsewhere")}
        database = {"TANDEM_STORE_ADDRESS": "postgresql://nobody@127.0.0.1:1/none"}
        for variables, said in (({"TANDEM_CRASH_POINT": "job.before_lunch"}, "there is no crash point"),
                                ({"TANDEM_CRASH_POINT": point, "TANDEM_PROD": "1"}, "production")):
            for command, more in ((["jobs"], {}), (["run", place.file("job.json", crash_sweep.QUBO)], {}),
                                  (["serve", "--listen", "127.0.0.1:0"], {}), (["serve", "--listen", "127.0.0.1:0", "--role", "api"], {}),
                                  (["worker"], database), (["serve", "--role", "worker"], database),
                                  (["store", "backup", place.folder / "another.backup"], {}), (["store", "restore", backup], elsewhere)):
                with self.subTest(said=said, command=command):
                    done = place.run(*command, check=False, timeout=20, environment={**variables, **more})
                    self.assertEqual(done.returncode, 2, done.stderr)
                    self.assertIn(said, done.stderr)
        self.assertFalse((place.folder / "another.backup").exists())


if __name__ == "__main__":
    unittest.main()
