"""The version, in a module of its own so that building does not import the package."""

__version__ = "0.1.0"
