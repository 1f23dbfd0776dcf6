"""A lake of firn whose catalog is somebody else's, driven through the binary."""
import itertools
import json
import os
import subprocess
import uuid

from servers import firn_binary

NUMBERS = itertools.count(1)


class FirnError(AssertionError):
    pass


class RemoteLake:
    def __init__(self, folder, peer, **config):
        self.peer = peer
        self.folder = str(folder)
        self.ns = f"ns{next(NUMBERS)}_{uuid.uuid4().hex[:6]}"
        os.makedirs(os.path.join(self.folder, ".firn"), exist_ok=True)
        keys = {**peer.config, **config}
        lines = ["lake:", "  name: remote", "catalog:", *(f"  {key}: {json.dumps(value)}" for key, value in keys.items())]
        if peer.aliases:
            lines += ["storage:", "  aliases:", *(f"    - {{from: {json.dumps(a)}, to: {json.dumps(b)}}}" for a, b in peer.aliases)]
        with open(os.path.join(self.folder, "firn.yaml"), "w") as f:
            f.write("\n".join(lines) + "\n")

    def start(self, *args, env=None):
        full = {**os.environ, "NO_COLOR": "1", **(env or {})}
        full.pop("FIRN_LAKE", None)
        return subprocess.Popen([firn_binary(), "--lake", self.folder, *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=full)

    def run(self, *args, env=None, timeout=120):
        process = self.start(*args, env=env)
        try:
            out, err = process.communicate(timeout=timeout)
        except BaseException:
            process.kill()
            process.communicate()
            raise
        return subprocess.CompletedProcess(args, process.returncode, out, err)

    def ok(self, *args, env=None):
        done = self.run(*args, env=env)
        if done.returncode != 0:
            raise FirnError(f"firn {' '.join(args)}\nexit {done.returncode}\n{done.stderr}{done.stdout}\n{self.peer.server.log_end(5)}")
        return done.stdout

    def fails(self, *args, env=None):
        done = self.run(*args, env=env)
        if done.returncode == 0:
            raise FirnError(f"firn {' '.join(args)} did not fail\n{done.stdout}")
        return done.stderr

    def text(self, statement):
        return statement.replace("$ns", self.ns)

    def sql(self, statement, ref=None, env=None):
        """Rows of one query as dicts."""
        out = self.ok("sql", "--format", "json", *(["--ref", ref] if ref else []), "-c", self.text(statement), env=env)
        return json.loads(out) if out.strip() else []

    def column(self, statement, **options):
        return [next(iter(row.values())) for row in self.sql(statement, **options)]

    def execute(self, *statements, ref=None, env=None):
        for s in statements:
            self.ok("sql", "-q", *(["--ref", ref] if ref else []), "-c", self.text(s), env=env)

    def refused(self, statement, env=None):
        return self.fails("sql", "-q", "-c", self.text(statement), env=env)

    def make_namespace(self):
        self.execute("CREATE SCHEMA $ns")
