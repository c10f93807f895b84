"""zeng2022 Sections 2 and 3: values, the personalised problem, its bi-level form, and consensus."""
