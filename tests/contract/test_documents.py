"""The documents of the C++ tests of model/job, which those tests only read back themselves, against the schemas."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from support import BINARY, validate, validate_event  # noqa: E402

WRITER = pathlib.Path(BINARY).parent / "test_model_job"


class Documents(unittest.TestCase):
    def test_each_that_is_written_out_follows_its_schema(self):
        if not WRITER.exists():
            self.skipTest(f"{WRITER} is not built")
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([WRITER, "--gtest_filter=Documents.*"], check=True, stdout=subprocess.DEVNULL, env={**os.environ, "TANDEM_DOCUMENTS_DIR": folder})
            written = {path.name: json.loads(path.read_text()) for path in pathlib.Path(folder).iterdir()}
        self.assertEqual({name.split(".")[0] for name in written}, {"plan", "event", "result"})
        for name, document in written.items():
            with self.subTest(name):
                kind = name.split(".")[0]
                validate_event(document) if kind == "event" else validate(document, kind)


if __name__ == "__main__":
    unittest.main()
