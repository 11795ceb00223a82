"""What another interpreter runs. Imports nothing of ours."""
