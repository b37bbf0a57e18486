"""Circuits as files: what Qiskit reads of OpenQASM 2 programs is what Tandem reads, and a bare circuit is a job.

Qiskit is installed from the package index into an environment of its own below build/clients, once. Without the index, or without the published
programs (TANDEM_TEST_DATA), what needs them is passed over and says so.
"""

import json
import os
import subprocess
import unittest

from support import DATA, ROOT, Workplace, python_with

QISKIT = "qiskit==2.2.3"
HEAD = 'OPENQASM 2.0;\ninclude "qelib1.inc";\n'
BELL = HEAD + "qreg q[2];\ncreg c[2];\nh q[0];\ncx q[0], q[1];\nmeasure q -> c;\n"
QUBITS_MAX = 12  # of a program whose states are compared
NEAR = 1e-9
CALLS = ["u3(.3,.5,-.7) q[0];", "u2(.5,-.7) q[1];", "u1(.4) q[0];", "u0(1) q[0];", "u(.3,.5,-.7) q[0];", "p(.4) q[1];", "id q[0];", "x q[0];", "y q[0];",
         "z q[0];", "h q[0];", "s q[0];", "sdg q[0];", "t q[0];", "tdg q[0];", "sx q[0];", "sxdg q[0];", "rx(.3) q[0];", "ry(.3) q[0];", "rz(.3) q[0];",
         "cx q[0],q[1];", "cy q[0],q[1];", "cz q[0],q[1];", "ch q[0],q[1];", "cp(.4) q[0],q[1];", "cu1(.4) q[0],q[1];", "cu3(.3,.5,-.7) q[0],q[1];",
         "cu(.3,.5,-.7,1.1) q[0],q[1];", "csx q[0],q[1];", "crx(.4) q[0],q[1];", "cry(.4) q[0],q[1];", "crz(.4) q[0],q[1];", "swap q[0],q[1];",
         "rxx(.4) q[0],q[1];", "rzz(.4) q[0],q[1];", "ccx q[0],q[1],q[2];", "cswap q[0],q[1],q[2];",
         "rccx q[0],q[1],q[2];", "rc3x q[0],q[1],q[2],q[3];", "c3x q[0],q[1],q[2],q[3];", "c3sqrtx q[0],q[1],q[2],q[3];", "c4x q[4],q[1],q[2],q[3],q[0];"]
LANGUAGE = {
    "conditions": "qreg q[3]; creg a[2]; creg b[1]; measure q[0] -> a[1]; measure q[1] -> b[0]; if (a == 2) rx(.7) q[1]; if (b == 1) h q; reset q[2]; "
                  "if (a == 0) ccx q[0], q[1], q[2]; h q[2]; measure q[2] -> a[0]; if (a == 3) measure q[1] -> b[0]; if (a == 1) reset q[0]; measure q[0] -> a[1];",
    "broadcast": "qreg a[3]; qreg b[3]; creg c[3]; h a; cx a, b; cz a[1], b; barrier a, b[0]; measure b -> c;",
    "expressions": "qreg q[2]; rx(-2^2/3 + 2^-1 * sin(pi/5)) q[0]; ry(-(1 - 2 - 3)*cos(1)/ln(3)) q[1]; rz(sqrt(2)^exp(.5)^2 - tan(1.) + 1e-1) q[0];",
    "definitions": "gate f(x, y) a, b { rx(x/y) a; cx a, b; barrier a, b; u2(-y, x*pi) b; } gate g(t) a, b { f(t, 2) b, a; f(-t, t^2) a, b; } "
                   "qreg q[3]; g(pi/7) q[2], q[0]; f(1, 2) q[1], q[2];",
}


def compare(programs):
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("TANDEM_", "QISKIT_"))}
    script = ROOT / "tests" / "e2e" / "circuit_files" / "compare_qiskit.py"
    done = subprocess.run([python_with(QISKIT), script], input=json.dumps(programs), capture_output=True, text=True, timeout=400,
                          env=environment | {"PYTHONDONTWRITEBYTECODE": "1"})
    if done.returncode != 0:
        raise AssertionError(done.stderr[-3000:])
    return json.loads(done.stdout)


