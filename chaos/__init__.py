"""
Breaking the running program on purpose, and counting whether it kept its promises: `make chaos`.

The program runs as it would on a server (two web servers, two workers, beat, PostgreSQL, Redis, a mail service), all of
it private to the run. While signals come in, faults are injected in an order that a seed decides. Then the invariants
are checked from the database and from what the mail service noted, not from what the program says of itself.
"""
