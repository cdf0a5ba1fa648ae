"""Short random features whose inner products equal the tangent kernel on average."""
