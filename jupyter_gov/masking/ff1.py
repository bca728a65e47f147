"""
FF1, format-preserving encryption by NIST SP 800-38G, one value or many of one length at a time.

Many at a time are numpy arrays: each of the ten rounds is one call of AES for all of them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

_ROUNDS = 10
_BLOCK = 16
_WIDE = 2**56
"""Halves below this are computed with in 64 bits."""

Numerals = npt.NDArray[np.uint8]


class FF1:
    """
    One key, radix and tweak.

    Args:
        key: of AES: 16, 24 or 32 bytes.
        radix: 2 to 255 here; the standard has up to 65536.
    """

    def __init__(self, key: bytes, radix: int, tweak: bytes = b"") -> None:
        if not 2 <= radix <= 255:
            raise ValueError("the radix is 2 to 255")
        self._radix = radix
        self._tweak = tweak
        # One block at a time, each under the key alone: CBC-MAC and counter are built from it.
        self._aes = Cipher(algorithms.AES(key), modes.ECB()).encryptor()  # noqa: S305

    def encrypt(self, numerals: Sequence[int]) -> list[int]:
        """One string of numerals, as the standard writes it down (algorithm 7)."""
        radix, n = self._radix, len(numerals)
        u = n // 2
        v = n - u
        a, b = _number(numerals[:u], radix), _number(numerals[u:], radix)
        width = _width(radix, v)
        wanted = 4 * -(-width // 4) + 4
        head, fill = self._head(n, u), b"\0" * (-(len(self._tweak) + width + 1) % _BLOCK)
        for i in range(_ROUNDS):
            m = u if i % 2 == 0 else v
            stream = self._mac(head + self._tweak + fill + bytes([i]) + b.to_bytes(width))
            first = stream
            for j in range(1, -(-wanted // _BLOCK)):
                counter = int.from_bytes(first) ^ j
                stream += self._aes.update(counter.to_bytes(_BLOCK))
            a, b = b, (a + int.from_bytes(stream[:wanted])) % radix**m
        return _numerals(a, radix, u) + _numerals(b, radix, v)

    def encrypt_many(self, numerals: Numerals) -> Numerals:
        """Shape (values, length), and so returned."""
        radix, n = self._radix, numerals.shape[1]
        u = n // 2
        v = n - u
        if radix**v >= _WIDE or not len(numerals):
            rows = [self.encrypt(row) for row in numerals.tolist()]
            return np.array(rows, np.uint8).reshape(numerals.shape)
        width = _width(radix, v)
        fill = b"\0" * (-(len(self._tweak) + width + 1) % _BLOCK)
        constant = self._head(n, u) + self._tweak + fill
        whole = len(constant) // _BLOCK * _BLOCK
        begun = np.frombuffer(self._mac(constant[:whole]), np.uint8)
        block = np.zeros((len(numerals), _BLOCK), np.uint8)
        block[:, : len(constant) - whole] = np.frombuffer(constant[whole:], np.uint8)
        a, b = _numbers(numerals[:, :u], radix), _numbers(numerals[:, u:], radix)
        wanted = 4 * -(-width // 4) + 4
        for i in range(_ROUNDS):
            block[:, -width - 1] = i
            block[:, -width:] = b.astype(">u8").view(np.uint8).reshape(-1, 8)[:, -width:]
            stream = np.frombuffer(self._aes.update((block ^ begun).tobytes()), np.uint8)
            modulus = radix ** (u if i % 2 == 0 else v)
            drawn = _modulo(stream.reshape(-1, _BLOCK)[:, :wanted], modulus)
            a, b = b, (a + drawn) % np.uint64(modulus)
        return np.concatenate([_columns(a, radix, u), _columns(b, radix, v)], axis=1)

    def _head(self, n: int, u: int) -> bytes:
        """The block P."""
        return (
            bytes([1, 2, 1]) + self._radix.to_bytes(3) + bytes([_ROUNDS, u % 256])
            + n.to_bytes(4) + len(self._tweak).to_bytes(4)
        )  # fmt: skip

    def _mac(self, message: bytes) -> bytes:
        """PRF, algorithm 6: CBC-MAC of whole blocks."""
        state = 0
        for at in range(0, len(message), _BLOCK):
            block = state ^ int.from_bytes(message[at : at + _BLOCK])
            state = int.from_bytes(self._aes.update(block.to_bytes(_BLOCK)))
        return state.to_bytes(_BLOCK)


def _width(radix: int, v: int) -> int:
    """Bytes of a half."""
    largest: int = radix**v - 1
    return (largest.bit_length() + 7) // 8


def _number(numerals: Sequence[int], radix: int) -> int:
    made = 0
    for numeral in numerals:
        made = made * radix + numeral
    return made


def _numerals(number: int, radix: int, length: int) -> list[int]:
    made = []
    for _ in range(length):
        number, numeral = divmod(number, radix)
        made.append(numeral)
    return made[::-1]


def _numbers(columns: Numerals, radix: int) -> npt.NDArray[np.uint64]:
    made = np.zeros(len(columns), np.uint64)
    for index in range(columns.shape[1]):
        made = made * np.uint64(radix) + columns[:, index]
    return made


def _columns(numbers: npt.NDArray[np.uint64], radix: int, length: int) -> Numerals:
    made = np.empty((len(numbers), length), np.uint8)
    for index in reversed(range(length)):
        numbers, made[:, index] = np.divmod(numbers, np.uint64(radix))
    return made


def _modulo(raw: Numerals, modulus: int) -> npt.NDArray[np.uint64]:
    """Big-endian numbers of any length; as many bytes at a time as 64 bits take."""
    step = 4 if modulus <= 2**32 else 1
    words = np.ascontiguousarray(raw).view(f">u{step}").astype(np.uint64)
    shift, by = np.uint64(8 * step), np.uint64(modulus)
    made = np.zeros(len(raw), np.uint64)
    for index in range(words.shape[1]):
        made = ((made << shift) | words[:, index]) % by
    return made
