"""Templates: checked and compiled when they are saved, so that a mail never finds a broken one."""

from __future__ import annotations

from django.db import transaction

from signals_app.emails import rendering
from signals_app.emails.exceptions import TemplateError
from signals_app.emails.mjml_compiler import compile_mjml
from signals_app.emails.models import EmailTemplate


def template_problems(template: EmailTemplate) -> dict[str, list[str]]:
    """Return what is wrong with a template, by field; an empty dict means that it can be saved."""
    problems: dict[str, list[str]] = {}
    for problem in rendering.check(subject=template.subject, preheader=template.preheader, mjml=template.mjml):
        problems.setdefault(problem.field, []).append(problem.message)
    return problems


@transaction.atomic
def save_template(template: EmailTemplate) -> EmailTemplate:
    """
    Check, compile and save a template.

    :raises TemplateError: naming the field, if it cannot be used.
    """
    problems = template_problems(template)
    if problems:
        raise TemplateError("; ".join(f"{field}: {' '.join(messages)}" for field, messages in problems.items()))
    template.compiled_html = compile_mjml(template.mjml)
    template.save()
    return template
