"""The exactly-once campaign: firn processes, a broker, a catalog and a disk that all fail at random, and the count afterwards.

A campaign is a plan and its execution. The plan is made from a seed alone, before anything runs, so a seed can be played again:

    kill      kill -9 of a firn process; another one takes its place a little later
    zombie    SIGSTOP for longer than the group's session timeout, then SIGCONT: it wakes up and believes that it owns partitions
    leave     SIGTERM, a pause, a new process: a rebalance in good order
    guest     one more process comes, and goes again: by SIGTERM or by kill -9
    broker    the broker is killed (-9), restarted in good order, or stands still
    catalog   PostgreSQL is stopped at once and started again; the SQLite file is locked by somebody
    disk      the lake's file system is full (a tmpfs of the campaign's own; where none can be mounted this is left out, and said)
    expire    PyIceberg expires all snapshots but the newest, through `firn serve`

Afterwards everybody is woken up, the topic is read to its end, and the table is compared with the topic: every record once, each with
the payload that its number gives. Lines that begin with "campaign: " are the report.
"""
import collections
import contextlib
import glob
import heapq
import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import threading
import time

import servers
from servers.kafka_client import KafkaClient

FEED = "numbered"
TABLE = "bronze.numbered"
SESSION_TIMEOUT_S = 4
STALL_S = 120  # nothing new in the table for so long after the faults are over: it hangs

Fault = collections.namedtuple("Fault", "at kind slot duration how")


def say(text):
    print(f"campaign: {text}", flush=True)


def make_plan(seed, seconds, slots, kinds):
    """Faults of random kind at random times, never two at once of the same process or the same resource."""
    rng = random.Random(seed)
    weights = {"kill": 6, "zombie": 4, "leave": 2, "guest": 2, "broker": 2, "catalog": 2, "disk": 1.5, "expire": 1.5}
    kinds = [k for k in weights if k in kinds]
    faults, busy, at = [], {}, 3.0
    while True:
        at += rng.uniform(0.5, 3.5)
        if at > seconds:
            return faults
        kind = rng.choices(kinds, [weights[k] for k in kinds])[0]
        slot = rng.randrange(slots) if kind in ("kill", "zombie", "leave") else -1
        duration = {"kill": rng.uniform(0.1, 5), "zombie": SESSION_TIMEOUT_S + rng.uniform(1, 8), "leave": rng.uniform(0.1, 4), "guest": rng.uniform(4, 15),
                    "broker": rng.uniform(0.5, 8), "catalog": rng.uniform(0.5, 8), "disk": rng.uniform(1, 6), "expire": 1}[kind]
        how = {"guest": rng.choice(["stop", "kill"]), "broker": rng.choice(["kill", "kill", "stop", "freeze"])}.get(kind, "")
        resource = slot if slot >= 0 else kind
        if busy.get(resource, 0) > at or at + duration > seconds:
            continue
        busy[resource] = at + duration + 2
        faults.append(Fault(round(at, 2), kind, slot, round(duration, 2), how))


class Worker:
    """One place for a `firn ingest run`, and the processes that have had it."""

    def __init__(self, campaign, number):
        self.campaign, self.number, self.process = campaign, number, None
        self.log = os.path.join(campaign.folder, f"firn-{number}.log")
        open(self.log, "ab").close()

    def start(self):
        if self.process is not None:
            return
        with open(self.log, "ab") as log:
            log.write(f"--- start at {time.monotonic() - self.campaign.started:.1f} s\n".encode())
            log.flush()
            command = [servers.firn_binary(), "--lake", self.campaign.lake, "ingest", "run", FEED]
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={**os.environ, "NO_COLOR": "1"})
        self.campaign.counts["processes"] += 1
        self.started = time.monotonic()

    def send(self, number):
        if self.process is not None:
            self.process.send_signal(number)

    def kill(self):
        self.send(signal.SIGKILL)
        self.end()

    def end(self):
        if self.process is not None:
            self.process.wait(120)
            self.process = None

    def terminate(self):
        """SIGTERM; the process commits what it has and goes. One that cannot (its catalog is away) is waited for, but not for ever."""
        process = self.process
        if process is None:
            return
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(60)
        if process.poll() is None:
            raise AssertionError(f"firn process {self.number} did not end within 60 s of SIGTERM\n{self.log_end()}")
        self.process = None
        return process.returncode

    def log_end(self, lines=40):
        with open(self.log, errors="replace") as log:
            return "".join(log.readlines()[-lines:])

    def log_since_start(self):
        with open(self.log, errors="replace") as log:
            return log.read().rpartition("--- start at")[2]


