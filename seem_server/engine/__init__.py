"""Who computes what when: tickets, the scheduler, caches and the worker."""
