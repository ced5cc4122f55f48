"""The shot list: the YAML language that users write, and what it means for cameras, prompts and graphics."""
