"""Rules engine: who should get what, when, and why not."""
