from django.db import migrations, models

import signals_app.customers.models
from signals_app.core.schema import ForbidChanges


class Migration(migrations.Migration):

    dependencies = [
        ('customers', '0005_profile_list'),
        ('projects', '0003_consent_settings'),
    ]

    operations = [
        migrations.AddField(
            model_name='consentchange',
            name='evidence',
            field=models.CharField(blank=True, db_default='', default='', max_length=200),
        ),
        migrations.AddField(
            model_name='order',
            name='country',
            field=models.CharField(blank=True, db_default='', default='', max_length=2, validators=[signals_app.customers.models.validate_country]),
        ),
        ForbidChanges('consentchange'),
    ]
