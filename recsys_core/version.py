"""The version of Recscope, stored with every result."""

VERSION = "0.1.0"
