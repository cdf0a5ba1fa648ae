"""The recorded protocols of notebook 03."""

from ntkd_lib.chapters.fabrication import NOTEBOOK
from ntkd_lib.chapters.fabrication.studies.photographs import arms
from ntkd_lib.lab.protocols import Protocol

PROTOCOLS = (Protocol("photographs", NOTEBOOK, "carvana", arms, NOTEBOOK),)
