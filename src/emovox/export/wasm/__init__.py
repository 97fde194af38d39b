"""Write a model, and the network that finds speech, as one WebAssembly file for `web/packages/emovox`."""
