"""Clients that speak an annotation tool's own protocol: `seem adapter NAME`, or a tool's plug-in.

A tool has a file for each way in that it offers (`cvat_nuclio`, `cvat_functions`). What they share:
`link` finds the server, `interaction` keeps a session an image for tools that send all clicks again
and again, `tracking` follows what a tool shows frame by frame, and `refusals` says in a sentence
what went wrong.
"""
