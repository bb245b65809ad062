#!/usr/bin/env python3
"""durable.py SCRIP: strace watches that what must be on disk is flushed before anybody can act on it.

A process that is killed loses nothing that it wrote, so tests that kill cannot tell; a machine without power does."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile

SCRIP = sys.argv[1]
CALLS = ("openat,close,socket,accept,accept4,write,pwrite64,pwritev,ftruncate,fsync,fdatasync,rename,renameat,renameat2,"
         "sendto,sendmsg,writev")


class Watch:
    """What a process did, in order: ("write" | "flush" | "send" | "rename", path)."""

    def __init__(self, trace):
        self.events = []
        self.files = {1: "stdout", 2: "stderr"}
        pending = {}
        with open(trace, encoding="utf-8", errors="replace") as lines:
            for line in lines:
                pid, _, call = line.rstrip("\n").partition(" ")
                call = call.strip()
                if call.endswith("<unfinished ...>"):
                    pending[pid] = call[:-len("<unfinished ...>")]
                    continue
                resumed = re.match(r"<\.\.\. \w+ resumed>", call)
                self.add(pending.pop(pid) + call[resumed.end():] if resumed else call)

    def add(self, call):
        name = call.partition("(")[0]
        result = re.search(r"= (-?\d+)[^=]*$", call)
        number = re.match(r"\w+\((\d+)", call)
        path = self.files.get(int(number.group(1))) if number else None
        texts = re.findall(r'"([^"]*)"', call)
        if result is None or int(result.group(1)) < 0:
            return
        if name == "openat":
            self.files[int(result.group(1))] = os.path.realpath(texts[0])
        elif name in ("socket", "accept", "accept4"):
            self.files[int(result.group(1))] = "socket"
        elif name == "close":
            self.files.pop(int(number.group(1)), None)
        elif name.startswith("rename"):
            self.events.append(("rename", os.path.realpath(os.path.dirname(texts[1]))))
        elif path is not None:
            kind = "flush" if name in ("fsync", "fdatasync") else "send" if path == "socket" else "write"
            self.events.append((kind, path))

    def broken(self, kept, acts):
        """The law: when `acts` happens, everything that was written to or renamed in what `kept` names is flushed.
        @return events that broke it, and how often it mattered"""
        waiting, bad, mattered, fresh = set(), [], 0, False
        for event in self.events:
            kind, path = event
            if kind in ("write", "rename") and kept(path):
                waiting.add(path)
                fresh = True
            elif kind == "flush":
                waiting.discard(path)
            if acts(event):
                mattered += fresh
                fresh = False
                if waiting:
                    bad.append((event, sorted(waiting)))
        return bad, mattered


def strace(trace):
    """Who has keys forbids others to look into its memory, where strace reads names: prctl only says that it did."""
    return ["strace", "-f", "-o", trace, "-e", "trace=prctl," + CALLS, "-e", "inject=prctl:retval=0"]


def scrip(*args, trace=None):
    watch = strace(trace) if trace else []
    return subprocess.run([*watch, SCRIP, *args], check=True, stdout=subprocess.PIPE, text=True).stdout


def holds(what, watch, kept, acts, at_least):
    bad, mattered = watch.broken(kept, acts)
    assert not bad, "%s: %s while not flushed: %s" % (what, *bad[0])
    assert mattered >= at_least, "%s: it mattered %d times only" % (what, mattered)
    print("%s (%d times)" % (what, mattered))


def pay(keys):
    scrip("card", "new", "till.card", *keys)
    till = ["--reader", "card:till.card", *keys, "--terminal-id", "00000042", "--journal", "gate.journal"]
    scrip("credit", "5", "--reference", "1", *till)
    scrip("pay", "1", *till, trace="pay.trace")
    watch = Watch("pay.trace")
    journal = os.path.realpath("gate.journal")
    card = os.path.realpath("till.card")
    holds("the intent is on disk before the card commits", watch, lambda path: path == journal,
          lambda event: event == ("write", card), 1)
    holds("the line's result is, before the customer is told", watch, lambda path: path == journal,
          lambda event: event == ("write", "stdout"), 1)


def serve(keys):
    """@return the server's process (strace), its own id, the options that reach it"""
    process = subprocess.Popen([*strace("serve.trace"), SCRIP, "serve", "--port", "0", "--ledger", "book.db", *keys,
                                "--operator-key-file", "operator.key", "--json", "--quiet"],
                               stdout=subprocess.PIPE, text=True)
    text = ""
    while "\n}" not in text:
        text += process.stdout.readline()
    told = json.loads(text)
    return process, told["pid"], ["--server", told["url"]]


def top_up(keys):
    process, pid, server = serve(keys)
    operator = [*server, "--api-key-file", "operator.key"]
    uid = json.loads(scrip("card", "new", "alice.card", *keys, "--json"))["uid"]
    scrip("card", "register", uid, *operator)
    scrip("order", "create", "--id", "o1", "--card", uid, "--amount", "5", "--token-out", "o1.token", *operator)
    scrip("order", "fund", "o1", "--payment", "p1", *operator)
    os.mkdir("phone")
    scrip("topup", "--reader", "card:alice.card", "--order", "o1", "--token-file", "o1.token", *server,
          "--state", "phone/o1.state", trace="topup.trace")
    os.kill(pid, signal.SIGTERM)
    assert process.wait(timeout=20) == 0
    sends = lambda event: event[0] == "send"
    book = os.path.realpath("book.db")
    holds("what an answer stands on is on disk before it leaves", Watch("serve.trace"),
          lambda path: path in (book, book + "-wal"), sends, 5) # -shm is an index, made anew after a loss of power
    phone = os.path.realpath("phone")
    holds("the phone's state is on disk before it asks", Watch("topup.trace"), lambda path: path.startswith(phone),
          sends, 1)


with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    with open("pass", "w", encoding="ascii") as file:
        file.write("secret of the test\n")
    KEYS = ["--keys", "issuer.keys", "--passphrase-file", "pass"]
    scrip("keys", "init", "issuer.keys", "--passphrase-file", "pass", "--test-cost")
    pay(KEYS)
    top_up(KEYS)
