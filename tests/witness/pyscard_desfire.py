"""A terminal that shares no line with scrip: pyscard for the reader, python3-cryptography for AES and CMAC, secure
messaging written here from the data sheets' words. It must understand the card, and the card it."""
import os
import subprocess
import time
import zlib

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.cmac import CMAC
from smartcard.CardMonitoring import CardMonitor, CardObserver
from smartcard.scard import SCARD_RESET_CARD, SCARD_UNPOWER_CARD
from smartcard.System import readers
from witness import check, until

SCRIP, WORK, PORT = os.environ["SCRIP"], os.environ["WORK"], os.environ["VPCD_PORT"]
ZERO = bytes(16)
KEY = bytes.fromhex("00112233445566778899AABBCCDDEEFF")
APP = bytes.fromhex("5310F5")
TEXT = b"read under a MAC that python computed"


def aes(key, iv, data, encrypt):
    cipher = Cipher(algorithms.AES(key), modes.CBC(iv))
    worker = cipher.encryptor() if encrypt else cipher.decryptor()
    return worker.update(data) + worker.finalize()


def cmac(key, data):
    mac = CMAC(algorithms.AES(key))
    mac.update(data)
    return mac.finalize()


def rotated(data):
    return data[1:] + data[:1]


def padded(data):
    data += b"\x80"
    return data + bytes(-len(data) % 16)


class Card:
    def __init__(self, connection):
        self.connection = connection

    def send(self, code, data=b""):
        """One wrapped command; data and status byte of the answer."""
        apdu = bytes([0x90, code, 0, 0]) + (bytes([len(data)]) + data if data else b"") + b"\x00"
        answer, sw1, sw2 = self.connection.transmit(list(apdu))
        check(sw1 == 0x91, "a wrapped command is answered with 91xx, not %02X%02X" % (sw1, sw2))
        return bytes(answer), sw2

    def must(self, code, data=b"", status=0):
        answer, sw2 = self.send(code, data)
        check(sw2 == status, "command %02X: status %02X, wanted %02X" % (code, sw2, status))
        return answer


class Ev2:
    """AuthenticateEV2First and its messaging, MAC mode and enciphered commands."""

    def __init__(self, card, number, key):
        self.card, self.counter = card, 0
        rnd_a = os.urandom(16)
        rnd_b = aes(key, ZERO, card.must(0x71, bytes([number, 0]), 0xAF), False)
        answer = aes(key, ZERO, card.must(0xAF, aes(key, ZERO, rnd_a + rotated(rnd_b), True)), False)
        self.ti = answer[:4]
        check(answer[4:20] == rotated(rnd_a), "the card proves that it knows the key")
        mixed = bytes(a ^ b for a, b in zip(rnd_a[2:8], rnd_b[0:6]))
        context = rnd_a[:2] + mixed + rnd_b[6:] + rnd_a[8:]
        self.enc = cmac(key, bytes.fromhex("A55A00010080") + context)
        self.mac = cmac(key, bytes.fromhex("5AA500010080") + context)

    def mact(self, code, data):
        return cmac(self.mac, bytes([code]) + self.counter.to_bytes(2, "little") + self.ti + data)[1::2]

    def command(self, code, header=b"", data=b"", cipher=False):
        if cipher:
            vector = aes(self.enc, ZERO, b"\xA5\x5A" + self.ti + self.counter.to_bytes(2, "little") + bytes(8), True)
            data = aes(self.enc, vector, padded(data), True)
        answer = self.card.must(code, header + data + self.mact(code, header + data))
        self.counter += 1
        if answer:
            check(answer[-8:] == self.mact(0, answer[:-8]), "command %02X: the answer's MAC" % code)
        return answer[:-8]


class Ev1:
    """AuthenticateAES and its messaging: one CMAC chain through commands and responses."""

    def __init__(self, card, number, key):
        self.card = card
        challenge = card.must(0xAA, bytes([number]), 0xAF)
        rnd_a, rnd_b = os.urandom(16), aes(key, ZERO, challenge, False)
        mine = aes(key, challenge, rnd_a + rotated(rnd_b), True)
        proof = aes(key, mine[-16:], card.must(0xAF, mine), False)
        check(proof == rotated(rnd_a), "the card proves that it knows the key (EV1)")
        self.key = rnd_a[:4] + rnd_b[:4] + rnd_a[12:] + rnd_b[12:]
        self.vector = ZERO

    def chain(self, data):
        """CMAC from the running vector: the first block is mixed with it beforehand."""
        head = bytes(a ^ b for a, b in zip(data[:16].ljust(16, b"\0"), self.vector))
        if len(data) >= 16:
            self.vector = cmac(self.key, head + data[16:])
        else: # the vector cannot be mixed into a block that is padded: chain by hand
            subkey = aes(self.key, ZERO, ZERO, True)
            for _ in range(2):
                number = int.from_bytes(subkey, "big") << 1
                subkey = ((number & (1 << 128) - 1) ^ (0x87 if number >> 128 else 0)).to_bytes(16, "big")
            block = bytes(a ^ b ^ c for a, b, c in zip(padded(data), subkey, self.vector))
            self.vector = aes(self.key, ZERO, block, True)
        return self.vector

    def command(self, code, data=b"", tail=0):
        mac = self.chain(bytes([code]) + data)
        answer = self.card.must(code, data + mac[:tail])
        check(answer[-8:] == self.chain(answer[:-8] + b"\0")[:8], "command %02X: the answer's CMAC" % code)
        return answer[:-8]


