"""The weights of the guided strategy: gathered evidence, fitted on labelled scans, written down.

In this order: :func:`.evidence.gather_all`, :func:`.fit.fitted_weights`, :func:`.report.write_fusion`.
"""
