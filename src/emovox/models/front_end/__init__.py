"""Front end of the networks: from the waveform to frame features, in operators that every runtime has."""
