"""Small systems of linear equations, solved inside kernels."""

from __future__ import annotations

from .._jit import jit


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
