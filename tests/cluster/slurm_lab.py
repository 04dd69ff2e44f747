"""A real Slurm on this machine alone: a controller and two nodes, bound to the loopback, without accounting.

Everything that it makes is in one folder; it ends exactly the processes that it started, by their pid files. By hand:

    python tests/cluster/slurm_lab.py start /tmp/lab    # then: . /tmp/lab/environment.sh; sinfo
    python tests/cluster/slurm_lab.py stop /tmp/lab
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PROGRAMS = ("slurmctld", "slurmd", "sbatch", "srun", "squeue", "scancel", "munged")
PACKAGES = ("slurmctld", "slurmd", "slurm-client", "munge")
NODES = ("n1", "n2")
MUNGE = "--force --num-threads=2 --socket munge.socket --key-file munge.key --pid-file munged.pid --log-file munge.log"

CONFIGURATION = """\
ClusterName=lab
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
AuthType=auth/munge
# A job that is queued again waits as long as a credential lives: 120 seconds usually; in 10 a busy machine may not
# get it started.
AuthInfo=socket={folder}/munge.socket,cred_expire=20
SlurmUser=root
SlurmdUser=root
# Nodes are declared down by the test: silence may be a busy machine.
SlurmdTimeout=3600
MessageTimeout=60
ReturnToService=2
KillWait=2
MinJobAge=3600
MpiDefault=none
# By process group: by parent, processes whose shell ended before them would outlive a cancelled job.
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=sched_min_interval=200000,sched_interval=1,bf_interval=1,batch_sched_delay=0
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
StateSaveLocation={folder}/controller
SlurmdSpoolDir={folder}/%n
# Cores, memory (MB) and GPUs are claimed; the machine need not have them.
SlurmdParameters=config_overrides
GresTypes=gpu
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/%n.log
NodeName=DEFAULT CPUs=4 RealMemory=16000 Gres=gpu:1
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port={port1}
NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.1 Port={port2}
PartitionName=main Nodes=n1,n2 Default=YES MaxTime=1-0 State=UP
"""


class UnavailableError(Exception):
    """Slurm cannot run here; the message says why."""


@dataclass(frozen=True)
class SlurmLab:
    """The cluster whose files are in a folder."""

    folder: Path

    @property
    def changes(self) -> dict[str, str]:
        """The variables by which Slurm's commands talk to this cluster."""
        path = f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
        return {"SLURM_CONF": str(self.folder / "slurm.conf"), "PATH": path}

    def start(self) -> None:
        """Start the cluster and wait until its nodes are idle.

        Raises:
            UnavailableError: it cannot run on this machine.
        """
        self._write(_require_slurm())
        try:
            self._launch()
        except BaseException:
            self.stop()
            raise

    def _launch(self) -> None:
        words = MUNGE.split()
        self.run("munged", *(word if word.startswith("--") else str(self.folder / word) for word in words))
        self.run("slurmctld")
        for node in NODES:
            self.run("slurmd", "-N", node)
        wait_for(lambda: self.run("sinfo", "-h", "-N", "-o", "%T").split() == ["idle"] * len(NODES), "nodes not idle")

    def stop(self) -> None:
        """Cancel what runs, and end the daemons."""
        with suppress(RuntimeError):
            self.cancel(*self.jobs())
        for name in (*NODES, "slurmctld", "munged"):
            self.stop_daemon(name)

    def stop_daemon(self, name: str) -> None:
        """End a daemon: a node, ``slurmctld`` or ``munged``."""
        pid = self._pid(name)
        if pid is None:
            return
        os.kill(pid, signal.SIGTERM)
        try:
            wait_for(lambda: not _alive(pid), "", seconds=15)
        except TimeoutError:
            os.kill(pid, signal.SIGKILL)
        (self.folder / f"{name}.pid").unlink(missing_ok=True)

    def lose_node(self, node: str) -> None:
        """End a node and all its jobs at once, as if it had lost power, and let the controller know."""
        marks = (f"SLURMD_NODENAME={node}", f"SLURM_CONF={self.folder / 'slurm.conf'}")
        tasks = [pid for pid in _processes() if set(marks) <= set(_read(pid, "environ").split("\0"))]
        parents = {int(_read(pid, "stat").rsplit(")", 1)[1].split()[1]) for pid in tasks if _read(pid, "stat")}
        steps = [pid for pid in parents if _read(pid, "cmdline").startswith("slurmstepd")]
        for pid in [self._pid(node), *steps, *tasks]:
            if pid is not None:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self.run("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=lost")

    def run(self, *command: str) -> str:
        """Run one of Slurm's commands and return what it prints."""
        done = subprocess.run(command, env=os.environ | self.changes, text=True, capture_output=True, timeout=300)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
        return done.stdout

    def jobs(self, rule: str = "", state: str = "") -> list[str]:
        """Return the numbers of jobs that wait or run, by the rule in their comment and by their state."""
        rows = [line.split("|", 2) for line in self.run("squeue", "-h", "-o", "%A|%T|%k").splitlines()]
        return [number for number, now, comment in rows if rule in comment and now.startswith(state)]

    def cancel(self, *jobs: str) -> None:
        """Cancel jobs and wait until they are gone."""
        if jobs:
            self.run("scancel", *jobs)
            wait_for(lambda: not set(jobs) & set(self.jobs()), "jobs could not be cancelled")

    def node_of(self, job: str) -> str:
        """Return the node on which a job runs."""
        return self.run("squeue", "-h", "-j", job, "-o", "%N").strip()

    def _pid(self, name: str) -> int | None:
        text = _text(self.folder / f"{name}.pid").strip()
        return int(text) if text and _alive(int(text)) else None

    def _write(self, host: str) -> None:
        for name in ("", "controller", *NODES, "bin"):
            (self.folder / name).mkdir(mode=0o755, parents=True, exist_ok=True)
        key = self.folder / "munge.key"
        key.touch(mode=0o600)
        key.write_bytes(os.urandom(128))
        port = _free_port(26820)
        port1 = _free_port(port + 1)
        values = {"host": host, "folder": self.folder, "port": port, "port1": port1, "port2": _free_port(port1 + 1)}
        (self.folder / "slurm.conf").write_text(CONFIGURATION.format(**values))
        (self.folder / "gres.conf").write_text("Name=gpu File=/dev/null\n")
        # The plugin hides SLURM_CONF from the srun inside a job, which then finds a configuration in /etc only.
        srun = self.folder / "bin/srun"
        srun.write_text(f"#!/bin/sh\nSLURM_CONF='{self.folder}/slurm.conf' exec {shutil.which('srun')} \"$@\"\n")
        srun.chmod(0o755)
        exported = [f"export {name}='{value}'\n" for name, value in self.changes.items()]
        (self.folder / "environment.sh").write_text("".join(exported))


