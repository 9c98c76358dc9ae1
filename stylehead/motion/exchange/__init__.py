"""Motions as other programs take them: Live Link Face takes, plain tables, glTF."""
