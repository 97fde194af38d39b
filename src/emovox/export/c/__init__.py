"""A model as one C99 file and its header: no heap, no library but libm, one static block of memory."""
