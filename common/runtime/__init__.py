"""Errors, files, devices, processes, signals, random numbers: no photo and no model."""
