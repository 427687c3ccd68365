"""Clients that speak an annotation tool's own protocol: `seem adapter NAME`, or a tool's plug-in.

`cvat_nuclio` and `cvat_functions` are CVAT's two ways in; `label_studio` is an ML back end;
`napari` is a plug-in, with parts and a session of its own. The others share `link`, which finds the
server, and `kept`, which bounds what is held and for how long; those that are called over HTTP
`http_site`, and `refusals`, which says in a sentence what went wrong. For tools that send all
clicks again and again, or show frame by frame what is to be followed, `interaction` and `tracking`
know what is new.
"""
