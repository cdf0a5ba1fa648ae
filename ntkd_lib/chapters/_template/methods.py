"""Compared methods of notebook 08_my_paper: the kernels of one regression."""

METHODS = {"tangent": "tangent kernel of a random network", "linear": "linear kernel"}  # label by name
