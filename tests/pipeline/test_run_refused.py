"""Notebooks that run to their end and are refused all the same."""

from tests.pipeline.toy import NAME

UNPUBLISHED = "it published no evidence for its parameters (no run.publish, or they changed)"


def test_noise_on_standard_error_is_a_failure(own):
    done = own.run("-p", "fault=stderr", "--no-page")
    assert done.returncode == 1
    assert f"ntkd: {NAME}: cell 4: wrote to stderr: a warning (see " in done.stderr
    assert not (own.build / "runs").exists()


def test_a_notebook_that_publishes_nothing_is_a_failure(own):
    own.edit(own.notebook, "evidence = run.publish(metrics(run))\nevidence.notebook", "1")
    done = own.run()
    assert done.returncode == 1
    assert done.stderr.endswith(f"ntkd: {NAME}: {UNPUBLISHED}\n")


def test_a_notebook_that_ignores_a_parameter_is_a_failure(own):
    own.edit(
        own.notebook,
        'run = open_run("90_toy", globals())',
        'rate = 0.75\nrun = open_run("90_toy", globals())',
    )
    done = own.run()
    assert done.returncode == 1
    assert done.stderr.endswith(f"ntkd: {NAME}: {UNPUBLISHED}\n")
