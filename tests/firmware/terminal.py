#!/usr/bin/env python3
"""The terminal at work: it makes purses, gives and takes value, on every family of card, by both chips; and what it
keeps when its plug is pulled."""
import os
import signal

import bench


def spends(terminal, purse):
    terminal.ask("init 10,00", "initialised, on the card: 10,00")
    terminal.ask("credit 5,00", "credited 5,00 €, on the card: 15,00")
    terminal.ask("price 2,50", "^price 2,50")
    terminal.ask("pay", f"^card .* {purse}$")
    terminal.expect("^paid 2,50 €, on the card: 12,50 €, line 2")
    terminal.ask("balance", "balance, on the card: 12,50")


def a_desfire_card_is_made_credited_and_spent(scene):
    terminal = scene.given(scene.blank("an12113"))
    spends(terminal, "an12113")
    terminal.stop()


def a_classic_card_is_made_credited_and_spent(scene):
    terminal = scene.given(scene.blank("classic", "DEADBEEF"))
    spends(terminal, "classic")
    terminal.stop()


def a_bcd_wallet_is_made_credited_and_spent(scene):
    terminal = scene.given(scene.blank("bcd", "DEADBEEF"))
    terminal.ask("purse bcd", "^purse bcd")
    spends(terminal, "bcd")
    terminal.stop()


def a_hardened_bcd_wallet_opens_to_the_key_of_native_purses_and_is_none(scene):
    terminal = scene.given(scene.blank("bcd", "DEADBEEF"))
    terminal.ask("purse bcd+hardened", "^purse bcd.hardened")
    spends(terminal, "bcd.hardened")
    terminal.ask("purse classic", "^purse classic")
    terminal.ask("pay", r"^card .* bcd.hardened$")
    terminal.expect("^paid 2,50 €, on the card: 10,00")
    terminal = scene.swap(scene.blank("classic", "01020304"))
    terminal.ask("init 3,00", "initialised, on the card: 3,00")
    terminal.ask("purse bcd+hardened", "^purse bcd.hardened")
    terminal.ask("pay", r"^card .* classic$")
    terminal.expect("^paid 2,50 €, on the card: 0,50")
    terminal.stop()


def a_one_time_wallet_is_made_and_spent_but_not_credited(scene):
    terminal = scene.given(scene.blank("otp", "0BADCAFE"))
    terminal.ask("purse otp+unit=50+units=200", "^purse otp")
    terminal.ask("init", "^initialised")
    before = terminal.ask("balance", "balance, on the card: ([0-9.,]+)").group(1)
    terminal.ask("price 0,50", "^price 0,50")
    terminal.ask("pay", "^paid 0,50 €")
    assert terminal.ask("balance", "balance, on the card: ([0-9.,]+)").group(1) != before
    terminal.ask("credit 1,00", "^declined: this card family")
    terminal.stop()


def cards_of_all_families_pay_in_one_terminal(scene):
    """It recognises each, whatever it is set to, and takes the fare when the card comes."""
    cards = {"an12113": scene.blank("an12113"), "classic": scene.blank("classic", "01020304"),
             "bcd": scene.blank("bcd", "05060708")}
    terminal = scene.given(cards["an12113"])
    terminal.ask("price 1,00", "^price")
    for purse, card in cards.items():
        terminal = scene.swap(card)
        terminal.ask(f"purse {purse}", "^purse")
        terminal.ask("init 3,00", "initialised, on the card: 3,00")
    for purse, card in cards.items():
        terminal = scene.swap(card)
        terminal.expect(f"^card .* {purse}$")
        terminal.expect("^paid 1,00 €, on the card: 2,00")
    terminal.stop()


def the_other_chip_does_the_same(scene):
    scene.chip = "mfrc522"
    scene.image = scene.image.replace("pn532", "mfrc522")
    terminal = scene.given(scene.blank("an12113"))
    spends(terminal, "an12113")
    terminal = scene.swap(scene.blank("classic", "DEADBEEF"))
    terminal.expect("^declined")
    terminal.ask("init 4,00", "initialised, on the card: 4,00")
    terminal.ask("pay", "^paid 2,50 €, on the card: 1,50")
    terminal.stop()


