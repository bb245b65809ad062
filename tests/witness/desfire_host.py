"""A DESFire host that shares no line with the project: messaging of D40, EV1, EV2 and LRP out of Debian's cryptography.

It talks to `scrip card exchange`. Written for being read beside docs/protocol/desfire-crypto.md, not for speed."""

import binascii
import os
import subprocess

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

unhex = bytes.fromhex


class Refused(Exception):
    """The card answered with another status than 00 or 90."""

    def __init__(self, status):
        super().__init__("status %02X" % status)
        self.status = status


class Card:
    """A card file behind `scrip card exchange`."""

    def __init__(self, scrip, path):
        self.process = subprocess.Popen([scrip, "card", "exchange", path], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, bufsize=1)

    def apdu(self, command):
        self.process.stdin.write(command.hex() + "\n")
        self.process.stdin.flush()
        return unhex(self.process.stdout.readline().strip())

    def frame(self, cmd, data=b""):
        lc = bytes([len(data)]) + data if data else b""
        answer = self.apdu(bytes([0x90, cmd, 0, 0]) + lc + b"\0")
        assert answer[-2] == 0x91, answer.hex()
        return answer[-1], answer[:-2]

    def command(self, cmd, data=b"", size=55):
        """A command in as many frames as it takes, both ways. @return status and data"""
        status, out = self.frame(cmd, data[:size])
        data = data[size:]
        while status == 0xAF:
            status, part = self.frame(0xAF, data[:size])
            data, out = data[size:], out + part
        if status not in (0x00, 0x90):
            raise Refused(status)
        return status, out

    def plain(self, cmd, data=b""):
        return self.command(cmd, data)[1]

    def status(self, cmd, data=b""):
        """The status byte alone, of a command that may be refused."""
        return self.frame(cmd, data)[0]


# ---- primitives ----


class Key:
    """A key of 8, 16 or 24 bytes; `aes` tells the two kinds of 16 bytes apart."""

    def __init__(self, value, aes=True):
        self.value, self.aes, self.block = value, aes, 16 if aes else 8
        whole = value if aes or len(value) > 8 else value * 3
        self.cipher = Cipher(algorithms.AES(whole) if aes else algorithms.TripleDES(whole), modes.ECB())

    def single_des(self):
        half = [byte & 0xFE for byte in self.value]
        return not self.aes and (len(half) == 8 or (len(half) == 16 and half[:8] == half[8:]))

    def encrypt(self, block):
        step = self.cipher.encryptor()
        return step.update(block) + step.finalize()

    def decrypt(self, block):
        step = self.cipher.decryptor()
        return step.update(block) + step.finalize()


def xor(a, b):
    return bytes(x ^ y for x, y in zip(a, b))


def rotate(data):
    return data[1:] + data[:1]


def pad(data, block):
    return data + bytes(-len(data) % block)


def blocks(data, size):
    return [data[i:i + size] for i in range(0, len(data), size)]


def cbc_encrypt(key, iv, data):
    out = b""
    for block in blocks(data, key.block):
        iv = key.encrypt(xor(iv, block))
        out += iv
    return out


def cbc_decrypt(key, iv, data):
    out = b""
    for block in blocks(data, key.block):
        out += xor(key.decrypt(block), iv)
        iv = block
    return out


def double(value):
    bits = 8 * len(value)
    number = int.from_bytes(value, "big") << 1
    if number >> bits:
        number = (number & ((1 << bits) - 1)) ^ (0x87 if bits == 128 else 0x1B)
    return number.to_bytes(len(value), "big")


def cmac_with(function, block, data, iv):
    first = double(function(bytes(block)))
    if data and len(data) % block == 0:
        last = first
    else:
        data, last = pad(data + b"\x80", block), double(first)
    data = data[:-block] + xor(data[-block:], last)
    for part in blocks(data, block):
        iv = function(xor(iv, part))
    return iv


def cmac(key, data, iv=None):
    return cmac_with(key.encrypt, key.block, data, iv or bytes(key.block))


def half(mac):
    """Every second byte, from index 1."""
    return mac[1::2]


def crc32(data):
    return (binascii.crc32(data) ^ 0xFFFFFFFF).to_bytes(4, "little")


def crc16(data):
    crc = 0x6363
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0x8408 if crc & 1 else crc >> 1
    return crc.to_bytes(2, "little")


def marked(data, block=16):
    return pad(data + b"\x80", block)


def unmarked(data):
    data = data.rstrip(b"\0")
    assert data[-1] == 0x80
    return data[:-1]


def mixed(a, b):
    """What EV2 and LRP session keys are derived from."""
    return a[:2] + xor(a[2:8], b[:6]) + b[6:] + a[8:]


