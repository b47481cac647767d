"""Small dense matrices inside kernels: products, linear equations, the largest singular value."""

from __future__ import annotations

import math

import numpy as np

from .jit import jit

_BY_LIBRARY = 24  # rows, from which on a library's product is faster than loops
_MOST_ITERATIONS = 50
_CLOSE = 1e-7


@jit
def multiply(A, B, out):
    """``out = A B`` of small square matrices."""
    n = len(out)
    if n >= _BY_LIBRARY:
        np.dot(A, B, out)
        return
    for i in range(n):
        for j in range(n):
            out[i, j] = 0
        for k in range(n):
            a = A[i, k]
            for j in range(n):
                out[i, j] += a * B[k, j]


@jit
def factor(A, n, rows, tolerance):
    """LU with pivots of the first n rows and columns, in place; False where a pivot is below tolerance times the largest entry."""
    size = 0.0
    for i in range(n):
        rows[i] = i
        for j in range(n):
            size = max(size, abs(A[i, j]))
    for k in range(n):
        pivot = k
        for i in range(k + 1, n):
            if abs(A[i, k]) > abs(A[pivot, k]):
                pivot = i
        if not abs(A[pivot, k]) > tolerance * size:
            return False
        if pivot != k:
            rows[k], rows[pivot] = rows[pivot], rows[k]
            for j in range(n):
                A[k, j], A[pivot, j] = A[pivot, j], A[k, j]
        for i in range(k + 1, n):
            A[i, k] /= A[k, k]
            multiple = A[i, k]
            for j in range(k + 1, n):
                A[i, j] -= multiple * A[k, j]
    return True


@jit
def solve(A, n, rows, b, x):
    """``x`` with A x = b, for what `factor` made of A."""
    for i in range(n):
        x[i] = b[rows[i]]
        for j in range(i):
            x[i] -= A[i, j] * x[j]
    for back in range(n):
        i = n - 1 - back
        for j in range(i + 1, n):
            x[i] -= A[i, j] * x[j]
        x[i] /= A[i, i]


@jit
def spectral_norm(W, gram, power, square):
    """Largest singular value of W (m, n), by power iteration on ``(W'W)**16``; three (n, n) matrices of room.

    What the squaring hides is found by the Rayleigh quotient of W'W itself, whose error is that of the vector squared.
    """
    m, n = W.shape
    for j in range(n):
        for l in range(n):
            gram[j, l] = 0
    for i in range(m):
        for j in range(n):
            for l in range(n):
                gram[j, l] += W[i, j] * W[i, l]
    trace = 0.0
    for j in range(n):
        trace += gram[j, j]
    if not (trace > 0 and math.isfinite(trace)):
        return trace
    for j in range(n):
        for l in range(n):
            power[j, l] = gram[j, l] / trace
    for _ in range(4):
        multiply(power, power, square)
        scale = 0.0
        for j in range(n):
            scale += square[j, j]
        for j in range(n):
            for l in range(n):
                power[j, l] = square[j, l] / scale
    # The rows of `square` serve as vectors. The first start is in no direction that a structure of W could rule out.
    v = square[0]
    for j in range(n):
        v[j] = 1.0 + 0.5 * math.cos(1.0 + j * j)
    found = 0.0
    for _ in range(_MOST_ITERATIONS):
        if n > 1:
            w = square[1]
            length = 0.0
            for j in range(n):
                w[j] = 0
            for l in range(n):
                for j in range(n):
                    w[j] += v[l] * power[l, j]
            for j in range(n):
                length += w[j] * w[j]
            for j in range(n):
                v[j] = w[j] / math.sqrt(length)
        top, bottom = 0.0, 0.0
        for j in range(n):
            for l in range(n):
                top += v[j] * gram[j, l] * v[l]
            bottom += v[j] * v[j]
        before, found = found, math.sqrt(top / bottom)
        if not abs(found - before) > _CLOSE * found:
            break
    return found
