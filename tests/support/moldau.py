"""A moldau-server for tests written in Python: starts it on a free port with a folder of its own, waits until it says that it
has started, ends it, and shows its log when something went wrong. Import with sys.path including tests/support."""
import os, pathlib, random, re, shutil, signal, socket, subprocess, tempfile, threading, time

ROOT = pathlib.Path(__file__).resolve().parents[2]
STARTED = re.compile(r"\bstarted \(kafka\.server\.Kafka(Raft)?Server\)")


def server_program():
    return pathlib.Path(os.environ.get("MOLDAU_SERVER", ROOT / "build/release/src/server/moldau-server"))


def free_port():
    """Below the range that the system takes clients' ports from: none of those can be in the way."""
    while True:
        port = random.randrange(24000, 32000)
        with socket.socket() as s:
            try:
                s.bind(("", port))
                return port
            except OSError:
                continue


class Moldau:
    """with Moldau(**{"num.partitions": 4}) as broker: … broker.port, broker.folder, broker.log()"""

    def __init__(self, folder=None, port=None, prefix=(), **properties):
        self.own_folder = folder is None
        self.folder = pathlib.Path(folder or tempfile.mkdtemp(prefix="moldau-"))
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = port or free_port()
        self.prefix = list(prefix)
        self.properties = {"listeners": f"PLAINTEXT://127.0.0.1:{self.port}", "node.id": 1,
                           "log.dirs": self.folder / "data"} | properties
        self.process, self.lines, self.ready = None, [], threading.Event()

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def start(self, wait=30):
        """A new process on the folder and port, also after stop() or kill(); the lines of the one before are forgotten."""
        path = self.folder / "server.properties"
        path.write_text(self._file())
        self.ready, self.lines, self.started = threading.Event(), [], False
        self.process = subprocess.Popen([*self.prefix, server_program(), path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        stdin=subprocess.DEVNULL, text=True, errors="replace")
        threading.Thread(target=self._read, args=(self.process, self.ready, self.lines), daemon=True).start()
        if wait and not (self.ready.wait(wait) and self.started):
            self.kill()
            raise RuntimeError("the broker did not start:\n" + self.log())
        return self

    def _read(self, process, ready, lines):  # of one process: a later one has its own
        for line in process.stdout:
            lines.append(line.rstrip("\n"))
            if STARTED.search(line):
                self.started = True
                ready.set()
        ready.set()  # it ended

    def run(self, *arguments, seconds=20, text=None):
        """Runs the program until it ends by itself, as when its configuration is wrong: (exit code, what it said).
        `text`: the properties file as it is, in place of `properties`."""
        path = self.folder / "server.properties"
        path.write_text(text if text is not None else self._file())
        done = subprocess.run([*self.prefix, server_program(), path, *arguments], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=seconds)
        return done.returncode, done.stdout.decode(errors="replace")

    def _file(self):
        return "".join(f"{k}={v}\n" for k, v in self.properties.items() if v is not None)

    def rss_kb(self):
        """The process's memory in use, VmRSS."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1])

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def running(self):
        return self.process is not None and self.process.poll() is None

    def log(self):
        return "\n".join(self.lines[-200:])

    def wait_for_line(self, pattern, seconds=10):
        """The first line that matches; bounded. For what the log alone can tell."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for line in list(self.lines):
                if re.search(pattern, line):
                    return line
            time.sleep(0.01)
        raise AssertionError(f"no line like {pattern!r} in\n{self.log()}")

    def stop(self, seconds=30):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)

    def kill(self):
        if self.running():
            self.process.kill()
            self.process.wait()

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        self.kill()
        if kind is not None:
            print(self.log())
        if self.own_folder:
            shutil.rmtree(self.folder, ignore_errors=True)
