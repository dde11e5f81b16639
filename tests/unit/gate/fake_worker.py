"""A worker that serves nothing, for tests of the supervisor: `fake_worker.py <how> <Start as JSON>`.

`how` is a word: `good`; `dies` before it is ready; `fails` every policy; `fails-next` the second policy;
`dies-next` when it gets its second policy; `deaf` does not drain. Who connects to its listening sockets
gets the word, so that a test sees who has the queue.
"""

import contextlib
import selectors
import signal
import socket
import sys

import msgspec

from stopgap.gate import messages

EVENT = (
    7,
    0,
    10,
    10,
    "s",
    "refused",
    "denied",
    "url-denied",
    404,
    "r",
    "raw",
    3,
    "GET",
    b"/x",
    2,
    "h",
    b"a",
    "::1",
    "block",
    0,
)


class Fake:
    def __init__(self, how: str, start: messages.Start) -> None:
        self.how = how
        self.policies = 0
        self.control = socket.socket(fileno=start.control)
        self.doors = [socket.socket(fileno=listener.fd) for listener in start.listen]
        self.frames = messages.commands()

    def say(self, report: messages.Report) -> None:
        self.control.sendall(messages.frame(report))

    def obey(self, command: messages.Command) -> bool:
        """Whether to go on."""
        if isinstance(command, messages.Ping):
            self.say(messages.Pong(n=command.n, clients=3))
        elif isinstance(command, messages.Drain):
            if self.how == "deaf":
                return True
            self.say(messages.Drained())
            return False
        else:
            self.policies += 1
            self.activate(command)
        return True

    def activate(self, command: messages.Activate) -> None:
        later = self.policies > 1
        if self.how == "fails" or (self.how == "fails-next" and self.policies == 2):
            self.say(messages.Failed(version=command.version, error="no such thing"))
        elif self.how == "dies-next" and later:
            raise SystemExit(9)
        else:
            self.say(messages.Activated(version=command.version))
            self.say(messages.Events(lines=[EVENT]))

    def run(self) -> None:
        selector = selectors.DefaultSelector()
        for sock in (self.control, *self.doors):
            selector.register(sock, selectors.EVENT_READ)
        self.say(messages.Ready())
        while True:
            for key, _ in selector.select():
                if key.fileobj is self.control:
                    data = self.control.recv(65536)
                    if not data or not all(self.obey(command) for command in self.frames.feed(data)):
                        return
                else:
                    self.answer(key.fd)

    def answer(self, door: int) -> None:
        (listener,) = (sock for sock in self.doors if sock.fileno() == door)
        with contextlib.suppress(BlockingIOError):
            client, _ = listener.accept()
            with client:
                client.sendall(f"{self.how}\n".encode())


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    if sys.argv[1] == "dies":
        raise SystemExit(7)
    Fake(sys.argv[1], msgspec.json.decode(sys.argv[2], type=messages.Start)).run()
