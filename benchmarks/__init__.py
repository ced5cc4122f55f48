"""One script a claim; each prints a table and writes results/NAME.json with the machine it ran on."""
