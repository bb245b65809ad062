"""What the witnesses in Python have in common: what must hold, and patience until it does."""
import sys
import time


def check(held, what):
    if not held:
        sys.exit("FAILED: " + what)


def until(what, held):
    """Ten seconds' patience."""
    end = time.time() + 10
    while not held():
        check(time.time() < end, "waited in vain for " + what)
        time.sleep(0.02)
