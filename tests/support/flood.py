"""Somebody who knocks as fast as they can: `python -m tests.support.flood URL SECONDS`."""

from __future__ import annotations

import sys
import time

import urllib3

FORGED = {
    "Signature-Input": 'gov=("@method" "@authority" "@path" "@query" "content-digest")'
    f';created={{now}};nonce="{"n" * 24}";keyid="{{key}}";alg="ed25519"',
    "Signature": f"gov=:{'A' * 86}==:",
}


def flood(url: str, seconds: float, key: str) -> int:
    """Unsigned requests, and forged ones in the name of *key*; returns how many were answered."""
    http = urllib3.PoolManager(retries=False, timeout=10.0)
    until, sent = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        forged = {n: v.format(now=int(time.time()), key=key) for n, v in FORGED.items()}
        for headers in ({}, forged):
            answer = http.request("POST", f"{url}/api/v1/queries", body=b"{}", headers=headers)
            assert answer.status == 401, answer.data
            sent += 1
    return sent


if __name__ == "__main__":
    print(flood(sys.argv[1], float(sys.argv[2]), sys.argv[3]))
