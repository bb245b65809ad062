"""A MIFARE Classic card as programs for contactless readers use it, by pyscard: keys, blocks, values in two dialects; and
what must be forgotten when a program resets the card, lets it go, or the card is taken away."""
import os
import subprocess

from smartcard.CardConnection import CardConnection
from smartcard.Exceptions import CardConnectionException, NoCardException
from smartcard.scard import SCARD_LEAVE_CARD, SCARD_RESET_CARD, SCARD_UNPOWER_CARD
from smartcard.System import readers
from witness import check, until

SCRIP, WORK, PORT = os.environ["SCRIP"], os.environ["WORK"], os.environ["VPCD_PORT"]
CARD = os.path.join(WORK, "classic.card")
FACTORY, OWN = b"\xFF" * 6, bytes.fromhex("7E57C0DE0001")
OK, FAILED, LOCKED = 0x9000, 0x6300, 0x6982


class Reader:
    def __init__(self):
        self.connection = None

    def connect(self, disposition=SCARD_LEAVE_CARD):
        self.connection = readers()[0].createConnection()
        self.connection.connect(CardConnection.T1_protocol, disposition=disposition)

    def there(self):
        try:
            self.connect()
            return True
        except (NoCardException, CardConnectionException, IndexError):
            return False

    def send(self, *parts):
        command = b"".join(bytes(part) if not isinstance(part, int) else bytes([part]) for part in parts)
        data, sw1, sw2 = self.connection.transmit(list(command))
        return bytes(data), sw1 << 8 | sw2

    def sw(self, *parts):
        return self.send(*parts)[1]

    def load(self, key, slot=0):
        check(self.sw(0xFF, 0x82, 0x00, slot, 6, key) == OK, "a key is loaded")

    def authenticate(self, block, key_type=0x60, slot=0):
        return self.sw(0xFF, 0x86, 0x00, 0x00, 5, 1, 0, block, key_type, slot)

    def read(self, block):
        return self.send(0xFF, 0xB0, 0x00, block, 16)

    def must_read(self, block):
        data, sw = self.read(block)
        check(sw == OK and len(data) == 16, "block %d is read: %04X" % (block, sw))
        return data

    def write(self, block, data):
        return self.sw(0xFF, 0xD6, 0x00, block, len(data), data)


def value_block(value, address):
    four = value.to_bytes(4, "little", signed=True)
    return four + bytes(b ^ 0xFF for b in four) + four + bytes([address, address ^ 0xFF] * 2)


def blocks(reader):
    reader.load(FACTORY)
    check(reader.read(4)[1] == LOCKED, "without a session nothing is read")
    check(reader.authenticate(4) == OK, "the transport key opens sector 1")
    text = b"written by pyscard".ljust(32, b".")
    check(reader.write(4, text[:16]) == OK and reader.write(5, text[16:]) == OK, "blocks are written")
    check(reader.must_read(4) + reader.must_read(5) == text, "and read back")
    data, sw = reader.send(0xFF, 0xB0, 0x00, 4, 32)
    check(sw == OK and data == text, "two in one command")
    check(reader.read(8)[1] == LOCKED, "another sector is closed")
    check(reader.must_read(4) == text[:16], "and the first still open")


def wrong_key(reader):
    reader.load(bytes(6), 1)
    check(reader.authenticate(4, slot=1) == FAILED, "a wrong key is refused with 6300")
    check(reader.read(4)[1] == LOCKED, "and takes the session with it")
    check(reader.authenticate(4) == OK, "the right one is taken at once")


