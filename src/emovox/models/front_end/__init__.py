"""The front end inside the network: from the waveform to frame features, in operators that every runtime has."""
