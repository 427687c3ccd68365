"""The Label Studio adapter: an ML back end whose model is a Seem server.

    Label Studio ── HTTP ──> app ─> label_config, context     what was asked
                              │  └> results, brush            how it is answered
                              ├─> sittings ─> steps           a task's image, and who clicked what
                              ├─> films ─> film, tracks       videos: their frames, and following
                              └─> fetching ── HTTP ──> Label Studio, and nowhere else

It needs the extra `label-studio`; for videos `video` as well.
"""
