"""curl drives the server: the JSON API as a shop would, and a whole top-up as a phone would that was written from
docs/protocol/relay.md by somebody else. Run: curl_api.py SCRIP"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

from witness import check

SCRIP = os.path.abspath(sys.argv[1])
HERE = os.path.dirname(os.path.abspath(__file__))
WORK = tempfile.mkdtemp(prefix="scrip-curl.")
PROTOCOL = "X-Admin-Protocol: scrip-remote-admin/1.0"
ANSWER = "Content-Type: application/vnd.etsi.scp.response-data;version=1.0"
os.environ.update(SCRIP_PASSPHRASE="witness", SCRIP_PROFILES=os.path.join(HERE, "../../profiles"))


def at(name):
    return os.path.join(WORK, name)


def scrip(*words):
    done = subprocess.run([SCRIP, *words, "--json"], capture_output=True, text=True)
    check(done.returncode == 0, "scrip %s: %s" % (" ".join(words), done.stdout + done.stderr))
    return json.loads(done.stdout)


class Server:
    def __init__(self):
        self.log = open(at("server.log"), "w+")
        self.process = subprocess.Popen(
            [SCRIP, "serve", "--keys", at("issuer.keys"), "--ledger", at("book.db"), "--operator-key-file",
             at("operator.key"), "--port", "0", "--cert", at("srv.pem"), "--cert-key", at("srv.key"), "--dev-cert"],
            stdout=self.log, stderr=subprocess.STDOUT)
        end = time.time() + 20
        while True:
            with open(at("server.log")) as log:
                found = re.search(r"listening on (https://\S+)", log.read())
            if found:
                break
            check(self.process.poll() is None and time.time() < end, "the server starts")
            time.sleep(0.05)
        self.url = re.sub(r"//127\.0\.0\.1", "//localhost", found.group(1))
        with open(at("operator.key")) as key:
            self.key = key.readline().strip()

    def stop(self):
        self.process.terminate()
        return self.process.wait(20)


def curl(server, method, path, body=None, bearer=None, headers=(), trust=True):
    """Status, headers and body of one request."""
    command = ["curl", "--silent", "--show-error", "--max-time", "20", "--request", method, "--dump-header", at("head"),
               "--output", at("body"), "--write-out", "%{http_code}"]
    command += ["--cacert", at("srv.pem")] if trust else []
    for line in (["Authorization: Bearer " + bearer] if bearer else []) + list(headers):
        command += ["--header", line]
    if body is not None:
        with open(at("request"), "wb") as file:
            file.write(body if isinstance(body, bytes) else json.dumps(body).encode())
        command += ["--data-binary", "@" + at("request")]
    for name in ("head", "body"):
        open(at(name), "wb").close()
    done = subprocess.run(command + [server.url + path], capture_output=True, text=True)
    if done.returncode != 0:
        return 0, {}, done.stderr
    with open(at("head")) as head:
        found = {k.lower(): v.strip() for k, v in re.findall(r"^([^:\s]+):(.*)$", head.read(), re.M)}
    with open(at("body"), "rb") as file:
        return int(done.stdout), found, file.read()


def api(server, method, path, body=None, bearer=None, wanted=200):
    code, _, answer = curl(server, method, path, body, bearer or server.key)
    check(code == wanted, "%s %s: %d, wanted %d: %s" % (method, path, code, wanted, answer))
    return json.loads(answer) if answer else {}


# ---- The phone -------------------------------------------------------------------------------------------------------


def elements(data):
    while data:
        tag, length, head = data[0], data[1], 2
        if length > 0x80:
            head += length - 0x80
            length = int.from_bytes(data[2:head], "big")
        check(length != 0x80 and head + length <= len(data), "the script is well formed")
        yield tag, data[head:head + length]
        data = data[head + length:]


def element(tag, value):
    size = len(value)
    length = bytes([size]) if size < 128 else b"\x81" + bytes([size]) if size < 256 else b"\x82" + size.to_bytes(2, "big")
    return bytes([tag]) + length + value


class Card:
    def __init__(self, file):
        self.process = subprocess.Popen([SCRIP, "card", "exchange", file], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)

    def send(self, apdu):
        self.process.stdin.write(apdu.hex() + "\n")
        self.process.stdin.flush()
        return bytes.fromhex(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        check(self.process.wait(10) == 0, "the card ends well")


def carry_out(card, body):
    """A script on the card; the AB that answers it."""
    (tag, content), = elements(body)
    check(tag == 0xAA, "a script is an AA")
    good, count, answers = [(0x9000, 0xFFFF), (0x6100, 0xFF00)], 0, b""
    for tag, value in elements(content):
        if tag == 0xC5:
            good = [(int.from_bytes(value[i:i + 2], "big"), int.from_bytes(value[i + 2:i + 4], "big"))
                    for i in range(0, len(value), 4)]
        elif tag == 0x22:
            answer = card.send(value)
            count, answers = count + 1, answers + element(0x23, answer)
            if not any(int.from_bytes(answer[-2:], "big") & mask == value for value, mask in good):
                break
        else:
            check(tag == 0xE0, "an element that this phone knows, not %02X" % tag)
    return element(0xAB, element(0x80, bytes([count])) + answers)


def post(server, uri, body, bearer):
    return curl(server, "POST", uri, body, bearer, (PROTOCOL, ANSWER))


def phone(server, order, token, file, twice):
    """The whole order; how many requests it took. `twice`: every request is sent a second time."""
    uri, hello, body, requests = order["uri"], element(0xE8, element(0xC0, bytes.fromhex("067577810280"))), b"", 0
    card = Card(file)
    while True:
        code, head, answer = post(server, uri, body, token)
        requests += 1
        check(code in (200, 204), "POST %s: %d %s" % (uri, code, answer))
        check(head.get("x-admin-protocol") == "scrip-remote-admin/1.0", "the answer names the protocol")
        if twice:
            again = post(server, uri, body, token)
            check((again[0], again[1].get("x-admin-next-uri"), again[2]) == (code, head.get("x-admin-next-uri"), answer),
                  "the same request has the same answer")
        if "x-admin-next-uri" not in head:
            check(code == 204, "a session ends with 204")
            card.close()
            return requests
        check(head["content-type"] == "application/vnd.etsi.scp.command-data;version=1.0", "the type of a script")
        uri, body, hello = head["x-admin-next-uri"], hello + carry_out(card, answer), b""


# ---- What is witnessed -----------------------------------------------------------------------------------------------


def money(minor):
    return {"amount": minor, "currency": "EUR"}


def orders(server, uid):
    order = {"id": "o-1", "card": uid, "kind": "topup", **money(2000)}
    made = api(server, "POST", "/api/v1/orders", order, wanted=201)
    check(made["state"] == "CREATED" and made["amount"]["minor"] == 2000, "an order is made")
    code, _, same = curl(server, "POST", "/api/v1/orders", order, server.key)
    check(code in (200, 201) and json.loads(same)["phone_token"] == made["phone_token"], "the same order again is that order")
    api(server, "POST", "/api/v1/orders", {**order, "amount": 9999}, wanted=409)
    api(server, "POST", "/api/v1/orders", {**order, "id": "o-2", "card": "04FFFFFFFFFFFF"}, wanted=404)
    api(server, "POST", "/api/v1/orders", b'{"id": "o-3"', wanted=400)
    paid = api(server, "POST", "/api/v1/orders/o-1/fund", {"funding_id": "p-1"})
    check(paid["state"] == "FUNDED", "an order is paid")
    code, _, answer = curl(server, "POST", "/api/v1/orders/o-1/fund", {"funding_id": "p-1"}, server.key,
                           headers=["Prefer: return=minimal"])
    check(code == 204 and answer == b"", "paid again by the same payment, and no answer wanted")
    api(server, "POST", "/api/v1/orders/o-1/fund", {"funding_id": "p-2"}, wanted=409)
    return made


def refusals(server, order):
    token = order["phone_token"]
    for bearer, path, wanted in ((None, "/api/v1/orders/o-1", 401), ("nonsense", "/api/v1/orders/o-1", 401),
                                 (token, "/api/v1/orders", 403), (server.key, "/nowhere", 404)):
        code, _, answer = curl(server, "GET", path, bearer=bearer)
        check(code in (wanted, 401 if wanted == 403 else wanted), "GET %s: %d, wanted %d" % (path, code, wanted))
        check({"title", "remedy"} <= set(json.loads(answer)), "a refusal says what to do")
    check(post(server, order["uri"], b"\xAB\x01", token)[0] == 400, "a malformed answer is refused")
    check(post(server, "/ota/s/bm9uc2Vuc2U", b"\xAB\x03\x80\x01\x00", token)[0] in (401, 404), "an invented token is refused")
    large = curl(server, "POST", order["uri"], bytes(70000), token, (PROTOCOL, ANSWER, "Expect: 100-continue"))
    check(large[0] == 413, "a body over 64 KiB is refused before it is sent: %s" % (large,))
    check(curl(server, "POST", order["uri"], b"", token)[0] == 406, "an agent of another protocol is refused")
    code, _, why = curl(server, "GET", "/health", trust=False)
    check(code == 0 and "certificate" in why, "a certificate nobody vouches for is refused: %s" % why)


def topup(server, order, twice):
    requests = phone(server, order, order["phone_token"], at("a.card"), twice)
    check(requests == 4, "preamble, challenge, part two, transaction: 4 requests, not %d" % requests)
    final = api(server, "GET", "/api/v1/orders/" + order["id"], bearer=order["phone_token"])
    check(final["state"] == "CONFIRMED" and final["final"], "the order is confirmed: %s" % final)


def our_phone(server, uid):
    """The phone that comes with scrip, over TLS: it trusts whom it is told to trust, and nobody else."""
    order = api(server, "POST", "/api/v1/orders", {"id": "o-5", "card": uid, "kind": "topup", **money(1)}, wanted=201)
    api(server, "POST", "/api/v1/orders/o-5/fund", {"funding_id": "p-5"})
    with open(at("token"), "w") as file:
        file.write(order["phone_token"])
    command = [SCRIP, "topup", "--reader", "card:" + at("a.card"), "--server", server.url, "--order", "o-5", "--token-file",
               at("token"), "--state", at("state"), "--give-up", "1", "--json"]
    done = subprocess.run(command, capture_output=True, text=True)
    said = json.loads(done.stdout)
    check(done.returncode == 1 and "certificate" in said["why"] and said["apdus"] == 0, "an unknown server: " + done.stdout)
    done = subprocess.run(command + ["--ca", at("srv.pem")], capture_output=True, text=True)
    said = json.loads(done.stdout)
    check(done.returncode == 0 and (said["requests"], said["waits"]) == (4, 2), "a known one: " + done.stdout)
    check(said["order"]["balance"]["minor"] == 2551, "the receipt: " + done.stdout)


def main():
    scrip("keys", "init", at("issuer.keys"), "--test-cost")
    uid = scrip("card", "new", at("a.card"), "--keys", at("issuer.keys"))["uid"]
    server = Server()
    try:
        check(curl(server, "GET", "/health")[0] == 200, "the server is well")
        api(server, "POST", "/api/v1/cards", {"uid": uid, "profile": "an12113"}, wanted=201)
        order = orders(server, uid)
        refusals(server, order)
        topup(server, order, twice=True)
        second = api(server, "POST", "/api/v1/orders", {"id": "o-9", "card": uid, "kind": "topup", **money(550)}, wanted=201)
        api(server, "POST", "/api/v1/orders/o-9/fund", {"funding_id": "p-9"})
        topup(server, second, twice=False)
        balance = scrip("balance", "--reader", "card:" + at("a.card"), "--keys", at("issuer.keys"))
        check("2550" in json.dumps(balance), "25,50 are on the card: %s" % balance)
        our_phone(server, uid)
        code, head, metrics = curl(server, "GET", "/metrics")
        check(code == 200 and metrics.rstrip().endswith(b"# EOF") and b"scrip_" in metrics, "metrics are OpenMetrics")
        check(server.stop() == 0, "the server stops in order")
        with open(at("server.log")) as log:
            check(order["phone_token"] not in log.read(), "no token is in the log")
    finally:
        if server.process.poll() is None:
            server.stop()
    print("witnessed")


try:
    main()
finally:
    shutil.rmtree(WORK, ignore_errors=True)
