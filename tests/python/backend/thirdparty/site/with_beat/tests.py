# SPDX-License-Identifier: Apache-2.0
import datetime
import json

from celery import Celery
from django.core.exceptions import ValidationError
from django.test import TestCase
from django.utils import timezone
from django_celery_beat.models import (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    PeriodicTasks,
    SolarSchedule,
)
from django_celery_beat.schedulers import DatabaseScheduler
from pages import AdminCase


def hourly(**more):
    every, _ = IntervalSchedule.objects.get_or_create(every=1, period=IntervalSchedule.HOURS)
    return PeriodicTask.objects.create(name="sweep", task="sweep", interval=every, **more)


class TasksTest(TestCase):
    def test_a_change_is_seen(self):
        task = hourly()
        first = PeriodicTasks.last_change()
        task.description = "each hour"
        task.save()
        self.assertGreater(PeriodicTasks.last_change(), first)
        before = PeriodicTasks.last_change()
        PeriodicTask.objects.update(enabled=False)
        PeriodicTasks.update_changed()
        self.assertGreater(PeriodicTasks.last_change(), before)

    def test_what_runs_when(self):
        cron = CrontabSchedule.objects.create(minute="30", hour="4", timezone="Europe/Berlin")
        self.assertEqual(str(CrontabSchedule.objects.get().timezone), "Europe/Berlin")
        noon = SolarSchedule.objects.create(event="solar_noon", latitude="52.52", longitude="13.4")
        once = ClockedSchedule.objects.create(clocked_time=timezone.now())
        PeriodicTask.objects.create(
            name="cron", task="a", crontab=cron, kwargs=json.dumps({"x": 1})
        )
        PeriodicTask.objects.create(name="noon", task="b", solar=noon, one_off=False)
        PeriodicTask.objects.create(name="once", task="c", clocked=once, one_off=True)
        PeriodicTask.objects.create(name="off", task="d", crontab=cron, enabled=False)
        hourly(expires=timezone.now() + datetime.timedelta(days=1))
        enabled = PeriodicTask.objects.enabled()
        self.assertEqual(sorted(t.name for t in enabled), ["cron", "noon", "once", "sweep"])
        with self.assertRaises(ValidationError):
            PeriodicTask(name="none", task="e").validate_unique()


class SchedulerTest(TestCase):  # it closes connections that it finds old
    def test_reads_and_writes(self):
        task = hourly()
        app = Celery("tests", set_as_current=False)
        app.conf.beat_schedule = {"tidy": {"task": "tidy", "schedule": 30.0}}
        scheduler = DatabaseScheduler(app=app, lazy=True)
        scheduler.setup_schedule()
        self.assertIn("sweep", scheduler.schedule)
        self.assertIn("tidy", scheduler.schedule)
        entry = scheduler.schedule["sweep"]
        scheduler.reserve(entry)
        scheduler.sync()
        task.refresh_from_db()
        self.assertEqual(task.total_run_count, 1)
        self.assertIsNotNone(task.last_run_at)


class TasksAdminTest(AdminCase):
    def test_pages(self):
        task = hourly()
        self.open(task, task.interval)
        done = self.client.post(
            "/admin/django_celery_beat/periodictask/",
            {"action": "disable_tasks", "_selected_action": [task.pk]},
        )
        self.assertEqual(done.status_code, 302)
        task.refresh_from_db()
        self.assertFalse(task.enabled)
