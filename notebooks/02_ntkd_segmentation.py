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
#     chapter: ntkd_lib.chapters.segmentation
# ---

# %% [markdown]
# # Does NTK distillation help an optical front end to find cars?
#
# The NTKD paper {cite:p}`ntkd` also cuts cars out of photographs. Its student has 56 optical filters of 3 × 3
# pixels, which do the first convolutions during capture, and a small digital back end that turns the read-out
# into a mask. For simulation the paper reports a mean intersection over union (mIoU) of {paper}`74.3 %` with
# masks alone, {paper}`86.7 %` with soft-label distillation (KD) and {paper}`91.5 %` with its own loss (NTKD).
# This chapter trains such students on photographs reduced to 240 × 160 pixels, split by car, and counts what
# the optics save in energy.

# %% tags=["parameters", "hide-input"]
tier = "cpu"
seeds = [0, 1, 2]
seed = None
data = "carvana"
steps = 400
long_steps = 750
teacher_steps = 560
batch = 4
kernel_batch = 4
kernel_every = 25
kernel_images = 128
kernel_outputs = 4
landmarks = 32
many = 500
show_images = False
device = "cpu"

# %% tags=["hide-input"]
from ntkd_lib.chapters.optical_students import mask_methods
from ntkd_lib.chapters.run import open_run
from ntkd_lib.chapters.segmentation import checks, page
from ntkd_lib.chapters.segmentation.studies import energy, matched, panels
from ntkd_lib.lab.search import space_rows
from ntkd_lib.show import contest, dots, training
from ntkd_lib.show.claims import claim_box
from ntkd_lib.show.columns import show_recorded, show_table
from ntkd_lib.show.publish import show

run = open_run("02_ntkd_segmentation", globals())
evidence = run.publish(page.metrics(run))
scores = page.scores(run)
gaps = page.differences(scores)

# %% [markdown]
# ## The answer
#
# At {param}`steps @02_ntkd_segmentation` steps NTK distillation does not help, and soft labels do. All
# arms of a seed share start, order of batches, learning rate and weight decay, those of the best of
# {setup}`12` trials of masks alone; soft labels then had {setup}`12` trials, and the kernel loss
# {setup}`12` over its four forms (protocol *matched masks*, registered before its run). Over {val}`seeds
# of ntkd.carvana.matched.ntkd.miou` fresh seeds scores on the test cars are:
#
# - **NTKD:** {val}`ntkd.carvana.matched.ntkd.miou :.1f` % mIoU, where the paper reports {paper}`91.5 %`.
#   Masks alone reach {val}`ntkd.carvana.matched.none.miou :.1f` %, and NTKD {val}`order of
#   ntkd.carvana.matched.ntkd.miou - ntkd.carvana.matched.none.miou` them
#   ({val}`ntkd.carvana.matched.ntkd.miou - ntkd.carvana.matched.none.miou :+.2f` points, 95 % interval
#   {val}`interval of ntkd.carvana.matched.ntkd.miou - ntkd.carvana.matched.none.miou :+.2f`). Of its
#   trials the smallest weight is the best.
# - **Soft labels:** {val}`ntkd.carvana.matched.kd.miou :.1f` %, which {val}`order of
#   ntkd.carvana.matched.kd.miou - ntkd.carvana.matched.none.miou` masks alone
#   ({val}`ntkd.carvana.matched.kd.miou - ntkd.carvana.matched.none.miou :+.2f` points, {val}`interval of
#   ntkd.carvana.matched.kd.miou - ntkd.carvana.matched.none.miou :+.2f`) and {val}`order of
#   ntkd.carvana.matched.kd.miou - ntkd.carvana.matched.ntkd.miou` NTKD
#   ({val}`ntkd.carvana.matched.kd.miou - ntkd.carvana.matched.ntkd.miou :+.2f` points, {val}`interval of
#   ntkd.carvana.matched.kd.miou - ntkd.carvana.matched.ntkd.miou :+.2f`).
#
# An older recording, whose arms keep the learning rate and weight decay of a short search of their own, says
# more about what is not transfer:
#
# - **Longer training:** masks alone, trained for {param}`long_steps @02_ntkd_segmentation` steps, about
#   as long as NTKD trains (its teacher not counted), reach {val}`ntkd.carvana.none_long.miou :.1f` %,
#   more than either transfer at the common length; what soft labels do at that length was not measured.
# - **Optics:** trained filters score {val}`ntkd.carvana.none.miou - ntkd.carvana.random_frozen.miou :+.1f`
#   points relative to random ones ({val}`interval of ntkd.carvana.none.miou - ntkd.carvana.random_frozen.miou
#   :.1f`) and {val}`ntkd.carvana.none.miou - ntkd.carvana.lens.miou :+.1f` points relative to an ideal lens,
#   which reads out slightly fewer values.
# - **Energy:** {val}`ntkd.carvana.energy.saving :.1f` % less than a digital twin that runs layer by
#   layer. A twin that merges its layers and computes at the sensor's resolution needs *less* energy than
#   the hybrid (table below).
#
# Why the paper's student ends at {paper}`74.3 %` with masks alone we cannot know.

