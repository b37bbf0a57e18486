"""What the end-to-end and fault tests share: the binary, data directories, a server, an emulated device, and the contract.

Every document that a command prints for --json, and every answer of a server, is held to the contract on its way to the test.
"""

import contextlib
import fcntl
import functools
import json
import os
import pathlib
import pty
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
import unittest
import urllib.error
import urllib.request

import jsonschema
import referencing
import yaml

ROOT = pathlib.Path(os.environ.get("TANDEM_SOURCE_DIR", pathlib.Path(__file__).resolve().parents[2]))
BINARY = os.environ.get("TANDEM_BINARY", str(ROOT / "build" / "release" / "tandem"))
DATA = pathlib.Path(os.environ.get("TANDEM_TEST_DATA", ROOT.parent / "shared" / "data"))

QUBO = {"problem": {"type": "qubo", "num_variables": 2, "linear": [1, -1], "quadratic": [[0, 1, 2.0]], "sense": "min"}}
# Nothing here is proved in the time, so that the job lasts until something happens to it.
LONG = {"problem": {"type": "max_cut", "num_nodes": 200,
                    "edges": [[i, j, 1 + (i * 7 + j * 13) % 5] for i in range(200) for j in range(i + 1, 200) if (i * i * 31 + j * j * 17 + i * j * 7) % 11 < 2]},
        "limits": {"time": "60s"}}


