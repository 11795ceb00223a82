"""The nodes of a cluster, in the lifecycle."""
