"""What the board gets: reading, running, checking and publishing an int8 model."""
