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
        place = crash_sweep.Workplace()
        self.addCleanup(place.close)
        for variables, said in (({"TANDEM_CRASH_POINT": "job.before_lunch"}, "there is no crash point"),
                                ({"TANDEM_CRASH_POINT": points[0], "TANDEM_PROD": "1"}, "production")):
            done = place.run("jobs", check=False, environment=variables)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn(said, done.stderr)


if __name__ == "__main__":
    unittest.main()
