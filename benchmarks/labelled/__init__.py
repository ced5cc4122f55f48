"""The labelled set: good keyframes and keyframes with one planted defect, made from seeds and never stored.

Scenes (`scenes`) are drawn by the previz (`shoot`), edited as a model would (`edits`), and damaged (`defects`,
`structure`, `limbs`); `examples` yields them. Thresholds are tuned on even seeds; what is said of the gate comes from
odd ones (`tally`).
"""
