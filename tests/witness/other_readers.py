"""Our terminal at readers of other makers: between pcscd and the presented reader stands one that knows only some of the
value operations and refuses the others as such readers do. Whatever it speaks, a purse is credited and debited by the right
amount, and nothing is carried out twice."""
import os
import socket
import struct
import subprocess
import threading

from witness import check, until

SCRIP, WORK, PORT = os.environ["SCRIP"], os.environ["WORK"], int(os.environ["VPCD_PORT"])
KEYS = os.path.join(WORK, "issuer.keys")
VALUE_OPERATIONS = {0xD7, 0xB1, 0xC2, 0xF0, 0xD4, 0xD8}


def scrip(*words):
    done = subprocess.run([SCRIP, *words], capture_output=True, text=True)
    check(done.returncode == 0, "scrip %s: %s" % (" ".join(words), done.stdout + done.stderr))
    return done.stdout


def message(sock):
    """Two bytes of length, and as many."""
    def exactly(count):
        data = b""
        while len(data) < count:
            part = sock.recv(count - len(data))
            if not part:
                raise EOFError
            data += part
        return data
    return exactly(struct.unpack(">H", exactly(2))[0])


def put(sock, data):
    sock.sendall(struct.pack(">H", len(data)) + data)


class OtherReader(threading.Thread):
    """Takes the presenter's connection, and has one to the driver of its own."""

    def __init__(self, knows, refusal):
        super().__init__(daemon=True)
        self.knows, self.refusal, self.carried_out = knows, refusal, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.start()

    def answer(self, card, data):
        if len(data) > 4 and data[0] == 0xFF and data[1] in VALUE_OPERATIONS:
            if data[1] not in self.knows:
                return self.refusal
            self.carried_out.append(data[1])
        put(card, data)
        return message(card)

    def run(self):
        card, _ = self.listener.accept()
        driver = socket.create_connection(("127.0.0.1", PORT))
        try:
            while True:
                data = message(driver)
                if len(data) == 1 and data[0] in (0, 1, 2):  # power: has no answer
                    put(card, data)
                else:
                    put(driver, self.answer(card, data))
        except (EOFError, OSError):
            pass
        finally:
            driver.close()
            card.close()
            self.listener.close()


def visit(name, knows, refusal):
    card = os.path.join(WORK, name + ".card")
    journal = ["--journal", os.path.join(WORK, name + ".journal"), "--terminal-id", "0000002A"]
    purse = ["--keys", KEYS, "--purse", "classic", "--reader", "pcsc:0"]
    scrip("card", "new", card, "--keys", KEYS, "--profile", "classic")
    reader = OtherReader(knows, refusal)
    presenter = subprocess.Popen([SCRIP, "card", "present", card, "--pcsc", "--port", str(reader.port)],
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until("a card in the reader", lambda: "(a card is in it)" in scrip("reader", "list"))
        scrip("credit", "10,00", *purse, *journal, "--reference", "1")
        check("7,50" in scrip("pay", "2,50", *purse, *journal), name + ": 2,50 of 10,00 are paid")
        check("4,25" in scrip("pay", "3,25", *purse, *journal), name + ": and 3,25")
        check("4,25" in scrip("balance", *purse), name + ": the balance")
    finally:
        presenter.terminate()
        presenter.wait(10)
    check("4,25" in scrip("balance", "--keys", KEYS, "--purse", "classic", "--reader", "card:" + card),
          name + ": the balance on the card")
    until("an empty reader", lambda: "(a card is in it)" not in scrip("reader", "list"))
    return [ins for ins in reader.carried_out if ins != 0xB1]


def main():
    scrip("keys", "init", KEYS, "--test-cost")
    unknown, function, length = b"\x6D\x00", b"\x6A\x81", b"\x67\x00"
    # A credit is written with its tag; where the reader can restore, its backup is a copy. Two debits change both blocks.
    for name, knows, refusal, changes, count in (("acs", {0xD7, 0xB1}, unknown, {0xD7}, 5),
                                                 ("pcsc", {0xC2}, unknown, {0xC2}, 4),
                                                 ("identiv", {0xF0}, function, {0xF0}, 4),
                                                 ("omnikey", {0xD4, 0xD8}, length, {0xD8}, 4)):
        carried_out = visit(name, knows, refusal)
        check(set(carried_out) == changes, "%s: %s" % (name, carried_out))
        check(len(carried_out) == count, "%s: nothing twice: %s" % (name, carried_out))


main()
