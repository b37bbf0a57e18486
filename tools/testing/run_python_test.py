"""Runs the unittest cases of one file; a file without cases is a failure, so that a test cannot vanish unnoticed."""

import pathlib
import sys
import unittest


def main() -> int:
    path = pathlib.Path(sys.argv[1]).resolve()
    sys.path.insert(0, str(path.parent))
    if sys.argv[2:]:
        names = [f"{path.stem}.{name}" for name in sys.argv[2:]]
        suite = unittest.defaultTestLoader.loadTestsFromNames(names)
    else:
        suite = unittest.defaultTestLoader.loadTestsFromName(path.stem)
    if suite.countTestCases() == 0:
        print(f"{path}: no unittest.TestCase with a test in it", file=sys.stderr)
        return 1
    result = unittest.TextTestRunner(verbosity=2).run(suite)
    return 0 if result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
