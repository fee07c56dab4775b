from django.db import migrations

AT_ONCE = 10_000
"""Rows that one statement reads."""


def fill(apps, schema_editor):
    """Set the copies that migration 0008 added, from the rows that there are; begun again, it does the same."""
    living = apps.get_model("customers", "Customer").objects.using(schema_editor.connection.alias).filter(erased_at=None)
    consents = apps.get_model("customers", "Consent").objects.using(schema_editor.connection.alias)
    orders = apps.get_model("customers", "Order").objects.using(schema_editor.connection.alias)
    for some in _slices(consents.all()):
        said = some.filter(channel="email", topic="marketing")
        denied, granted = (
            said.filter(is_granted=is_granted).values("identifier__customer") for is_granted in (False, True)
        )
        living.filter(pk__in=denied).update(marketing_consent=False)
        living.filter(pk__in=granted, marketing_consent=None).update(marketing_consent=True)
    for some in _slices(orders.all()):
        have_ordered = some.exclude(state="cancelled").values("identifier__customer")
        living.filter(pk__in=have_ordered, has_ordered=False).update(has_ordered=True)


def _slices(rows):
    rows, rest = rows.order_by(), rows.order_by("pk")
    while pks := list(rest.values_list("pk", flat=True)[:AT_ONCE]):
        yield rows.filter(pk__gte=pks[0], pk__lte=pks[-1])
        rest = rest.filter(pk__gt=pks[-1])


class Migration(migrations.Migration):
    # Each statement commits, so that none holds locks for long.
    atomic = False

    dependencies = [
        ('customers', '0008_profile_copies_from_rows'),
    ]

    operations = [
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
