"""The plug-in of napari: a dock widget, whose manifest is `napari.yaml` beside this file.

`pictures`, `marks` and `sitting` know no napari: what an image layer shows, what was drawn about
it, and the session in which that is said. `board` is the layers, `panel` the controls, and `widget`
puts all of it together. Only `board`, `panel` and `widget` need the extra `napari`.
"""
