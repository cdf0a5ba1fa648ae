"""Reading handwritten digits by two kernels (notebook 08_my_paper): the chapter that ``ntkd new`` copies."""