def what_it_was_told_and_its_journal_outlive_the_power(scene):
    terminal = scene.given(scene.blank("classic", "DEADBEEF"))
    terminal.ask("id 00000042", "^id stored")
    terminal.ask("price 1,25", "^price")
    terminal.ask("init 5,00", "initialised")
    terminal.ask("pay", "^paid 1,25 €, on the card: 3,75 €, line 1")
    terminal.pull_the_plug()
    terminal = scene.start()
    terminal.expect("^paid 1,25 €, on the card: 2,50 €, line 2")  # the card that lies there is a new one now
    terminal.say("journal")
    lines = [terminal.expect("^line [0-9]+ ([0-9A-F]+)$").group(1) for _ in range(2)]
    assert all(len(line) == 512 for line in lines)
    terminal.expect("journal: last 2, acknowledged 0")
    terminal.ask("acknowledge 2", "^acknowledged")
    terminal.stop()


def a_card_with_the_key_before_the_last_pays(scene):
    """New keys reach cards one by one; a terminal takes both, until it is told to forget the older one."""
    terminal = scene.given(scene.blank("an12113"))
    terminal.ask("init 10,00", "initialised")
    terminal.ask(f"key pay {'C1' * 16}", "key pay stored")
    terminal.ask("pay", "^paid 2,50 €, on the card: 7,50")
    terminal.pull_the_plug()
    terminal = scene.start()
    terminal.expect("^paid 2,50 €, on the card: 5,00")
    terminal.ask(f"key pay {'C1' * 16}", "key pay stored")
    terminal.ask("pay", "^declined")
    terminal.ask(f"key pay {bench.KEYS['pay']}", "key pay stored")
    terminal.ask("pay", "^paid 2,50 €, on the card: 2,50")
    terminal.stop()


def a_terminal_with_the_pay_key_alone_can_only_take(scene):
    terminal = scene.given(scene.blank("an12113"))
    terminal.ask("init 10,00", "initialised")
    terminal.stop()
    os.remove(scene.flash)
    terminal = scene.start()
    terminal.expect("^ask again|^declined")  # no key at all
    scene.provision("pay")
    terminal.ask("pay", "^paid 2,50 €, on the card: 7,50")
    terminal.ask("credit 5,00", "^declined|^ask again")
    terminal.ask("balance", "on the card: 7,50")
    terminal.stop()


def a_torn_card_is_mended_before_it_pays(scene):
    """Blocks 4 and 5 are the two copies of both purses in sector 1."""
    for purse in ("classic", "bcd"):
        card = scene.blank(purse, "DEADBEEF")
        terminal = scene.given(card)
        terminal.ask(f"purse {purse}", "^purse")
        terminal.ask("init 10,00", "initialised")
        scene.put_away()
        for torn in ((5,), (4,)):
            terminal = scene.swap(scene.damaged(card, *torn))
            terminal.expect("^paid 2,50 €, on the card: 7,50")
        terminal = scene.swap(scene.damaged(card, 4, 5))
        terminal.expect("^(declined|ask again): stored data is damaged")
        terminal.stop()


def bad_words_change_nothing(scene):
    scene.present(scene.blank("an12113"))
    terminal = scene.start()
    for line in ("price -1", "price 1,234", "price lots", "credit", "credit 0", "key pay 00", "key nobody " + "00" * 16,
                 "purse gold", "currency XXX", "id 12", "time 20261399000000", "acknowledge 99", "fly", "init -3",
                 "x" * 200):
        terminal.ask(line, "^error: ")
    terminal.ask("price", "^price 2,50")
    terminal.stop()


def a_reader_that_falls_silent_is_told_once_and_found_again(scene):
    terminal = scene.given(scene.blank("classic", "DEADBEEF"))
    terminal.ask("init 5,00", "initialised")
    scene.reader.process.send_signal(signal.SIGSTOP)
    terminal.expect("^error: reader: ")
    terminal.ask("price", "^price")  # it goes on listening
    scene.reader.process.send_signal(signal.SIGCONT)
    terminal.expect("^reader: it answers again")
    terminal.ask("pay", "^paid 2,50 €, on the card: 2,50")
    assert sum("error: reader" in line for line in terminal.lines.seen) == 1
    terminal.stop()


if __name__ == "__main__":
    bench.main([law for name, law in sorted(globals().items())
                if callable(law) and getattr(law, "__module__", "") == "__main__" and name != "spends"])
