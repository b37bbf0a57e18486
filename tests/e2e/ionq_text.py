"""The vendor's OpenAPI text as the judge of what goes over IonQ's wire, and a recorder that stands on it.

Read are method, path, query, bodies and status of every exchange. Beyond the text's own words, every member has to be one that the schema
names: the text leaves some schemas open, and what is sent there by mistake would pass. What has no place in the text and is known stands in
BESIDE_THE_TEXT, with its reason.
"""

import contextlib
import functools
import http.client
import http.server
import json
import re
import threading
import unittest
import urllib.parse

import jsonschema
import yaml

from support import DATA

SPECIFICATION = DATA / "standards" / "ionq" / "ionq-quantum-cloud-openapi.yml"
BASE = "/v0.4"

# (method, path): why it is asked although the text has no such place, and the schema of its answer.
BESIDE_THE_TEXT = {
    ("GET", "/backends/simulator"): ("its lists and its own client have the simulator as a backend, its path has machines alone", "Backend"),
    ("GET", "/jobs/{UUID}/results/histogram"): ("documents of jobs name it (results.histogram.url)", "GetResultsResponse"),
    ("GET", "/jobs/{UUID}/results/shots"): ("documents of jobs name it (results.shots.url)", {"type": "array", "items": {"type": "integer", "minimum": 0}}),
}
# Errors of any call: components/responses has them, the operations do not name them all.
ERROR_OF = {400: "BadRequestError"}

FORMATS = jsonschema.FormatChecker(formats=["uuid", "date", "date-time"])


@FORMATS.checks("int32")
def is_int32(value):
    return not isinstance(value, (int, float)) or -2**31 <= value < 2**31


