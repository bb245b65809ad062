"""Every messaging of the emulated card, spoken by a host that shares no line with it (desfire_host.py): keys of every
type, files of every mode, a Transaction MAC recomputed, dynamic messages opened, and what happens after a refusal."""

import os
import subprocess
import sys
import tempfile

from desfire_host import (D40, EV1, EV2, LRP, Card, Key, Refused, cbc_decrypt, cmac, crc16, crc32, half, pad, unhex,
                          unmarked)

SCRIP = sys.argv[1]
UID = unhex("04112233445566")
ZERO_AES, ZERO_DES, ZERO_3K = Key(bytes(16)), Key(bytes(8), aes=False), Key(bytes(24), aes=False)


def le(number, size=3):
    return number.to_bytes(size, "little")


def blank(folder, generation):
    path = os.path.join(folder, generation + ".card")
    subprocess.run([SCRIP, "card", "new", path, "--blank", "--generation", generation, "--uid", UID.hex()], check=True,
                   stdout=subprocess.DEVNULL)
    return Card(SCRIP, path)


def refused(status, what, *args, **more):
    try:
        what(*args, **more)
    except Refused as error:
        assert error.status == status, "%02X, not %02X" % (error.status, status)
        return
    raise AssertionError("not refused")


def picc_keys(card):
    """DES to 2K3DES by D40, then to AES by EV1. @return the AES key"""
    version = 0x55
    key = unhex("00112233445566778899AABBCCDDEEFF")
    key = bytes((key[i] & 0xFE) | (version >> (7 - i) & 1 if i < 8 else 0) for i in range(16))
    session = D40(card, 0, Key(bytes(16), aes=False))
    card.plain(0xC4, b"\0" + session.full(key))
    assert card.plain(0x64, b"\0") == bytes([version])
    session = D40(card, 0, Key(key, aes=False))
    card.plain(0x54, session.full(b"\x0F"))
    session = EV1(card, 0, Key(key, aes=False))
    assert session.opened(session.send(0x51), 7) == UID
    assert session.do(0x60)[14:21] == UID
    new = os.urandom(16)
    data = new + b"\x07"
    session.send_raw(0xC4, b"\x80", pad(data + crc32(b"\xC4\x80" + data), 8))
    assert card.plain(0x45) == unhex("0F81")
    return Key(new)


def three_keys(card):
    """A 3K3DES application, and the ISO authentication."""
    card.plain(0x5A, unhex("020000"))
    session = EV1(card, 0, ZERO_3K)
    key = os.urandom(24)
    session.checked(session.send_raw(0xC4, b"\1", pad(key + crc32(b"\xC4\1" + key) + crc32(key), 8)))
    EV1(card, 1, Key(key, aes=False)).do(0x45)
    EV1(card, 1, Key(key, aes=False), iso=4).do(0x45)


def d40_files(card):
    card.plain(0x5A, unhex("030000"))
    session = D40(card, 0, ZERO_DES)
    card.plain(0xCD, unhex("01 03 0000 640000"))
    card.plain(0xCC, unhex("02 01 0000 00000000 E8030000 64000000 01"))
    data = os.urandom(50)
    card.plain(0x3D, unhex("01 000000") + le(50) + session.full(data))
    plain = session.opened(card.plain(0xBD, unhex("01 000000 320000")))
    assert plain[:52] == data + crc16(data) and not any(plain[52:])
    plain = unmarked(session.opened(card.plain(0xBD, unhex("01 000000 000000"))))
    assert plain == data + bytes(50) + crc16(data + bytes(50))
    amount = le(10, 4)
    card.plain(0x0C, b"\2" + amount + session.mac(amount))
    card.plain(0xC7)
    assert card.plain(0x6C, b"\2") == le(110, 4) + session.mac(le(110, 4))


def ev1_files(card):
    """@return key 1 of the AES application"""
    card.plain(0x5A, unhex("010000"))
    session = EV1(card, 0, ZERO_AES, iso=9)
    session.do(0xCB, unhex("02 01 1012 C80000"))
    session.do(0xCC, unhex("03 03 1012 00000000 E8030000 64000000 01"))
    session.do(0xC0, unhex("04 03 1012 100000 040000"))
    key = os.urandom(16)
    data = key + b"\x09"
    session.checked(session.send_raw(0xC4, b"\1", pad(data + crc32(b"\xC4\1" + data) + crc32(key), 16)))
    assert session.do(0x64, b"\1") == b"\x09"
    session = EV1(card, 1, Key(key))
    long = os.urandom(150)
    session.checked(session.send(0x3D, unhex("02 000000") + le(150), long, mac=True))
    session.do_full(0x0C, b"\3", le(5, 4))
    session.do_full(0x3B, unhex("04 000000 100000"), b"R" * 16)
    session.do(0xC7)
    assert session.do(0xBD, unhex("02 000000") + le(150)) == long
    assert session.opened(session.send(0x6C, b"\3"), 4) == le(105, 4)
    assert session.opened(session.send(0xBB, unhex("04 000000 000000"))) == b"R" * 16
    return Key(key)


