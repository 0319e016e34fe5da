"""The names of the sets that are scored, where a name says what a set is for."""

VALIDATION = "validation"  # the fold that `split` holds out of the training set; no test set
# CoLA's dev sets, and the two together, which others quote as the GLUE dev set.
DEV_SETS = ("in_domain_dev", "out_of_domain_dev")
BOTH = "both_dev"
LABELS = ("unacceptable", "acceptable")  # by number, as CoLA labels sentences