def values(reader):
    check(reader.write(5, value_block(5000, 5)) == OK, "a value block is written")
    check(reader.sw(0xFF, 0xD7, 0x00, 5, 5, b"\x01\x00\x00\x01\x2C") == OK, "ACS: increment by 300")
    check(reader.sw(0xFF, 0xD7, 0x00, 5, 5, b"\x02\x00\x00\x00\x64") == OK, "ACS: decrement by 100")
    check(reader.must_read(5) == value_block(5200, 5), "5200")
    for tag, amount in ((0xA0, 50), (0xA1, 250)):
        objects = bytes([tag, 9, 0x80, 1, 5, 0x81, 4]) + amount.to_bytes(4, "little")
        check(reader.send(0xFF, 0xC2, 0x00, 0x03, len(objects), objects, 0) == (b"\xC0\x03\x00\x90\x00", OK),
              "PC/SC 2.02: %02X" % tag)
    check(reader.send(0xFF, 0xB1, 0x00, 5, 4) == ((5000).to_bytes(4, "big"), OK), "5000 again")
    check(reader.sw(0xFF, 0xD7, 0x00, 5, 2, 3, 6) == OK, "restore to block 6")
    check(reader.must_read(6) == value_block(5000, 5), "with the address of its source")
    check(reader.sw(0xFF, 0xD7, 0x00, 4, 5, b"\x01\x00\x00\x00\x01") == FAILED, "what is no value block has no value")
    check(reader.authenticate(4) == OK, "and costs the session")


def new_keys(reader):
    """Key A may read and take, key B may write, give and change keys."""
    trailer = OWN + bytes.fromhex("08778F69") + OWN[::-1]
    check(reader.write(7, trailer) == OK, "the trailer is written")
    check(reader.authenticate(4) == FAILED, "the transport key is none any more")
    reader.load(OWN, 0)
    reader.load(OWN[::-1], 1)
    check(reader.authenticate(5) == OK, "the new key A opens")
    check(reader.sw(0xFF, 0xD7, 0x00, 5, 5, b"\x02\x00\x00\x00\x01") == OK, "and takes")
    check(reader.sw(0xFF, 0xD7, 0x00, 5, 5, b"\x01\x00\x00\x00\x01") == FAILED, "and does not give")
    check(reader.authenticate(5, 0x61, 1) == OK, "key B")
    check(reader.sw(0xFF, 0xD7, 0x00, 5, 5, b"\x01\x00\x00\x00\x01") == OK, "gives")
    check(reader.must_read(5) == value_block(5000, 5), "and the value is what it was")
    check(reader.must_read(7)[:6] == bytes(6) and reader.must_read(7)[10:] == bytes(6), "no key can be read")


def forgotten(reader):
    check(reader.authenticate(4) == OK and reader.read(4)[1] == OK, "a session before the reset")
    reader.connection.reconnect(CardConnection.T1_protocol, disposition=SCARD_RESET_CARD)
    check(reader.read(4)[1] == LOCKED, "a reset forgets the session")
    check(reader.authenticate(4) == OK, "not the key in the reader")
    reader.connection.reconnect(CardConnection.T1_protocol, disposition=SCARD_UNPOWER_CARD)
    check(reader.read(4)[1] == LOCKED, "power off forgets the session")
    check(reader.authenticate(4) == 0x6984, "and the keys")


def present():
    return subprocess.Popen([SCRIP, "card", "present", CARD, "--pcsc", "--port", PORT], stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL)


def main():
    subprocess.run([SCRIP, "card", "new", CARD, "--profile", "classic", "--blank", "--uid", "7E57CA4D"], check=True,
                   stdout=subprocess.DEVNULL)
    presenter = present()
    try:
        reader = Reader()
        until("a card", reader.there)
        check(bytes(reader.connection.getATR()).hex() == "3b8f8001804f0ca000000306030001000000006a", "the ATR of a 1K")
        check(reader.send(0xFF, 0xCA, 0, 0, 0) == (bytes.fromhex("7E57CA4D"), OK), "its UID")
        for part in (blocks, wrong_key, values, new_keys, forgotten):
            part(reader)
        reader.load(OWN)
        check(reader.authenticate(5) == OK, "a session before the removal")
        presenter.terminate()
        check(presenter.wait(10) == 0, "presenting ends well")
        until("removal", lambda: not Reader().there())
        presenter = present()
        until("insertion", reader.there)
        check(reader.read(5)[1] == LOCKED, "a card that comes back has no session")
        check(reader.authenticate(5) == 0x6984, "and the reader no keys")
        reader.load(OWN)
        check(reader.authenticate(5) == OK and reader.must_read(5) == value_block(5000, 5), "its value is there")
        reader.connection.disconnect()
    finally:
        presenter.terminate()
        presenter.wait(10)


main()