class CircuitFiles(unittest.TestCase):
    def setUp(self):
        self.place = Workplace()
        self.addCleanup(self.place.close)

    def document(self, program):
        return json.loads(self.place.run("convert", self.place.file("c.qasm", program), "--to", "json").stdout)

    def test_qiskit_reads_every_gate_and_rule_of_the_language_as_we_do(self):
        programs = [[call, HEAD + "qreg q[5];\n" + call] for call in CALLS] + [[name, HEAD + text] for name, text in LANGUAGE.items()]
        seen = compare([[name, program, self.document(program)] for name, program in programs])
        self.assertEqual({name: one for name, one in seen.items() if one.get("distance", 2) > NEAR}, {})

    def test_qiskit_reads_published_programs_as_we_do(self):
        folder = DATA / "qasm2"
        if not folder.exists():
            self.skipTest(f"no published programs at {folder}")
        programs = []
        for path in sorted(folder.rglob("*.qasm")):
            text = path.read_text(encoding="utf-8")
            done = self.place.run("convert", path, "--to", "json", check=False)
            if done.returncode == 0:
                document = json.loads(done.stdout)
                if document["num_qubits"] <= QUBITS_MAX:
                    programs.append([str(path.relative_to(folder)), text, document])
        seen = compare(programs)
        self.assertEqual({name: one for name, one in seen.items() if one.get("distance", 0) > NEAR or "refused" in one}, {})
        self.assertGreaterEqual(sum(one.get("of") == "states" for one in seen.values()), 40)
        self.assertGreaterEqual(sum(one.get("of") == "outcomes" for one in seen.values()), 5)

    def test_qiskit_reads_what_we_write(self):
        gates = [["gpi", [0], [0.4]], ["gpi2", [1], [-0.3]], ["iswap", [1, 0]], ["ryy", [0, 2], [0.7]], ["xx_plus_yy", [2, 1], [0.9, 0.2]],
                 ["ms", [0, 1], [0.1, -0.6, 0.8]], ["ccz", [2, 0, 1]], ["u", [1], [0.3, 0.5, -0.7]], ["sxdg", [2]], ["cry", [2, 0], [1.2]]]
        written = self.place.run("convert", self.place.file("c.json", json.dumps({"num_qubits": 3, "num_clbits": 0, "parameters": [], "instructions": gates})),
                                 "--to", "qasm2").stdout
        self.assertLess(compare([["all", written, self.document(written)]])["all"]["distance"], NEAR)

    def test_a_bare_circuit_is_a_job(self):
        for name, text, outcomes in [("bell.qasm", BELL, {"00", "11"}), ("flip.txt", "2\n0 x 1\n", {"01"})]:
            with self.subTest(name=name):
                result = json.loads(self.place.run("run", self.place.file(name, text), "--shots", "500", "--json").stdout)
                counts = result["pubs"][0]["bindings"][0]["counts"]
                self.assertEqual(sum(counts.values()), 500)
                self.assertLessEqual(set(counts), outcomes)
        job = json.loads(self.place.run("convert", self.place.file("bell.qasm", BELL), "--as", "job", "--to", "json").stdout)
        self.assertEqual(job["program"]["pubs"][0]["shots"], 1000)

    def test_a_tolerance_decides_the_precision_and_result_and_lineage_say_so(self):
        file = self.place.file("bell.qasm", BELL)
        for tolerance, precision in (("1e-3", "f32"), ("1e-9", "f64")):
            with self.subTest(tolerance=tolerance):
                result = json.loads(self.place.run("run", file, "--shots", "500", "--tolerance", tolerance, "--json").stdout)
                said = result["pubs"][0]["arithmetic"]
                self.assertEqual((said["precision"], said["tolerance"]), (precision, float(tolerance)))
                self.assertLessEqual(said["rounding"], float(tolerance))
                self.assertEqual(self.place.json("jobs", "lineage", result["job_id"])["walk"]["arithmetic"], [said])
                explained = self.place.json("explain", "--circuit", file, "--plan-only", "--tolerance", tolerance)
                self.assertEqual(explained["precision"], precision)
                self.assertEqual(explained["circuit"]["rounding"][precision], said["rounding"])
        self.assertNotIn("arithmetic", json.loads(self.place.run("run", file, "--json").stdout)["pubs"][0])

    def test_the_speed_of_the_machine_is_in_the_lineage_once_it_is_measured(self):
        file = self.place.file("bell.qasm", BELL)

        def profile(shots):
            job = self.place.json("run", file, "--shots", shots)["job_id"]
            return self.place.json("jobs", "lineage", job)["versions"]["machine_profile"]

        self.assertNotIn("speed", profile("10"))
        machine = self.place.json("explain", "--circuit", file, "--plan-only")["machine"]
        self.assertEqual(profile("20")["speed"], machine)

    def test_flags_that_a_circuit_has_not_are_refused(self):
        bell = self.place.file("bell.qasm", BELL)
        qubo = self.place.file("q.json", '{"type": "qubo", "num_variables": 1, "linear": [1], "sense": "min"}')
        for arguments, says in [(("run", bell, "--problem", "qubo"), "--problem"), (("convert", bell, "--to", "rudy"), "json, qasm2 or qsim"),
                                (("run", bell, "--shots", "0"), "--shots"), (("run", bell, "--tolerance", "-1"), "--tolerance"),
                                (("run", bell, "--tolerance", "1e-30"), "tolerance"), (("run", qubo, "--tolerance", "1e-3"), "--tolerance"),
                                (("explain", "--circuit", bell, "--tolerance", "1e-30"), "--tolerance"),
                                (("explain", "--circuit", bell, "--tolerance", "nan"), "--tolerance"),
                                (("explain", "--circuit", bell, "--tolerance", "1e-3", "--precision", "f32"), "--tolerance"), (("run", qubo, "--shots", "5"), "--shots"),
                                (("convert", bell, "--from", "qsim", "--to", "json"), "bell.qasm:1:1"),
                                (("run", self.place.file("if.qasm", BELL + "if (q == 1) x q[0];\n")), "if.qasm:8:5")]:
            with self.subTest(arguments=arguments):
                done = self.place.run(*arguments, check=False)
                self.assertNotEqual(done.returncode, 0)
                self.assertIn(says, done.stderr)


if __name__ == "__main__":
    unittest.main()