SCHEMAS = {path.name: json.loads(path.read_text()) for path in (ROOT / "contract" / "schemas").glob("*.schema.json")}
REGISTRY = referencing.Registry().with_contents(SCHEMAS.items())
CATALOGUE = json.loads((ROOT / "contract" / "events.json").read_text())
EVENTS = {event["type"]: event["data"] for event in CATALOGUE["events"]}
PROBLEM_TYPES = {row["number"]: row for row in json.loads((ROOT / "contract" / "problem_types.json").read_text())["problem_types"]}
OPENAPI = yaml.load((ROOT / "contract" / "openapi.yaml").read_text(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
# What a command prints for --json when it did what was asked, by its first words.
PRINTED = {("run",): "result", ("plan",): "plan", ("backends",): "backend_page", ("usage",): "usage", ("budgets",): "budget_page", ("jobs",): "job_page",
           ("jobs", "list"): "job_page", ("jobs", "show"): "job_view", ("jobs", "cancel"): "job_view", ("jobs", "suspend"): "job_view", ("jobs", "resume"): "job_view",
           ("jobs", "retry"): "job_view", ("jobs", "accept"): "job_view", ("jobs", "reject"): "job_view",
           ("jobs", "rm"): "jobs_removed", ("jobs", "result"): "result", ("jobs", "watch"): "result",
           ("jobs", "plan"): "plan", ("jobs", "lineage"): "lineage", ("jobs", "spec"): "job", ("jobs", "submissions"): "submission_page",
           ("approvals",): "approval_page", ("approvals", "list"): "approval_page", ("approvals", "show"): "approval",
           ("submissions",): "submission_list", ("submissions", "list"): "submission_list", ("submissions", "show"): "submission",
           ("submissions", "release"): "submission", ("submissions", "adopt"): "submission",
           ("backends", "test"): "backend_test", ("backends", "show"): "backend",
           ("approvals", "approve"): "approval_decided", ("approvals", "reject"): "approval_decided",
           ("store", "check"): "store_check", ("store", "backup"): "store_backup", ("store", "restore"): "store_backup",
           ("store", "migrate"): "store_migration"}
EXPLAINED = {"job": "job_view", "plan": "plan", "result": "result", "lineage": "lineage"}  # members of what explain prints
DONE = (0, 20)  # exit codes; 20: done, and not accepted by its own criteria


def hold_to(validator, document):
    try:
        validator.validate(document)
    except jsonschema.ValidationError as broken:
        raise AssertionError(f"a document breaks the contract: {broken}") from broken


def validate(document, name):
    """Checks a document against the contract with an independent validator."""
    hold_to(jsonschema.Draft202012Validator(SCHEMAS[f"{name}.schema.json"], registry=REGISTRY, format_checker=jsonschema.FormatChecker()), document)


def validate_event(event):
    """Checks an event and its data against the contract: the data has all members of its type, and no other."""
    validate(event, "event")
    data = EVENTS[event["type"]]
    members = CATALOGUE["data_sets"][data] if isinstance(data, str) else data
    hold_to(jsonschema.Draft202012Validator({"properties": {name: {"type": member["type"]} for name, member in members.items()},
                                             "required": list(members), "additionalProperties": False}), event["data"])


def validate_problem(document):
    """Checks a problem document, and that it says what is said of its number."""
    validate(document, "problem")
    row = PROBLEM_TYPES[document["number"]]
    assert {key: document[key] for key in row} == row, (document, row)


def validate_output(arguments, code, text):
    """Checks what a command printed for --json; commands whose documents have no schema only when they fail."""
    words = [str(word) for word in arguments]
    words = tuple(words[: next((i for i, word in enumerate(words) if word.startswith("-")), len(words))])
    if code < 0 or "--help" in arguments or "--version" in arguments:
        return
    if words[:2] == ("jobs", "events") and code == 0:
        for line in text.splitlines():
            validate_event(json.loads(line))
    elif words[:2] == ("store", "export") and code == 0:
        for line in text.splitlines():
            validate(json.loads(line), "store_line")
    elif words[:2] == ("store", "check") and code == 13 and "findings" in json.loads(text):
        validate(json.loads(text), "store_check")
    elif words[:1] == ("backends",) and "checks" in text:
        validate(json.loads(text), "backend_test")
    elif words[:2] == ("backends", "add") and code == 0:  # --print
        pass
    elif code in DONE:
        name = PRINTED.get(words[:2]) or PRINTED.get(words[:1])
        if name:
            validate(json.loads(text), name)
        elif words[:1] == ("explain",) and "--circuit" not in arguments:
            document = json.loads(text)
            for member, name in EXPLAINED.items():
                if document[member] is not None:
                    validate(document[member], name)
    elif code == 23:  # the plan awaits approval
        validate(json.loads(text), "job_view")
    elif code not in (21, 22) and text and words[:1] != ("doctor",):  # verdicts of diff and replay, findings of doctor
        validate_problem(json.loads(text))


@functools.cache
def answer_validator(template, method, status, media):
    """Of an answer of an operation; fails where the contract does not have it."""
    responses = OPENAPI["paths"][template][method.lower()]["responses"] if template else {}
    declared = responses.get(str(status)) or responses.get("default") or {"$ref": "#/components/responses/Problem"}
    if "$ref" in declared:
        declared = OPENAPI["components"]["responses"][declared["$ref"].split("/")[-1]]
    assert media in declared["content"], f"{method} {template} answers {status} with {media}, the contract has {list(declared['content'])}"
    return jsonschema.Draft202012Validator({**declared["content"][media]["schema"], "components": OPENAPI["components"]})


def validate_answer(method, path, status, headers, document):
    """Checks an answer of a server against the contract's operation. What no operation is, is a problem."""
    bare = path.split("?")[0]
    template = next((t for t in OPENAPI["paths"] if re.fullmatch(re.sub(r"\{[^}]*\}", "[^/]+", t), bare)), None)
    if template and method.lower() not in OPENAPI["paths"][template]:
        template = None
    media = (headers["Content-Type"] or "").split(";")[0]
    responses = OPENAPI["paths"][template][method.lower()]["responses"] if template else {}
    if status == 204:
        assert "content" not in responses["204"] and document in (b"", None), (method, path, document)
        return
    validator = answer_validator(template, method, status, media)
    if "json" in media:
        hold_to(validator, document)
    if media == "application/problem+json":
        validate_problem(document)
    elif template == "/v1/jobs/{job_id}/events" and "json" in media:
        for event in document["events"]:
            validate_event(event)


# ./dev check sets it: there other people's clients are run, or it is said that they were not.
CLIENTS_MUST_RUN = "TANDEM_TEST_CLIENTS_MUST_RUN"
UNREACHABLE = ("Retrying (Retry(", "No matching distribution found")  # pip got no connection to the index, or that index has no such package


def missing(reason, excused=False):
    if os.environ.get(CLIENTS_MUST_RUN) and not excused:
        raise AssertionError(f"{reason}; {CLIENTS_MUST_RUN} is set, so this is no reason to skip")
    raise unittest.SkipTest(reason)


@functools.cache
def python_with(package):
    """The interpreter of an environment below build/clients that has a package of the index, as "qiskit==2.2.3"; made once."""
    folder = ROOT / "build" / "clients" / package.replace("==", "-")
    python = folder / "bin" / "python"
    if (folder / "ready").exists():
        return python
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run([sys.executable, "-m", "venv", folder], check=True, capture_output=True)
    done = subprocess.run([python, "-m", "pip", "install", "--quiet", package], capture_output=True, text=True, timeout=500)
    if done.returncode != 0:
        missing(f"{package} cannot be installed from the package index: {done.stderr.strip()[-300:]}", excused=any(text in done.stderr for text in UNREACHABLE))
    (folder / "ready").write_text(package)
    return python


def late_libraries():
    """What the sources open instead of linking it (base/late_library.h): file -> (package, names of functions)."""
    texts = [path.read_text() for path in (ROOT / "src").rglob("*.*") if path.suffix in (".h", ".cc") and ".test." not in path.name]
    functions = [found for text in texts for found in re.findall(r"TANDEM_LATE_FUNCTION\((\w+), (\w+)\);", text)]
    return {file: (package, [function for library, function in functions if library == name])
            for text in texts for name, file, package in re.findall(r'LateLibrary (\w+)\("(\S+)", "\w+", "(\S+)"\)', text)}


class Workplace:
    """A scratch folder with a data directory; removed at the end."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tandem-e2e-"))
        self.data = self.folder / "data"
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("TANDEM_")}
        self.environment["TANDEM_DATA_DIR"] = str(self.data)

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    def file(self, name, content):
        path = self.folder / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content if isinstance(content, str) else json.dumps(content))
        return str(path)

    def run(self, *arguments, check=True, timeout=120, stdin=None, environment=None):
        done = subprocess.run([BINARY, *map(str, arguments)], capture_output=True, text=True, timeout=timeout, input=stdin,
                              env={**self.environment, **(environment or {})}, cwd=self.folder)
        if "--json" in arguments:
            validate_output(arguments, done.returncode, done.stdout)
        if check and done.returncode != 0:
            raise AssertionError(f"tandem {arguments} ended with {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def json(self, *arguments, **options):
        return json.loads(self.run(*arguments, "--json", **options).stdout)

    def on_terminal(self, *arguments, columns=100, environment=None, code=0):
        """What a command shows whose stdout is a terminal; rows end as they do there."""
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        process = subprocess.Popen([BINARY, *map(str, arguments)], stdout=slave, env={**self.environment, **(environment or {})}, cwd=self.folder)
        os.close(slave)
        shown = b""
        with contextlib.suppress(OSError):  # how a terminal ends that nobody writes to any more
            while part := os.read(master, 4096):
                shown += part
        os.close(master)
        assert process.wait(60) == code, shown
        return shown.decode()

    @contextlib.contextmanager
    def serve(self, *arguments, environment=None, at="127.0.0.1:0"):
        server = start(["serve", "--listen", at, *arguments], {**self.environment, **(environment or {})}, r"serving (http://\S+)")
        try:
            yield server
        finally:
            server.stop()

    @contextlib.contextmanager
    def worker(self, *arguments, environment=None, stderr=None):
        worker = start(["worker", *arguments], {**self.environment, **(environment or {})}, r"working on (.*)", stderr=stderr)
        try:
            yield worker
        finally:
            worker.stop()

    @contextlib.contextmanager
    def device(self, *arguments, faults=None, book="device.book", queue_ms=1, at="127.0.0.1:0"):
        extra = ["--faults", self.file("faults.json", {"faults": faults})] if faults is not None else []
        device = start(["emulate", "device", "--listen", at, "--book", str(self.folder / book), "--queue-ms", str(queue_ms), *extra, *arguments],
                       self.environment, r"at (http://\S+),")
        device.book = self.folder / book
        try:
            yield device
        finally:
            device.stop()

    @contextlib.contextmanager
    def ionq(self, *arguments, faults=None, clock_offset_ms=0, book="ionq.book", queue_ms=1, at="127.0.0.1:0"):
        """An emulated IonQ cloud; `url` is what the setting ionq.url takes."""
        script = {"faults": faults or [], "clock_offset_ms": clock_offset_ms}
        cloud = start(["emulate", "ionq", "--listen", at, "--book", str(self.folder / book), "--queue-ms", str(queue_ms),
                       "--faults", self.file("ionq_faults.json", script), *arguments], self.environment, r"at (https?://\S+),")
        cloud.book = self.folder / book
        cloud.url += "/v0.4"
        try:
            yield cloud
        finally:
            cloud.stop()


class Process:
    def __init__(self, process, url, has_contract):
        self.process = process
        self.url = url
        self.has_contract = has_contract  # else an emulator, which has its own

    def stop(self, timeout=30):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError("the process did not end after SIGTERM")
        self.process.stdout.close()
        return self.process.returncode

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def request(self, method, path, body=None, headers=None, timeout=30):
        """(status, headers, parsed body), held to the contract"""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, method=method,
                                         headers={"Content-Type": "application/json", **(headers or {})})
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                status, answered, document = answer.status, answer.headers, parse(answer.read(), answer.headers)
        except urllib.error.HTTPError as error:
            status, answered, document = error.code, error.headers, parse(error.read(), error.headers)
        if self.has_contract:
            validate_answer(method, path, status, answered, document)
        return status, answered, document

    def finished(self, job_id, seconds=60):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            status, _, view = self.request("GET", f"/v1/jobs/{job_id}?wait=5s")
            assert status == 200, view
            if view["state"] in ("succeeded", "failed", "cancelled", "expired"):
                return view
        raise AssertionError(f"{job_id} did not end in {seconds} s: {view}")


def parse(body, headers):
    return json.loads(body) if "json" in (headers.get("Content-Type") or "") and body else body


def start(arguments, environment, pattern, stderr=None):
    process = subprocess.Popen([BINARY, *arguments], stdout=subprocess.PIPE, stderr=stderr, text=True, env=environment)
    line = process.stdout.readline()
    match = re.search(pattern, line)
    if not match:
        process.kill()
        raise AssertionError(f"tandem {arguments} said {line!r}")
    return Process(process, match.group(1), has_contract=arguments[0] == "serve")


class Cluster:
    """A PostgreSQL 15 server of the test's own, on a socket in a scratch folder, with its default durability."""

    PROGRAMS = pathlib.Path("/usr/lib/postgresql/15/bin")

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="tandem-pg-")
        self.owner = ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups"] if os.geteuid() == 0 else []
        if self.owner:
            shutil.chown(self.folder, "postgres", "postgres")
        self.data = f"{self.folder}/data"
        self.address = f"postgresql://postgres@/postgres?host={self.folder}"
        self.process = None
        subprocess.run([*self.owner, self.PROGRAMS / "initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-E", "UTF8",
                        "--locale=C.UTF-8", "--no-sync"], check=True, stdout=subprocess.DEVNULL)
        self.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.crash()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self):
        for _ in range(600):
            if self.process is None or self.process.poll() is not None:  # it refuses while workers of a killed one are there
                self.process = subprocess.Popen(
                    [*self.owner, *(["--pdeathsig", "QUIT"] if self.owner else []), self.PROGRAMS / "postgres", "-D", self.data,
                     "-c", "listen_addresses=", "-c", f"unix_socket_directories={self.folder}", "-c", "log_min_messages=fatal"],
                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            if subprocess.run([self.PROGRAMS / "pg_isready", "-q", "-h", self.folder, "-U", "postgres"]).returncode == 0:
                return
            time.sleep(0.05)
        raise AssertionError("PostgreSQL does not start; ./dev setup test installs it")

    def crash(self):
        self.process.kill()
        self.process.wait()
        self.process = None

    def sql(self, text):
        return subprocess.run([self.PROGRAMS / "psql", "-qAt", self.address, "-c", text], check=True, capture_output=True, text=True).stdout.strip()


def book_lines(path):
    return [json.loads(line) for line in pathlib.Path(path).read_text().splitlines() if line.strip()]
