"""Every crash point over the store in a database."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import crash_sweep  # noqa: E402


class CrashPoints(crash_sweep.Databases):
    def test_a_server_killed_at_any_point_loses_nothing_and_bills_nothing_twice(self):
        self.sweep()


if __name__ == "__main__":
    unittest.main()
