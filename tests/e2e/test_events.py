"""Event streams over HTTP: whoever joins, leaves, comes back or reads slowly has the log of the job, each event once and in order."""

import http.client
import threading
import unittest
import urllib.parse

from support import LONG, Workplace


class Stream:
    """One client, read by hand: next() is the next event, None at the proper end of the response."""

    def __init__(self, server, job, last=None):
        address = urllib.parse.urlsplit(server.url)
        self.connection = http.client.HTTPConnection(address.hostname, address.port, timeout=30)
        self.connection.request("GET", f"/v1/jobs/{job}/events",
                                headers={"Accept": "text/event-stream", **({} if last is None else {"Last-Event-ID": str(last)})})
        self.answer = self.connection.getresponse()
        self.ids = []

    def next(self):
        fields = {}
        while line := self.answer.readline():
            line = line.decode().rstrip("\n")
            if line == "" and "id" in fields:
                self.ids.append(int(fields["id"]))
                return fields["event"]
            if line and not line.startswith(":"):
                name, value = line.split(": ", 1)
                fields[name] = value
        return None

    def until(self, kind):
        while (event := self.next()) != kind:
            if event is None:
                raise AssertionError(f"the stream ended before {kind}")
        return self

    def to_end(self):
        while self.next():
            pass
        self.leave()
        return self.ids

    def leave(self):
        self.answer.close()
        self.connection.close()


class Streams(unittest.TestCase):
    def setUp(self):
        self.place = Workplace()
        self.addCleanup(self.place.close)

    def post(self, server, path, body=None, status=202):
        got, _, document = server.request("POST", path, body or {})
        self.assertEqual(got, status, document)
        return document

    def logged(self, server, job):
        return [event["sequence"] for event in server.request("GET", f"/v1/jobs/{job}/events?limit=1000")[2]["events"]]

    def test_clients_that_join_leave_and_come_back_miss_nothing(self):
        with self.place.serve() as server:
            job = self.post(server, "/v1/jobs", LONG)["job_id"]
            other = self.post(server, "/v1/jobs", {"problem": {"type": "noop"}})["job_id"]
            first = Stream(server, job).until("job.started")
            streams = [(first, 0)]
            for turn in range(3):
                quits = Stream(server, job)
                quits.next()
                quits.leave()
                self.post(server, f"/v1/jobs/{job}/suspend")
                first.until("job.suspended")
                seen = first.ids[len(first.ids) // 2]
                streams += [(Stream(server, job), 0), (Stream(server, job, seen), seen), (Stream(server, job, first.ids[-1]), first.ids[-1]),
                            (Stream(server, job, 1_000_000), 1_000_000)]
                self.post(server, f"/v1/jobs/{job}/resume")
                first.until("job.started")
            readers = [threading.Thread(target=stream.to_end) for stream, _ in streams]
            for reader in readers:
                reader.start()
            self.post(server, f"/v1/jobs/{job}/cancel")
            for reader in readers:
                reader.join()
            log = self.logged(server, job)
            for stream, after in streams:
                self.assertEqual(stream.ids, [sequence for sequence in log if sequence > after])
            self.assertEqual(Stream(server, other).to_end(), self.logged(server, other))

    def test_a_server_that_stops_ends_its_streams_and_the_next_one_goes_on_after_the_last_id(self):
        with self.place.serve() as server:
            job = self.post(server, "/v1/jobs", LONG)["job_id"]
            streams = [Stream(server, job).until("job.started") for _ in range(5)]
            self.assertEqual(server.stop(), 0)
            for stream in streams:
                stream.to_end()  # http.client raises where a response breaks off
        with self.place.serve() as server:
            rest = [Stream(server, job, stream.ids[-1]) for stream in streams]
            self.post(server, f"/v1/jobs/{job}/cancel")
            for stream, more in zip(streams, rest):
                self.assertEqual(stream.ids + more.to_end(), self.logged(server, job))

    def test_clients_that_read_only_at_the_end_hold_up_nobody_and_have_it_all(self):
        with self.place.serve() as server:
            job = self.post(server, "/v1/jobs", LONG)["job_id"]
            idle = [Stream(server, job) for _ in range(20)]
            busy = Stream(server, job).until("job.started")
            self.post(server, f"/v1/jobs/{job}/cancel")
            log = busy.to_end()
            self.assertEqual(log, self.logged(server, job))
            for stream in idle:
                self.assertEqual(stream.to_end(), log)

    def test_the_stream_of_a_removed_job_is_not_found(self):
        with self.place.serve() as server:
            job = self.post(server, "/v1/jobs", {"problem": {"type": "noop"}})["job_id"]
            Stream(server, job).to_end()
            self.assertEqual(server.request("DELETE", f"/v1/jobs/{job}")[0], 204)
            gone = Stream(server, job)
            self.assertEqual(gone.answer.status, 404)
            gone.leave()


if __name__ == "__main__":
    unittest.main()
