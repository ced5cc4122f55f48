"""The gate: is a picture what its shot asks for, and if not, what is wrong and what would mend it?

contract     what a check is, and what it says
judging      run every check over a picture
checks/      one file a check
evidence     what a picture is judged against
pictures     a picture as the checks see it
thresholds   the limit of every check, from thresholds.toml
vision/      networks that see people, and comparisons that need them
repairs      what is done differently for the next take
critic/      a vision-language model that looks at what passes
calibration/ fitting thresholds to pictures that somebody labelled
"""
