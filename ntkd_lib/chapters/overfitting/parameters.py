"""Parameters of notebook 05."""

from ntkd_lib.lab.parameters import SeededParameters, Seeds, parameter


class OverfittingParameters(SeededParameters):
    """Parameters of notebook 05."""

    seeds: Seeds = parameter(
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], "Seeds of the repetitions; each redraws inputs, targets and networks."
    )
    rows: int = parameter(500, "Training samples of the six networks.", unit="samples", ge=40, le=5000)
    grid_rows: int = parameter(200, "Training samples of most grid fits.", unit="samples", ge=40, le=2000)
    large_rows: list[int] = parameter(
        [500, 1000, 2000], "Sample sizes of the grid's few large problems.", unit="samples", max_length=4
    )
    large_seeds: int = parameter(3, "Seeds for which the large problems are run.", unit="seeds", ge=0, le=100)
    epochs: int = parameter(
        1600, "Full-batch epochs; in the grid, of the two smallest networks.", unit="epochs", ge=16, le=20_000
    )
    test_points: int = parameter(10_000, "Test samples of six networks.", unit="samples", ge=100, le=100_000)
    grid_test_points: int = parameter(
        500, "Fresh test inputs in the grid, with exact targets.", unit="samples", ge=100, le=10_000
    )
    null_replicates: int = parameter(40, "Draws of the matched null per seed.", unit="draws", ge=2, le=10_000)
    trials: int = parameter(1000, "Trials of each certificate.", unit="trials", ge=50, le=100_000)
    exact_rows: int = parameter(2000, "Samples of the exact decomposition.", unit="samples", ge=100, le=5000)
    low_rank_rows: int = parameter(20_000, "Samples of low-rank bases.", unit="samples", ge=200, le=100_000)
    landmarks: int = parameter(1000, "Landmarks of the low-rank kernel.", unit="samples", ge=10, le=5000)


PARAMETERS = OverfittingParameters
