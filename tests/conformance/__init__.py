"""The promises of all seams. A package, so that the clusters that its modules share end with it."""
