"""
The textbook peer: a small project as a good Django developer writes it after the documentation of Django, DRF and Celery.

One request, one transaction, one task; one task, one signal. It verifies the same signature, keeps the same fields, and
its task comes to the same profile, score, interests and matches by the same pure functions as the program.
"""
