# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
#   ntkd:
#     chapter: ntkd_lib.chapters.scoreboard
# ---

# %% [markdown]
# # Scoreboard
#
# Every claim of the five papers, and our own controls beside them: the paper's number, our number with a
# 95 % interval over seeds (Student's t), and a verdict. Code decides, by a registered rule that reads a
# percentile bootstrap; {doc}`the first page <index>` says how often either interval holds the true mean.
# A claim that fails is shown as plainly as one that holds.

# %% tags=["parameters", "hide-input"]
tier = "cpu"

# %% tags=["hide-input"]
from ntkd_lib.chapters.run import open_run
from ntkd_lib.chapters.scoreboard.summary import built_chapters, verdict_counts
from ntkd_lib.show.claims import count_table
from ntkd_lib.show.publish import show
from ntkd_lib.show.scoreboard import counts_words, draw_counts, paper_table
from ntkd_lib.lab.claims import load_claims
from ntkd_lib.lab.verdicts import all_verdicts

run = open_run("00_scoreboard", globals())
verdicts = all_verdicts(run.parameters.tier)
chapters = built_chapters()

# %% [markdown]
# ## How many claims hold
#
# *Simulated* and *proxy* verdicts are counted apart: there a device, a data set or a network was replaced by
# a model of it. Claims whose run is not recorded stand as "not assessed: not run". *Baseline stronger* and
# *weaker* are claims on a baseline's score that ours misses upwards or downwards: they say nothing against
# the paper's method. *Undecided*: runs that the contract counts disagree; they may differ in machine, code or
# settings; both numbers are shown. Superseded claims are not counted.

# %% tags=["hide-input"]
count_table(verdicts)

# %% tags=["hide-input"]
counts = verdict_counts(verdicts)
show(
    run,
    "verdicts-by-paper",
    lambda: draw_counts(counts),
    alt=counts_words(counts),
    caption="Claims of each paper by outcome (✕: not reproduced). Hatched: on a simulation or a proxy.",
    data=counts,
)

# %% [markdown]
# ## How firm each verdict is
#
# Each claim says how often an honest rerun with as many new seeds would change its verdict, by a normal model
# of the recorded seeds; tuning, data and machine stay the same. The fold below it is a map of the verdict:
# columns are the first one, two, … seeds, and a point above the dashed line is a looser threshold than the
# contract's. Blue or green: the rule holds there; orange: it does not; pale: fewer seeds than the rule needs.
# "Exceeded" stands beside what the same run measured without the method. An ordering that holds has a p value
# by a one-sided paired t test, adjusted by Holm's method for all orderings that have a verdict.

# %% [markdown]
# ## NTKD
#
# Neural tangent knowledge distillation for optical convolutional networks {cite:p}`ntkd`.

# %% tags=["hide-input"]
paper_table("ntkd", verdicts, chapters)

# %% [markdown]
# ## Koopman models
#
# Extraction of linearised models from pre-trained networks via knowledge distillation {cite:p}`koopman`.

# %% tags=["hide-input"]
paper_table("koopman", verdicts, chapters)

# %% [markdown]
# ## Spectral distillation
#
# Spectral knowledge distillation: from black box to certified white box {cite:p}`spectral`.

# %% tags=["hide-input"]
paper_table("spectral", verdicts, chapters)

# %% [markdown]
# ## DNTK
#
# Efficient analysis of the distilled neural tangent kernel {cite:p}`dntk`.

# %% tags=["hide-input"]
paper_table("dntk", verdicts, chapters)

# %% [markdown]
# ## NINT
#
# NTK-guided implicit neural teaching {cite:p}`nint`.

# %% tags=["hide-input"]
paper_table("nint", verdicts, chapters)

# %% [markdown]
# ## Our own controls
#
# Worded in the direction that each paper's story needs: *not reproduced* means that the control did as well
# as the method, or better.

# %% tags=["hide-input"]
paper_table("ours", verdicts, chapters)

# %% [markdown]
# ## Check
#
# No claim may be lost between the contract, the verdicts and the counts, and no verdict may stand on a claim
# that cannot be checked here.

# %%
contract = load_claims().claims
assert [verdict.claim.id for verdict in verdicts] == [claim.id for claim in contract]
assert counts["claims"].sum() == sum(claim.replacement is None for claim in contract)
assert all(v.status == "not assessed" for v in verdicts if v.claim.assessable == "not")
assert all(v.value is not None for v in verdicts if v.status != "not assessed")
