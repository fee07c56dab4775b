"""Templates, outbox, suppression: how a mail is made and leaves."""
