"""Recovery from fabrication errors on photographs of cars: a part of notebook 03, run and recorded once."""

NOTEBOOK = "03_fabrication_recovery"
