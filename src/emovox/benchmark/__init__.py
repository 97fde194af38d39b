"""Speed and memory on this machine, ours and that of what people use today, measured side by side."""
