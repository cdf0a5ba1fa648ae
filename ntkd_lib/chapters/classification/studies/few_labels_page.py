"""Every arm with few labels: what was tried, what was chosen, and what came out on fresh seeds."""

from functools import partial

from ntkd_lib.chapters.classification.studies.few_labels import ARMS, SPACE, accuracy_name
from ntkd_lib.show import Column, Contest, contest

LABELS = {name: arm.label for name, arm in ARMS.items()}
LENGTHS = {  # epochs of all students
    epochs: Contest(SPACE, LABELS, protocols, accuracy_name, base="none")
    for epochs, protocols in (
        (16, ["labels1-longer-matched"]),
        (8, ["labels1-long-matched"]),
        (4, ["labels1-matched", "labels1-others"]),
    )
}
PAIRS = tuple(("ntkd", other) for other in ("none", "ntkd_untrained_teacher", "trace_only"))
EPOCHS = Column("Epochs", "{epochs}")
SCORES = (EPOCHS, *contest.score_columns("Student", "labels only", "%"))
GAPS = (EPOCHS, *contest.GAPS)
TRIALS = (EPOCHS, *contest.trial_columns("Student", "Validation", "%"))
every_length = partial(contest.stack, LENGTHS, "epochs")
