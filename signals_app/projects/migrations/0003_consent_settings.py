from typing import Any

from django.db import migrations, models

from signals_app.core.countries import COUNTRIES
from signals_app.projects.models import validate_countries


def keep_soft_opt_in(apps: Any, schema_editor: Any) -> None:
    """A store that allowed it everywhere allows it in every country; shoppers whose country is unknown are left out."""
    apps.get_model("projects", "Project").objects.filter(allows_soft_opt_in=True).update(
        soft_opt_in_countries=sorted(COUNTRIES)
    )


def put_soft_opt_in_back(apps: Any, schema_editor: Any) -> None:
    """Only a store that allows it everywhere allowed it before: the old setting knew no countries."""
    for project in apps.get_model("projects", "Project").objects.all():
        project.allows_soft_opt_in = set(project.soft_opt_in_countries) >= set(COUNTRIES)
        project.save(update_fields=["allows_soft_opt_in"])


class Migration(migrations.Migration):

    dependencies = [
        ('projects', '0002_saved_view'),
    ]

    operations = [
        migrations.AddField(
            model_name='project',
            name='soft_opt_in_countries',
            field=models.JSONField(blank=True, default=list, help_text='Countries in which an order allows you to mail people who never said no.', validators=[validate_countries], verbose_name='soft opt-in in'),
        ),
        migrations.AddField(
            model_name='project',
            name='personalises_unless_refused',
            field=models.BooleanField(default=True, help_text='Off: automations use what a shopper does in the shop only after the shopper has agreed to that.', verbose_name='personalise unless refused'),
        ),
        migrations.RunPython(keep_soft_opt_in, put_soft_opt_in_back, elidable=True),
        migrations.RemoveField(
            model_name='project',
            name='allows_soft_opt_in',
        ),
    ]
