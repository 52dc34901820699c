"""Modules that stand in for packages that have no wheel for today's Python.

`packages` appends this folder to `sys.path`, so that an installed package always comes first.
"""
