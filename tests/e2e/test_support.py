"""The helpers of these tests notice what breaks the contract, so that no test need ask."""

import json
import unittest

from support import QUBO, Workplace, validate_answer, validate_output

JSON = {"Content-Type": "application/json"}


class Contract(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        place = Workplace()
        cls.addClassCleanup(place.close)
        result = place.json("run", place.file("job.json", QUBO))
        cls.job = result["job_id"]
        cls.view = place.json("jobs", "show", cls.job)
        cls.explained = place.json("explain", cls.job)
        cls.events = [json.loads(line) for line in place.run("jobs", "events", cls.job, "--json").stdout.splitlines()]
        cls.problem = json.loads(place.run("jobs", "show", "nonsense", "--json", check=False).stdout)

    def test_a_document_that_a_command_prints_is_held_to_its_schema(self):
        validate_output(["jobs", "show", self.job, "--json"], 0, json.dumps(self.view))
        for arguments, code, document in ((["jobs", "show", self.job], 0, {**self.view, "colour": "red"}),
                                          (["explain", self.job], 0, {**self.explained, "plan": {}}),
                                          (["jobs", "events", self.job], 0, {**self.events[0], "data": {}}),
                                          (["jobs", "show", "nonsense"], 2, {**self.problem, "title": "another"}),
                                          (["backends"], 1, {"ok": False})):
            with self.subTest(arguments), self.assertRaises(AssertionError):
                validate_output([*arguments, "--json"], code, json.dumps(document))

    def test_an_answer_of_a_server_is_held_to_its_operation(self):
        path = f"/v1/jobs/{self.job}"
        validate_answer("GET", path + "?wait=5s", 200, JSON, self.view)
        validate_answer("GET", path + "/events", 200, JSON, {"events": self.events})
        validate_answer("GET", "/nowhere", 404, {"Content-Type": "application/problem+json"}, self.problem)
        for case in (("GET", path, 200, JSON, {**self.view, "fence": "one"}),
                     ("GET", path + "/events", 200, JSON, {"events": [{**self.events[0], "data": {}}]}),
                     ("GET", path, 200, {"Content-Type": "text/plain"}, self.view),
                     ("GET", path, 404, JSON, self.problem),
                     ("GET", "/nowhere", 200, JSON, {}),
                     ("DELETE", path, 200, JSON, self.view)):
            with self.subTest(case[:3]), self.assertRaises(AssertionError):
                validate_answer(*case)


if __name__ == "__main__":
    unittest.main()
