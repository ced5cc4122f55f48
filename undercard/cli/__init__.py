"""The command line: arguments, printing, and nothing else."""
