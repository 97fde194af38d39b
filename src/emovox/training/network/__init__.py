"""Networks: from clips to a fitted `emovox.models.network.Network`."""
