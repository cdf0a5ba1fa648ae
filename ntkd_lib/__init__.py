"""Library under the ntkd paper companion."""