# %% tags=["hide-input"]
show(
    run,
    "miou",
    lambda: dots.draw_scores(scores, page.summary(scores), "miou", "test mIoU over car and background (%)"),
    alt="Dot plot of test mIoU for every student, one dot per seed, with the mean, its 95 % interval and the "
    "paper's values for masks only, soft-label KD, NTKD and random PSFs.",
    caption="Test mIoU by student. Diamonds: what the paper reports.",
    data=scores,
)

# %% tags=["hide-input"]
claim_box(
    evidence,
    [
        "ntkd-t3-carvana-ntkd-2",
        "ntkd-t3-carvana-order-2",
        "ntkd-ctl-carvana-matched",
        "ntkd-t3-carvana-none-2",
    ],
)

# %% tags=["hide-input"]
show_recorded(matched.CONTEST.gaps(matched.PAIRS), contest.GAPS, "Matched settings: differences in test mIoU")

# %% tags=["hide-input"]
show_recorded(matched.CONTEST.scores(), matched.SCORES, "Matched settings: every arm")

# %% tags=["hide-input"]
show_table(gaps, page.DIFFERENCES, "Measured here: differences in test mIoU, seed by seed")

# %% [markdown]
# ## The evidence
#
# Each dot is one seed: initial weights and order of batches, shared by all students of the seed (in the
# recorded run of five seeds, which is older, NTKD has an order of its own). Training, validation and test
# share no car, so that no student sees a test car from another side in training. The test cars are used once
# per student, after training.

# %% tags=["hide-input"]
show(
    run,
    "differences",
    lambda: dots.draw_differences(gaps, "test mIoU (points)"),
    alt="Dot plot of paired differences in test mIoU between students, with 95 % intervals and a line at "
    "zero.",
    caption="Differences seed by seed. Intervals to the right of zero: the first student is better.",
    data=gaps,
)

# %% [markdown]
# The boundary F-score is the harmonic mean of the shares of either outline that lie within two pixels of
# the other. It is stricter on outlines, which a user of masks sees first, and it separates students whose
# areas agree.

# %% tags=["hide-input"]
show_table(page.summary(scores), page.STUDENTS, "All students, mean over seeds")

# %% [markdown]
# ## What the masks look like
#
# The photographs cannot be redistributed, so the panels show drawings instead, and networks trained briefly
# on drawings; the parameter `show_images` draws photographs, for a page that is not published. Light grey:
# car. Blue: car that was missed. Orange: background that was marked as car.

# %% tags=["hide-input"]
panels.terms()

# %% tags=["hide-input"]
drawn = panels.panels(run)
show(
    run,
    "panels",
    lambda: panels.draw_panels(drawn),
    alt="Four test images with their true outlines, and beside each the error maps of the teacher and of "
    "three students: masks only, KD and NTKD.",
    caption="Test drawings and the errors of networks trained on drawings.",
    data=panels.pixel_errors(drawn),
)

