"""REST API: programs pull intent and push identity, consent and orders."""
