"""What every server of the tests has in common: a process, a log, a free port of 127.0.0.1, a way to wait for it."""
import contextlib
import os
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

REPO = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DEPS = os.path.join(REPO, ".deps")


class ServerError(AssertionError):
    pass


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def java():
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)
    for home in (f"/usr/lib/jvm/java-17-openjdk-{machine}", os.environ.get("JAVA_HOME", "")):
        if os.path.exists(os.path.join(home, "bin", "java")):
            return os.path.join(home, "bin", "java")
    return "java"


def get(url, timeout=10):
    with urllib.request.urlopen(url, timeout=timeout) as reply:
        return reply.status, reply.read()


class Server:
    """A process that answers GET `uri` + `probe` once it is up. Subclasses give command() and the environment."""

    name = ""
    probe = "/v1/config"
    start_timeout_s = 120

    def __init__(self, folder):
        self.folder = str(folder)
        os.makedirs(self.folder, exist_ok=True)
        self.log = os.path.join(self.folder, "server.log")
        self.process = None
        self.uri = None
        self.warehouse = None
        self.ready_s = None

    def command(self):
        raise NotImplementedError

    def environment(self):
        return {}

    def start(self):
        started = time.monotonic()
        self.launch()
        try:
            self.wait_until_it_answers(started)
        except BaseException:
            self.stop()
            raise
        return self

    def launch(self):
        """Starts the process and waits for nothing."""
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder, env={**os.environ, **self.environment()})

    def wait_until_it_answers(self, started):
        while True:
            if self.process.poll() is not None:
                raise ServerError(f"{self.name} ended with {self.process.returncode} before it answered\n{self.log_end()}")
            with contextlib.suppress(OSError, urllib.error.URLError, ValueError):
                self.find_uri()
                if self.answers():
                    self.ready_s = time.monotonic() - started
                    return
            if time.monotonic() - started > self.start_timeout_s:
                raise ServerError(f"{self.name} did not answer within {self.start_timeout_s} s\n{self.log_end()}")
            time.sleep(0.005)

    def find_uri(self):
        """Overridden where the server chooses its port."""

    def answers(self):
        return bool(self.uri) and get(self.uri + self.probe)[0] == 200

    def log_end(self, lines=40):
        with open(self.log, errors="replace") as log:
            return "".join(log.readlines()[-lines:])

    @property
    def pid(self):
        return self.process.pid

    def memory_mb(self):
        """Resident memory of the process, in MB (10^6 bytes)."""
        with open(f"/proc/{self.pid}/status") as status:
            return int(re.search(r"VmRSS:\s+(\d+) kB", status.read())[1]) * 1024 / 1e6

    def stop(self, timeout_s=30):
        """Ends the server as a service manager would; returns its exit code."""
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.thaw()
            try:
                self.process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        code, self.process = self.process.returncode, None
        return code

    def kill(self):
        """kill -9."""
        self.process.kill()
        self.process.wait()
        self.process = None

    def freeze(self):
        """SIGSTOP: the process is there and does nothing."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()