# %% [markdown]
# ## What the optics save
#
# The paper's three compute energies all amount to {paper}`30.9 pJ` for a multiply-add, so one constant was
# used; a capture through the metasurface costs it {paper}`3.82 mJ`, one through a lens {paper}`2.36 mJ`. The
# table counts our networks, and the multiply-adds that the paper states, with the same numbers (which gives
# the paper's energies up to rounding). The digital twin computes the same filters on a computer, and there
# are three ways to do it. Run layer by layer at full resolution, as a network with 8, 16 and 32 filters would
# be, it supports the paper's claim. But no nonlinearity separates these layers: a careful programmer merges
# them into one bank of 7 × 7 filters, and computes that bank only where the sensor's larger pixels need it.
# Against this twin the optics save nothing: what their capture costs beyond one through a lens is more than
# the work that it replaces.

# %% tags=["hide-input"]
show_table(energy.rows(), energy.COLUMNS, "Multiply-adds and energy, one image")

# %% [markdown]
# ## How it was made
#
# **Student.** Banks of 8, 16 and 32 signed filters of 3 × 3 pixels follow each other without a nonlinearity,
# so the optics apply their product, 32 filters of 7 × 7 pixels per colour, in one pair of captures per
# channel. The sensor's pixels average 4 × 4 pixels of the scene. The back end goes down by strided and up by
# transposed convolutions; in all 234,873 parameters, a quarter of the paper's {paper}`"1.06M"` read as
# parameters and nine tenths of it read as megabytes.
#
# **Controls.** *Ideal lens*: the plain image, resampled to a little less than the same number of values, into
# the same back end. *Random signed filters*: left at their random start. *Random PSFs, one up-sampling
# layer*: the setting of the paper's Table 5, non-negative filters and one transposed convolution; all of it
# is linear, and each logit sees a patch of 10 × 10 pixels. With many such PSFs it trains at the rate that was
# found for few, so that the two rows are no test of the paper's rise. *Equal time*: masks only, trained
# longer.
#
# **Tangent kernel of a mask.** A mask has 38,400 logits, and the paper does not say of which outputs the
# kernel is taken. Two summaries $g$ of the logits $f$ are compared here, the same for teacher and student:
#
# | summary | formula | its kernel |
# |---|---|---|
# | pooled | $g_c = \operatorname{mean}_{i \in \text{cell } c} f_i$ | compares cells of a grid |
# | projected | $g = S f / \sqrt{c\,h\,w}$, random signs $S$ | estimates the mean kernel of a pixel |
#
# With the Jacobian $J$ of $g$ over all trainable parameters, $\Theta(x, x') = \langle J(x), J(x') \rangle$,
# summed over the outputs of $g$. The student's is exact, once in {param}`kernel_every` steps and for
# {param}`kernel_batch` images; the teacher's is compressed once into features (landmarks with the exact
# diagonal). The losses are those of {doc}`01_ntkd_classification`: raw, trace-normalised, centred cosine.
# "NTKD" is the one with the best score on validation cars; the raw form and both summaries are always shown.
#
# **Training.** All students see {param}`steps` batches of {param}`batch` images, every other batch mirrored,
# with AdamW and a learning rate that rises for a tenth of the steps and then falls to zero. Convolutions are
# computed in bfloat16, kernels and scores in float32.
#
# From the library's parts, on four images of this run: the teacher's kernel of pooled logits, compressed, and
# a fresh student that is trained for eight steps with the kernel loss in each.

# %%
import torch
from ntkd_lib.chapters.optical_students import masks
from ntkd_lib.data.masks import load_masks
from ntkd_lib.distill.dense import DenseTeacher, PooledLogits
from ntkd_lib.distill.dense_tangent import build
from ntkd_lib.distill.mask_training import Masks, MaskSchedule, fit_masks, scenes
from ntkd_lib.ntk.landmarks import LandmarkKernel
from ntkd_lib.optics.segmentation import carvana_student

