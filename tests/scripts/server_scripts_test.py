#!/usr/bin/env python3
"""bin/kafka-server-start.sh and -stop.sh, with a server that only notes how it was called.

Every process this test ends it has started, or bin/kafka-server-stop.sh is what is being tested.
"""
import os
import pathlib
import signal
import subprocess
import tempfile
import textwrap
import time
import unittest

BIN = pathlib.Path(__file__).resolve().parents[2] / "bin"

# Notes its arguments; fails --check for a file with the word "broken"; else waits for SIGTERM.
FAKE = """\
    #!/usr/bin/env bash
    for argument; do
      if [ "$argument" = --check ]; then
        if grep -q broken "$1"; then echo "$1:1: broken" >&2; exit 1; fi
        exit 0
      fi
    done
    printf '%s\\n' "$@" > "$1.called.tmp" && mv "$1.called.tmp" "$1.called"
    echo "out of the server, started (kafka.server.KafkaServer)"
    trap 'echo ended > "$properties.ended"; exit 0' TERM
    properties=$1
    while :; do read -r -t 0.05 <> <(:); done
    """


class Scripts(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = pathlib.Path(self.folder.name) / "a folder"
        server = self.path / "home" / "libexec" / "moldau-server"
        server.parent.mkdir(parents=True)
        server.write_text(textwrap.dedent(FAKE))
        server.chmod(0o755)
        self.logs = self.path / "the logs"
        self.env = dict(os.environ, MOLDAU_HOME=str(self.path / "home"), LOG_DIR=str(self.logs))
        self.started = []
        self.addCleanup(self.end_all)

    def end_all(self):
        for pid in self.started:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def properties(self, name, text=""):
        path = self.path / name
        path.write_text(text)
        return path

    def run_script(self, script, *arguments, **options):
        return subprocess.run([str(BIN / script), *map(str, arguments)], env=self.env, text=True, timeout=30,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)

    def wait_for(self, what):
        deadline = time.monotonic() + 20
        while not what():
            self.assertLess(time.monotonic(), deadline, "waited too long")
            time.sleep(0.01)

    def start(self, path, *overrides):
        """Starts a daemon and returns its pid."""
        done = self.run_script("kafka-server-start.sh", "-daemon", path, *overrides)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        pid = int(self.pid_file_of(path).read_text().split("\n")[0])
        self.started.append(pid)
        self.wait_for(pathlib.Path(f"{path}.called").exists)
        return pid

    def pid_file_of(self, path):
        for file in self.logs.glob("moldau-*.pid"):
            if file.read_text().split("\n")[2] == str(path.resolve()):
                return file
        self.fail(f"no pid file for {path}")

    def called(self, path):
        return pathlib.Path(f"{path}.called").read_text().rstrip("\n").split("\n")

    def ended(self, path):
        return pathlib.Path(f"{path}.ended").exists()

    # ---- start

    def test_arguments_arrive_whole(self):
        path = self.properties("my server.properties")
        self.start(path, "--override", "broker.rack=rack 1 'x'", "--override", "log.dirs=/a b,/c*")
        self.assertEqual(self.called(path), [str(path.resolve()), "--override", "broker.rack=rack 1 'x'", "--override",
                                             "log.dirs=/a b,/c*"])

    def test_a_relative_path_becomes_absolute(self):
        path = self.properties("r.properties")
        done = self.run_script("kafka-server-start.sh", "-daemon", "r.properties", cwd=self.path)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.started.append(int(self.pid_file_of(path).read_text().split("\n")[0]))
        self.wait_for(pathlib.Path(f"{path}.called").exists)
        self.assertEqual(self.called(path)[0], str(path.resolve()))

    def test_ps_shows_the_path(self):
        path = self.properties("ps.properties")
        pid = self.start(path)
        self.assertIn(str(path.resolve()).encode(), pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"))

    def test_output_of_a_daemon(self):
        path = self.properties("out.properties")
        self.start(path)
        self.wait_for(lambda: "out of the server" in (self.logs / "kafkaServer.out").read_text())

    def test_options_of_the_jvm_are_taken(self):
        path = self.properties("jvm.properties")
        done = self.run_script("kafka-server-start.sh", "-daemon", "-name", "kafkaServer", "-loggc", path)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.started.append(int(self.pid_file_of(path).read_text().split("\n")[0]))

    def test_in_the_foreground(self):
        path = self.properties("front.properties")
        process = subprocess.Popen([str(BIN / "kafka-server-start.sh"), str(path)], env=self.env, stdout=subprocess.PIPE)
        self.started.append(process.pid)
        self.wait_for(pathlib.Path(f"{path}.called").exists)
        self.assertEqual(self.run_script("kafka-server-stop.sh").returncode, 0)
        self.assertEqual(process.wait(20), 0)
        process.stdout.close()
        self.assertTrue(self.ended(path))

    def test_mistakes(self):
        usage = self.run_script("kafka-server-start.sh")
        self.assertEqual(usage.returncode, 1)
        self.assertIn("USAGE:", usage.stderr)
        missing = self.run_script("kafka-server-start.sh", "-daemon", self.path / "none.properties")
        self.assertEqual(missing.returncode, 1)
        self.assertIn(f"cannot read the properties file {self.path}/none.properties", missing.stderr)
        self.assertEqual(self.run_script("kafka-server-start.sh", "-daemon", self.path).returncode, 1)

    def test_a_bad_configuration_is_told_before_the_daemon_starts(self):
        path = self.properties("bad.properties", "broken")
        done = self.run_script("kafka-server-start.sh", "-daemon", path)
        self.assertEqual((done.returncode, done.stderr), (1, f"{path.resolve()}:1: broken\n"))
        self.assertEqual(list(self.logs.glob("*")), [])

    # ---- stop

    def test_stops_all_that_were_started(self):
        one, two = self.properties("1.properties"), self.properties("2.properties")
        self.start(one), self.start(two)
        done = self.run_script("kafka-server-stop.sh")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
        self.wait_for(lambda: self.ended(one) and self.ended(two))

    def test_nothing_to_stop(self):
        done = self.run_script("kafka-server-stop.sh")
        self.assertEqual((done.returncode, done.stdout), (1, "No kafka server to stop\n"))

    def test_by_node_id(self):
        one, two = self.properties("1.properties", "node.id=1\n"), self.properties("2.properties", "node.id = 11 \n")
        three = self.properties("3.properties", "broker.id=3\n")
        self.start(one), self.start(two), self.start(three)
        self.assertEqual(self.run_script("kafka-server-stop.sh", "--node-id=11").returncode, 0)
        self.wait_for(lambda: self.ended(two))
        self.assertEqual(self.run_script("kafka-server-stop.sh", "--node-id", "3").returncode, 0)
        self.wait_for(lambda: self.ended(three))
        self.assertEqual(self.run_script("kafka-server-stop.sh", "--node-id=5").returncode, 1)
        self.assertFalse(self.ended(one))

    def test_an_override_of_the_node_id_counts(self):
        path = self.properties("o.properties", "node.id=1\n")
        self.start(path, "--override", "node.id=8")
        self.assertEqual(self.run_script("kafka-server-stop.sh", "--node-id=1").returncode, 1)
        self.assertEqual(self.run_script("kafka-server-stop.sh", "--node-id=8").returncode, 0)
        self.wait_for(lambda: self.ended(path))

    def test_by_role(self):
        both = self.properties("both.properties", "process.roles=broker, controller\n")
        broker = self.properties("broker.properties", "process.roles=broker\n")
        self.start(both), self.start(broker)
        self.assertEqual(self.run_script("kafka-server-stop.sh", "--process-role=broker").returncode, 0)
        self.wait_for(lambda: self.ended(broker))
        self.assertFalse(self.ended(both))
        self.assertEqual(self.run_script("kafka-server-stop.sh", "--process-role=broker,controller").returncode, 0)
        self.wait_for(lambda: self.ended(both))

    def test_a_stale_pid_file_harms_nobody(self):
        path = self.properties("stale.properties")
        self.start(path)
        file = self.pid_file_of(path)
        self.assertEqual(self.run_script("kafka-server-stop.sh").returncode, 0)
        self.wait_for(lambda: self.ended(path))
        bystander = subprocess.Popen(["sleep", "60"])
        self.addCleanup(bystander.wait)
        self.addCleanup(bystander.kill)
        started = pathlib.Path(f"/proc/{bystander.pid}/stat").read_text().rsplit(") ", 1)[1].split()[19]
        file.write_text(f"{bystander.pid}\n{started}\n{path.resolve()}\n")
        done = self.run_script("kafka-server-stop.sh")
        self.assertEqual((done.returncode, done.stdout), (1, "No kafka server to stop\n"))
        self.assertIsNone(bystander.poll())
        self.assertFalse(file.exists())

    def test_another_server_under_the_same_pid_is_left_alone(self):
        path = self.properties("again.properties")
        pid = self.start(path)
        file = self.pid_file_of(path)
        file.write_text(f"{pid}\n1\n{path.resolve()}\n")  # as if that pid had been given to a later process
        self.assertEqual(self.run_script("kafka-server-stop.sh").returncode, 1)
        self.assertFalse(self.ended(path))

    def test_rubbish_in_a_pid_file(self):
        self.logs.mkdir()
        for text in ("", "x\ny\nz\n", "-1\n1\n/a\n", "1\n"):
            (self.logs / "moldau-1.pid").write_text(text)
            self.assertEqual(self.run_script("kafka-server-stop.sh").returncode, 1)

    def test_a_second_start_that_fails_hides_nobody(self):
        """The same file again: the second finds the data directory locked and ends. The first can be stopped as before."""
        path = self.properties("same.properties", "node.id=1\n")
        self.start(path)
        server = self.path / "home" / "libexec" / "moldau-server"
        first = server.read_text()
        server.unlink()  # the one that runs has it open
        server.write_text(textwrap.dedent("""\
            #!/usr/bin/env bash
            for argument; do [ "$argument" = --check ] && exit 0; done
            echo "[now] INFO hello"; echo "ERROR it is locked"; exit 1
            """))
        server.chmod(0o755)
        second = self.run_script("kafka-server-start.sh", "-daemon", path)
        self.assertEqual((second.returncode, second.stderr), (1, "ERROR it is locked\n"))
        output = (self.logs / "kafkaServer.out").read_text()
        self.assertIn("out of the server", output)
        self.assertIn("it is locked", output)
        server.write_text(first)
        self.assertEqual(self.run_script("kafka-server-stop.sh", "--node-id=1").returncode, 0)
        self.wait_for(lambda: self.ended(path))

    def test_two_servers_of_one_file(self):
        """They differ by --override; each is stopped by its own node.id."""
        path = self.properties("shared.properties", "node.id=1\n")
        first = self.start(path)
        second = subprocess.Popen([str(BIN / "kafka-server-start.sh"), str(path), "--override", "node.id=2"], env=self.env,
                                  stdout=subprocess.DEVNULL)
        self.started.append(second.pid)
        self.wait_for(lambda: "node.id=2" in self.called(path))
        self.assertEqual(self.run_script("kafka-server-stop.sh", "--node-id=2").returncode, 0)
        self.assertEqual(second.wait(20), 0)
        os.kill(first, 0)  # it runs
        pathlib.Path(f"{path}.ended").unlink()
        self.assertEqual(self.run_script("kafka-server-stop.sh", "--node-id=1").returncode, 0)
        self.wait_for(lambda: self.ended(path))

    def test_a_slow_start_is_not_waited_for(self):
        """Recovery may take its time; the script does not."""
        server = self.path / "home" / "libexec" / "moldau-server"
        server.write_text(server.read_text().replace("started (kafka", "recovering (kafka"))
        path = self.properties("slow.properties")
        begin = time.monotonic()
        self.start(path)
        self.assertLess(time.monotonic() - begin, 10)

    def test_a_start_begins_a_new_output(self):
        path = self.properties("new.properties")
        self.logs.mkdir()
        (self.logs / "kafkaServer.out").write_text("of yesterday")
        self.start(path)
        self.wait_for(lambda: (self.logs / "kafkaServer.out").read_text() == "out of the server, started (kafka.server.KafkaServer)\n")

    def test_unknown_option(self):
        done = self.run_script("kafka-server-stop.sh", "--all")
        self.assertEqual(done.returncode, 1)
        self.assertIn("USAGE:", done.stderr)


if __name__ == "__main__":
    unittest.main()
