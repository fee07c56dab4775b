from django.db import migrations

from signals_app.catalog.matching import handle_of


def fill(apps, schema_editor):
    products = apps.get_model('catalog', 'Product').objects
    for category in products.exclude(category='').order_by().values_list('category', flat=True).distinct():
        products.filter(category=category).update(category_handle=handle_of(category))


class Migration(migrations.Migration):

    dependencies = [
        ('catalog', '0004_category_handles'),
    ]

    operations = [
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
