"""The strategy "guided": marked shapes are followed from slice to slice (:mod:`.following`).

Slices are registered to one another (:mod:`.registration`, :mod:`.fields`). What marks and image say of each pixel
(:mod:`.evidence`, :mod:`.ending`) is weighed with the network's answer (:mod:`.fusion`, :mod:`.weighing`), and the
marks judge what comes of it (:mod:`.judging`).
"""
