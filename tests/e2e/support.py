"""What the end-to-end tests share: the binary, data directories, a server, an emulated device, and the contract's schemas."""

import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

import jsonschema
import referencing

ROOT = pathlib.Path(os.environ.get("TANDEM_SOURCE_DIR", pathlib.Path(__file__).resolve().parents[2]))
BINARY = os.environ.get("TANDEM_BINARY", str(ROOT / "build" / "release" / "tandem"))
DATA = pathlib.Path(os.environ.get("TANDEM_TEST_DATA", ROOT.parent / "shared" / "data"))

QUBO = {"problem": {"type": "qubo", "num_variables": 2, "linear": [1, -1], "quadratic": [[0, 1, 2.0]], "sense": "min"}}


SCHEMAS = {path.name: json.loads(path.read_text()) for path in (ROOT / "contract" / "schemas").glob("*.schema.json")}
REGISTRY = referencing.Registry().with_contents(SCHEMAS.items())
CATALOGUE = json.loads((ROOT / "contract" / "events.json").read_text())
EVENTS = {event["type"]: event["data"] for event in CATALOGUE["events"]}


def validate(document, name):
    """Checks a document against the contract with an independent validator."""
    jsonschema.Draft202012Validator(SCHEMAS[f"{name}.schema.json"], registry=REGISTRY, format_checker=jsonschema.FormatChecker()).validate(document)


def validate_event(event):
    """Checks an event and its data against the contract: the data has all members of its type, and no other."""
    validate(event, "event")
    data = EVENTS[event["type"]]
    members = CATALOGUE["data_sets"][data] if isinstance(data, str) else data
    jsonschema.Draft202012Validator({"properties": {name: {"type": member["type"]} for name, member in members.items()},
                                     "required": list(members), "additionalProperties": False}).validate(event["data"])


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
        if check and done.returncode != 0:
            raise AssertionError(f"tandem {arguments} ended with {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def json(self, *arguments, **options):
        return json.loads(self.run(*arguments, "--json", **options).stdout)

    @contextlib.contextmanager
    def serve(self, *arguments, environment=None):
        server = start(["serve", "--listen", "127.0.0.1:0", *arguments], {**self.environment, **(environment or {})}, r"serving (http://\S+)")
        try:
            yield server
        finally:
            server.stop()

    @contextlib.contextmanager
    def device(self, *arguments, faults=None, book="device.book"):
        extra = ["--faults", self.file("faults.json", {"faults": faults})] if faults is not None else []
        device = start(["emulate", "device", "--listen", "127.0.0.1:0", "--book", str(self.folder / book), "--queue-ms", "1", *extra, *arguments],
                       self.environment, r"at (http://\S+),")
        device.book = self.folder / book
        try:
            yield device
        finally:
            device.stop()


class Process:
    def __init__(self, process, url):
        self.process = process
        self.url = url

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
        """(status, headers, parsed body)"""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, method=method,
                                         headers={"Content-Type": "application/json", **(headers or {})})
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                return answer.status, answer.headers, parse(answer.read(), answer.headers)
        except urllib.error.HTTPError as error:
            return error.code, error.headers, parse(error.read(), error.headers)

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


def start(arguments, environment, pattern):
    process = subprocess.Popen([BINARY, *arguments], stdout=subprocess.PIPE, text=True, env=environment)
    line = process.stdout.readline()
    match = re.search(pattern, line)
    if not match:
        process.kill()
        raise AssertionError(f"tandem {arguments} said {line!r}")
    return Process(process, match.group(1))


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
