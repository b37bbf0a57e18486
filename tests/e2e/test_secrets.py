"""A secret stays where it was given: not in the store, the log, events, documents, or a core file."""

import os
import resource
import signal
import subprocess
import unittest

from support import Workplace

CANARY = "canary-7f3a-never-to-be-seen"


class Secrets(unittest.TestCase):
    def setUp(self):
        self.place = Workplace()
        self.addCleanup(self.place.close)

    def environment(self, cloud, reference):
        return {"TANDEM_IONQ_URL": cloud.url, "TANDEM_IONQ_CREDENTIAL": reference, "TANDEM_IONQ_BACKENDS": "simulator",
                "TANDEM_SECRET_VENDOR": CANARY, "TANDEM_LOG_LEVEL": "debug"}

    def test_a_credential_is_nowhere_but_on_the_wire(self):
        program = {"program": {"pubs": [{"circuit": {"num_qubits": 1, "num_clbits": 1, "parameters": [],
                                                     "instructions": [["x", [0], []], ["measure", [0], [], 0]]}, "shots": 10}]},
                   "policy": {"backends": ["ionq.simulator"]}}
        with self.place.ionq() as cloud:
            done = self.place.run("run", self.place.file("job.json", program), "--json", environment=self.environment(cloud, "env:TANDEM_SECRET_VENDOR"))
            shown = [done.stdout, done.stderr]
            self.assertIn("credential.in_environment", done.stderr)
            self.assertIn("TANDEM_SECRET_VENDOR", done.stderr)
            shown.append(self.place.run("jobs", "list", "--json").stdout)
            stored = [path for path in self.place.folder.rglob("*") if path.is_file()]
            self.assertTrue(any(path.name == "ionq.book" for path in stored))
            for path in stored:
                self.assertNotIn(CANARY.encode(), path.read_bytes(), path)
        for text in shown:
            self.assertNotIn(CANARY, text)

    def test_a_process_that_may_read_a_secret_leaves_no_core_file(self):
        def dumps_core(environment):
            resource_limit = lambda: resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            process = subprocess.Popen([os.environ["TANDEM_BINARY"], "serve", "--listen", "127.0.0.1:0"], cwd=self.place.folder,
                                       env={**self.place.environment, **environment}, preexec_fn=resource_limit,
                                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            with process.stdout:
                while "serving" not in process.stdout.readline():
                    self.assertIsNone(process.poll(), "the server ended before it served")
                process.send_signal(signal.SIGSEGV)
                _, status = os.waitpid(process.pid, 0)
                process.returncode = -os.WTERMSIG(status)
            return os.WCOREDUMP(status)

        try:
            if not dumps_core({}):
                self.skipTest("this machine writes no core files at all")
        except (ValueError, PermissionError) as refused:
            self.skipTest(f"the limit for core files cannot be raised here: {refused}")
        with self.place.ionq() as cloud:
            self.assertFalse(dumps_core(self.environment(cloud, "env:TANDEM_SECRET_VENDOR")))


if __name__ == "__main__":
    unittest.main()
