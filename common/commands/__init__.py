"""The command lines: the same words and flags in every task, a file for each command.

They import neither torch nor fastai before they are needed, so that --help and mistakes answer at once.
"""
