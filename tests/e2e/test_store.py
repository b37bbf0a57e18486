"""The store commands beside servers that work: backups under load, restores into the other kind, damage, kill -9, a full disk.

What a backup holds is read here by the format of docs/guide/stores.md, independently of the program.
"""

import contextlib
import hashlib
import itertools
import json
import os
import resource
import shutil
import signal
import sqlite3
import struct
import threading
import unittest
import zlib

from support import QUBO, Cluster, Workplace


def read_backup(path):
    """(header, rows {(table, key): (version, value)}, entries [(subject, value)])"""
    data = path.read_bytes()
    assert data[:8] == b"TANDEMBK" and data[-32:] == hashlib.sha256(data[:-32]).digest()
    form, length = struct.unpack_from("<II", data, 8)
    assert form == 1
    header = json.loads(data[16:16 + length])
    at, records = 16 + length, b""
    while (stored := struct.unpack_from("<I", data, at)[0]) != 0:
        raw, crc = struct.unpack_from("<II", data, at + 4)
        block = data[at + 12:at + 12 + stored]
        assert zlib.crc32(block) == crc
        block = block if stored == raw else zlib.decompress(block)
        assert len(block) == raw
        records += block
        at += 12 + stored
    assert at + 4 + 32 == len(data)
    rows, entries, at = {}, [], 0
    while at < len(records):
        if records[at] == 1:
            table, version, key, value = struct.unpack_from("<BQII", records, at + 1)
            at += 18
            rows[header["tables"][table], records[at:at + key]] = (version, records[at + key:at + key + value])
        else:
            sequence, key, value = struct.unpack_from("<QII", records, at + 1)
            at += 17
            assert sequence == len(entries) + 1
            entries.append((records[at:at + key], records[at + key:at + key + value]))
        at += key + value
    assert len(entries) == header["last_sequence"]
    return header, rows, entries


def read_sqlite(path):
    with sqlite3.connect(path) as database:
        tables = [name for (name,) in database.execute("SELECT name FROM row_count")]
        rows = {(table, bytes(key)): (version, bytes(value)) for table in tables
                for key, version, value in database.execute(f"SELECT key, version, value FROM {table}")}
        return rows, [(bytes(s), bytes(v)) for s, v in database.execute("SELECT subject, value FROM event_log ORDER BY sequence")]


def read_cluster(cluster):
    unhex = lambda text: bytes.fromhex(text[2:])
    rows = {}
    for table in cluster.sql("SELECT tablename FROM pg_tables WHERE schemaname = 'tandem'").splitlines():
        if table in ("event_log", "store_head", "writer", "schema_version"):
            continue
        for line in cluster.sql(f"SELECT key, version, value FROM tandem.{table}").splitlines():
            key, version, value = line.split("|")
            rows[table, unhex(key)] = (int(version), unhex(value))
    entries = []
    for line in cluster.sql("SELECT subject, value, entries FROM tandem.event_log ORDER BY sequence").splitlines():
        subject, value, count = line.split("|")
        subject, value = unhex(subject), unhex(value)
        if count == "1":
            entries.append((subject, value))
            continue
        for _ in range(int(count)):
            length = 4 + int.from_bytes(value[:4], "big")
            entries.append((subject, value[4:length]))
            value = value[length:]
        assert not value
    return rows, entries


