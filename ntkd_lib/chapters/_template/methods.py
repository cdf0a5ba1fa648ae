"""What notebook 08_my_paper compares: the kernel of one regression."""

METHODS = {"tangent": "tangent kernel of a random network", "linear": "linear kernel"}  # label by name
