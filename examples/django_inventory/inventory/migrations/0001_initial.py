"""The tables of the inventory."""

from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    operations = [
        migrations.CreateModel(
            name="Node",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=253, unique=True)),
                ("ready", models.BooleanField(default=False)),
                ("version", models.CharField(max_length=100)),
                ("cpu", models.CharField(max_length=20)),
                ("memory", models.CharField(max_length=20)),
                ("created", models.DateTimeField()),
            ],
            options={
                "ordering": ("name",),
            },
        ),
        migrations.CreateModel(
            name="Deployment",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("namespace", models.CharField(max_length=63)),
                ("name", models.CharField(max_length=253)),
                ("team", models.CharField(blank=True, max_length=63)),
                ("image", models.CharField(max_length=500)),
                ("replicas", models.IntegerField(default=1)),
                ("ready", models.IntegerField(default=0)),
                ("created", models.DateTimeField()),
            ],
            options={
                "ordering": ("namespace", "name"),
                "constraints": [models.UniqueConstraint(fields=("namespace", "name"), name="one_deployment_of_a_name")],
            },
        ),
    ]