part = load_masks(run.parameters.data, "train")
few = Masks(part.images[:4], part.masks[:4])
images, pooled = scenes(few.images, "cpu"), PooledLogits(4)
network = torch.nn.Sequential(masks.restore_teacher(run.select(masks.teacher)[0]), pooled)
features, diagonal = LandmarkKernel(network, images[:2]).features(images)
teacher = DenseTeacher(images=images, features=features, diagonal=diagonal, summary=pooled)
loss = build({"form": "raw", "weight": 0.1, "kernel_batch": 2, "kernel_every": 1}, teacher)
curve = fit_masks(carvana_student(), few, few, loss, MaskSchedule(steps=8, batch=2))

# %% [markdown]
# **Teacher.** A small U-Net, trained once and shared by all seeds.

# %% tags=["hide-input"]
show_table(page.teacher_rows(run), page.TEACHER, "The teacher and its two compressed kernels")

# %% [markdown]
# **Settings.** Every student with its own search had the same number of trials, all with the same short
# training, and was scored on validation cars with a seed that is not reported; NTKD is the best of four
# forms of the kernel loss, and so of {setup}`4` times as many trials as KD has. In the live run KD and
# every kernel loss train at the learning rate and weight decay of masks alone, and keep the rest of their
# best trial; in the older recorded run they kept all of it. The trials of *matched masks* are its own, at
# full length:

# %% tags=["hide-input"]
show_recorded(matched.CONTEST.trials(), matched.TRIALS, "Matched settings: every trial, best first")

# %% tags=["hide-input", "recorded"]
trials = mask_methods.MASKS.trial_table()
show(
    run,
    "search",
    lambda: training.draw_trials(trials, "validation mIoU", 60),
    alt="Dot plot of the validation mIoU of every trial of the search, by student; the chosen trial of each "
    "is a filled diamond.",
    caption="The recorded search: validation mIoU of every trial.",
    data=trials,
)

# %% tags=["hide-input"]
show_recorded(
    training.best_trials(mask_methods.MASKS.trial_table()), training.SETTINGS, "What the search chose"
)

# %% tags=["hide-input"]
training.space_table(space_rows(mask_methods.METHODS.values()), "What the search draws from")

# %% [markdown]
# **Training length.** A verdict needs a plateau: the best validation score of the last eighth of training is
# at most {setup}`0.3 points` above the best before it. Since the learning rate falls to zero, training ends
# flat at any length, so that this says nothing of what longer training would give: masks alone, trained for
# {param}`long_steps` steps and not {param}`steps`, end {val}`ntkd.carvana.none_long.miou -
# ntkd.carvana.none.miou :+.2f` points higher. Scores are those of {param}`steps` steps.

# %% tags=["hide-input"]
curves = page.curves(scores, ("none", "kd", "ntkd", "none_long"))
show(
    run,
    "validation",
    lambda: training.draw_curves(curves, ("share", "share of training steps (%)"), "validation mIoU (%)"),
    alt="Validation mIoU against the share of training steps for masks only, soft-label KD, NTKD and masks "
    "only with equal time, with bands from the lowest to the highest seed.",
    caption="Validation mIoU during training; bands span the seeds.",
    data=curves,
)

# %% [markdown]
# ## Check
#
# The NTKD student of the first seed is tested again through its two captures per channel, and its pixels are
# counted by NumPy; its kernel is compared with one backward pass per output and image in 64-bit numbers.

# %%
by_captures, recorded = checks.miou_from_captures(run)
assert abs(by_captures - recorded) <= 0.05, (by_captures, recorded)
assert checks.kernel_error(run) < 1e-4
assert run.holds(evidence.metrics)
means = page.summary(scores).set_index("method")["mean"]
assert abs(means["kd"] - scores[scores.method == "kd"].miou.mean()) < 1e-12
