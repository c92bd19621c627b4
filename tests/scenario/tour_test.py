"""The first minute of a stranger: `make run`, the tour of the README, the line that the broker offers to try, Ctrl-C."""
import os, pathlib, re, shutil, signal, subprocess, sys, tempfile, threading, time, unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import kafka_wire as wire
from moldau import ROOT, STARTED, free_port, server_program
from scenario import skip


class Tour(unittest.TestCase):
    """With the files that come with the project; only the port and the place of the data are this test's own."""

    def setUp(self):
        self.build = server_program().resolve().parents[2]
        if not (self.build / "build.ninja").exists():
            skip("`make run` is tried where the server was built")
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="moldau-tour-"))
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.port, self.lines, self.process = free_port(), [], None
        self.other = free_port()
        self.addCleanup(self.end)

    def end(self):
        if self.process and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def properties(self):
        text = (ROOT / "config/server.properties").read_text()
        text = text.replace("9092", str(self.port)).replace("9093", str(self.other))
        text, changed = re.subn(r"(?m)^log\.dirs=data$", f"log.dirs={self.folder}/data", text)
        self.assertEqual(changed, 1, "the data lies under ./data")
        path = self.folder / "server.properties"
        path.write_text(text)
        return path

    def make_run(self):
        """As typed at a terminal: a process group of its own. Seconds until it says that it has started."""
        begin, started = time.monotonic(), threading.Event()
        self.lines = lines = []
        self.process = process = subprocess.Popen(
            ["make", "-C", ROOT, "run", f"BUILD={self.build}", f"PROPERTIES={self.properties()}"], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)

        def read():
            for line in process.stdout:
                lines.append(line.rstrip("\n"))
                if STARTED.search(line):
                    started.set()
            started.set()
        self.reader = threading.Thread(target=read, daemon=True)
        self.reader.start()
        self.assertTrue(started.wait(600) and any(STARTED.search(l) for l in lines), "\n".join(lines))
        return time.monotonic() - begin

    def control_c(self):
        os.killpg(self.process.pid, signal.SIGINT)
        self.process.wait(20)
        self.reader.join(10)
        self.process.stdout.close()
        self.assertTrue(any("shut down completed" in l for l in self.lines), "\n".join(self.lines))
        self.assertTrue((self.folder / "data/.kafka_cleanshutdown").exists())

    def shell(self, command):
        done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, f"{command}\n{done.stderr}")
        return done.stdout

    def tour(self):
        """The README's lines behind `make run &`, with our port."""
        text = (ROOT / "README.md").read_text()
        lines = [l.strip() for l in text.split("## A three-line tour")[1].split("\n\n")[1].splitlines()]
        self.assertEqual((len(lines), lines[0]), (3, "make run &"))
        for line in lines[1:]:
            self.assertIn("localhost:9092", line)
        return [line.replace("9092", str(self.port)) for line in lines[1:]]

    def test_first_minute(self):
        first = self.make_run()
        said = "\n".join(self.lines)
        self.assertIn(f"listening on PLAINTEXT://127.0.0.1:{self.port}; data in {self.folder}/data", said)
        write, read = self.tour()
        self.shell(write)
        self.assertEqual(self.shell(read), "hello\n")
        [offered] = re.findall(r"try: (.*) \(kafka\.", said)
        self.assertEqual(self.shell(offered), "hello\nhello\n")
        self.control_c()
        again = self.make_run()
        self.assertEqual(self.shell(read), "hello\nhello\n")
        self.control_c()
        print(f"\nmake run, built before: {first:.2f} s, then {again:.2f} s to started", file=sys.stderr)
        self.assertLess(again, 5)  # under one on a quiet machine


if __name__ == "__main__":
    unittest.main()
