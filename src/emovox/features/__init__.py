"""Speech features as Numba kernels: MFCC, log-mel, F0, energy, and functionals of them."""
