"""Koopman students: a fixed nonlinear lift of PCA scores, then one linear map, fitted in several ways."""
