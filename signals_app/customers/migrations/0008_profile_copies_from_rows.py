from django.db import migrations, models

from signals_app.core.schema import OnPostgreSQL

INDEXES = (
    ("customer_denied", ("marketing_consent__is", False), "marketing_consent IS FALSE"),
    ("customer_ordered", ("has_ordered", True), "has_ordered"),
)


def _recreate(name, nulls, condition):
    columns = f"project_id, last_seen_at DESC{nulls}, id DESC"
    return [
        f'DROP INDEX "{name}"',
        f'CREATE INDEX "{name}" ON "customers_customer" ({columns}) WHERE {condition}',
    ]


class Migration(migrations.Migration):

    dependencies = [
        ('customers', '0007_checkouts_and_shipments'),
        ('projects', '0003_consent_settings'),
    ]

    operations = [
        migrations.AddField(
            model_name='customer',
            name='has_ordered',
            field=models.BooleanField(default=False, editable=False),
        ),
        migrations.AddField(
            model_name='customer',
            name='marketing_consent',
            field=models.BooleanField(editable=False, null=True),
        ),
        *(
            migrations.AddIndex(
                model_name='customer',
                index=models.Index(condition=models.Q(condition), fields=['project', '-last_seen_at', '-id'], name=name),
            )
            for name, condition, _ in INDEXES
        ),
        # As `customer_by_last_seen`: a profile that was never seen comes last.
        *(
            OnPostgreSQL(_recreate(name, " NULLS LAST", condition), _recreate(name, "", condition))
            for name, _, condition in INDEXES
        ),
    ]
