"""The names of sets, models and labels, and the columns of an epoch's figures. Imports nothing.

Who writes them and who reads them take them from here. The trainings depend on this file, so the
columns of the tables that `evaluate` and `analyze` write are in `tables`.
"""

TRAINING = "train"  # the fold that models are trained on
VALIDATION = "validation"  # the fold that choices are made by: drawn, or a set of the source's own
TEST = "test"  # the set that `split` draws where the source has no test set
# CoLA's dev sets, and the two together, which others quote as the GLUE dev set.
DEV_SETS = ("in_domain_dev", "out_of_domain_dev")
BOTH = "both_dev"
ALL_TESTS = "all test sets"  # the test sets together where they are not CoLA's dev sets

# The models of a run; MEAN is the mean of the seeds' scores, ENSEMBLE of their probabilities.
MEAN = "mean of seeds"
ENSEMBLE = "ensemble of seeds"
MAJORITY = "majority class"
TFIDF = "TF-IDF + logistic regression"

# The columns of the epochs of a training, and of `adapt` in metrics/adapt.csv.
EPOCH = ("epoch", "training_loss", "validation_loss", "validation_accuracy", "validation_mcc")
ADAPT_EPOCH = ("epoch", "sentences", "training_loss", "validation_loss", "validation_mcc")


def of_seed(seed: int | str) -> str:
    """Return the name of the model that was trained with a seed."""
    return f"seed {seed}"