class Watcher(CardObserver):
    def __init__(self):
        self.inserted = self.removed = 0

    def update(self, observable, changes):
        self.inserted += len(changes[0])
        self.removed += len(changes[1])


def present():
    return subprocess.Popen([SCRIP, "card", "present", WORK + "/py.card", "--pcsc", "--port", PORT],
                            stdout=subprocess.DEVNULL)


def take_away(process):
    process.terminate()
    check(process.wait(10) == 0, "presenting ends well")


def connect():
    found = [r for r in readers() if "00 00" in str(r)]
    check(found, "the reader is listed")
    connection = found[0].createConnection()
    connection.connect()
    return connection


def ev2(card):
    card.must(0x5A, bytes(3))
    card.must(0xCA, APP + bytes.fromhex("0F82")) # two AES keys
    card.must(0x5A, APP)
    session = Ev2(card, 0, ZERO)
    session.command(0xCD, bytes.fromhex("01 01 0000 400000")) # standard file 1, MAC mode, key 0 for all
    session.command(0xC4, b"\x01", bytes(a ^ b for a, b in zip(KEY, ZERO)) + b"\x07" +
                    (zlib.crc32(KEY) ^ 0xFFFFFFFF).to_bytes(4, "little"), cipher=True) # key 1, version 7
    session.command(0xC4, b"\x00", KEY + b"\x01", cipher=True) # its own key: this ends the session
    check(card.send(0x71, b"\x00\x00")[1] == 0xAF and
          card.send(0xAF, aes(ZERO, ZERO, bytes(32), True))[1] == 0xAE, "the old key is refused")
    session = Ev2(card, 0, KEY)
    session.command(0x8D, bytes([1, 0, 0, 0]) + len(TEXT).to_bytes(3, "little"), TEXT)
    header = bytes([1, 0, 0, 0]) + len(TEXT).to_bytes(3, "little")
    check(session.command(0xAD, header) == TEXT, "what was written is read under its MAC")
    check(session.command(0x64, b"\x01") == b"\x07", "the version of key 1")
    check(session.command(0xAD, header) == TEXT, "and again, with another counter")
    check(Ev2(card, 1, KEY).command(0x64, b"\x00") == b"\x01", "key 1 opens a session too")


def wrong_mac(card):
    session = Ev2(card, 0, KEY)
    session.counter = 5
    data = bytes([1, 0, 0, 0, 4, 0, 0])
    answer, status = card.send(0xAD, data + session.mact(0xAD, data))
    check(status == 0x1E and not answer, "a command with a MAC of another counter is refused (1E), not %02X" % status)


def ev1(card):
    card.must(0x5A, APP)
    session = Ev1(card, 0, KEY)
    header = bytes([1, 0, 0, 0]) + len(TEXT).to_bytes(3, "little")
    check(session.command(0xBD, header) == TEXT, "the MACed read of EV1")
    check(session.command(0x64, b"\x01") == b"\x07", "the version of key 1, under EV1")
    new = b"EV1 wrote"
    session.command(0x3D, bytes([1, 0, 0, 0]) + len(new).to_bytes(3, "little") + new, tail=8)
    check(session.command(0xBD, header)[:len(new)] == new, "what EV1 wrote")


def dispositions(connection, card):
    """Every kind of reset ends what was begun on the card."""
    for disposition in (SCARD_RESET_CARD, SCARD_UNPOWER_CARD):
        card.must(0x5A, APP)
        Ev2(card, 0, KEY)
        connection.reconnect(disposition=disposition)
        _, status = card.send(0xBD, bytes([1, 0, 0, 0, 1, 0, 0]))
        check(status != 0, "after a reset no file is open")


def speed(card):
    card.must(0x60, b"", 0xAF)
    times = []
    for _ in range(300):
        begin = time.perf_counter()
        card.send(0x60)
        times.append(time.perf_counter() - begin)
    median = sorted(times)[len(times) // 2]
    print("median of one APDU: %.0f us" % (median * 1e6))
    check(median < 0.02, "an APDU takes less than 20 ms (44 ms: acknowledgements are delayed)")


def main():
    subprocess.run([SCRIP, "card", "new", WORK + "/py.card", "--blank", "--uid", "04112233445566"], check=True,
                   stdout=subprocess.DEVNULL)
    monitor, watcher = CardMonitor(), Watcher()
    monitor.addObserver(watcher)
    process = present()
    try:
        until("the insertion", lambda: watcher.inserted >= 1)
        connection = connect()
        check(bytes(connection.getATR()).hex() == "3b8180018080", "the ATR")
        card = Card(connection)
        ev2(card)
        wrong_mac(card)
        ev1(card)
        dispositions(connection, card)
        speed(card)
        connection.disconnect()
        take_away(process)
        until("the removal", lambda: watcher.removed >= 1)
        process = present()
        until("the second insertion", lambda: watcher.inserted >= 2)
        connection = connect()
        ev1_again = Card(connection)
        ev1_again.must(0x5A, APP)
        check(Ev1(ev1_again, 0, KEY).command(0xBD, bytes([1, 0, 0, 0, 3, 0, 0])) == b"EV1", "the card kept its data")
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(10)
        monitor.deleteObserver(watcher)


main()