def wait_for(condition: Callable[[], object], message: str, seconds: float = 300) -> None:
    """Wait until a condition holds.

    Raises:
        TimeoutError: it did not hold in time.
    """
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"{message} after {seconds:g} s")
        time.sleep(0.1)


def _require_slurm() -> str:
    """Install Slurm where it is missing, and return the name of this host."""
    if not sys.platform.startswith("linux"):
        raise UnavailableError("Slurm runs on Linux only")
    if os.geteuid() != 0:
        raise UnavailableError("Slurm's daemons need root; run as root, e.g. in a container")
    if not all(shutil.which(program) for program in PROGRAMS):
        _install()
    host = socket.gethostname().split(".")[0]
    try:
        address = socket.gethostbyname(host)
    except OSError as error:
        raise UnavailableError(
            f"the host name {host} has no address ({error}); add '127.0.0.1 {host}' to /etc/hosts"
        ) from None
    if not address.startswith("127."):
        raise UnavailableError(
            f"the host name {host} means {address}, not the loopback; add '127.0.0.1 {host}' to /etc/hosts"
        )
    return host


def _install() -> None:
    if shutil.which("apt-get") is None:
        raise UnavailableError(f"Slurm is not installed, and there is no apt-get to install {', '.join(PACKAGES)}")
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "update"], ["apt-get", "install", "--yes", "--no-install-recommends", *PACKAGES]):
        try:
            done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
        except subprocess.TimeoutExpired:
            raise UnavailableError(f"{' '.join(command)} took more than 300 s") from None
        if done.returncode:
            raise UnavailableError(f"{' '.join(command)} failed: {(done.stderr.strip() or done.stdout.strip())[-300:]}")


def _free_port(first: int) -> int:
    """Return the next port that nobody listens on; below 32768, from where the system takes ports for connections."""
    for port in range(first, 32768):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise UnavailableError(f"no free port from {first} to 32767")


def _processes() -> Iterator[int]:
    return (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())


def _read(pid: int, name: str) -> str:
    return _text(Path("/proc") / str(pid) / name)


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists() and ") Z " not in _read(pid, "stat")


if __name__ == "__main__":
    action, place = sys.argv[1:]
    lab = SlurmLab(Path(place).resolve())
    try:
        {"start": lab.start, "stop": lab.stop}[action]()
    except UnavailableError as reason:
        sys.exit(f"no Slurm here: {reason}")
