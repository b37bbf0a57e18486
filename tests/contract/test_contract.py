"""The contract by itself: documents of the standards that they claim, references that hold, one source for each shape."""

import json
import os
import pathlib
import re
import unittest

import jsonschema
import referencing
import yaml
from openapi_spec_validator import validate as validate_openapi

ROOT = pathlib.Path(os.environ.get("TANDEM_SOURCE_DIR", pathlib.Path(__file__).resolve().parents[2]))
CONTRACT = ROOT / "contract"
SCHEMAS = {path.name: json.loads(path.read_text()) for path in sorted((CONTRACT / "schemas").iterdir())}
REGISTRY = referencing.Registry().with_contents(SCHEMAS.items())


def references(value):
    if isinstance(value, dict):
        for key, item in value.items():
            yield from [item] if key == "$ref" else references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


def validator(name):
    return jsonschema.Draft202012Validator(SCHEMAS[name], registry=REGISTRY)


class Schemas(unittest.TestCase):
    def test_each_is_a_schema_of_its_dialect_and_refers_to_its_neighbours_only(self):
        self.assertGreater(len(SCHEMAS), 20)
        for name, schema in SCHEMAS.items():
            with self.subTest(name):
                self.assertTrue(name.endswith(".schema.json"))
                jsonschema.Draft202012Validator.check_schema(schema)
                self.assertLessEqual(set(references(schema)), set(SCHEMAS))

    def test_an_object_names_all_of_its_members(self):
        for name, schema in SCHEMAS.items():
            with self.subTest(name):
                if "properties" in schema:
                    self.assertIs(schema["additionalProperties"], False)
                    self.assertLessEqual(set(schema["required"]), set(schema["properties"]))

    def test_references_are_followed(self):
        view = {"job_id": "job_01890a5d-ac96-774b-bcce-b302099a8057", "state": "queued", "name": "", "problem_type": "qubo", "fence": 0,
                "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z", "plan_digest": "", "lineage_id": "", "tenant": "default",
                "project": "", "priority": 0,
                "submitted_by": "user:local", "approval_id": "", "cancel_requested": False, "partial": False, "objective": None, "error": None, "progress": None}
        page = {"jobs": [view], "next_page_token": "", "read_at": "2026-01-01T00:00:00Z"}
        validator("job_page.schema.json").validate(page)
        for member, wrong in (("job_id", "job_1"), ("state", "asleep"), ("colour", "red")):
            with self.subTest(member), self.assertRaises(jsonschema.ValidationError):
                validator("job_page.schema.json").validate({**page, "jobs": [{**view, member: wrong}]})

    def test_every_example_is_a_job_document(self):
        examples = sorted(path for path in (ROOT / "examples").rglob("*.yaml") if path.name == "job.yaml" or path.parent.name == "examples")
        self.assertGreaterEqual(len(examples), 2)
        for path in examples:
            with self.subTest(path.name):
                validator("job.schema.json").validate(yaml.safe_load(path.read_text()))


class OpenApi(unittest.TestCase):
    def setUp(self):
        self.text = (CONTRACT / "openapi.yaml").read_text()
        self.document = yaml.safe_load(self.text)

    def test_it_is_valid_and_every_reference_holds(self):
        validate_openapi(self.document)
        for reference in set(references(self.document)):
            at = self.document
            for step in reference.removeprefix("#/").split("/"):
                self.assertIn(step, at, reference)
                at = at[step]

    def test_its_components_are_the_schemas(self):
        """By another way than tools/contract/generate: the YAML is read, and each reference is turned back into a file."""
        def to_file(value):
            if isinstance(value, dict):
                return {key: file_of(item.split("/")[-1]) if key == "$ref" else to_file(item) for key, item in value.items()}
            return [to_file(item) for item in value] if isinstance(value, list) else value

        def file_of(component):
            return re.sub(r"(?<!^)(?=[A-Z])", "_", component).lower() + ".schema.json"

        have = {file_of(name): to_file(schema) for name, schema in self.document["components"]["schemas"].items()}
        want = {name: {key: value for key, value in schema.items() if key != "$schema"} for name, schema in SCHEMAS.items()}
        self.assertEqual(have, want)

    def test_every_operation_answers_errors_with_a_problem_document(self):
        for path, operations in self.document["paths"].items():
            for method, operation in operations.items():
                with self.subTest(f"{method} {path}"):
                    self.assertTrue(operation["operationId"])
                    self.assertTrue(operation["summary"])
                    if path.startswith("/v1/"):
                        self.assertEqual(operation["responses"]["default"], {"$ref": "#/components/responses/Problem"})


class Tables(unittest.TestCase):
    def test_problem_types_are_the_errors(self):
        errors = json.loads((CONTRACT / "errors.json").read_text())
        rows = json.loads((CONTRACT / "problem_types.json").read_text())["problem_types"]
        want = [{"type": f"urn:tandem:error:{e['name']}", "title": e["title"], "number": e["number"],
                 "status": e.get("http_status", errors["families"][e["family"]]["http_status"])} for e in errors["errors"]]
        self.assertEqual(rows, want)

    def test_every_state_of_a_submission_has_its_event(self):
        catalogue = json.loads((CONTRACT / "events.json").read_text())
        types = {event["type"] for event in catalogue["events"]}
        states = SCHEMAS["submission_state.schema.json"]["enum"]
        self.assertEqual({t for t in types if t.startswith("submission.")}, {f"submission.{s}" for s in states} | {"submission.taken_over"})


if __name__ == "__main__":
    unittest.main()
