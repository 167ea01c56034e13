"""The strategy "guided": marked shapes are followed from slice to slice (:mod:`.following`, with :mod:`.registration`).

What marks and image say of each pixel (:mod:`.evidence`) is weighed with the network's answer (:mod:`.fusion`).
"""
