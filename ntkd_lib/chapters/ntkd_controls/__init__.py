"""What notebook 01 adds: estimates of stage 1, random filters, sizes, few labels, read-out, depth."""
