"""`convscope serve` as its own process."""

import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

MB = 1_000_000


@dataclass
class Server:
    process: subprocess.Popen[str]
    greeting: str

    @property
    def port(self) -> int:
        found = re.search(r"http://127\.0\.0\.1:(\d+),", self.greeting)
        assert found, self.greeting
        return int(found[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def peak_bytes(self) -> int:
        """The most memory that the process ever had."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"VmHWM:\s+(\d+) kB", status)
        assert found
        return int(found[1]) * 1024


def start(root: Path, *flags: str) -> Server:
    always = ["--models-dir", str(root), "--port", "0", "--device", "cpu"]
    process = subprocess.Popen(
        [sys.executable, "-m", "service", "serve", *always, *flags],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    return Server(process, process.stdout.readline())


def stop(server: Server, how: signal.Signals = signal.SIGTERM) -> int:
    server.process.send_signal(how)
    return ended(server)


def ended(server: Server) -> int:
    """Wait until the server, which has been told to, ends; return its exit code."""
    code = server.process.wait(timeout=30)
    assert server.process.stdout
    server.process.stdout.close()
    return code
