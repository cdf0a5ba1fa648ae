"""What notebook 01 adds to the tables: estimates of stage 1, random filters, sizes, few labels, read-out, depth."""
