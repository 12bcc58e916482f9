"""The kill endpoint: a small process that can stop trading and nothing else, with all the others up or down.

It has neither Django nor numpy, and a key of its own that opens nothing but this door.
"""
