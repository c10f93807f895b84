"""zhang2025 Sections 3 and 4: objective, kernels, networks, consensus matrices, the restart kernel."""
