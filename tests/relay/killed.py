"""The phone is killed at every moment of a top-up, as a process by SIGKILL, and started again: the order ends, and the
card holds each top-up once. Also once more with the server killed instead. Run: killed.py SCRIP"""
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

SCRIP = os.path.abspath(sys.argv[1])
WORK = tempfile.mkdtemp(prefix="scrip-killed.")
PROFILES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../profiles")
os.environ.update(SCRIP_PASSPHRASE="killed", SCRIP_PROFILES=PROFILES, XDG_STATE_HOME=WORK)
AMOUNT = 100


def at(name):
    return os.path.join(WORK, name)


def check(held, what):
    if not held:
        raise SystemExit("FAILED: " + what)


def scrip(*words):
    done = subprocess.run([SCRIP, *words, "--json"], capture_output=True, text=True)
    check(done.returncode == 0, "scrip %s: %s" % (" ".join(words), done.stdout + done.stderr))
    return json.loads(done.stdout)


class Server:
    def __init__(self):
        self.port = "0"
        self.begin()

    def begin(self):
        log = at("server.log")
        with open(log, "w") as out:
            self.process = subprocess.Popen(
                [SCRIP, "serve", "--keys", at("keys"), "--ledger", at("book.db"), "--operator-key-file", at("operator"),
                 "--port", self.port, "--rate", "0"], stdout=out, stderr=subprocess.STDOUT)
        end = time.time() + 20
        while True:
            with open(log) as text:
                found = re.search(r"listening on (http://\S+:(\d+))", text.read())
            if found:
                self.url, self.port = found.group(1), found.group(2)
                return
            check(self.process.poll() is None and time.time() < end, "the server starts")
            time.sleep(0.02)

    def kill(self):
        self.process.kill()
        self.process.wait()


def order(server, name, uid):
    common = ("--server", server.url, "--api-key-file", at("operator"))
    made = scrip("order", "create", *common, "--card", uid, "--amount", "1", "--id", name)
    scrip("order", "fund", name, *common, "--payment", "p-" + name)
    with open(at("token"), "w") as file:
        file.write(made["phone_token"] + "\n")


def phone(server, name, link, *more):
    return [SCRIP, "topup", "--reader", link, "--server", server.url, "--order", name, "--token-file", at("token"),
            "--give-up", "10", "--json", *more]


def finish(server, name, card):
    done = subprocess.run(phone(server, name, "card:" + card), capture_output=True, text=True)
    answer = json.loads(done.stdout)
    check(done.returncode == 0 and answer["order"]["state"] == "CONFIRMED", "%s ends: %s" % (name, done.stdout))
    return answer


def balance(card, profile):
    return json.dumps(scrip("balance", "--reader", "card:" + card, "--keys", at("keys"), "--purse", profile))


def phone_killed(server, profile, moments):
    card = at(profile + ".card")
    uid = scrip("card", "new", card, "--keys", at("keys"), "--profile", profile)["uid"]
    scrip("card", "register", uid, "--server", server.url, "--api-key-file", at("operator"), "--purse", profile)
    early = 0
    for i in range(moments):
        name = "%s-%d" % (profile, i)
        order(server, name, uid)
        victim = subprocess.Popen(phone(server, name, "fault:delay=12:card:" + card), stdout=subprocess.DEVNULL)
        time.sleep(0.01 + i * 0.25 / moments)
        victim.send_signal(signal.SIGKILL)
        early += victim.wait() != 0
        finish(server, name, card)
        check(str(AMOUNT * (i + 1)) in balance(card, profile), "%s: %s" % (name, balance(card, profile)))
    check(early >= moments // 3, "most were killed before their end, not only %d" % early)
    return uid, card


def server_killed(server, uid, card, profile, done):
    for i in range(6):
        name = "server-%d" % i
        order(server, name, uid)
        alive = subprocess.Popen(phone(server, name, "fault:delay=12:card:" + card, "--taps", "5"),
                                 stdout=subprocess.PIPE, text=True)
        time.sleep(0.02 + i * 0.03)
        server.kill()
        server.begin()
        said, _ = alive.communicate(timeout=60)
        check(alive.returncode == 0, "the phone outlives its server: " + said)
        check(str(AMOUNT * (done + i + 1)) in balance(card, profile), "%s: %s" % (name, balance(card, profile)))


def main():
    scrip("keys", "init", at("keys"), "--test-cost")
    server = Server()
    try:
        phone_killed(server, "ev1", 10)
        uid, card = phone_killed(server, "an12113", 16)
        server_killed(server, uid, card, "an12113", 16)
        scrip("ledger", "verify", "--ledger", at("book.db"))
        left = os.listdir(at("scrip"))
        check(not left, "no state waits any more: %s" % left)
    finally:
        server.kill()
    print("each top-up once")


try:
    main()
finally:
    shutil.rmtree(WORK, ignore_errors=True)
