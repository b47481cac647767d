"""What every room may use: checks of arguments, options that check themselves, records of arrays, registries.

Nothing here knows numba, a model, or a file.
"""