# ---- D40 ----


class D40:
    def __init__(self, card, number, key):
        status, challenge = card.frame(0x0A, bytes([number]))
        if status != 0xAF:
            raise Refused(status)
        a, b = os.urandom(8), key.decrypt(challenge)
        self.card, self.key = card, key
        answer = card.plain(0xAF, self.sent(a + rotate(b)))
        assert key.decrypt(answer) == rotate(a)
        session = a[:4] + b[:4]
        self.key = Key(session if key.single_des() else session + a[4:] + b[4:], aes=False)

    def sent(self, data):
        """The host deciphers, so that the card only enciphers."""
        out, last = b"", bytes(8)
        for block in blocks(data, 8):
            last = self.key.decrypt(xor(block, last))
            out += last
        return out

    def full(self, data):
        return self.sent(pad(data + crc16(data), 8))

    def opened(self, data):
        return cbc_decrypt(self.key, bytes(8), data)

    def mac(self, data):
        return cbc_encrypt(self.key, bytes(8), pad(data, 8))[-8:-4]


# ---- EV1 ----


class EV1:
    """`iso`: authenticate by the ISO/IEC 7816-4 commands, with this algorithm."""

    def __init__(self, card, number, key, iso=None):
        self.size = 16 if key.aes or len(key.value) == 24 else 8
        a = os.urandom(self.size)
        b = self.by_iso(card, number, key, a, iso) if iso is not None else self.by_frames(card, number, key, a)
        if key.aes:
            session = a[:4] + b[:4] + a[12:] + b[12:]
        elif len(key.value) == 24:
            session = a[:4] + b[:4] + a[6:10] + b[6:10] + a[12:] + b[12:]
        else:
            session = a[:4] + b[:4] + (b"" if key.single_des() else a[4:] + b[4:])
        self.card, self.key, self.iv = card, Key(session, key.aes), bytes(key.block)

    @staticmethod
    def by_frames(card, number, key, a):
        status, challenge = card.frame(0xAA if key.aes else 0x1A, bytes([number]))
        if status != 0xAF:
            raise Refused(status)
        b = cbc_decrypt(key, bytes(key.block), challenge)
        token = cbc_encrypt(key, challenge[-key.block:], a + rotate(b))
        answer = card.plain(0xAF, token)
        assert cbc_decrypt(key, token[-key.block:], answer) == rotate(a)
        return b

    def by_iso(self, card, number, key, a, algorithm):
        size, reference = self.size, 0x80 | number
        challenge = card.apdu(bytes([0, 0x84, 0, 0, size]))
        token = cbc_encrypt(key, bytes(key.block), a + challenge[:-2])
        assert card.apdu(bytes([0, 0x82, algorithm, reference, 2 * size]) + token) == b"\x90\0"
        mine = os.urandom(size)
        answer = card.apdu(bytes([0, 0x88, algorithm, reference, size]) + mine + bytes([2 * size]))
        plain = cbc_decrypt(key, token[-key.block:], answer[:-2])
        assert plain[size:] == mine
        return plain[:size]

    def send(self, cmd, header=b"", data=b"", mac=False):
        self.iv = cmac(self.key, bytes([cmd]) + header + data, self.iv)
        return self.card.command(cmd, header + data + (self.iv[:8] if mac else b""))

    def send_full(self, cmd, header, data):
        return self.send_raw(cmd, header, pad(data + crc32(bytes([cmd]) + header + data), self.key.block))

    def send_raw(self, cmd, header, data):
        data = cbc_encrypt(self.key, self.iv, data)
        self.iv = data[-self.key.block:]
        return self.card.command(cmd, header + data)

    def checked(self, answer):
        status, data = answer
        self.iv = cmac(self.key, data[:-8] + bytes([status]), self.iv)
        assert self.iv[:8] == data[-8:], "response MAC"
        return data[:-8]

    def opened(self, answer, size=None):
        """`size` None: the host asked for everything, and the padding says where it ends."""
        status, data = answer
        plain = cbc_decrypt(self.key, self.iv, data)
        self.iv = data[-self.key.block:]
        if size is None:
            plain = unmarked(plain)
            size = len(plain) - 4
        assert plain[size:size + 4] == crc32(plain[:size] + bytes([status])), "response checksum"
        assert not any(plain[size + 4:])
        return plain[:size]

    def do(self, cmd, data=b""):
        """A command without encipherment and its checked answer."""
        return self.checked(self.send(cmd, data=data))

    def do_full(self, cmd, header, data):
        return self.checked(self.send_full(cmd, header, data))


# ---- EV2 and LRP ----