@functools.cache
def specification():
    if not SPECIFICATION.exists():
        raise unittest.SkipTest(f"the vendor's OpenAPI text is not at {SPECIFICATION}")
    return yaml.load(SPECIFICATION.read_text(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def as_json_schema(schema):
    """OpenAPI 3.0 says "nullable", JSON Schema a second type; and objects are closed to members that they do not name."""
    if isinstance(schema, list):
        return [as_json_schema(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {key: as_json_schema(value) for key, value in schema.items() if key not in ("nullable", "example", "examples")}
    if schema.get("type") == "object" and "properties" in schema:
        inner.setdefault("additionalProperties", False)
    return {"anyOf": [inner, {"type": "null"}]} if schema.get("nullable") is True else inner


@functools.cache
def components():
    out = as_json_schema(specification()["components"]["schemas"])
    # The words beside the schema name medians of "1q" and "2q"; it lists "spam" alone. And it calls seconds, most of them far below one, integers.
    characterization = out["Characterization"]["properties"]
    median = {"type": "object", "properties": {"median": {"type": "number"}, "stderr": {"type": "number"}}, "required": ["median"], "additionalProperties": False}
    characterization["fidelity"]["properties"].update({"1q": median, "2q": median})
    for time in characterization["timing"]["properties"].values():
        time["type"] = "number"
    return out


@functools.cache
def validator_of(schema):
    """`schema`: as JSON."""
    return jsonschema.Draft202012Validator({**as_json_schema(json.loads(schema)), "components": {"schemas": components()}}, format_checker=FORMATS)


def errors_by(schema, document):
    """What is wrong with a document. `schema`: the name of one, or one."""
    wanted = {"$ref": f"#/components/schemas/{schema}"} if isinstance(schema, str) else schema
    return sorted(f"{error.json_path}: {error.message[:300]}" for error in validator_of(json.dumps(wanted)).iter_errors(document))


def resolved(node):
    """A parameter or response, wherever it stands."""
    if "$ref" not in node:
        return node
    at = specification()
    for part in node["$ref"].removeprefix("#/").split("/"):
        at = at[part]
    return at


def typed(text, schema):
    """A parameter of a URL as a value of its schema; as text where it is none."""
    kind = (resolved(schema) if "$ref" in schema else schema).get("type")
    if kind == "integer" and re.fullmatch(r"-?\d+", text):
        return int(text)
    if kind == "boolean" and text in ("true", "false"):
        return text == "true"
    if kind == "array":
        return text.split(",")
    return text


def find_operation(method, path):
    """(template, operation, values of its path), or None. What is spelled out goes before what stands for anything."""
    for template, operations in sorted(specification()["paths"].items(), key=lambda one: one[0].count("{")):
        match = re.fullmatch(re.sub(r"\{[^}]*\}", "([^/]+)", template), path)
        if match and method.lower() in operations:
            return template, operations[method.lower()], dict(zip(re.findall(r"\{([^}]*)\}", template), match.groups()))
    return None


class Exchange:
    def __init__(self, method, target, headers, body, status, answer_headers, answer):
        self.method, self.target, self.headers, self.body = method, target, headers, body
        self.status, self.answer_headers, self.answer = status, answer_headers, answer


def body_errors(what, headers, body, schema):
    if not (headers.get("Content-Type") or "").startswith("application/json"):
        return [f"{what} is of type {headers.get('Content-Type')!r}"]
    try:
        document = json.loads(body)
    except ValueError as error:
        return [f"{what} is no JSON: {error}"]
    return [f"{what}: {error}" for error in errors_by(schema, document)]


def request_errors(operation, values, query, exchange):
    out = []
    parameters = [resolved(one) for one in operation.get("parameters", [])]
    known = {(one["in"], one["name"]): one for one in parameters}
    given = {("path", name): value for name, value in values.items()} | {("query", name): value for name, value in query.items()}
    out += [f"the parameter {name!r} is not in the text" for where, name in given if (where, name) not in known and where == "query"]
    out += [f"the parameter {name!r} is missing" for (where, name), one in known.items() if one.get("required") and (where, name) not in given]
    for place, value in given.items():
        if place in known:
            out += [f"{place[0]} {place[1]}: {error}" for error in errors_by(known[place]["schema"], typed(value, known[place]["schema"]))]
    if "requestBody" in operation:
        out += body_errors("the request", exchange.headers, exchange.body, operation["requestBody"]["content"]["application/json"]["schema"])
    elif exchange.body:
        out.append("the request has a body")
    return out


def answer_errors(operation, exchange):
    declared = operation["responses"].get(str(exchange.status))
    if declared is None and exchange.status < 400:
        return [f"the status {exchange.status} is not in the text"]
    content = resolved(declared or {}).get("content")
    schema = content["application/json"]["schema"] if content else ERROR_OF.get(exchange.status, "Error")
    out = body_errors("the answer", exchange.answer_headers, exchange.answer, schema)
    if exchange.status >= 400 and not out and json.loads(exchange.answer)["statusCode"] != exchange.status:
        out.append(f"the answer with status {exchange.status} says another")
    return out


class Verdict:
    """What the text says of one exchange."""

    def __init__(self, exchange):
        path, _, query = exchange.target.partition("?")
        path = path.removeprefix(BASE)
        query = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
        found = find_operation(exchange.method, path)
        beside = (exchange.method, re.sub(r"^/jobs/[^/]+/results", "/jobs/{UUID}/results", path))
        self.of_request, self.of_answer = [], []
        if beside in BESIDE_THE_TEXT:
            schema = BESIDE_THE_TEXT[beside][1]
            template = beside[1]
            if exchange.status == 200:
                self.of_answer = body_errors("the answer", exchange.answer_headers, exchange.answer, schema)
            else:
                self.of_answer = answer_errors({"responses": {}}, exchange)
        elif found is None:
            template = path
            self.of_request = [f"{exchange.method} {path} is not in the text"]
            self.of_answer = answer_errors({"responses": {}}, exchange)
        else:
            template, operation, values = found
            self.of_request = request_errors(operation, values, query, exchange)
            self.of_answer = answer_errors(operation, exchange)
        self.place = (exchange.method, template, exchange.status)


class Recorder(http.server.ThreadingHTTPServer):
    """Between a client and the emulator: hands everything on as it is, and keeps it."""

    daemon_threads = True

    def __init__(self, upstream):
        self.upstream = urllib.parse.urlsplit(upstream).netloc
        self.exchanges = []
        super().__init__(("127.0.0.1", 0), Hand)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}{BASE}"

    @contextlib.contextmanager
    def running(self):
        thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield self
        finally:
            self.shutdown()
            thread.join()
            self.server_close()

    def handle_error(self, request, client_address):
        pass  # a client that has gone, or an emulator that drops what it is told to drop


class Hand(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def hand_on(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        connection = http.client.HTTPConnection(self.server.upstream, timeout=60)
        connection.request(self.command, self.path, body or None, {name: value for name, value in self.headers.items() if name.lower() not in ("host", "connection")})
        response = connection.getresponse()
        answer = response.read()
        self.server.exchanges.append(Exchange(self.command, self.path, self.headers, body, response.status, response.headers, answer))
        self.send_response_only(response.status)
        for name, value in response.headers.items():
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_POST = do_PUT = do_DELETE = hand_on

    def log_message(self, *_):
        pass
