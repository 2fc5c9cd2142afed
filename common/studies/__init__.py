"""Variants of a config, trained under the same conditions and compared."""
