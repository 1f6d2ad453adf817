"""fake_supervisor: what a supervisor of the machine does for a daemon whose sockets it keeps.

SPDX-License-Identifier: Apache-2.0

    fake_supervisor.py HEARD NAME=ADDRESS.. -- COMMAND..

Fake, because the real one is the first process of a machine. It listens at each ADDRESS (HOST:PORT or a path), starts
COMMAND with these sockets as sd_listen_fds(3) says, writes what that tells it (sd_notify(3)) into HEARD, a line each, and
starts it again whenever it ended in order. SIGHUP sends it SIGTERM, which is a restart; SIGTERM ends both.
"""
import os
import signal
import socket
import sys
import tempfile

FIRST = 3
WATCHDOG_US = 2_000_000


def listen(address):
    if address.startswith("/"):
        s = socket.socket(socket.AF_UNIX)
        s.bind(address)
    else:
        host, port = address.rsplit(":", 1)
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((host, int(port)))
    s.listen(1024)
    return s


def start(command, names, sockets, notify):
    pid = os.fork()
    if pid:
        return pid
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    high = [os.dup2(s.fileno(), 100 + i) for i, s in enumerate(sockets)]
    for i, fd in enumerate(high):
        os.dup2(fd, FIRST + i)
        os.close(fd)
    os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(names)), LISTEN_FDNAMES=":".join(names),
                      NOTIFY_SOCKET=notify, WATCHDOG_USEC=str(WATCHDOG_US), WATCHDOG_PID=str(os.getpid()))
    os.execvp(command[0], command)


def main():
    split = sys.argv.index("--")
    command = sys.argv[split + 1:]
    names, addresses = zip(*(word.split("=", 1) for word in sys.argv[2:split]))
    sockets = [listen(address) for address in addresses]
    directory = tempfile.TemporaryDirectory(prefix="e2e.notify.")
    told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    told.bind(directory.name + "/notify")
    asked = []
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, lambda number, frame: asked.append(number))
    child = start(command, names, sockets, told.getsockname())
    told.settimeout(0.05)
    with open(sys.argv[1], "a", buffering=1) as heard:
        while True:
            try:
                for line in told.recv(4096).decode().splitlines():
                    print(line, file=heard)
            except TimeoutError:
                pass
            while asked:
                number = asked.pop(0)
                if number == signal.SIGHUP:
                    os.kill(child, signal.SIGTERM)
                elif number == signal.SIGTERM:
                    os.kill(child, signal.SIGKILL)
                    os.waitpid(child, 0)
                    return 0
                elif number == signal.SIGCHLD:
                    pid, status = os.waitpid(child, os.WNOHANG)
                    if pid and status:
                        print("ENDED=%d" % status, file=heard)
                        return 1
                    if pid:
                        child = start(command, names, sockets, told.getsockname())


sys.exit(main())