class Counted:
    """What both have in common: inputs of MACs, and the counter of commands."""

    def do(self, cmd, header=b"", data=b"", mode="M", mac_back=True):
        now, then = self.counter.to_bytes(2, "little"), (self.counter + 1).to_bytes(2, "little")
        if mode == "F" and data:
            data = self.encipher(marked(data), b"\xA5\x5A" + self.ti + now)
        wire = header + data
        if mode != "P":
            wire += self.mac(bytes([cmd]) + now + self.ti + wire)
        status, answer = self.card.command(cmd, wire)
        self.counter += 1
        if mode == "P" or not mac_back:
            return answer
        assert answer[-8:] == self.mac(bytes([status]) + then + self.ti + answer[:-8]), "response MAC"
        answer = answer[:-8]
        if mode == "F" and answer:
            answer = unmarked(self.decipher(answer, b"\x5A\xA5" + self.ti + then))
        return answer


class EV2(Counted):
    """`before`: an EV2 session that goes on with another key (NonFirst)."""

    def __init__(self, card, number, key, before=None):
        self.card = card
        status, challenge = card.frame(0x77 if before else 0x71, bytes([number]) + (b"" if before else b"\0"))
        if status != 0xAF:
            raise Refused(status)
        a, b = os.urandom(16), cbc_decrypt(key, bytes(16), challenge)
        plain = cbc_decrypt(key, bytes(16), card.plain(0xAF, cbc_encrypt(key, bytes(16), a + rotate(b))))
        if before:
            assert plain == rotate(a)
            self.ti, self.counter = before.ti, before.counter
        else:
            assert plain[4:20] == rotate(a) and plain[20:] == bytes(12)
            self.ti, self.counter = plain[:4], 0
        self.enc = Key(cmac(key, unhex("A55A00010080") + mixed(a, b)))
        self.mac_key = Key(cmac(key, unhex("5AA500010080") + mixed(a, b)))

    def mac(self, data):
        return half(cmac(self.mac_key, data))

    def encipher(self, data, vector):
        return cbc_encrypt(self.enc, self.enc.encrypt(vector + bytes(8)), data)

    def decipher(self, data, vector):
        return cbc_decrypt(self.enc, self.enc.encrypt(vector + bytes(8)), data)


class LeakageResilient:
    """The primitive under LRP: a walk through keys, one nibble of the input a step."""

    def __init__(self, key, updated):
        walk, self.plaintexts, self.keys = key.encrypt(b"\x55" * 16), [], []
        for _ in range(16):
            self.plaintexts.append(Key(walk).encrypt(b"\xAA" * 16))
            walk = Key(walk).encrypt(b"\x55" * 16)
        walk = key.encrypt(b"\xAA" * 16)
        for _ in range(updated):
            self.keys.append(Key(walk).encrypt(b"\xAA" * 16))
            walk = Key(walk).encrypt(b"\x55" * 16)

    def value(self, which, data):
        key = Key(self.keys[which])
        for byte in data:
            for nibble in (byte >> 4, byte & 15):
                key = Key(key.encrypt(self.plaintexts[nibble]))
        return key.encrypt(bytes(16))

    def cmac(self, data):
        return cmac_with(lambda block: self.value(0, block), 16, data, bytes(16))


class LRP(Counted):
    def __init__(self, card, number, key, before=None):
        self.card, self.blocks = card, 0
        offer = b"" if before else unhex("06020000000000")
        status, challenge = card.frame(0x77 if before else 0x71, bytes([number]) + offer)
        if status != 0xAF:
            raise Refused(status)
        assert challenge[0] == 1 and len(challenge) == 17
        a, b = os.urandom(16), challenge[1:]
        master = LeakageResilient(key, 1).cmac(unhex("00010080") + mixed(a, b) + unhex("9669"))
        self.lrp = LeakageResilient(Key(master), 2)
        answer = card.plain(0xAF, a + self.lrp.cmac(a + b))
        assert answer[-16:] == self.lrp.cmac(b + a + answer[:-16])
        if before:
            self.ti, self.counter = before.ti, before.counter
        else:
            data = self.decipher(answer[:16], None)
            assert data[4] & 2 and data[10] & 2  # both can do LRP
            self.ti, self.counter = data[:4], 0

    def mac(self, data):
        return half(self.lrp.cmac(data))

    def step(self):
        key = Key(self.lrp.value(1, self.blocks.to_bytes(4, "big")))
        self.blocks += 1
        return key

    def encipher(self, data, _vector):
        return b"".join(self.step().encrypt(block) for block in blocks(data, 16))

    def decipher(self, data, _vector):
        return b"".join(self.step().decrypt(block) for block in blocks(data, 16))
