"""NTK distillation of hybrid optical classifiers of colour images (the CIFAR-10 part of notebook 01)."""
