"""The emotion of words: a sentence encoder and a head that learnt from labelled lines."""