class Load:
    """Clients that submit as fast as they can until told to stop."""

    def __init__(self, server, clients=3):
        self.server, self.jobs, self.wrong = server, [], []
        self.enough, self.stopping = threading.Event(), threading.Event()
        self.numbers = itertools.count()
        self.threads = [threading.Thread(target=self.work, daemon=True) for _ in range(clients)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join()

    def work(self):
        while not self.stopping.is_set():
            status, _, body = self.server.request("POST", "/v1/jobs", {**QUBO, "name": f"job {next(self.numbers)}"})
            if status != 202:
                self.wrong.append((status, body))
                return
            self.jobs.append(body["job_id"])
            if len(self.jobs) > 30:
                self.enough.set()


class StoreCommands(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster()
        cls.addClassCleanup(cls.cluster.__exit__)

    def setUp(self):
        self.cluster.sql("DROP SCHEMA IF EXISTS tandem CASCADE")
        self.place = Workplace()
        self.addCleanup(self.place.close)
        self.file = self.place.folder / "store.backup"
        self.server_store = ("--store", self.cluster.address)

    def some_jobs(self, number=2):
        return [self.place.json("run", self.place.file("job.json", QUBO))["job_id"] for _ in range(number)]

    def backup_of_a_working_server(self, *store):
        environment = {"TANDEM_STORE_ADDRESS": self.cluster.address} if store else None
        with self.place.serve(environment=environment) as server, Load(server) as load:
            self.assertTrue(load.enough.wait(60))
            before = set(load.jobs)
            summary = self.place.json("store", "backup", self.file, *store)
            self.assertTrue(self.place.json("store", "check", *store)["ok"])
            lines = [json.loads(line) for line in self.place.run("store", "export", "--json", *store).stdout.splitlines()]
        self.assertEqual(load.wrong, [])
        header, rows, entries = read_backup(self.file)
        jobs = {key.decode() for table, key in rows if table == "job"}
        self.assertLessEqual(before, jobs)
        self.assertLessEqual(jobs, set(load.jobs) | {json.loads(value)["job_id"] for _, value in entries})
        self.assertEqual((header["store"], header["last_sequence"]), (summary["store"], summary["last_sequence"]))
        self.assertEqual(sum(summary["rows"].values()), len(rows))
        self.assertEqual(lines[0]["kind"], "store")
        self.assertEqual([line["sequence"] for line in lines if line["kind"] == "event"], list(range(1, lines[0]["last_sequence"] + 1)))
        exported = {line["key"]: line["value"] for line in lines if line["kind"] == "row" and line["table"] == "job"}
        self.assertLessEqual(jobs, set(exported))
        for job in jobs:  # what never changes of a job
            backed_up = json.loads(rows["job", job.encode()][1])
            self.assertEqual(*({name: row[name] for name in ("created_at", "spec_sha256", "tenant")} for row in (exported[job], backed_up)))
        report = self.place.json("store", "check", self.file)
        self.assertTrue(report["ok"], report)
        self.assertEqual(report["rows"], summary["rows"])
        return jobs, rows, entries

    def finishes(self, jobs, environment):
        with self.place.serve(environment=environment) as server:
            for job in jobs:
                self.assertEqual(server.finished(job)["state"], "succeeded")
        done = self.place.run("store", "check", check=False, environment=environment)
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_a_machine_under_load_moves_to_a_server_and_its_jobs_go_on_there(self):
        jobs, rows, entries = self.backup_of_a_working_server()
        self.place.json("store", "restore", self.file, *self.server_store)
        self.assertEqual(read_cluster(self.cluster), (rows, entries))
        self.finishes(jobs, {"TANDEM_STORE_ADDRESS": self.cluster.address, "TANDEM_ENGINE_LEASE_TTL": "1s"})

    def test_a_server_under_load_moves_to_a_machine_and_its_jobs_go_on_there(self):
        jobs, rows, entries = self.backup_of_a_working_server(*self.server_store)
        self.place.json("store", "restore", self.file)
        self.assertEqual(read_sqlite(self.place.data / "tandem.db"), (rows, entries))
        self.finishes(jobs, None)

    def test_a_restore_that_is_killed_anywhere_is_known_and_nothing_runs_on_it(self):
        self.some_jobs()
        self.place.run("store", "backup", self.file)
        for store, forget in (((), lambda: shutil.rmtree(self.place.data)),
                              (self.server_store, lambda: self.cluster.sql("DROP SCHEMA IF EXISTS tandem CASCADE"))):
            environment = {"TANDEM_STORE_ADDRESS": self.cluster.address} if store else {}
            for point in ("restore.begun", "restore.batch", "restore.before_end"):
                with self.subTest(store=store, point=point):
                    forget()
                    done = self.place.run("store", "restore", self.file, *store, check=False, environment={"TANDEM_CRASH_POINT": point})
                    self.assertEqual(done.returncode, -signal.SIGKILL)
                    for words in (("serve", "--listen", "127.0.0.1:0"), ("jobs",), ("store", "restore", self.file), ("store", "check"), ("store", "migrate")):
                        refused = self.place.run(*words, check=False, environment=environment)
                        self.assertEqual(refused.returncode, 5, (words, refused.stdout))
                        self.assertIn("[3012 restore_unfinished]", refused.stderr)
            forget()
            self.place.json("store", "restore", self.file, *store)
            self.assertTrue(self.place.json("store", "check", *store)["ok"])

    def test_only_an_empty_store_is_restored_into_and_a_served_one_is_left_alone(self):
        self.some_jobs()
        self.place.run("store", "backup", self.file)
        before = read_sqlite(self.place.data / "tandem.db")
        refused = self.place.run("store", "restore", self.file, "--json", check=False)
        self.assertEqual((refused.returncode, json.loads(refused.stdout)["name"]), (5, "store_not_empty"))
        with self.place.serve():
            for words in (("restore", self.file), ("migrate",)):
                held = self.place.run("store", *words, "--json", check=False)
                self.assertEqual(json.loads(held.stdout)["name"], "lock_held")
        self.assertEqual(read_sqlite(self.place.data / "tandem.db"), before)

    def test_damaged_cut_and_foreign_files_are_named_with_the_byte_and_touch_nothing(self):
        self.some_jobs()
        self.place.run("store", "backup", self.file, "--no-compress")
        whole = self.file.read_bytes()
        middle = len(whole) // 2
        cases = {"cut": (whole[:-7], f"from byte {len(whole) - 7} on"), "empty": (b"", "from byte 0 on"),
                 "foreign": ((self.place.data / "tandem.db").read_bytes(), "no backup of a Tandem store"),
                 "damaged": (whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1:], "checksum")}
        for name, (content, says) in cases.items():
            with self.subTest(name):
                file = self.place.file(name, content)
                fresh = ("--data", self.place.folder / f"data-{name}")
                for words in (("check", file), ("restore", file, *fresh)):
                    done = self.place.run("store", *words, check=False)
                    self.assertEqual(done.returncode, 13)
                    self.assertIn("[3011 backup_damaged]", done.stderr)
                    self.assertIn(says, done.stderr)
                self.place.json("store", "restore", self.file, *fresh)  # it is still empty
        missing = self.place.run("store", "check", self.place.folder / "none", check=False)
        self.assertEqual(missing.returncode, 3)

    def test_a_check_finds_what_a_hand_in_the_database_changed(self):
        job, _ = self.some_jobs()
        path = self.place.data / "tandem.db"
        self.assertTrue(self.place.json("store", "check")["ok"])
        with sqlite3.connect(path) as database:
            database.execute("DELETE FROM job_index WHERE key = ?", (f"state/succeeded/{job}".encode(),))
            database.execute("UPDATE event_log SET value = CAST(replace(CAST(value AS TEXT), 'user:local', 'user:other') AS BLOB) WHERE sequence = 1")
        done = self.place.run("store", "check", "--json", check=False)
        self.assertEqual(done.returncode, 13)
        report = json.loads(done.stdout)
        self.assertFalse(report["ok"])
        places = {finding["place"] for finding in report["findings"]}
        self.assertLessEqual({f"job_index/state/succeeded/{job}", "log/1", "sqlite"}, places)
        self.assertIn("DAMAGED", self.place.run("store", "check", check=False).stdout)
        self.place.run("store", "migrate", *self.server_store)
        self.cluster.sql("UPDATE tandem.store_head SET sequence = 3, rows[1] = 5")
        done = self.place.run("store", "check", *self.server_store, "--json", check=False)
        self.assertEqual(done.returncode, 13)
        self.assertEqual([f["what"] for f in json.loads(done.stdout)["findings"] if f["place"] == "postgres"],
                         ["table job has 0 rows and counts 5", "the log has 0 entries and its head says 3"])
        # A backup says the same of what it holds.
        self.place.run("store", "backup", self.file)
        copied = self.place.run("store", "check", self.file, "--json", check=False)
        self.assertEqual(copied.returncode, 13)
        self.assertLessEqual({f"job_index/state/succeeded/{job}", "log/1"}, {f["place"] for f in json.loads(copied.stdout)["findings"]})

    def test_migrate_says_from_and_to_and_a_newer_schema_is_refused_everywhere(self):
        for store in ((), self.server_store):
            first = self.place.json("store", "migrate", *store)
            self.assertEqual(first["from"], 0)
            self.assertGreater(first["to"], 0)
            again = self.place.json("store", "migrate", *store)
            self.assertEqual((again["from"], again["to"]), (first["to"], first["to"]))
        self.place.run("store", "backup", self.file)
        with sqlite3.connect(self.place.data / "tandem.db") as database:
            database.execute("PRAGMA user_version = 99")
        self.cluster.sql("UPDATE tandem.schema_version SET version = 99")
        for store in ((), self.server_store):
            for words in (("migrate",), ("check",), ("backup", self.file), ("export",), ("restore", self.file)):
                refused = self.place.run("store", *words, *store, check=False)
                self.assertIn("[3001 store_newer]", refused.stderr, words)
        self.place.data = self.place.folder / "fresh"
        newer = self.file.read_bytes()[:-32].replace(b'"schema_version":1', b'"schema_version":9')
        newer = self.place.file("newer", newer + hashlib.sha256(newer).digest())
        for words in (("check", newer), ("restore", newer, "--data", self.place.folder / "fresh")):
            self.assertIn("[3001 store_newer]", self.place.run("store", *words, check=False).stderr)

    def test_reading_a_store_that_is_not_there_makes_none(self):
        for words in (("check",), ("backup", self.file), ("export",)):
            self.assertEqual(self.place.run("store", *words, check=False).returncode, 3, words)
            refused = self.place.run("store", *words, *self.server_store, check=False)
            self.assertIn("[3002 store_foreign]", refused.stderr)
        self.assertFalse(self.place.data.exists() or self.file.exists())
        self.assertEqual(self.cluster.sql("SELECT count(*) FROM pg_namespace WHERE nspname = 'tandem'"), "0")

    def test_a_backup_never_replaces_a_file_of_the_data_directory_and_is_private(self):
        self.some_jobs(2)
        for name in ("tandem.db", "tandem.db-wal", "tandem.lock", "new"):
            refused = self.place.run("store", "backup", self.place.data / name, check=False)
            self.assertEqual(refused.returncode, 2, (name, refused.stderr))
        self.place.run("store", "check")
        self.place.run("store", "backup", self.file)
        self.assertEqual(self.file.stat().st_mode & 0o777, 0o600)

    def test_a_backup_of_a_log_with_a_gap_is_none_and_leaves_the_old_one(self):
        self.some_jobs(2)
        self.file.write_bytes(b"the last one")
        database = next(self.place.data.glob("*.db"))
        with contextlib.closing(sqlite3.connect(database)) as connection, connection:
            connection.execute("DELETE FROM event_log WHERE sequence = 3")
        refused = self.place.run("store", "backup", self.file, check=False)
        self.assertIn("[3003 store_damaged]", refused.stderr)
        self.assertEqual(self.file.read_bytes(), b"the last one")

    def test_a_backup_that_finds_no_room_says_so_and_leaves_the_old_one(self):
        room = 40_000  # for what SQLite shares beside its file, and not for the backup
        self.some_jobs(8)
        self.place.run("store", "backup", self.file, "--no-compress")
        self.assertGreater(self.file.stat().st_size, room)
        self.file.write_bytes(b"the last one")
        before = sorted(os.listdir(self.place.folder))
        limit = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, limit[1]))
        try:
            done = self.place.run("store", "backup", self.file, "--no-compress", "--json", check=False)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        self.assertEqual(json.loads(done.stdout)["name"], "disk_full", done.stderr)
        self.assertEqual(self.file.read_bytes(), b"the last one")
        self.assertEqual(sorted(os.listdir(self.place.folder)), before)


if __name__ == "__main__":
    unittest.main()
