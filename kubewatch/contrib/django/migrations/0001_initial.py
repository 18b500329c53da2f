"""The table of how fresh the rows of reflections are."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    operations = (
        migrations.CreateModel(
            name="ReflectionState",
            fields=[
                ("name", models.CharField(max_length=200, primary_key=True, serialize=False)),
                ("heard_at", models.DateTimeField(help_text="When the rows were what the API server had.")),
            ],
        ),
    )
