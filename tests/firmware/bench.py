"""The terminal's image in the emulator, before a virtual card on the model of its reader chip; the few sentences that
the tests are made of."""
import os
import queue
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time

PATIENCE_S = 60

# Keys of these tests and of nothing else.
KEYS = {"amk": "A0" * 16, "pay": "A1" * 16, "write": "A2" * 16, "topup": "A3" * 16, "tmac": "A4" * 16,
        "picc": "A5" * 16, "id": "A6" * 16, "bcd": "B0B1B2B3B4B5" + "00" * 10}


class Lines:
    """What a program says, line by line."""

    def __init__(self, stream, name):
        self.seen = []
        self.name = name
        self.queue = queue.Queue()
        threading.Thread(target=self._read, args=(stream,), daemon=True).start()

    def _read(self, stream):
        for line in iter(stream.readline, b""):
            self.queue.put(line.decode("utf-8", "replace").replace("\u00a0", " ").strip())
        self.queue.put(None)

    def expect(self, pattern, patience_s=PATIENCE_S):
        """The next line that matches; what stands before it is passed over."""
        end = time.monotonic() + patience_s
        while True:
            try:
                line = self.queue.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                line = None
            if line is None:
                raise AssertionError(f"{self.name}: no line like '{pattern}'; last of it:\n  " +
                                     "\n  ".join(self.seen[-12:]))
            self.seen.append(line)
            match = re.search(pattern, line)
            if match:
                return match


class Reader:
    """`scrip card present` with some cards before a chip."""

    def __init__(self, scrip, chip, link, *cards):
        option = {"pn532": "--pn532", "mfrc522": "--mfrc522-uart"}[chip]
        self.process = subprocess.Popen([scrip, "card", "present", option, "--link", link, *cards],
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.lines = Lines(self.process.stdout, "card present")
        self.lines.expect("^device: ")

    def take_away(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(PATIENCE_S)


class Terminal:
    """The image in the emulator."""

    def __init__(self, image, link, flash):
        self.process = subprocess.Popen(
            ["qemu-system-arm", "-M", "mps2-an385", "-display", "none", "-monitor", "none", "-serial", "stdio",
             "-chardev", f"serial,id=chip,path={link}", "-serial", "chardev:chip",
             "-semihosting-config", f"enable=on,target=native,arg={flash}", "-kernel", image],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.lines = Lines(self.process.stdout, "terminal")

    def say(self, line):
        self.process.stdin.write(line.encode() + b"\r")
        self.process.stdin.flush()

    def ask(self, line, pattern):
        self.say(line)
        return self.lines.expect(pattern)

    def expect(self, pattern, patience_s=PATIENCE_S):
        return self.lines.expect(pattern, patience_s)

    def stop(self):
        self.say("stop")
        code = self.process.wait(PATIENCE_S)
        assert code == 0, f"the terminal ended with {code}"

    def pull_the_plug(self):
        self.process.kill()
        self.process.wait(PATIENCE_S)


class Scene:
    """A folder with a flash, keys known to the terminal, and cards made by the program."""

    def __init__(self, scrip, images, chip="pn532"):
        self.scrip = os.path.abspath(scrip)
        self.image = os.path.join(os.path.abspath(images), f"terminal_{chip}.elf")
        self.chip = chip
        self.folder = tempfile.TemporaryDirectory(prefix="scrip-firmware-")
        self.link = self.path("reader")
        self.flash = self.path("flash.bin")
        self.reader = None
        self.terminal = None
        os.environ["XDG_STATE_HOME"] = self.path("state")

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def run(self, *words):
        return subprocess.run([self.scrip, *words], check=True, capture_output=True, text=True,
                              timeout=PATIENCE_S).stdout

    def blank(self, profile, uid=None, *options):
        """A card fresh from the factory."""
        path = self.path(f"{profile}-{len(os.listdir(self.folder.name))}.card")
        self.run("card", "new", path, "--profile", profile, "--blank", *(["--uid", uid] if uid else []), *options)
        return path

    def damaged(self, card, *blocks):
        """A copy of a MIFARE Classic card with these blocks torn: half of their bits cleared."""
        dump = self.path(f"{len(os.listdir(self.folder.name))}.mfd")
        self.run("card", "export", card, dump, "--with-keys")
        with open(dump, "r+b") as file:
            for block in blocks:
                file.seek(16 * block)
                torn = bytes(byte & 0x33 for byte in file.read(16))
                file.seek(16 * block)
                file.write(torn)
        copy = self.path(f"{len(os.listdir(self.folder.name))}.card")
        self.run("card", "import", dump, copy)
        return copy

    def present(self, *cards):
        if self.reader is not None:
            self.reader.take_away()
        self.reader = Reader(self.scrip, self.chip, self.link, *cards)

    def start(self):
        self.terminal = Terminal(self.image, self.link, self.flash)
        self.terminal.expect("^ready: type help")
        return self.terminal

    def given(self, card):
        """A card before the reader, and a terminal that knows all keys."""
        self.present(card)
        terminal = self.start()
        self.provision()
        return terminal

    def swap(self, card):
        """Another card before the chip. The line to the chip is a new one then, so the terminal is started anew."""
        self.put_away()
        self.present(card)
        return self.start()

    def put_away(self):
        """End the terminal and take the card, so that its file is free."""
        if self.terminal is not None and self.terminal.process.poll() is None:
            self.terminal.stop()
        if self.reader is not None:
            self.reader.take_away()
        self.reader = None

    def provision(self, *roles):
        for role in roles or KEYS:
            self.terminal.ask(f"key {role} {KEYS[role]}", f"key {role} stored")

    def close(self):
        for process in (self.terminal and self.terminal.process, self.reader and self.reader.process):
            if process is not None and process.poll() is None:
                process.kill()
                process.wait(PATIENCE_S)
        self.folder.cleanup()


def main(laws):
    """bench.main([law, ...]): run with SCRIP IMAGES [NAME ...]; each law is a sentence that takes a scene."""
    scrip, images, *names = sys.argv[1:]
    failed = 0
    for law in laws:
        if names and law.__name__ not in names:
            continue
        scene = Scene(scrip, images)
        try:
            law(scene)
            print(f"ok: {law.__name__}")
        except Exception as problem:  # what went wrong is said, and the others go on
            failed += 1
            print(f"FAILED: {law.__name__}: {problem}")
            if scene.terminal is not None:
                print("  the terminal said:\n    " + "\n    ".join(scene.terminal.lines.seen[-20:]))
        finally:
            scene.close()
    sys.exit(1 if failed else 0)