def transaction(card, key):
    """One transaction over value, record and backup file, and its MAC computed again. @return session"""
    tmac_key = os.urandom(16)
    EV2(card, 0, ZERO_AES).do(0xCE, unhex("0F 01 101F 02"), tmac_key + b"\0", mode="F")
    session = EV2(card, 1, key)
    value = session.do(0x6C, b"\3", mode="F")
    assert value == le(105, 4)
    session = EV2(card, 1, key, before=session)
    long = os.urandom(100)
    session.do(0xDC, b"\3", le(9, 4), mode="F")
    session.do(0x3B, unhex("04 000000 040000"), b"abcd", mode="F")
    session.do(0x3D, unhex("02 000000 640000"), long)
    session.do(0xC8, b"T" * 16)
    answer = session.do(0xC7, b"\1")
    count, mac = answer[:4], answer[4:]
    assert count == le(1, 4)
    keys = [Key(cmac(Key(tmac_key), first + unhex("00010080") + count + UID)) for first in (b"\x5A", b"\xA5")]
    parts = (b"\x6C\3" + value, b"\xDC\3" + le(9, 4), unhex("3B 04 000000 040000"), b"abcd",
             unhex("3D 02 000000 640000"), long, b"\xC8" + b"T" * 16 + keys[1].encrypt(bytes(16)))
    assert mac == half(cmac(keys[0], b"".join(pad(part, 16) for part in parts)))
    assert session.do(0xAD, unhex("0F 000000 000000")) == count + mac
    assert session.do(0x6C, b"\3", mode="F") == le(96, 4)
    assert session.do(0xBB, unhex("04 000000 010000"), mode="F") == b"abcd" + bytes(12)
    return session


def refusals_and_keys(card, session):
    session.do(0xA7)  # the reads above
    refused(0x0C, session.do, 0xC7, b"\1")
    refused(0x7E, session.do, 0x6C, b"\3", mode="F")  # the session is over, and a MAC is not expected
    session = EV2(card, 0, ZERO_AES)
    second, own = os.urandom(16), os.urandom(16)
    session.do(0xC6, b"\0\2", second + b"\1" + crc32(second), mode="F")
    session.do(0xC4, b"\0", own + b"\2", mode="F", mac_back=False)
    refused(0xAE, EV2, card, 0, ZERO_AES)
    session = EV2(card, 0, Key(own))
    assert len(session.do(0x3C, b"\0", mode="F")) == 56
    session.do(0x54, data=b"\x09", mode="F")
    assert card.status(0xC7, b"\1") == 0x7E  # a MAC is missing
    assert card.status(0x6F) == 0xAE  # the directory is no longer free


def dynamic_messages(card):
    """A file that mirrors UID, counter and a piece of itself, read by both kinds of read."""
    body = bytes(65 + i % 26 for i in range(256))
    card.plain(0x5A, unhex("040000"))
    session = EV2(card, 0, ZERO_AES)
    keys = {}
    for number in (1, 2):
        keys[number] = Key(os.urandom(16))
        value = keys[number].value
        session.do(0xC4, bytes([number]), value + b"\1" + crc32(value), mode="F")
    session.do(0xCD, unhex("01 43 00E0 000100"))
    session.do(0x3D, unhex("01 000000 000100"), body, mode="F")
    block = unhex("D1 F112 100000 300000 400000 400000 900000")
    session.do(0x5F, b"\1", unhex("43 00E0") + block, mode="F")
    assert session.do(0xF5, b"\1") == unhex("00 43 00E0 000100") + block
    card.plain(0x5A, unhex("040000"))
    for count, native in enumerate((False, True, False), start=1):
        seen = card.plain(0xBD, unhex("01 000000 000000")) if native else card.apdu(unhex("00B0810000"))[:-2]
        picc = cbc_decrypt(keys[1], bytes(16), unhex(seen[0x10:0x30].decode()))
        assert picc[:11] == b"\xC7" + UID + le(count)
        enc = Key(cmac(keys[2], unhex("C33C00010080") + UID + le(count)))
        mac = Key(cmac(keys[2], unhex("3CC300010080") + UID + le(count)))
        secret = cbc_decrypt(enc, enc.encrypt(le(count, 16)), unhex(seen[0x40:0x80].decode()))
        assert secret == body[0x40:0x60]
        assert seen[0x90:0xA0] == half(cmac(mac, seen[0x30:0x90])).hex().upper().encode()
        assert seen[:0x10] == body[:0x10] and seen[0x80:0x90] == body[0x80:0x90] and seen[0xA0:] == body[0xA0:]
    assert EV2(card, 1, keys[1]).do(0xF6, b"\1", mode="F") == le(3) + b"\0\0"


def leakage_resilient(card, picc):
    card.plain(0x5A, bytes(3))
    EV2(card, 0, picc).do(0x5C, b"\5", unhex("00000000020000000000"), mode="F", mac_back=False)
    assert card.status(0x71, b"\0\0") == 0x9D
    session = LRP(card, 0, picc)
    assert session.do(0x51, mode="F") == UID
    assert len(session.do(0x60)) == 28
    card.plain(0x5A, unhex("050000"))
    session = LRP(card, 0, ZERO_AES)
    session.do(0xCC, unhex("03 03 0012 00000000 E8030000 64000000 01"))
    session = LRP(card, 1, ZERO_AES, before=session)
    session = LRP(card, 0, ZERO_AES, before=session)
    session.do(0x0C, b"\3", le(5, 4), mode="F")
    session.do(0xC7)
    assert session.do(0x6C, b"\3", mode="F") == le(105, 4)
    refused(0xF0, session.do, 0x6C, b"\7", mode="F")


def main():
    with tempfile.TemporaryDirectory() as folder:
        for generation in ("EV1", "EV2", "EV3"):
            card = blank(folder, generation)
            picc = picc_keys(card)
            session = EV1(card, 0, picc)
            for params in ("010000 0F85", "020000 0F42", "030000 0F02", "040000 0F85", "050000 0F85"):
                session.do(0xCA, unhex(params))
            three_keys(card)
            d40_files(card)
            key = ev1_files(card)
            if generation != "EV1":
                refusals_and_keys(card, transaction(card, key))
            if generation == "EV3":
                dynamic_messages(card)
                leakage_resilient(card, picc)
            print(generation, "and a host in python understand each other")


main()
