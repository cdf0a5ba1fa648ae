"""Random features of few numbers whose inner products give the tangent kernel on average."""
