"""The synthetic corpus `minimal-pairs`: its files, and the grammar that generated them."""