class Campaign:
    def __init__(self, folder, records, seconds, partitions=16, workers=3, backend="sqlite", seed=None, kinds=None, disk_mb=0, commit_every="2s"):
        self.folder = str(folder)
        self.seed = seed if seed is not None else random.SystemRandom().randrange(1 << 31)
        self.records, self.seconds, self.partitions, self.backend = records // partitions * partitions, seconds, partitions, backend
        self.lake = os.path.join(self.folder, "disk", "lake")
        self.kinds = set(kinds or ("kill", "zombie", "leave", "guest", "broker", "catalog", "disk", "expire"))
        self.disk_mb, self.commit_every = disk_mb, commit_every
        self.counts = collections.Counter()
        self.leaving, self.complete = [], False
        self.workers = [Worker(self, i) for i in range(workers + 1)]  # the last one is the guest
        self.stack = contextlib.ExitStack()
        self.started = time.monotonic()

    # ---- setting up ----

    def __enter__(self):
        try:
            self.set_up()
        except BaseException:
            self.__exit__()
            raise
        return self

    def set_up(self):
        os.makedirs(os.path.dirname(self.lake), exist_ok=True)
        self.mount()
        self.broker = self.stack.enter_context(servers.KafkaBroker(os.path.join(self.folder, "kafka")))
        self.postgres = self.stack.enter_context(servers.PostgresCluster()) if self.backend == "postgres" else None
        catalog = self.postgres.database("campaign") if self.postgres else None
        done = subprocess.run([servers.firn_binary(), "init", self.lake, *(["--catalog", catalog] if catalog else [])], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        with open(os.path.join(self.lake, "firn.yaml"), "a") as f:
            f.write(f'\nsources:\n  - name: test\n    kafka: "{self.broker.bootstrap}"\n    properties: {{session.timeout.ms: {SESSION_TIMEOUT_S * 1000}, heartbeat.interval.ms: 500}}\n')
        os.makedirs(os.path.join(self.lake, "feeds"), exist_ok=True)
        with open(os.path.join(self.lake, "feeds", f"{FEED}.yaml"), "w") as f:
            f.write(f"source: test\ntopics: [{FEED}]\nformat: json\nschema: \"part int, seq bigint, ts bigint, payload varchar\"\ntable: {TABLE}\n"
                    f"columns: {{kafka: _kafka}}\ncommit: {{every: {self.commit_every}}}\nmemory: 128MB\n")
        self.client = KafkaClient(self.broker)
        self.load = os.path.join(os.path.dirname(servers.firn_binary()), "bench", "kafka_load")
        subprocess.run([self.load, "create", "--brokers", self.broker.bootstrap, "--topic", FEED, "--partitions", str(self.partitions)], check=True, capture_output=True, timeout=120)
        if "expire" in self.kinds:
            self.server = self.stack.enter_context(servers.FirnServer(self.lake))

    def mount(self):
        if "disk" not in self.kinds:
            return
        disk = os.path.dirname(self.lake)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={self.disk_mb}m", "firn-campaign", disk], capture_output=True, text=True)
        if done.returncode != 0:
            say(f"no full disks: no file system can be mounted here ({done.stderr.strip()})")
            self.kinds.discard("disk")
            return
        self.stack.callback(subprocess.run, ["umount", "--lazy", disk], check=True)

    def __exit__(self, *_):
        for worker in self.workers:
            worker.kill()
        for process in self.leaving:
            if process is not None and process.poll() is None:
                process.kill()
                process.wait()
        self.stack.close()

    # ---- firn ----

    def firn(self, *args, timeout=300):
        return subprocess.run([servers.firn_binary(), "--lake", self.lake, *args], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, env={**os.environ, "NO_COLOR": "1"})

    def sql(self, statement):
        done = self.firn("sql", "--format", "json", "-c", statement)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else []

    def offsets(self):
        """{partition: next offset}, as the table's property has it."""
        done = self.firn("table", "properties", TABLE, "--format", "json")
        if done.returncode != 0:
            return {}
        found = [row["value"] for row in json.loads(done.stdout) if row["key"] == f"firn.offsets.{FEED}"]
        return {int(p): o for p, o in json.loads(found[0]).get(FEED, {}).items()} if found else {}

    def watch(self):
        """Whether a process has ended that nobody ended."""
        for worker in self.workers:
            if worker.process is not None and worker.process.poll() is not None:
                code, worker.process = worker.process.returncode, None
                if (self.outages or worker.started <= self.outage_ended) and "partitions are ours" not in worker.log_since_start():
                    self.counts["starts refused in an outage"] += 1  # a supervisor starts it again
                    self.at(time.monotonic() + 2, worker.start)
                else:
                    raise AssertionError(f"firn process {worker.number} ended by itself with {code}\n{worker.log_end()}")

    # ---- faults ----

    def outage_over(self):
        self.outages -= 1
        self.outage_ended = time.monotonic()

    def at(self, when, action):
        self.sequence += 1
        heapq.heappush(self.agenda, (when, self.sequence, action))

    def strike(self, fault):
        """A slow machine is late with mending what the plan thinks is whole again: what is still broken is not broken once more."""
        what = fault.slot if fault.slot >= 0 else fault.kind
        if what in self.broken:
            self.counts["faults left out"] += 1
            return
        self.counts[fault.kind + (f" {fault.how}" if fault.how else "")] += 1
        getattr(self, f"strike_{fault.kind}")(fault)

    def mend(self, fault, action):
        """Does `action` when the fault's time is over."""
        what = fault.slot if fault.slot >= 0 else fault.kind
        self.broken.add(what)

        def now():
            self.broken.discard(what)
            action()

        self.at(time.monotonic() + fault.duration, now)

    def strike_kill(self, fault):
        worker = self.workers[fault.slot]
        worker.kill()
        self.mend(fault, worker.start)

    def strike_zombie(self, fault):
        worker = self.workers[fault.slot]
        zombie = worker.process
        if zombie is not None:
            zombie.send_signal(signal.SIGSTOP)
            self.mend(fault, lambda: zombie.send_signal(signal.SIGCONT))

    def strike_leave(self, fault):
        worker = self.workers[fault.slot]
        worker.send(signal.SIGTERM)
        leaving, worker.process = worker.process, None
        self.leaving.append(leaving)
        self.mend(fault, worker.start)

    def strike_guest(self, fault):
        guest = self.workers[-1]
        guest.start()

        def go():
            if fault.how == "kill":
                guest.kill()
            else:
                guest.send(signal.SIGTERM)
                self.leaving.append(guest.process)
                guest.process = None

        self.mend(fault, go)

    def strike_broker(self, fault):
        def back():
            self.broker.thaw() if fault.how == "freeze" else self.broker.launch()

        {"kill": self.broker.kill, "stop": self.broker.stop, "freeze": self.broker.freeze}[fault.how]()
        self.mend(fault, back)

    def strike_catalog(self, fault):
        if self.postgres:
            self.postgres.down("immediate")
            self.outages += 1

            def back():
                self.postgres.up()
                self.outage_over()
        else:
            lock = sqlite3.connect(os.path.join(self.lake, ".firn", "catalog.db"), isolation_level=None, timeout=5)
            try:
                lock.execute("BEGIN EXCLUSIVE")
            except sqlite3.OperationalError:
                self.counts["catalog locks that were not got"] += 1
                lock.close()
                return
            self.outages += 1

            def back():
                lock.execute("ROLLBACK")
                lock.close()
                self.outage_over()

        self.mend(fault, back)

    def strike_disk(self, fault):
        ballast = os.path.join(os.path.dirname(self.lake), "ballast")
        self.outages += 1
        with open(ballast, "wb") as f:
            with contextlib.suppress(OSError):
                while True:
                    space = os.fstatvfs(f.fileno())
                    os.posix_fallocate(f.fileno(), f.tell(), max(space.f_bavail * space.f_bsize, 4096))
                    f.seek(0, os.SEEK_END)

        def back():
            os.unlink(ballast)
            self.outage_over()

        self.mend(fault, back)

    def strike_expire(self, _fault):
        def run():
            try:
                from pyiceberg.catalog import load_catalog

                table = load_catalog("campaign", type="rest", uri=self.server.uri).load_table(TABLE)
                keep = {s.snapshot_id for s in sorted(table.metadata.snapshots, key=lambda s: s.sequence_number)[-2:]}
                old = [s.snapshot_id for s in table.metadata.snapshots if s.snapshot_id not in keep]
                table.maintenance.expire_snapshots().by_ids(old).commit()
                self.counts["snapshots expired"] += len(old)
            except Exception as e:  # the catalog is away, or somebody committed: the next one will do
                self.counts["expiries refused"] += 1
                self.refusals.append(f"{type(e).__name__}: {e}"[:200])

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        self.threads.append(thread)

    # ---- the run ----

    def run(self):
        """Produces, breaks, mends, drains; then everything that was produced is in the table, or it raises."""
        self.started, self.outages, self.outage_ended, self.agenda, self.sequence = time.monotonic(), 0, 0, [], 0
        self.threads, self.refusals, self.broken = [], [], set()
        plan = make_plan(self.seed, self.seconds, len(self.workers) - 1, self.kinds)
        say(f"seed {self.seed}: {len(plan)} faults in {self.seconds} s, {self.records:,} records, {self.partitions} partitions, {self.backend}; FIRN_CAMPAIGN_SEED={self.seed} plays it again")
        rate = int(self.records / (self.seconds * 0.9))
        producer = self.produce(self.records, rate)
        for worker in self.workers[:-1]:
            worker.start()
        for fault in plan:
            self.at(self.started + fault.at, lambda fault=fault: self.strike(fault))
        while self.agenda:
            when, _, action = self.agenda[0]
            if when <= time.monotonic():
                heapq.heappop(self.agenda)
                action()
            else:
                time.sleep(min(when - time.monotonic(), 0.2))
                self.watch()
        for thread in self.threads:
            thread.join()
        try:
            self.produced = self.finish(producer)
            self.drain()
        finally:
            producer.kill()
        self.end_workers()
        self.took = time.monotonic() - self.started
        self.complete = True

    def produce(self, records, rate):
        """Starts a producer of `records` more numbered records, as many a second as `rate`."""
        command = [self.load, "numbered", "--brokers", self.broker.bootstrap, "--topic", FEED, "--partitions", str(self.partitions), "--count", str(records), "--rate", str(rate)]
        with open(os.path.join(self.folder, "producer.log"), "ab") as log:
            producer = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.stack.callback(producer.kill)
        return producer

    def finish(self, producer):
        while producer.poll() is None:
            time.sleep(0.2)
            self.watch()
        with open(os.path.join(self.folder, "producer.log")) as log:
            text = log.read()
        assert producer.returncode == 0, text[-2000:]
        return int(re.findall(r"^done (\d+)$", text, re.M)[-1])

    def drain(self):
        ends = {p: high for p, (_, high) in self.client.ends(FEED).items()}
        last, changed = None, time.monotonic()
        while (now := self.offsets()) != ends:
            self.watch()
            if now != last:
                last, changed = now, time.monotonic()
            assert time.monotonic() - changed < STALL_S, f"nothing new for {STALL_S} s: the table is at {now}, the topic at {ends}\n" + "\n".join(w.log_end(15) for w in self.workers)
            time.sleep(0.5)

    def end_workers(self):
        codes = [worker.terminate() for worker in self.workers]
        assert all(code in (0, None) for code in codes), f"exit codes {codes}\n" + "\n".join(w.log_end() for w in self.workers)
        for process in self.leaving:
            # SIGTERM may meet a process that has only just begun and knows no better than to die of it.
            assert process is None or process.wait(60) in (0, -signal.SIGTERM), f"a process that was told to leave ended with {process.returncode}"

    # ---- what is asked afterwards ----

    def check_every_record_once(self):
        """The table is the topic: as many rows, no position twice, every payload as its number says, every row where it says it is from."""
        expected = sum(high - low for low, high in self.client.ends(FEED).values())
        row = self.sql(f"""SELECT count(*) AS n, count(DISTINCT part::BIGINT * 1000000000 + seq) AS records, count(DISTINCT _kafka.partition::BIGINT * 1000000000 + _kafka.offset) AS positions,
            count(*) FILTER (payload IS DISTINCT FROM md5(part || ':' || seq)) AS spoilt, count(*) FILTER (part <> _kafka.partition OR seq <> _kafka.offset) AS misplaced FROM {TABLE}""")[0]
        assert (row["n"], row["records"], row["positions"], row["spoilt"], row["misplaced"]) == (expected, expected, expected, 0, 0), f"{row}, expected {expected}; seed {self.seed}"
        return expected

    def orphans(self):
        """Data files that no row of the table is in: what processes wrote that were killed, or did not learn whether their commit landed."""
        live = {os.path.basename(r["file_path"]) for r in self.sql(f"SELECT file_path FROM {TABLE}.files")}
        there = [p for p in glob.glob(os.path.join(self.lake, "**", "*.parquet"), recursive=True)]
        return [p for p in there if os.path.basename(p) not in live]

    def report(self):
        text = "".join(worker.log_end(10**9) for worker in self.workers)
        said = {what: text.count(what) for what in (": committed ", "did not take", "it is unknown whether", "partitions are ours", "partitions lost")}
        faults = ", ".join(f"{n} {kind}" for kind, n in sorted(self.counts.items()))
        say(f"{faults}")
        say(f"{self.produced:,} records produced and read in {self.took:.0f} s; {said[': committed ']} commits, {said['did not take']} refused, {said['it is unknown whether']} of unknown outcome; partitions came {said['partitions are ours']} times and were lost {said['partitions lost']} times")
        if self.refusals:
            say(f"an expiry that was refused: {self.refusals[0]}")
