"""Reports: pictures, tables and sentences about figures, as one HTML page and as Markdown."""
