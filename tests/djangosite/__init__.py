"""A small Django site for the tests of `kubewatch.contrib.django`.

In the tests' own process `import tests.djangosite.setup` sets it up; a process of its own goes by its `settings`.
"""
