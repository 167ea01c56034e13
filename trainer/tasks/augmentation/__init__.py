"""Augmentation, batched on the device: the settings (:mod:`.table`), where pixels come from (:mod:`.geometry`), grey
values and labels (:mod:`.intensity`).
"""
